package tokenizer

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/seed-c6f48606/harness/runners/model"
)

// Field numbers of sentencepiece_model.proto
// (https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto).
const (
	modelPieces     = 1
	modelTrainer    = 2
	modelNormalizer = 3

	pieceText  = 1
	pieceScore = 2
	pieceKind  = 3

	trainerModelType = 3
	trainerBOS       = 41
	trainerEOS       = 42

	normalizerCharsmap = 2
	normalizerPrefix   = 3
	normalizerCollapse = 4
	normalizerEscape   = 5
)

// modelTypeBPE is TrainerSpec.ModelType's value for byte-pair encoding.
const modelTypeBPE = 2

// field is one field of a protobuf message; which value counts depends on its
// wire type.
type field struct {
	number protowire.Number
	varint uint64
	fixed  uint32
	bytes  []byte
}

// eachField walks a message. Unknown fields are passed along; use ignores
// them.
func eachField(b []byte, use func(field) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			f.fixed, n = protowire.ConsumeFixed32(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := use(f); err != nil {
			return err
		}
	}
	return nil
}

// parseSentencePiece reads a tokenizer.model of the BPE kind.
func parseSentencePiece(b []byte) (*Tokenizer, error) {
	var pieces []Piece
	// The schema's defaults.
	o := Options{SpacePrefix: true, CollapseSpace: true, BOS: 1, EOS: 2}
	modelType, escape := uint64(1), true
	err := eachField(b, func(f field) error {
		switch f.number {
		case modelPieces:
			if len(pieces) >= maxPieces {
				return fmt.Errorf("more than %d pieces", maxPieces)
			}
			p, err := parsePiece(f.bytes)
			if err != nil {
				return fmt.Errorf("piece %d: %w", len(pieces), err)
			}
			pieces = append(pieces, p)
		case modelTrainer:
			return eachField(f.bytes, func(f field) error {
				switch f.number {
				case trainerModelType:
					modelType = f.varint
				case trainerBOS:
					o.BOS = int32(f.varint)
				case trainerEOS:
					o.EOS = int32(f.varint)
				}
				return nil
			})
		case modelNormalizer:
			return eachField(f.bytes, func(f field) error {
				switch f.number {
				case normalizerCharsmap:
					o.Charsmap = f.bytes
				case normalizerPrefix:
					o.SpacePrefix = f.varint != 0
				case normalizerCollapse:
					o.CollapseSpace = f.varint != 0
				case normalizerEscape:
					escape = f.varint != 0
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading SentencePiece model: %w", err)
	}
	if len(pieces) == 0 {
		return nil, errors.New("it is neither a tokenizer.json nor a SentencePiece model: it holds no pieces")
	}
	if modelType != modelTypeBPE {
		return nil, fmt.Errorf("the SentencePiece model is of type %d: %w (supported: 2, byte-pair encoding)", modelType, model.ErrUnsupported)
	}
	if !escape {
		return nil, fmt.Errorf("the SentencePiece model keeps spaces as they are: %w", model.ErrUnsupported)
	}
	return New(pieces, o)
}

func parsePiece(b []byte) (Piece, error) {
	p := Piece{Kind: Normal}
	err := eachField(b, func(f field) error {
		switch f.number {
		case pieceText:
			p.Text = string(f.bytes)
		case pieceScore:
			p.Score = math.Float32frombits(f.fixed)
		case pieceKind:
			if f.varint > uint64(Byte) {
				return fmt.Errorf("its kind %d is not known", f.varint)
			}
			p.Kind = Kind(f.varint)
		}
		return nil
	})
	return p, err
}
