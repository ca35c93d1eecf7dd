// Package model holds ERNIE-4.5 dense language models in memory and on disk.
//
// A model is read from a Hugging Face folder (config.json beside
// model.safetensors, one file or sharded), from a .safetensors file with its
// config.json beside it, or from a GGUF file of architecture ernie4_5. It is
// written as a folder whose matrices may be dense, quantized or factored and
// whose layers may be pruned, or as a GGUF file that llama.cpp runs.
//
// Load brings a model into memory. Open leaves its matrices in the file, to be
// read some rows at a time by whoever packs them for the kernels. Random makes
// one up for measurements of speed.
//
// Every file is hostile input: sizes are checked against the file's length
// before anything is allocated, and an error names the file, the tensor and
// what would mend it.
package model
