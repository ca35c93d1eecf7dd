package power

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestI2CValidate(t *testing.T) {
	rail := func(change func(*I2CRail)) I2C {
		r := I2CRail{Name: "5V", ShuntUOhm: 10000}
		change(&r)
		return I2C{Chip: ChipINA226, Rails: []I2CRail{r}}
	}
	tests := []struct {
		name string
		cfg  I2C
		want string // "" is valid
	}{
		{"least", I2C{Rails: []I2CRail{{Name: "5V", ShuntUOhm: 10000}}}, ""},
		{"three rails", I2C{Chip: ChipINA3221, Rails: []I2CRail{{Name: "a", ShuntUOhm: 1}, {Name: "b", ShuntUOhm: 1, Subset: true}, {Name: "c", ShuntUOhm: 1, Subset: true}}}, ""},
		{"no rail", I2C{}, "0 rails"},
		{"two rails of one channel", I2C{Chip: ChipINA226, Rails: make([]I2CRail, 2)}, "1 to 1"},
		{"address", I2C{Address: 0x20, Rails: make([]I2CRail, 1)}, "0x40 to 0x4f"},
		{"address of an ina3221", I2C{Address: 0x44, Chip: ChipINA3221}, "0x40 to 0x43"},
		{"chip", I2C{Chip: "ina228"}, `"ina228"`},
		{"period", I2C{Period: time.Hour}, "1ms to 2s"},
		{"no name", rail(func(r *I2CRail) { r.Name = "" }), "no name"},
		{"shunt in Ω", rail(func(r *I2CRail) { r.ShuntUOhm = 0.01 }), "100 mΩ is 100000"},
		{"shunt NaN", rail(func(r *I2CRail) { r.ShuntUOhm = math.NaN() }), "shunt_uohm"},
		{"tolerance in percent", rail(func(r *I2CRail) { r.ShuntRel = 1 }), "1 % is 0.01"},
		{"too much current", rail(func(r *I2CRail) { r.MaxAmps = 10 }), "at most 8192 µΩ"},
		{"endless current", rail(func(r *I2CRail) { r.MaxAmps = math.Inf(1) }), "max_amps"},
		{"volts", rail(func(r *I2CRail) { r.Volts = 48 }), "0 to 36"},
		{"channel", rail(func(r *I2CRail) { r.Channel = 4 }), "1 to 3"},
		{"channel of an ina226", rail(func(r *I2CRail) { r.Channel = 2 }), "channel 2 of a sensor with 1"},
		{"nothing in the total", rail(func(r *I2CRail) { r.Subset = true }), "in the total"},
		{"the same name", I2C{Rails: []I2CRail{{Name: "a", ShuntUOhm: 1}, {Name: "a", ShuntUOhm: 1}}}, "taken"},
		{"the same channel", I2C{Rails: []I2CRail{{Name: "a", ShuntUOhm: 1, Channel: 2}, {Name: "b", ShuntUOhm: 1}}}, "channel 2 is taken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.cfg.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

const (
	initChild = "POWER_TEST_INIT_BUSES"
	initLimit = 50 * time.Millisecond
)

// Every start of the runner looks for buses: on the machines without any that must
// cost nothing that a user would notice, and be no error.
func TestFindingBusesCostsLittle(t *testing.T) {
	if os.Getenv(initChild) != "" {
		start := time.Now()
		_, err := Buses()
		took := time.Since(start)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("took %v\n", took)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	best := time.Hour
	// The best of some, since the machine has other things to do, each in a process
	// of its own: the registry is filled once.
	for n := 0; n < 10 && best >= initLimit; n++ {
		cmd := exec.Command(exe, "-test.run=^TestFindingBusesCostsLittle$")
		cmd.Env = append(os.Environ(), initChild+"=1", SocketEnv+"=")
		out, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.ENOEXEC) {
			t.Skip("an emulated test binary cannot start itself without binfmt")
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		line, _, _ := strings.Cut(string(out), "\n")
		took, err := time.ParseDuration(strings.TrimPrefix(line, "took "))
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		best = min(best, took)
	}
	if best >= initLimit {
		t.Errorf("finding buses takes %v at best, want less than %v", best, initLimit)
	}
	t.Logf("took %v", best)
}

func TestNoBusSaysWhatMends(t *testing.T) {
	names, err := Buses()
	if err != nil {
		t.Fatal(err)
	}
	if len(names) > 0 {
		t.Skipf("this machine has buses: %v", names)
	}
	_, err = OpenI2C(I2C{Rails: []I2CRail{{Name: "5V", ShuntUOhm: 10000}}})
	var why *Unavailable
	if !errors.As(err, &why) || why.Mend == "" {
		t.Errorf("error %v, want an *Unavailable with a mend", err)
	}
}

func TestRegisterSocketBusRefuses(t *testing.T) {
	tests := []struct{ list, want string }{
		{"bus1=unix:/tmp/x", "begin its name with sim-"},
		{"sim-=unix:/tmp/x", "begin its name with sim-"},
		{"sim-a", "use unix:PATH"},
		{"sim-a=udp:host:1", "use unix:PATH"},
		{"sim-a=unix:", "use unix:PATH"},
		{"sim-a:b=unix:/tmp/x", "':'"},
	}
	for _, tt := range tests {
		if err := registerSocketsOf(tt.list); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), SocketEnv) {
			t.Errorf("%q: error %v, want one with %q", tt.list, err, tt.want)
		}
	}
	if err := registerSocketsOf(" ; "); err != nil {
		t.Errorf("an empty list: %v", err)
	}
}
