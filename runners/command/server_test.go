package command

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/runners/measure"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// A fault of the runner must reach the controller as an answer: it would wait for
// one otherwise.
func TestAPanicIsAnswered(t *testing.T) {
	var stderr strings.Builder
	s := &server{enc: wire.NewEncoder(&bytes.Buffer{}), stderr: &stderr, session: &measure.Session{}}
	m := s.answer(t.Context(), wire.Line{ID: 1, Message: wire.Evaluate{Batch: 1, Perplexity: true}})
	e, ok := m.(wire.Error)
	if !ok || e.Kind != wire.Harness || !strings.Contains(e.Text, "panicked") || e.Mend == "" {
		t.Errorf("answered %+v", m)
	}
	if s.session != nil || !strings.Contains(stderr.String(), "goroutine") {
		t.Errorf("session %v is still in use, or no stack was left: %q", s.session, stderr.String())
	}
}

func TestAResultThatJSONCannotHoldIsAnswered(t *testing.T) {
	var out bytes.Buffer
	s := &server{enc: wire.NewEncoder(&out)}
	if err := s.reply(3, wire.Loaded{LoadS: math.NaN()}); err != nil {
		t.Fatal(err)
	}
	line, err := wire.NewDecoder(&out, 0).Decode()
	e, ok := line.Message.(wire.Error)
	if err != nil || !ok || line.ID != 3 || e.Kind != wire.Harness || !strings.Contains(e.Text, "loaded") {
		t.Errorf("answered %+v, %v", line, err)
	}
}

// A board that tells nothing must not look like one that tells zero.
func TestInfoOfAnUnknownMachine(t *testing.T) {
	var out bytes.Buffer
	err := printInfo(&out, wire.InfoResult{Tiers: []string{"generic"}, EnergyReason: "there is no sensor", EnergyMend: "add one", Env: wire.Environment{
		OS: "linux", Arch: "arm64", Tier: "generic", GoVersion: "go1", ToolVersion: "v1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimPrefix(`
version      v1
commit       unknown
go           go1
system       linux/arm64
kernel       unknown
host         unknown
board        unknown
virtual      no hypervisor or container seen
cpu          unknown
cores        unknown
governor     unknown
memory       unknown
kernel tier  generic (available: generic)
temperature  unknown
energy       unavailable: there is no sensor; add one
`, "\n")
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Half a character on the terminal is a question mark that the model never wrote.
func TestTextComesInWholeCharacters(t *testing.T) {
	pieces := []tokenizer.Piece{{Text: "<unk>", Kind: tokenizer.Unknown}}
	for i := range 256 {
		pieces = append(pieces, tokenizer.Piece{Text: "<0x" + string("0123456789ABCDEF"[i>>4]) + string("0123456789ABCDEF"[i&15]) + ">", Kind: tokenizer.Byte})
	}
	tok, err := tokenizer.New(pieces, tokenizer.Options{BOS: -1, EOS: -1})
	if err != nil {
		t.Fatal(err)
	}
	ids := func(s string) []int32 {
		var out []int32
		for _, b := range []byte(s) {
			out = append(out, int32(b)+1)
		}
		return out
	}
	tests := []struct{ name, prompt, text, want string }{
		{"several bytes a character", "a", "余额é😀.", "余额é😀.\n"},
		{"cut at the end", "a", "x余"[:3], "x余"[:3] + "\n"},
		{"never a character", "a", "\xff\xfex", "\xff\xfex\n"},
		{"a prompt cut within a character", "余"[:1], "余"[1:] + "!", "余"[1:] + "!\n"},
		{"nothing", "a", "", "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var w pieceWriter
			out := newTextWriter(&w, tok)
			out.begin(ids(tt.prompt))
			for _, id := range ids(tt.text) {
				if err := out.add(id); err != nil {
					t.Fatal(err)
				}
			}
			if err := out.end(); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(w, ""); got != tt.want {
				t.Errorf("wrote %q, want %q", got, tt.want)
			}
			for _, piece := range w {
				if utf8.ValidString(tt.want) && !utf8.ValidString(piece) {
					t.Errorf("wrote %q by itself", piece)
				}
			}
		})
	}
}

// pieceWriter keeps each write apart.
type pieceWriter []string

func (w *pieceWriter) Write(b []byte) (int, error) {
	*w = append(*w, string(b))
	return len(b), nil
}

func TestPicker(t *testing.T) {
	if got := newPicker(0, 1).pick([]float32{1, 3, 2, 3}); got != 1 {
		t.Errorf("without a temperature it picked %d, want the first of the likeliest", got)
	}
	// exp(x/T) is 3 to 1 at temperature 2, and large logits must not overflow.
	logits := []float32{1e4, 1e4 - float32(2*math.Log(3)), -1e4}
	p, counts := newPicker(2, 1), [3]int{}
	const draws = 10000
	for range draws {
		counts[p.pick(logits)]++
	}
	// Four standard deviations of a binomial.
	if math.Abs(float64(counts[0])-0.75*draws) > 4*math.Sqrt(draws*0.75*0.25) || counts[2] != 0 {
		t.Errorf("drew %v of %d, want 3 to 1 to 0", counts, draws)
	}
	nan := float32(math.NaN())
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		if got := newPicker(rng.Float64(), 1).pick([]float32{nan, nan}); got < 0 || got > 1 {
			t.Errorf("of broken logits it picked %d", got)
		}
	}
}
