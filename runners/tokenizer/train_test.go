package tokenizer_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/runners/tokenizer"
)

// utterances makes n short texts that look like requests, half of them Chinese.
func utterances(n int) []string {
	en := strings.Fields("please set an alarm for tomorrow morning what is my balance transfer money to savings account book flight from boston play music turn lights off how's weather in paris don't remind me 42 7 30")
	zh := []rune("请帮我设置明天早上的闹钟我想查询账户余额转账到储蓄预订从北京出发去上海的机票播放音乐关灯天气怎么样提醒")
	seed := uint64(1)
	next := func(n int) int {
		seed = seed*6364136223846793005 + 1442695040888963407
		return int(seed>>33) % n
	}
	out := make([]string, n)
	for i := range out {
		var b strings.Builder
		for j := range 4 + next(8) {
			if i%2 == 0 {
				if j > 0 {
					b.WriteByte(' ')
				}
				b.WriteString(en[next(len(en))])
			} else {
				at := next(len(zh) - 3)
				b.WriteString(string(zh[at : at+1+next(3)]))
			}
		}
		out[i] = b.String()
	}
	return out
}

func train(t testing.TB, texts []string, vocab int) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.TrainBPE(context.Background(), slices.Values(texts), vocab, tokenizer.TrainOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// Two people who train on the same data must get the same ids, in whatever
// order they read it.
func TestTrainIsDeterministic(t *testing.T) {
	texts := utterances(2000)
	a := train(t, texts, 1200)
	slices.Reverse(texts)
	b := train(t, texts, 1200)
	ja, _ := a.MarshalJSON()
	jb, _ := b.MarshalJSON()
	if d := cmp.Diff(string(ja), string(jb)); d != "" {
		t.Errorf("vocabularies differ:\n%.2000s", d)
	}
}

// Digits that share a piece would make amounts and dates hard to learn; long
// ideograph pieces would memorise sentences.
func TestTrainKeepsLimits(t *testing.T) {
	tok := train(t, utterances(4000), 3000)
	for id := range int32(tok.VocabSize()) {
		p, _ := tok.Piece(id)
		if p.Kind != tokenizer.Normal {
			continue
		}
		digits, han := 0, 0
		for _, r := range p.Text {
			if unicode.IsDigit(r) {
				digits++
			}
			if unicode.Is(unicode.Han, r) {
				han++
			}
		}
		if n := len([]rune(p.Text)); digits > 0 && n > 1 || han > 4 || n > 16 {
			t.Errorf("piece %q breaks a limit", p.Text)
		}
	}
	if got := len(tok.Encode("转账 1234")); got < 5 {
		t.Errorf("four digits became %d tokens", got)
	}
}

// What training did not see must still come back.
func TestTrainedRoundTrip(t *testing.T) {
	tok := train(t, utterances(500), 600)
	for _, text := range []string{
		"", "please", " please ", "a\tb\n c", "转账到 储蓄", "naïve 🦙 12.5 %", "\xff\xfe broken", "don't 'tis", strings.Repeat("长", 500),
	} {
		if got := tok.Decode(tok.Encode(text)); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
}

// Training has to fit into a user's patience.
func TestTrainIsFast(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second or two")
	}
	texts := utterances(20000)
	start := time.Now()
	tok := train(t, texts, 8000)
	took := time.Since(start)
	t.Logf("%d pieces from %d texts in %v", tok.VocabSize(), len(texts), took)
	if took > 30*time.Second {
		t.Errorf("training took %v", took)
	}
}

func TestTrainRefuses(t *testing.T) {
	none := slices.Values([]string(nil))
	some := slices.Values([]string{"some text"})
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name, want string
		run        func() error
	}{
		{"no text", "no text", func() error {
			_, err := tokenizer.TrainBPE(context.Background(), none, 1000, tokenizer.TrainOptions{})
			return err
		}},
		{"vocabulary too small", "not between 320", func() error {
			_, err := tokenizer.TrainBPE(context.Background(), some, 100, tokenizer.TrainOptions{})
			return err
		}},
		{"cancelled", "cancel", func() error {
			_, err := tokenizer.TrainBPE(cancelled, some, 1000, tokenizer.TrainOptions{})
			return err
		}},
	} {
		if err := c.run(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}
