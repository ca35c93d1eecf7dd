package train

// stream is a counter-based generator (SplitMix64). Every step and shard has
// its own, derived from the seed, so a resumed run draws what an uninterrupted
// one would have drawn and no generator state needs saving.
type stream struct{ state uint64 }

func newStream(seed, step, shard uint64) stream {
	s := stream{seed}
	s.state = s.next() ^ step*0x9e3779b97f4a7c15
	s.state = s.next() ^ shard*0xd1342543de82ef95
	return s
}

func (s *stream) next() uint64 {
	s.state += 0x9e3779b97f4a7c15
	z := s.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// float is uniform in [0,1).
func (s *stream) float() float64 { return float64(s.next()>>11) / (1 << 53) }

// dropoutMask fills m with 0 (probability p) or 1/(1−p); p is resolved to
// 2⁻¹⁶.
func dropoutMask[T Float](s *stream, m []T, p float64) {
	limit, keep := uint64(p*65536), T(1/(1-p))
	for len(m) > 0 {
		word := s.next()
		lanes := m[:min(4, len(m))]
		for i := range lanes {
			v := keep
			if word&0xffff < limit {
				v = 0
			}
			lanes[i] = v
			word >>= 16
		}
		m = m[len(lanes):]
	}
}
