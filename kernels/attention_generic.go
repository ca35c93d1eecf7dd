package kernels

import "unsafe"

func mulKV(tier Tier, format KVFormat, rows int, t *kvTile) {
	if tier != Generic && runKVTile(tier, format, rows, t) {
		return
	}
	switch format {
	case KVF32:
		kvTileGeneric(rows, t, func(v float32) float32 { return v })
	case KVF16:
		kvTileGeneric(rows, t, F16ToF32)
	case KVInt8:
		kvTileGeneric(rows, t, func(v int8) float32 { return float32(v) })
	}
}

func kvTileGeneric[E float32 | uint16 | int8](rows int, t *kvTile, widen func(E) float32) {
	var zero E
	size := int(unsafe.Sizeof(zero))
	b := unsafe.Slice((*E)(unsafe.Pointer(t.b)), ((t.groups-1)*t.jump)/size+t.groups*t.steps*panelRows)
	a := unsafe.Slice(t.a, (rows-1)*t.lda+t.groups*t.steps)
	c := unsafe.Slice(t.c, (rows-1)*t.ldc+panelRows)
	for r := range rows {
		out := c[r*t.ldc:][:panelRows]
		if t.accumulate == 0 {
			clear(out)
		}
		for g := range t.groups {
			at := g * (t.steps*panelRows + t.jump/size)
			for i, x := range a[r*t.lda+g*t.steps:][:t.steps] {
				for c, v := range b[at+i*panelRows:][:panelRows] {
					out[c] += x * widen(v)
				}
			}
		}
	}
}
