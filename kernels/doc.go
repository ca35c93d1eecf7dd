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
// integers within blocks of 32, joined by fused multiply-adds in block order.
//
// Wrong lengths are errors of the program and panic.
package kernels

//go:generate go run ./gen .
