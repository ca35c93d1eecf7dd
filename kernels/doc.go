// Package kernels holds the arithmetic of the engine and of the trainer:
// matrix products on packed weights (f32, bf16, 2 to 8 bit integers), a
// general f32 product, and the few vector functions of a transformer.
//
// Every function exists in plain Go and, where the machine has it, in
// assembly. A set of implementations is a [Tier]; [Active] names the one in
// use, [Force] and the environment variable KERNELS_TIER select another. The
// build tag noasm leaves only plain Go.
//
// Two promises hold on every tier. A row of a matrix product is the same, bit
// for bit, whatever the number of rows multiplied together and the number of
// threads: each output is one chain of fused multiply-adds over k. And the
// product of an [IntMatrix] is the same on every tier: its sums are exact
// integers within blocks of 32 (or groups of 16), which are multiplied by the scale
// of the weights, rounded, and joined in order by fused multiply-adds with the scale
// of the activations. Scales of weights have to be finite for that.
//
// How an [IntMatrix] is multiplied depends on the tier and on the number of
// tokens. On AVX-512 one token takes four panels at once, which are four streams
// of memory; up to 39 tokens multiply a panel as it is stored, eight at a time,
// so that its integers are unpacked in registers once for eight tokens; from 40
// on a panel is expanded to bytes and f32 scales first, once for all of them.
// One call takes several tiles of eight tokens. Groups of 16 values are another
// matter: two tokens at a time, and expanded from 6 on, as the tiers AVX2 and
// AVX-VNNI do with all groups. Those tiles, the narrow ones of [Gemm] and
// attention multiply by numbers that the instruction itself broadcasts from
// memory: to broadcast into a 512-bit register of its own is as dear to Zen 4 as
// to multiply. Not so to cores of Intel: there expanded panels are multiplied by
// twos, each activation broadcast once for both. Kernels of one token ask for weights
// in advance there, on all tiers.
//
// Wrong lengths are errors of the program and panic.
package kernels

//go:generate go run ./gen .
