package virtual

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// Each fault must show on the board as it would on hardware, or a plan that
// passes here fails in the field.
func TestFaultsShow(t *testing.T) {
	faults, err := ParseFaults("undervolt+500ms,clockjump")
	if err != nil {
		t.Fatal(err)
	}
	whole := t
	b := start(t, Options{Kind: "pi5", Name: "faulty", DiskBytes: 8 << 20, Faults: faults})
	c := dial(t, b)
	eventually(t, "an undervolt of the start", func() bool { return sh(t, c, "vcgencmd get_throttled") == "throttled=0x10000" })
	if got := sh(t, c, "cat /sys/class/hwmon/hwmon1/in0_lcrit_alarm"); got != "0" {
		t.Errorf("the alarm stands: %s", got)
	}
	inject := func(t *testing.T, text string) {
		t.Helper()
		faults, err := ParseFaults(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range faults {
			if err := b.Inject(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Run("throttle", func(t *testing.T) {
		inject(t, "throttle+3s")
		eventually(t, "the clock falls", func() bool { return b.Truth().Clock < 0.9 })
		// Behind the kernel's back, as a Pi's firmware does it.
		if got := sh(t, c, "cat /sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq"); got != "2400000" {
			t.Errorf("the kernel shows %s kHz", got)
		}
		if got := sh(t, c, "vcgencmd get_throttled"); got != "throttled=0x70006" {
			t.Errorf("the firmware shows %s", got)
		}
	})
	t.Run("linkdown", func(t *testing.T) {
		inject(t, "linkdown+1s")
		began := time.Now()
		eventually(t, "the link is down", func() bool { return happened(b, "linkdown begins") })
		sh(t, c, "true") // waits for the link
		if d := time.Since(began); d < 500*time.Millisecond {
			t.Errorf("a command went through a link that is down, in %v", d)
		}
	})
	t.Run("gap", func(t *testing.T) {
		inject(t, "gap+1s")
		eventually(t, "the sensor is silent", func() bool { return happened(b, "gap begins") })
		began := time.Now()
		sh(t, c, "vcgencmd pmic_read_adc >/dev/null")
		if d := time.Since(began); d < 500*time.Millisecond {
			t.Errorf("a silent sensor answered in %v", d)
		}
	})
	t.Run("oom", func(t *testing.T) {
		s, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		// The one with the most memory is the victim.
		if err := s.Start("dd if=/dev/zero of=/dev/null bs=32M"); err != nil {
			t.Fatal(err)
		}
		runs(t, b, 16<<20)
		inject(t, "oom")
		var status *ssh.ExitError
		if err := s.Wait(); !errors.As(err, &status) || status.ExitStatus() != 128+9 {
			t.Errorf("the process ended with %v, want the status of a kill", err)
		}
		if got := sh(t, c, "grep oom_kill /proc/vmstat"); got != "oom_kill 1" {
			t.Errorf("the kernel tells %q", got)
		}
	})
	t.Run("enospc", func(t *testing.T) {
		if !b.Isolated {
			if err := b.Inject(Fault{Kind: NoSpace}); err == nil || !strings.Contains(err.Error(), "no disk of its own") {
				t.Errorf("got %v", err)
			}
			t.Skip("needs namespaces: " + b.Limits)
		}
		inject(t, "enospc+1s")
		eventually(t, "the disk is full", func() bool {
			out, err := try(c, "dd if=/dev/zero bs=64k count=4 >>big")
			return err != nil && strings.Contains(out, "No space left")
		})
		eventually(t, "the disk is free", func() bool {
			_, err := try(c, "dd if=/dev/zero bs=64k count=4 >>big")
			return err == nil
		})
	})
	t.Run("hostkey", func(t *testing.T) {
		before := b.HostKeyNow()
		inject(t, "hostkey")
		eventually(t, "the key is another", func() bool { return happened(b, "hostkey begins") })
		if b.HostKeyNow() == before {
			t.Error("the key is the same")
		}
		eventually(t, "a login with the old key is refused", func() bool {
			old, _, _, _, err := ssh.ParseAuthorizedKey([]byte(before))
			if err != nil {
				t.Fatal(err)
			}
			_, err = ssh.Dial("tcp", b.Endpoint(), &ssh.ClientConfig{User: b.User, HostKeyCallback: ssh.FixedHostKey(old), Timeout: time.Second})
			return err != nil && strings.Contains(err.Error(), "host key mismatch")
		})
		sh(t, c, "true") // a session that stands is left alone
	})
	t.Run("reboot", func(t *testing.T) {
		id := sh(t, c, "cat /proc/sys/kernel/random/boot_id")
		sh(t, c, "echo kept >file")
		inject(t, "reboot+500ms")
		if err := c.Wait(); err == nil {
			t.Log("the connection was closed, not cut")
		}
		eventually(t, "the board is back", func() bool { return happened(b, "reboot ends") })
		c = dial(whole, b)
		if got := sh(t, c, "cat /proc/sys/kernel/random/boot_id"); got == id {
			t.Error("the boot id is the same")
		}
		if got := sh(t, c, "cat file; vcgencmd get_throttled"); got != "kept\nthrottled=0x0" {
			t.Errorf("after the reboot: %q", got)
		}
	})
	t.Run("clockjump", func(t *testing.T) {
		inject(t, "clockjump+1h")
		want := b.Truth().Time.Unix() + 3000
		eventually(t, "the boot time moves", func() bool {
			at, err := strconv.ParseInt(strings.TrimPrefix(sh(t, c, "grep btime /proc/stat"), "btime "), 10, 64)
			return err == nil && at > want
		})
	})
}

func happened(b *Board, text string) bool {
	for _, e := range b.Events() {
		if e.Text == text {
			return true
		}
	}
	return false
}
