// Package tokenizer turns text into token ids and back by byte-pair encoding
// with byte fallback, the SentencePiece kind that ERNIE-4.5 uses: spaces become
// "▁", the adjacent pair whose joined piece scores highest is merged first, and
// what the vocabulary lacks is spelled in bytes.
//
// Vocabularies come from GGUF files, from SentencePiece's tokenizer.model, from
// this package's own tokenizer.json, or from training on text.
package tokenizer
