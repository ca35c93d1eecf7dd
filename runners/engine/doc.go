// Package engine runs decoder-only transformers of the ERNIE-4.5 dense
// architecture: RMSNorm before attention and before the MLP, interleaved rotary
// positions, grouped-query attention with a key/value cache, SwiGLU, and a
// language-model head or a classification head read from the last token.
//
// A forward pass takes the tokens of any number of sequences, each at its own
// position and of its own length, laid end to end: nothing is padded. Long
// inputs are cut into pieces of Options.Chunk tokens counted from where each
// sequence stands, so that the result of a sequence is the same, bit for bit,
// whatever else is in the batch and however many threads run.
//
// Weights stay in the form they are stored in: f32, bf16, integers with a scale
// by group, or two factors. Integer weights meet activations quantized to int8
// by block of 32 (Options.Exact computes in f32 instead); f32 and bf16 weights
// meet f32 activations.
//
// Keys and values are kept as f32, f16 or int8 (Options.KV), in groups of 16
// tokens that sequences can share: Sequence.Fork goes on from what another has
// read, and Options.SharePrefix reads what classified prompts begin with once.
// Attention runs in blocks of keys with a running maximum, so that its working
// memory does not grow with the context, for all heads that share keys at once.
//
// The matrices that read one input run as one product over all workers: five
// runs of the pool take a token through a layer. Norms, activations and
// quantization happen where a row is made. Integer weights are packed by New
// from the model or straight from its file (model.Open), so that they are never
// in memory twice; an embedding that is tied to the head is looked up in it.
//
// Routing. A model may carry gates. An attention gate at layer l looks at the
// mean, over the tokens of the sequence's first piece, of the input that the
// attention block would read; sigmoid(w·f+b) says how much the block is needed.
// An exit gate after layer l looks at the mean of the hidden states normed by
// the final norm and says how much the later layers are needed. A gate skips
// when the threshold is above 0 and its value is below it, or when the threshold
// is 1 or more. The decision is taken once per sequence, at its first piece, and
// kept: a skipped layer never has keys or values for that sequence. Sequences
// that skip are taken out of the sub-batch, so that skipped work saves time. At
// threshold 0 the gates are not even looked at.
package engine
