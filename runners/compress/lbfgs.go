package compress

// minimise runs limited-memory BFGS (Nocedal and Wright, 2006, algorithm 7.5)
// with backtracking from x for at most rounds steps and returns the best point.
// loss returns the value at a point and writes its gradient. The function is
// meant to be convex; the step where no progress is found is the last.
func minimise(loss func(x, grad []float64) float64, x []float64, rounds int) []float64 {
	const memory = 8
	n := len(x)
	x = append([]float64(nil), x...)
	grad, next, nextGrad := make([]float64, n), make([]float64, n), make([]float64, n)
	dir, alpha := make([]float64, n), make([]float64, memory)
	var steps, turns [][]float64 // x and gradient differences, oldest first
	value := loss(x, grad)
	start := inner(grad, grad)
	for range rounds {
		if inner(grad, grad) <= 1e-8*start {
			break
		}
		for i, g := range grad {
			dir[i] = -g
		}
		for k := len(steps) - 1; k >= 0; k-- {
			alpha[k] = inner(steps[k], dir) / inner(steps[k], turns[k])
			axpy(-alpha[k], turns[k], dir)
		}
		if k := len(steps) - 1; k >= 0 {
			scale := inner(steps[k], turns[k]) / inner(turns[k], turns[k])
			for i := range dir {
				dir[i] *= scale
			}
		}
		for k := range steps {
			axpy(alpha[k]-inner(turns[k], dir)/inner(steps[k], turns[k]), steps[k], dir)
		}
		slope := inner(dir, grad)
		step := 1.0
		if len(steps) == 0 {
			step = 1 / max(1, inner(grad, grad)) // the first has no curvature to go by
			step = max(step, 1e-4)
		}
		found := false
		for range 25 {
			copy(next, x)
			axpy(step, dir, next)
			if v := loss(next, nextGrad); v <= value+1e-4*step*slope {
				value, found = v, v < value
				break
			}
			step /= 2
		}
		if !found {
			break
		}
		s, y := make([]float64, n), make([]float64, n)
		for i := range s {
			s[i], y[i] = next[i]-x[i], nextGrad[i]-grad[i]
		}
		if inner(s, y) > 0 {
			if len(steps) == memory {
				steps, turns = steps[1:], turns[1:]
			}
			steps, turns = append(steps, s), append(turns, y)
		}
		x, next = next, x
		grad, nextGrad = nextGrad, grad
	}
	return x
}

func inner(a, b []float64) float64 {
	var s float64
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

func axpy(alpha float64, x, y []float64) {
	for i, v := range x {
		y[i] += alpha * v
	}
}
