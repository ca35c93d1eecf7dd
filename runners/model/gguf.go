package model

const ggufMagic = "GGUF"

func loadGGUF(path string) (*Model, error) {
	return nil, unsupportedf("%s: GGUF", path)
}
