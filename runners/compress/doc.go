// Package compress turns a model into the variants that a sweep compares:
// fewer stored bits, factored matrices, narrower blocks, and gates that let a
// sequence skip attention blocks or leave early.
//
// A [Recipe] names one variant, [Recipe.Key] is its content address, and a
// [Builder] makes variants of one parent, sharing the calibration passes
// between them. The stages run in the order prune, low rank, quantize, gates:
// each sees the weights that the stages before it left.
//
//   - Pruning takes FFN neurons in groups and query heads evenly from every
//     key/value group, chosen by the optimal brain surgeon's loss on
//     calibration activations per parameter, and repairs what stays by least
//     squares on the blocks' outputs (ZipLM, arXiv 2302.04089; OSSCAR,
//     arXiv 2403.12983).
//   - Low rank projects each block matrix onto the principal axes of its own
//     outputs, which has the optimum of a factorization whitened by
//     activations (SVD-LLM, arXiv 2403.07378) without an inverse.
//   - Quantization rounds to nearest on a symmetric grid by group.
//   - Gates are fitted in closed loops without autodiff, after the template of
//     Router-Tuning (arXiv 2410.13184) with aggregated data from the policy's
//     own states (DAgger, arXiv 1011.0686).
package compress
