package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// maxConfigBytes bounds config.json and the shard index.
const maxConfigBytes = 16 << 20

// configFile is config.json as Hugging Face writes it. Pointers tell an absent
// key from a zero.
type configFile struct {
	Architectures []string          `json:"architectures,omitempty"`
	ModelType     string            `json:"model_type"`
	HiddenAct     string            `json:"hidden_act,omitempty"`
	Hidden        int               `json:"hidden_size"`
	FFN           int               `json:"intermediate_size"`
	Layers        int               `json:"num_hidden_layers"`
	Heads         int               `json:"num_attention_heads"`
	KVHeads       int               `json:"num_key_value_heads,omitempty"`
	HeadDim       int               `json:"head_dim,omitempty"`
	Vocab         int               `json:"vocab_size"`
	Positions     *int              `json:"max_position_embeddings"`
	RopeTheta     *float64          `json:"rope_theta,omitempty"`
	RopeScaling   *ropeScaling      `json:"rope_scaling,omitempty"`
	RopeParams    *ropeScaling      `json:"rope_parameters,omitempty"`
	Eps           *float64          `json:"rms_norm_eps"`
	Tie           *bool             `json:"tie_word_embeddings"`
	UseBias       bool              `json:"use_bias"`
	BOS           tokenID           `json:"bos_token_id"`
	EOS           tokenID           `json:"eos_token_id"`
	PAD           tokenID           `json:"pad_token_id"`
	ID2Label      map[string]string `json:"id2label,omitempty"`
	Label2ID      map[string]int    `json:"label2id,omitempty"`
	Harness       *Extension        `json:"harness,omitempty"`
}

// ropeScaling is the old (rope_scaling) and new (rope_parameters) home of
// everything about rotary embedding beyond its base.
type ropeScaling struct {
	Type    string   `json:"type"`
	NewType string   `json:"rope_type"`
	Theta   *float64 `json:"rope_theta"`
}

// tokenID is an id, the first of a list of ids, or null for none (-1).
type tokenID struct {
	present bool
	id      int
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *tokenID) UnmarshalJSON(b []byte) error {
	t.present, t.id = true, -1
	if string(b) == "null" {
		return nil
	}
	if !bytes.HasPrefix(b, []byte("[")) {
		return json.Unmarshal(b, &t.id)
	}
	var list []int
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	if len(list) > 0 {
		t.id = list[0]
	}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (t tokenID) MarshalJSON() ([]byte, error) {
	if t.id < 0 {
		return []byte("null"), nil
	}
	return json.Marshal(t.id)
}

func (t tokenID) or(absent int) int {
	if !t.present {
		return absent
	}
	return t.id
}

// UnmarshalJSON reads the keys of config.json and fills in what Hugging Face
// leaves to defaults. It refuses what the engine would compute wrongly: other
// architectures, other activations, biases and scaled rotary embedding.
func (c *Config) UnmarshalJSON(b []byte) error {
	var f configFile
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	if f.ModelType != ModelType {
		return unsupportedf("model_type %q is not supported (supported: %q, the dense ERNIE-4.5 models)", f.ModelType, ModelType)
	}
	if err := f.supported(); err != nil {
		return err
	}
	out := Config{
		ModelType: f.ModelType, HiddenSize: f.Hidden, IntermediateSize: f.FFN, NumLayers: f.Layers,
		NumHeads: f.Heads, NumKVHeads: f.KVHeads, HeadDim: f.HeadDim, VocabSize: f.Vocab,
		MaxPositions: 131072, RopeTheta: 500000, RMSNormEps: 1e-5, TieWordEmbeddings: true,
		BOS: f.BOS.or(1), EOS: f.EOS.or(2), PAD: f.PAD.or(0), Harness: f.Harness,
	}
	if out.NumKVHeads == 0 {
		out.NumKVHeads = out.NumHeads
	}
	if out.HeadDim == 0 && out.NumHeads > 0 {
		if out.HiddenSize%out.NumHeads != 0 {
			return fmt.Errorf("head_dim is absent and hidden_size %d is no multiple of num_attention_heads %d", out.HiddenSize, out.NumHeads)
		}
		out.HeadDim = out.HiddenSize / out.NumHeads
	}
	if f.Positions != nil {
		out.MaxPositions = *f.Positions
	}
	if f.RopeParams != nil && f.RopeParams.Theta != nil {
		out.RopeTheta = *f.RopeParams.Theta
	}
	if f.RopeTheta != nil {
		out.RopeTheta = *f.RopeTheta
	}
	if f.Eps != nil {
		out.RMSNormEps = *f.Eps
	}
	if f.Tie != nil {
		out.TieWordEmbeddings = *f.Tie
	}
	labels, err := labelList(f.ID2Label)
	if err != nil {
		return err
	}
	out.Labels = labels
	*c = out
	return c.Validate()
}

func (f *configFile) supported() error {
	if f.HiddenAct != "" && f.HiddenAct != "silu" {
		return unsupportedf("hidden_act %q is not supported (supported: silu)", f.HiddenAct)
	}
	if f.UseBias {
		return unsupportedf("use_bias is true, but linear layers with biases are not supported")
	}
	for _, r := range []*ropeScaling{f.RopeScaling, f.RopeParams} {
		if r == nil {
			continue
		}
		for _, t := range []string{r.Type, r.NewType} {
			if t != "" && t != "default" {
				return unsupportedf("rope_scaling of type %q is not supported (supported: none)", t)
			}
		}
	}
	return nil
}

// labelList turns id2label into a list in class order.
func labelList(byID map[string]string) ([]string, error) {
	if len(byID) == 0 {
		return nil, nil
	}
	list := make([]string, len(byID))
	for key, name := range byID {
		id, err := strconv.Atoi(key)
		if err != nil || id < 0 || id >= len(list) || strconv.Itoa(id) != key {
			return nil, fmt.Errorf("id2label has the key %q, but its %d keys must count from 0", key, len(byID))
		}
		list[id] = name
	}
	return list, nil
}

// MarshalJSON writes the keys UnmarshalJSON reads.
func (c Config) MarshalJSON() ([]byte, error) {
	f := configFile{
		Architectures: []string{"Ernie4_5ForCausalLM"}, ModelType: c.ModelType, HiddenAct: "silu",
		Hidden: c.HiddenSize, FFN: c.IntermediateSize, Layers: c.NumLayers, Heads: c.NumHeads,
		KVHeads: c.NumKVHeads, HeadDim: c.HeadDim, Vocab: c.VocabSize, Positions: &c.MaxPositions,
		RopeTheta: &c.RopeTheta, Eps: &c.RMSNormEps, Tie: &c.TieWordEmbeddings,
		BOS: tokenID{true, c.BOS}, EOS: tokenID{true, c.EOS}, PAD: tokenID{true, c.PAD}, Harness: c.Harness,
	}
	if len(c.Labels) > 0 {
		f.ID2Label = make(map[string]string, len(c.Labels))
		f.Label2ID = make(map[string]int, len(c.Labels))
		for i, name := range c.Labels {
			f.ID2Label[strconv.Itoa(i)] = name
			f.Label2ID[name] = i
		}
	}
	return json.Marshal(f)
}

// parseConfig reads config.json; name is the file's, for errors.
func parseConfig(name string, b []byte) (Config, error) {
	var c Config
	if err := json.Unmarshal(b, &c); err != nil {
		return Config{}, fmt.Errorf("reading %s: %w", name, err)
	}
	return c, nil
}
