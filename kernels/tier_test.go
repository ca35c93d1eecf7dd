package kernels

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// eachTier runs f as a subtest under every tier that this machine has.
func eachTier(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	for _, tier := range Available() {
		t.Run(tier.String(), func(t *testing.T) {
			restore, err := Force(tier)
			if err != nil {
				t.Fatal(err)
			}
			defer restore()
			f(t)
		})
	}
}

// guard is written around every buffer that a kernel writes to.
const guard = 32

const guardValue = 12345.5

// guarded returns n random values with guard bands around, and a check that
// the bands are untouched.
func guarded(r *rand.Rand, n int) (x []float32, check func(t *testing.T)) {
	all := make([]float32, n+2*guard)
	for i := range all {
		all[i] = guardValue
	}
	x = all[guard : guard+n : guard+n]
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x, func(t *testing.T) {
		t.Helper()
		for i, v := range all {
			if (i < guard || i >= guard+n) && v != guardValue {
				t.Fatalf("wrote %v at %d of a buffer of %d: a neighbour's memory is damaged", v, i-guard, n)
			}
		}
	}
}

func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// near fails if got is further from want than tol times the magnitude of the
// terms that were summed.
func near(t *testing.T, what string, got float32, want, magnitude, tol float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= tol*(magnitude+1e-30)) {
		t.Fatalf("%s = %v, want %v (terms sum to %v): results of the engine are wrong", what, got, want, magnitude)
	}
}

func TestForceRestores(t *testing.T) {
	before := Active()
	for _, tier := range Available() {
		restore, err := Force(tier)
		if err != nil {
			t.Fatal(err)
		}
		if Active() != tier {
			t.Errorf("Force(%v) left %v active", tier, Active())
		}
		restore()
	}
	if Active() != before {
		t.Errorf("restore left %v, want %v", Active(), before)
	}
	if _, err := Force(Tier(200)); err == nil {
		t.Error("Force accepted a tier that does not exist")
	}
}

func TestParseTierNamesTheChoices(t *testing.T) {
	_, err := parseTier("avx9")
	if err == nil || !strings.Contains(err.Error(), "generic") || !strings.Contains(err.Error(), "avx9") {
		t.Errorf("parseTier(avx9) = %v; the user must see the value and the choices", err)
	}
}

// TestTierFromEnvironment starts this test binary anew: the variable is read
// once, at the start.
func TestTierFromEnvironment(t *testing.T) {
	if want := os.Getenv("KERNELS_WANT"); want != "" {
		if got := Active().String(); got != want {
			t.Errorf("KERNELS_TIER=%s made %s active", os.Getenv(tierEnv), got)
		}
		return
	}
	for _, tier := range Available() {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTierFromEnvironment$")
		cmd.Env = append(os.Environ(), tierEnv+"="+tier.String(), "KERNELS_WANT="+tier.String())
		if out, err := cmd.CombinedOutput(); errors.Is(err, syscall.ENOEXEC) {
			t.Skip("this machine cannot start the test binary, which runs under an emulator")
		} else if err != nil {
			t.Errorf("KERNELS_TIER=%v: %v\n%s", tier, err, out)
		}
	}
}
