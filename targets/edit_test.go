package targets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// diffLines shows what an edit took away and put in.
func diffLines(before, after string) (gone, come []string) {
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	j := 0
	for j < len(a)-i && j < len(b)-i && a[len(a)-1-j] == b[len(b)-1-j] {
		j++
	}
	return a[i : len(a)-j], b[i : len(b)-j]
}

// TestEdit: what a person wrote by hand, comments above all, outlives every command.
func TestEdit(t *testing.T) {
	v := sample(t)
	for _, c := range []struct {
		name       string
		edit       func() (*Inventory, error)
		gone, come []string
	}{
		{
			"add", func() (*Inventory, error) {
				return v.Add(Target{Name: "new", Address: "10.0.0.7", Labels: []string{"edge"}, HostKey: sampleKey})
			},
			nil,
			[]string{"  - name: new", "    address: 10.0.0.7", "    host_key: " + sampleKey, "    labels:", "    - edge"},
		},
		{
			"remove the first", func() (*Inventory, error) { return v.Remove("nano1") },
			strings.Split(`  # On the window sill.
  - name: nano1 # blue case
    address: nano1.lab
    user: ubuntu
    jump: [gate@bastion:2222]
    board: orin-nano
    labels: [edge, cuda]
    rails:
      - name: VDD_IN
        shunt_uohm: 5000
    total: [VDD_IN]
    power_mode: "0"
    fan: max
    cpuset: 0-3,5
    sudo:
      - nvpmodel
      - jetson_clocks`, "\n"), nil,
		},
		{
			"remove the last", func() (*Inventory, error) { return v.Remove("toy") },
			[]string{"  - name: toy", "    virtual:", "      kind: pi5", "      faults: throttle@10s,undervolt", "    # the end of toy"},
			nil,
		},
		{
			"pin", func() (*Inventory, error) { return v.Pin("nano1", sampleKey) },
			nil,
			[]string{"    host_key: " + sampleKey},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := c.edit()
			if err != nil {
				t.Fatal(err)
			}
			gone, come := diffLines(string(v.text), string(n.text))
			trim := func(all []string) []string { // a neighbouring blank line may be shared
				var out []string
				for _, l := range all {
					if l != "" {
						out = append(out, l)
					}
				}
				return out
			}
			if diff := cmp.Diff(c.gone, trim(gone)); diff != "" {
				t.Errorf("lines taken away (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.come, trim(come)); diff != "" {
				t.Errorf("lines put in (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEditSmall covers the files that have little or nothing in them.
func TestEditSmall(t *testing.T) {
	add := func(text string) (string, error) {
		v, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		n, err := v.Add(Target{Name: "a", Address: "h"})
		if err != nil {
			return "", err
		}
		return string(n.text), nil
	}
	const entry = "  - name: a\n    address: h\n"
	for _, c := range []struct{ text, want string }{
		{"", "targets:\n" + entry},
		{"# mine\n", "# mine\ntargets:\n" + entry},
		{"targets: [] # none yet\n", "targets: # none yet\n" + entry},
		{"targets:\n# none\n", "targets:\n" + entry + "# none\n"},
		{"targets:\n- name: b\n  address: i\n", "targets:\n- name: b\n  address: i\n- name: a\n  address: h\n"},
	} {
		if got, err := add(c.text); err != nil || got != c.want {
			t.Errorf("adding to %q gives %q (%v), want %q", c.text, got, err, c.want)
		}
	}
	if _, err := add("targets: [{name: b, address: i}]\n"); err == nil || !strings.Contains(err.Error(), "one dash a target") {
		t.Errorf("adding to a list on one line: %v", err)
	}
	if _, err := add("targets:\n- {name: a, address: i}\n"); err == nil || !strings.Contains(err.Error(), "on line 2 already") {
		t.Errorf("adding a name twice: %v", err)
	}
	one, err := Parse([]byte("targets: # mine\n- name: b\n  address: i\n  host_key: " + sampleKey + " # old\n"))
	if err != nil {
		t.Fatal(err)
	}
	none, err := one.Remove("b")
	if err != nil || string(none.text) != "targets: [] # mine\n" {
		t.Errorf("removing the only entry leaves %q (%v)", none.text, err)
	}
	key := strings.Replace(sampleKey, "YRN", "YRM", 1)
	if n, err := one.Pin("b", key); err != nil || !strings.Contains(string(n.text), "  host_key: "+key+" # old\n") {
		t.Errorf("pinning another key: %v", err)
	}
}

// TestSave: the file is written whole, keeps its mode, and a link stays one.
func TestSave(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", FileName)
	v := &Inventory{Path: path}
	n, err := v.Add(Target{Name: "a", Address: "h"})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Save(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.yaml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	v, err = Load(link)
	if err != nil {
		t.Fatal(err)
	}
	if n, err = v.Remove("a"); err != nil {
		t.Fatal(err)
	}
	if err := n.Save(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "targets: []\n" {
		t.Errorf("the file behind the link holds %q (%v)", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600 as before", info.Mode())
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "sub", ".targets*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}
