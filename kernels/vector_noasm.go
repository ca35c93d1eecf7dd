//go:build noasm || !(amd64 || arm64)

package kernels

func dot(a, b []float32) float32                 { return dotGeneric(a, b) }
func axpy(alpha float32, x, y []float32)         { axpyGeneric(alpha, x, y) }
func scaleMul(dst, x, gain []float32, s float32) { scaleMulGeneric(dst, x, gain, s) }
func swiglu(dst, gate, up []float32, ld, rows, cols int) {
	swigluGeneric(dst, gate, up, ld, rows, cols)
}
func maximum(x []float32) float32                  { return maximumGeneric(x) }
func expSub(x []float32, m float32) float32        { return expSubGeneric(x, m) }
func weigh(_ Tier, x []float32, m float32) float32 { return expSubGeneric(x, m) }
func scaleTo(dst, x []float32, s float32)          { scaleGeneric(dst, x, s) }
func rotate(x, cos, sin []float32)                 { rotateGeneric(x, cos, sin) }
