package targets

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite docs/targets.schema.json")

const sampleKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPgqJ0YFqfX0oGSz8j5dzMmsbrMUN4omPRVaTM9sHYRN"

func sample(t *testing.T) *Inventory {
	t.Helper()
	v, err := Load(filepath.Join("testdata", FileName))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestLoad: a user whose entry is misread measures another board, or the wrong rail.
func TestLoad(t *testing.T) {
	want := []Target{
		{
			Name: "nano1", Address: "nano1.lab", User: "ubuntu", Jump: []string{"gate@bastion:2222"}, Board: "orin-nano",
			Labels: []string{"edge", "cuda"}, Rails: []Rail{{Name: "VDD_IN", ShuntUOhm: 5000}}, Total: []string{"VDD_IN"},
			PowerMode: "0", Fan: "max", CPUSet: "0-3,5", Sudo: []string{"nvpmodel", "jetson_clocks"},
		},
		{
			Name: "pi4", Address: "fe80::1%eth0", Labels: []string{"edge"},
			Meter: &Meter{Kind: "i2c", Bus: "1", Address: 0x40, Chip: "ina226", ShuntUOhm: 10000, Scope: "board-5V"},
		},
		{Name: "pixel", Transport: ADB, Address: "0A041FDD4002BV", Board: "phone"},
		{Name: "toy", Virtual: &Virtual{Kind: "pi5", Faults: "throttle@10s,undervolt"}},
	}
	if diff := cmp.Diff(want, sample(t).Targets); diff != "" {
		t.Errorf("entries are not read as written (-want +got):\n%s", diff)
	}
}

// TestRefused: a mistake in the file must name its line and what would be right.
func TestRefused(t *testing.T) {
	entry := func(lines ...string) string {
		return "targets:\n  - name: a\n    " + strings.Join(lines, "\n    ") + "\n"
	}
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", entry("address: h", "lable: [x]"), `4: key "lable" is not known; the nearest: labels`},
		{"unknown top key", "target:\n", `1: key "target" is not known; the nearest: targets`},
		{"unknown key in a rail", entry("address: h", "rails:", "  - name: X", "    shunt: 5"), `6: key "shunt" is not known`},
		{"no address", entry("user: u"), `2: target "a": address is missing`},
		{"port", entry("address: h", "port: 70000"), `4: target "a": port 70000: must be from 1 to 65535`},
		{"text for a number", entry("address: h", "port: ssh"), `4: a value of another type is needed here than string`},
		{"board", entry("address: h", "board: orin-nan"), `must be one of auto, pi5, pi4, pi3, orin-nano, orin-nx, agx-orin, xavier-nx, agx-xavier, jetson-nano, rb3gen2, rb5, phone, generic; the nearest: orin-nano`},
		{"address with user", entry("address: pi@h"), `3: target "a": address "pi@h": must be a host name`},
		{"address that is an option", entry("address: -oProxyCommand=x"), `must be a host name`},
		{"jump", entry("address: h", "jump: [a b]"), `4: target "a": jump[0] "a b": must be [user@]host[:port]`},
		{"host key", entry("address: h", "host_key: abc"), `host_key "abc": must be a public key`},
		{"rail twice", entry("address: h", "rails: [{name: X, shunt_uohm: 1}, {name: X, shunt_uohm: 1}]"), `rails[1].name "X": is there twice`},
		{"bus without address", entry("address: h", "rails: [{name: X, bus: 1}]"), `rails[0].bus and address belong together`},
		{"sensor without shunt", entry("address: h", "rails: [{name: X, bus: 1, address: 0x40}]"), `rails[0].shunt_uohm is missing`},
		{"i2c address", entry("address: h", "rails: [{name: X, bus: 1, address: 0x80, shunt_uohm: 1}]"), `must be an I2C address from 0x8 to 0x77`},
		{"meter kind", entry("address: h", "meter: {kind: tasmoto}"), `meter.kind "tasmoto": must be one of tasmota, shelly, serial, i2c; the nearest: tasmota`},
		{"meter password", entry("address: h", "meter: {kind: tasmota, url: 'http://u:p@h'}"), `holds a password`},
		{"sudo with arguments", entry("address: h", "sudo: ['nvpmodel -m 0']"), `4: target "a": sudo[0] "nvpmodel -m 0": must be one of nvpmodel, jetson_clocks, cpufreq-governor`},
		{"sudo that nothing uses", entry("address: h", "sudo: [nvpmodel, reboot]"), `4: target "a": sudo[1] "reboot": must be one of`},
		{"a second sensor", entry("address: h", "rails:", "  - {name: X, bus: 1, address: 0x40, shunt_uohm: 1}", "  - {name: Y, bus: 1, address: 0x41, shunt_uohm: 1}"), `rails[1].bus 1 and address 0x41 are of another sensor than rail X`},
		{"two chips in one place", entry("address: h", "rails:", "  - {name: X, bus: 1, address: 0x40, chip: ina226, shunt_uohm: 1}", "  - {name: Y, bus: 1, address: 0x40, chip: ina3221, shunt_uohm: 1}"), `rails[1].chip ina3221: rail X has ina226 at the same address`},
		{"rail that says nothing", entry("address: h", "rails: [{name: X}]"), `rails[0].shunt_uohm is missing`},
		{"channel of no sensor", entry("address: h", "rails: [{name: X, channel: 2, shunt_uohm: 1}]"), `rails[0].bus is missing`},
		{"channel beyond the chip", entry("address: h", "rails: [{name: X, bus: 1, address: 0x40, chip: ina219, channel: 2, shunt_uohm: 1}]"), `rails[0].channel 2: an ina219 has one channel`},
		{"range of no sensor", entry("address: h", "rails: [{name: X, max_amps: 2, shunt_uohm: 1}]"), `rails[0].bus is missing: chip, channel, max_amps`},
		{"tolerance in percent", entry("address: h", "rails: [{name: X, bus: 1, address: 0x40, shunt_uohm: 1, shunt_rel: 0.5}]"), `rails[0].shunt_rel 0.5: must be from 0 to 0.2 (1 % is 0.01)`},
		{"milliamperes", entry("address: h", "meter: {kind: i2c, bus: 1, address: 0x40, shunt_uohm: 1, max_amps: 4000}"), `meter.max_amps 4000: must be from 0 to 1000 A`},
		{"amperes without end", entry("address: h", "meter: {kind: i2c, bus: 1, address: 0x40, shunt_uohm: 1, max_amps: .nan}"), `meter.max_amps NaN: must be`},
		{"millivolts", entry("address: h", "meter: {kind: i2c, bus: 1, address: 0x40, shunt_uohm: 1, volts: 5000}"), `meter.volts 5000: must be from 0 to 36 V`},
		{"channel of a meter", entry("address: h", "meter: {kind: i2c, bus: 1, address: 0x40, shunt_uohm: 1, channel: 4}"), `meter.channel 4: must be from 1 to 3`},
		{"shunt in nΩ", entry("address: h", "meter: {kind: i2c, bus: 1, address: 0x40, shunt_uohm: 100000000}"), `meter.shunt_uohm 100000000: must be from 1`},
		{"outlet", entry("address: h", "meter: {kind: tasmota, url: 'http://h', channel: 33}"), `meter.channel 33: must be an outlet from 1 to 32`},
		{"range of a plug", entry("address: h", "meter: {kind: tasmota, url: 'http://h', max_amps: 4}"), `meter.max_amps has no meaning with meter.kind: tasmota`},
		{"channel of a stream", entry("address: h", "meter: {kind: serial, device: /dev/ttyACM0, channel: 1}"), `meter.channel has no meaning with meter.kind: serial`},
		{"battery's sign", entry("address: h", "battery: {sign: 2}"), `4: target "a": battery.sign 2: must be 1 or -1`},
		{"battery's scale", entry("address: h", "battery: {scale: 0.001}"), `battery.scale 0.001: must be 1 where the gauge tells µA, 1000 where mA`},
		{"battery that says nothing", entry("address: h", "battery: {}"), `battery is empty`},
		{"battery beside a meter", entry("address: h", "battery: {sign: 1}", "meter: {kind: shelly, url: 'http://h'}"), `4: target "a": battery has no meaning with meter`},
		{"battery beside a sensor", entry("address: h", "battery: {sign: 1}", "rails: [{name: X, bus: 1, address: 0x40, shunt_uohm: 1}]"), `battery has no meaning with rails[0].bus`},
		{"meter key of another kind", entry("address: h", "meter: {kind: serial, device: /dev/ttyACM0, shunt_uohm: 5}"), `meter.shunt_uohm has no meaning with meter.kind: serial`},
		{"meter beside rails", entry("address: h", "rails: [{name: X, shunt_uohm: 5}]", "meter: {kind: shelly, url: 'http://h'}"), `rails has no meaning with meter.kind: shelly`},
		{"meter path", entry("address: h", "meter: {kind: shelly, url: 'http://h/rpc'}"), `must end after the host`},
		{"virtual with an address", entry("address: h", "virtual: {kind: pi5}"), `3: target "a": address has no meaning with virtual`},
		{"cpuset", entry("address: h", "cpuset: 3-1"), `cpuset "3-1": must be CPU numbers and ranges`},
		{"fan", entry("address: h", "fan: 120%"), `fan "120%": must be auto, max or a duty`},
		{"virtual kind", entry("virtual: {kind: pi6}"), `virtual.kind "pi6": must be one of`},
		{"virtual without kind", entry("virtual: {faults: gap}"), `virtual.kind is missing`},
		{"adb with port", entry("address: s", "transport: adb", "port: 5555"), `port has no meaning with transport: adb`},
		{"local", "targets:\n- {name: local, address: h}\n", `2: target "local": name "local": is this machine itself`},
		{"name twice", "targets:\n- {name: a, address: h}\n- {name: a, address: i}\n", `3: target "a": the name is used on line 2 already`},
		{"two documents", "targets: []\n---\ntargets: []\n", "several YAML documents"},
		{"a list", "- name: a\n", "must begin with targets:"},
		{"brackets without end", "targets: " + strings.Repeat("[", 500000), "1: lists or records stand more than 32 deep"},
		{"braces without end", "targets:\n" + strings.Repeat("{a: ", 200000), "2: lists or records stand more than 32 deep"},
		{"brackets over lines", strings.Repeat("[\n", 300000), "33: lists or records stand more than 32 deep"},
		{"dashes without end", strings.Repeat("- ", 400000) + "x", "1: lists or records stand more than 32 deep"},
		{"aliases without end", bomb(), "with its aliases written out has more than 1048576 values"},
		{"an alias of itself", entry("address: h", "labels: &a [*a]"), `4: alias "a" has no anchor above it`},
		{"cache folder", entry("address: h", "cache_dir: ../x"), `cache_dir "../x": must be an absolute path`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.text))
			var line *LineError
			if err == nil || !errors.As(err, &line) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is\n  %v\nwant\n  …%s…", err, c.want)
			}
		})
	}
}

// bomb is a billion words by aliases of lists of aliases.
func bomb() string {
	text := "targets:\n- name: a\n  address: h\n  labels: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		one := fmt.Sprintf("*a%d", i)
		text += fmt.Sprintf("- name: b%d\n  address: h\n  labels: &a%d [%s]\n", i, i+1, strings.Join(slices.Repeat([]string{one}, 10), ", "))
	}
	return text
}

// TestSensorKeys: a key that is lost on the way reads another outlet or range, and
// nothing in the result says so.
func TestSensorKeys(t *testing.T) {
	v, err := Parse([]byte(`targets:
- {name: a, address: h, battery: {sign: -1, scale: 1000}}
- {name: b, address: h, meter: {kind: i2c, bus: 1, address: 0x40, channel: 3, shunt_uohm: 1, max_amps: 0.5, volts: 12, shunt_rel: 0.005}}
- {name: c, address: h, meter: {kind: shelly, url: 'http://h', channel: 32}}
- {name: d, address: h, rails: [{name: X, bus: 1, address: 0x40, channel: 2, shunt_uohm: 1, max_amps: 3, volts: 3.3, shunt_rel: 0.2}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Target{
		{Name: "a", Address: "h", Battery: &Battery{Sign: -1, Scale: 1000}},
		{Name: "b", Address: "h", Meter: &Meter{Kind: "i2c", Bus: "1", Address: 0x40, Channel: 3, ShuntUOhm: 1, MaxAmps: 0.5, Volts: 12, ShuntRel: 0.005}},
		{Name: "c", Address: "h", Meter: &Meter{Kind: "shelly", URL: "http://h", Channel: 32}},
		{Name: "d", Address: "h", Rails: []Rail{{Name: "X", Bus: "1", Address: 0x40, Channel: 2, ShuntUOhm: 1, MaxAmps: 3, Volts: 3.3, ShuntRel: 0.2}}},
	}
	if diff := cmp.Diff(want, v.Targets); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// The written form is read back the same.
	again := &Inventory{}
	for _, one := range v.Targets {
		if again, err = again.Add(one); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, again.Targets); diff != "" {
		t.Errorf("written and read (-want +got):\n%s", diff)
	}
}

// TestSelect: --target must take each board once, in the order typed.
func TestSelect(t *testing.T) {
	v := sample(t)
	for _, c := range []struct {
		specs, want, err string
	}{
		{specs: "toy,local,nano1", want: "toy,local,nano1"},
		{specs: "pi4,label=edge", want: "pi4,nano1"},
		{specs: "label=edge,label=cuda", want: "nano1,pi4"},
		{specs: "label=egde", err: `no target has the label "egde"; the nearest: edge`},
		{specs: "nano2", err: `target "nano2" is not in testdata/targets.yaml; the nearest: nano1`},
		{specs: "zzzzzz", err: "harness targets list shows what is"},
	} {
		got, err := v.Select(strings.Split(c.specs, ",")...)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %s", c.specs, err, c.err)
			}
			continue
		}
		var names []string
		for _, o := range got {
			names = append(names, o.Name)
		}
		if err != nil || strings.Join(names, ",") != c.want {
			t.Errorf("%s: %v (%v), want %s", c.specs, names, err, c.want)
		}
	}
}

// TestLocate: without --targets the working folder's inventory wins over the user's.
func TestLocate(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Chdir(t.TempDir())
	got, err := Locate("")
	if want := filepath.Join(home, "harness", FileName); err != nil || got != want {
		t.Errorf("in an empty folder: %s (%v), want %s", got, err, want)
	}
	if err := os.WriteFile(FileName, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := Locate(""); err != nil || got != FileName {
		t.Errorf("beside a targets.yaml: %s (%v)", got, err)
	}
	if got, err := Locate("x.yaml"); err != nil || got != "x.yaml" {
		t.Errorf("asked for x.yaml: %s (%v)", got, err)
	}
}

// TestSchema: an editor that completes targets.yaml must know every key.
func TestSchema(t *testing.T) {
	got, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "docs", "targets.schema.json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/targets.schema.json is not that of the code; go test ./targets -update writes it (-file +code):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", FileName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("targets:\n- &a {name: x, address: y, labels: [*a]}\n"))
	f.Add([]byte("targets: [{name: b, address: \"::1\"}]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Parse(text)
		if err != nil {
			return
		}
		if n, err := v.Add(Target{Name: "added", Address: "h"}); err == nil && len(n.Targets) != len(v.Targets)+1 {
			t.Errorf("adding to %q gives %d entries", text, len(n.Targets))
		}
		for _, o := range v.Targets {
			if n, err := v.Remove(o.Name); err == nil && len(n.Targets) != len(v.Targets)-1 {
				t.Errorf("removing %s from %q leaves %d entries", o.Name, text, len(n.Targets))
			}
		}
	})
}

func FuzzHop(f *testing.F) {
	for _, s := range []string{"h", "u@h:22", "[::1]:8022", "::1", "u@[fe80::1%eth0]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHop(s)
		if err == nil && (h.Host == "" || h.Host[0] == '-' || h.Port < 0 || h.Port > 65535) {
			t.Errorf("%q is taken as %+v", s, h)
		}
	})
}

func FuzzCPUSet(f *testing.F) {
	f.Add("0-3,6")
	f.Fuzz(func(t *testing.T, s string) {
		cpus, err := ParseCPUSet(s)
		for i := range cpus {
			if err == nil && (cpus[i] > maxCPU || i > 0 && cpus[i] <= cpus[i-1]) {
				t.Errorf("%q gives %v", s, cpus)
			}
		}
	})
}
