// The integer kernels of package kernels in NEON intrinsics: the same packed
// layout, the same arithmetic, the same number of tokens at a time, as a C
// programmer would write them for gcc to schedule. Built once an instruction
// set; run as: reference KERNEL CALLS.
#include <arm_neon.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tile {
	long blocks, group; // blocks of 32 inputs; blocks a scale
	const uint8_t *w;
	const void *scales; // binary16 [groups][16], of expanded panels float [blocks][16]
	const int8_t *q;
	const float *xs;
	const int32_t *corr;
	long width;
	float *y;
	long ld;
};

#define INLINE static inline __attribute__((always_inline))
#define KERNEL __attribute__((noipa))
#define EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++)

INLINE void load_scales(float32x4_t s[4], const void *from) {
	float16x8x2_t h = vld1q_f16_x2((const __fp16 *)from);
	EACH(i, 2) {
		s[2 * i] = vcvt_f32_f16(vget_low_f16(h.val[i]));
		s[2 * i + 1] = vcvt_high_f32_f16(h.val[i]);
	}
}

INLINE void store(const struct tile *c, int tokens, float32x4_t r[][4]) {
	EACH(t, tokens) {
		EACH(g, 4) vst1q_f32(c->y + t * c->ld + 4 * g, r[t][g]);
	}
}

INLINE void scale(float32x4_t *r, int32x4_t sum, float32x4_t s, float xs) {
	*r = vfmaq_n_f32(*r, vmulq_f32(vcvtq_f32_s32(sum), s), xs);
}

// Runs body for every block, after loading scales for every group.
#define BLOCKS(c, s, ...)                                                    \
	for (long left = (c)->blocks; left > 0;) {                               \
		load_scales(s, scales);                                              \
		scales += 16;                                                        \
		long n = left < (c)->group ? left : (c)->group;                      \
		left -= n;                                                           \
		for (; n > 0; n--) __VA_ARGS__                                           \
	}

// ---- ARMv8.0: products in 16 bits

INLINE int8x16_t quad(const int8_t *x, int q) {
	return vreinterpretq_s8_s32(vld1q_dup_s32((const int32_t *)x + q));
}

INLINE void mull_bytes(const struct tile *c, int tokens) {
	float32x4_t r[2][4] = {0}, s[4];
	const uint8_t *w = c->w;
	const int8_t *q = c->q;
	const float *xs = c->xs;
	const __fp16 *scales = c->scales;
	BLOCKS(c, s, {
		int32x4_t lo[2][4], hi[2][4];
		EACH(j, 4) {
			int8x16_t x[2][2];
			EACH(t, tokens) {
				EACH(i, 2) x[t][i] = quad(q + 32 * t, 2 * j + i);
			}
			EACH(g, 4) {
				int8x16_t even = vld1q_s8((const int8_t *)w + 16 * g);
				int8x16_t odd = vld1q_s8((const int8_t *)w + 64 + 16 * g);
				EACH(t, tokens) {
					int16x8_t a = vmull_s8(vget_low_s8(even), vget_low_s8(x[t][0]));
					int16x8_t b = vmull_high_s8(even, x[t][0]);
					a = vmlal_s8(a, vget_low_s8(odd), vget_low_s8(x[t][1]));
					b = vmlal_high_s8(b, odd, x[t][1]);
					lo[t][g] = j ? vpadalq_s16(lo[t][g], a) : vpaddlq_s16(a);
					hi[t][g] = j ? vpadalq_s16(hi[t][g], b) : vpaddlq_s16(b);
				}
			}
			w += 128;
		}
		EACH(t, tokens) {
			EACH(g, 4) scale(&r[t][g], vpaddq_s32(lo[t][g], hi[t][g]), s[g], xs[t]);
		}
		q += 32 * c->width;
		xs += c->width;
	})
	store(c, tokens, r);
}

INLINE void mull_nibbles(const struct tile *c, int tokens) {
	float32x4_t r[2][4] = {0}, s[4];
	const uint8_t *w = c->w;
	const int8_t *q = c->q;
	const float *xs = c->xs;
	const int32_t *corr = c->corr;
	const __fp16 *scales = c->scales;
	BLOCKS(c, s, {
		int16x8_t a[2][4], b[2][4];
		EACH(j, 4) {
			int8x16_t x[2][2];
			EACH(t, tokens) {
				EACH(i, 2) x[t][i] = quad(q + 32 * t, j + 4 * i);
			}
			EACH(g, 4) {
				uint8x16_t v = vld1q_u8(w + 64 * j + 16 * g);
				int8x16_t lo = vreinterpretq_s8_u8(vandq_u8(v, vdupq_n_u8(15)));
				int8x16_t hi = vreinterpretq_s8_u8(vshrq_n_u8(v, 4));
				EACH(t, tokens) {
					int8x16_t x0 = x[t][0], x1 = x[t][1];
					if (j == 0) {
						a[t][g] = vmull_s8(vget_low_s8(lo), vget_low_s8(x0));
						b[t][g] = vmull_high_s8(lo, x0);
					} else {
						a[t][g] = vmlal_s8(a[t][g], vget_low_s8(lo), vget_low_s8(x0));
						b[t][g] = vmlal_high_s8(b[t][g], lo, x0);
					}
					a[t][g] = vmlal_s8(a[t][g], vget_low_s8(hi), vget_low_s8(x1));
					b[t][g] = vmlal_high_s8(b[t][g], hi, x1);
				}
			}
		}
		EACH(t, tokens) {
			int32x4_t offset = vshrq_n_s32(vld1q_dup_s32(corr + t), 4);
			EACH(g, 4) scale(&r[t][g], vpadalq_s16(offset, vpaddq_s16(a[t][g], b[t][g])), s[g], xs[t]);
		}
		w += 256;
		q += 32 * c->width;
		xs += c->width;
		corr += c->width;
	})
	store(c, tokens, r);
}

KERNEL void neon_q8x1(const struct tile *c) { mull_bytes(c, 1); }
KERNEL void neon_q8x2(const struct tile *c) { mull_bytes(c, 2); }
KERNEL void neon_q4x1(const struct tile *c) { mull_nibbles(c, 1); }
KERNEL void neon_q4x2(const struct tile *c) { mull_nibbles(c, 2); }

// ---- ARMv8.2: SDOT

#ifdef __ARM_FEATURE_DOTPROD

INLINE int32x4_t dot(int32x4_t sum, int8x16_t w, int8x16_t x, int lane) {
	switch (lane) {
	case 0: return vdotq_laneq_s32(sum, w, x, 0);
	case 1: return vdotq_laneq_s32(sum, w, x, 1);
	case 2: return vdotq_laneq_s32(sum, w, x, 2);
	}
	return vdotq_laneq_s32(sum, w, x, 3);
}

INLINE void dot_bytes(const struct tile *c, int tokens) {
	float32x4_t r[2][4] = {0}, s[4];
	const uint8_t *w = c->w;
	const int8_t *q = c->q;
	const float *xs = c->xs;
	const __fp16 *scales = c->scales;
	BLOCKS(c, s, {
		int32x4_t sum[2][4] = {0};
		int8x16_t x[2][2];
		EACH(t, tokens) {
			EACH(i, 2) x[t][i] = vld1q_s8(q + 32 * t + 16 * i);
		}
		EACH(j, 8) {
			int8x16x4_t v = vld1q_s8_x4((const int8_t *)w);
			w += 64;
			EACH(t, tokens) {
				EACH(g, 4) sum[t][g] = dot(sum[t][g], v.val[g], x[t][j / 4], j % 4);
			}
		}
		EACH(t, tokens) {
			EACH(g, 4) scale(&r[t][g], sum[t][g], s[g], xs[t]);
		}
		q += 32 * c->width;
		xs += c->width;
	})
	store(c, tokens, r);
}

INLINE void dot_nibbles(const struct tile *c, int tokens) {
	float32x4_t r[2][4] = {0}, s[4];
	const uint8_t *w = c->w;
	const int8_t *q = c->q;
	const float *xs = c->xs;
	const int32_t *corr = c->corr;
	const __fp16 *scales = c->scales;
	BLOCKS(c, s, {
		int32x4_t sum[2][4];
		int8x16_t x[2][2];
		EACH(t, tokens) {
			EACH(i, 2) x[t][i] = vld1q_s8(q + 32 * t + 16 * i);
			int32x4_t offset = vshrq_n_s32(vld1q_dup_s32(corr + t), 4);
			EACH(g, 4) sum[t][g] = offset;
		}
		EACH(j, 4) {
			uint8x16x4_t v = vld1q_u8_x4(w);
			w += 64;
			EACH(g, 4) {
				int8x16_t lo = vreinterpretq_s8_u8(vandq_u8(v.val[g], vdupq_n_u8(15)));
				int8x16_t hi = vreinterpretq_s8_u8(vshrq_n_u8(v.val[g], 4));
				EACH(t, tokens) {
					sum[t][g] = dot(sum[t][g], lo, x[t][0], j);
					sum[t][g] = dot(sum[t][g], hi, x[t][1], j);
				}
			}
		}
		EACH(t, tokens) {
			EACH(g, 4) scale(&r[t][g], sum[t][g], s[g], xs[t]);
		}
		q += 32 * c->width;
		xs += c->width;
		corr += c->width;
	})
	store(c, tokens, r);
}

// Four tokens leave room for the sums of eight outputs.
KERNEL void dot_q8x4(const struct tile *c) {
	float32x4_t r[4][4] = {0};
	const uint8_t *w = c->w;
	const int8_t *q = c->q;
	const float *xs = c->xs, *scales = c->scales;
	for (long n = c->blocks; n > 0; n--) {
		EACH(half, 2) {
			int32x4_t sum[4][2] = {0};
			EACH(part, 2) {
				int8x16_t x[4];
				EACH(t, 4) x[t] = vld1q_s8(q + 32 * t + 16 * part);
				EACH(j, 4) {
					int8x16x2_t v = vld1q_s8_x2((const int8_t *)w + 64 * (4 * part + j) + 32 * half);
					EACH(t, 4) {
						EACH(g, 2) sum[t][g] = dot(sum[t][g], v.val[g], x[t], j);
					}
				}
			}
			float32x4_t all = vld1q_f32(xs);
			EACH(g, 2) {
				float32x4_t s = vld1q_f32(scales + 8 * half + 4 * g);
				EACH(t, 4) scale(&r[t][2 * half + g], sum[t][g], s, all[t]);
			}
		}
		w += 512;
		q += 32 * c->width;
		xs += c->width;
		scales += 16;
	}
	store(c, 4, r);
}

KERNEL void dot_q4x4(const struct tile *c) {
	float32x4_t r[4][4] = {0};
	const uint8_t *w = c->w;
	const int8_t *q = c->q;
	const float *xs = c->xs;
	const int32_t *corr = c->corr;
	const __fp16 *scales = c->scales;
	for (long left = c->blocks; left > 0; scales += 16) {
		long n = left < c->group ? left : c->group;
		left -= n;
		for (; n > 0; n--) {
			EACH(half, 2) {
				int32x4_t offset = vshrq_n_s32(vld1q_s32(corr), 4), sum[4][2];
				EACH(t, 4) {
					EACH(g, 2) sum[t][g] = vdupq_n_s32(offset[t]);
				}
				EACH(part, 2) {
					int8x16_t x[4];
					EACH(t, 4) x[t] = vld1q_s8(q + 32 * t + 16 * part);
					EACH(j, 4) {
						uint8x16x2_t v = vld1q_u8_x2(w + 64 * j + 32 * half);
						EACH(g, 2) {
							uint8x16_t u = part ? vshrq_n_u8(v.val[g], 4) : vandq_u8(v.val[g], vdupq_n_u8(15));
							EACH(t, 4) sum[t][g] = dot(sum[t][g], vreinterpretq_s8_u8(u), x[t], j);
						}
					}
				}
				float16x8_t h = vld1q_f16(scales + 8 * half);
				float32x4_t all = vld1q_f32(xs), s[2] = {vcvt_f32_f16(vget_low_f16(h)), vcvt_high_f32_f16(h)};
				EACH(g, 2) {
					EACH(t, 4) scale(&r[t][2 * half + g], sum[t][g], s[g], all[t]);
				}
			}
			w += 256;
			q += 32 * c->width;
			xs += c->width;
			corr += c->width;
		}
	}
	store(c, 4, r);
}

KERNEL void dot_q8x1(const struct tile *c) { dot_bytes(c, 1); }
KERNEL void dot_q8x2(const struct tile *c) { dot_bytes(c, 2); }
KERNEL void dot_q4x1(const struct tile *c) { dot_nibbles(c, 1); }
KERNEL void dot_q4x2(const struct tile *c) { dot_nibbles(c, 2); }
#endif

// ---- ARMv8.6: SMMLA on panels with eight inputs of an output together

#ifdef __ARM_FEATURE_MATMUL_INT8

KERNEL void i8mm_q8x4(const struct tile *c) {
	float32x4_t r[2][8] = {0}; // two outputs of one token, then of the other
	const int8_t *w = (const int8_t *)c->w, *q = c->q;
	const float *xs = c->xs, *scales = c->scales;
	for (long n = c->blocks; n > 0; n--) {
		EACH(p, 2) {
			int32x4_t sum[8] = {0};
			int64x2x4_t x = vld4q_s64((const int64_t *)(q + 64 * p));
			EACH(i, 4) {
				EACH(half, 2) {
					int8x16x4_t v = vld1q_s8_x4(w + 128 * i + 64 * half);
					EACH(k, 4) sum[4 * half + k] = vmmlaq_s32(sum[4 * half + k], vreinterpretq_s8_s64(x.val[i]), v.val[k]);
				}
			}
			float32x2_t two = vld1_f32(xs + 2 * p);
			float32x4_t both = vcombine_f32(vzip1_f32(two, two), vzip2_f32(two, two));
			EACH(half, 2) {
				float64x2x4_t s = vld4q_dup_f64((const double *)(scales + 8 * half));
				EACH(k, 4) {
					float32x4_t *to = &r[p][4 * half + k];
					*to = vfmaq_f32(*to, vmulq_f32(vcvtq_f32_s32(sum[4 * half + k]), vreinterpretq_f32_f64(s.val[k])), both);
				}
			}
		}
		w += 512;
		q += 32 * c->width;
		xs += c->width;
		scales += 16;
	}
	EACH(p, 2) {
		EACH(k, 4) {
			float64x2_t a = vreinterpretq_f64_f32(r[p][2 * k]), b = vreinterpretq_f64_f32(r[p][2 * k + 1]);
			vst1q_f32(c->y + 2 * p * c->ld + 4 * k, vreinterpretq_f32_f64(vzip1q_f64(a, b)));
			vst1q_f32(c->y + (2 * p + 1) * c->ld + 4 * k, vreinterpretq_f32_f64(vzip2q_f64(a, b)));
		}
	}
}

static uint8_t expanded[1 << 20];

// Stored nibbles to signed bytes in the order that SMMLA wants.
KERNEL void i8mm_expand4(const struct tile *c) {
	const uint8_t *w = c->w;
	int8_t *to = (int8_t *)expanded;
	uint32x4_t flip = vdupq_n_u32(0x88888888);
	for (long n = c->blocks; n > 0; n--) {
		EACH(j, 2) {
			uint8x16x4_t a = vld1q_u8_x4(w + 128 * j), b = vld1q_u8_x4(w + 128 * j + 64);
			EACH(g, 4) {
				uint32x4_t u = vreinterpretq_u32_u8(a.val[g]), v = vreinterpretq_u32_u8(b.val[g]);
				uint32x4_t both[2] = {veorq_u32(vzip1q_u32(u, v), flip), veorq_u32(vzip2q_u32(u, v), flip)};
				int8x16x2_t lo, hi;
				EACH(l, 2) {
					int8x16_t z = vreinterpretq_s8_u32(both[l]);
					lo.val[l] = vshrq_n_s8(vshlq_n_s8(z, 4), 4);
					hi.val[l] = vshrq_n_s8(z, 4);
				}
				vst1q_s8_x2(to + 128 * j + 32 * g, lo);
				vst1q_s8_x2(to + 128 * (j + 2) + 32 * g, hi);
			}
		}
		w += 256;
		to += 512;
	}
}

static void i8mm_q4x8(const struct tile *c) {
	static float wide[1 << 12];
	for (long i = 0; i < 16 * c->blocks; i++)
		wide[i] = ((const __fp16 *)c->scales)[i];
	i8mm_expand4(c);
	struct tile d = *c;
	d.w = expanded, d.scales = wide;
	i8mm_q8x4(&d);
	d.q += 128, d.xs += 4, d.y += 4 * d.ld;
	i8mm_q8x4(&d);
}
#endif

// The same inputs as those of BenchmarkIntKernel: bytes of a generator.
static unsigned next(void) {
	static uint64_t state;
	state = state * 6364136223846793005u + 1442695040888963407u;
	return state >> 56;
}

#define BLOCK_COUNT 32

static struct tile fill(long tokens, int wide) {
	static uint8_t w[512 * BLOCK_COUNT];
	static int8_t q[32 * 8 * BLOCK_COUNT];
	static float xs[8 * BLOCK_COUNT], wide_scales[16 * BLOCK_COUNT], y[16 * 8];
	static uint16_t scales[16 * BLOCK_COUNT];
	static int32_t corr[8 * BLOCK_COUNT];
	for (size_t i = 0; i < sizeof w; i++)
		w[i] = next();
	for (int i = 0; i < 16 * BLOCK_COUNT; i++) {
		scales[i] = 0x3800 + next(); // 0.5 to 0.625
		__fp16 h;
		memcpy(&h, &scales[i], 2);
		wide_scales[i] = h;
	}
	for (int i = 0; i < tokens * BLOCK_COUNT; i++) {
		xs[i] = next() / 256.f;
		for (int k = 0; k < 32; k++) {
			q[32 * i + k] = (int)(next() % 255) - 127;
			corr[i] -= 128 * q[32 * i + k];
		}
	}
	return (struct tile){BLOCK_COUNT, 1, w, wide ? (void *)wide_scales : scales, q, xs, corr, tokens, y, 16};
}

struct entry {
	const char *name;
	void (*run)(const struct tile *);
	long tokens;
};

int main(int argc, char **argv) {
	static const struct entry all[] = {
		{"neon_q8x1", neon_q8x1, 1},
		{"neon_q8x2", neon_q8x2, 2},
		{"neon_q4x1", neon_q4x1, 1},
		{"neon_q4x2", neon_q4x2, 2},
#ifdef __ARM_FEATURE_DOTPROD
		{"dot_q8x1", dot_q8x1, 1},
		{"dot_q8x2", dot_q8x2, 2},
		{"dot_q8x4", dot_q8x4, 4},
		{"dot_q4x1", dot_q4x1, 1},
		{"dot_q4x2", dot_q4x2, 2},
		{"dot_q4x4", dot_q4x4, 4},
#endif
#ifdef __ARM_FEATURE_MATMUL_INT8
		{"i8mm_q8x4", i8mm_q8x4, 4},
		{"i8mm_q4x8", i8mm_q4x8, 8},
#endif
	};
	if (argc != 3)
		return 2;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (strcmp(all[i].name, argv[1]))
			continue;
		struct tile c = fill(all[i].tokens, strstr(all[i].name, "q8x4") != 0);
		for (int n = atoi(argv[2]); n > 0; n--)
			all[i].run(&c);
		uint64_t sum = 0;
		for (int k = 0; k < 16 * all[i].tokens; k++) {
			uint32_t bits;
			memcpy(&bits, c.y + k, 4);
			sum += bits;
		}
		printf("%llu checksum\n", (unsigned long long)sum);
		return 0;
	}
	fprintf(stderr, "reference: no kernel %s\n", argv[1]);
	return 2;
}
