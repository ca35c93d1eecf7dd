// Package train makes a small ERNIE-4.5 dense classifier from labelled text:
// byte-pair vocabulary, language-model warm-up, then joint training of a
// classification head that reads the last token.
//
// Forward and backward are written by hand for the whole architecture
// (embedding, RMSNorm, interleaved RoPE, grouped-query causal attention,
// SwiGLU, tied language-model head, classification head) and generic over
// float32 and float64, so that every gradient is checked against finite
// differences in float64 while training itself runs in float32.
//
// The sequences of a batch lie one after the other with no padding. A batch is
// cut into a fixed number of shards whose gradients are summed in a fixed
// order: the result does not depend on the number of cores.
package train
