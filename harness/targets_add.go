package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
	"golang.org/x/term"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets"
	"github.com/seed-c6f48606/harness/targets/remote"
)

// consent is how a host key is agreed to.
type consent struct {
	fingerprint string
	yes         bool
}

func (k *consent) flags(c *cobra.Command) {
	c.Flags().StringVar(&k.fingerprint, "fingerprint", "", "host key that the target must show, `SHA256:...`")
	c.Flags().BoolVar(&k.yes, "yes", false, "do not ask; needs --fingerprint")
}

func (k *consent) check() error {
	switch {
	case k.yes && k.fingerprint == "":
		return fmt.Errorf("--yes: needs --fingerprint SHA256:...; a key that nobody compared is not pinned")
	case k.fingerprint != "" && !strings.HasPrefix(k.fingerprint, "SHA256:"):
		return fmt.Errorf("--fingerprint %q: must begin with SHA256:, as ssh-keygen -lf prints it", k.fingerprint)
	}
	return nil
}

func (a *app) targetsAddCommand(path *string) *cobra.Command {
	var t targets.Target
	var agree consent
	var kind, faults string
	c := &cobra.Command{
		Use: "add NAME [ADDRESS]", Short: "Add a target and pin its host key", Args: cobra.RangeArgs(1, 2),
		Long: `Adds a target to the inventory. Its host key is fetched, its fingerprint shown, and
the key pinned when you agree; from then on a target that shows another key is
refused. ADDRESS may be a Host of ~/.ssh/config. Rails, meters and the rest are
added by editing the file.

--virtual adds a virtual board of that kind, which needs no address.`,
		Example: `  harness targets add nano1 192.168.1.20 --user ubuntu --board orin-nano --label edge
  harness targets add pi5 pi5.local --fingerprint SHA256:... --yes
  harness targets add pixel 0A041FDD4002BV --transport adb --board phone
  harness targets add toy --virtual pi4 --fault throttle@10s`,
		RunE: func(c *cobra.Command, args []string) error {
			t.Name = args[0]
			if len(args) > 1 {
				t.Address = args[1]
			}
			switch {
			case kind != "":
				t.Virtual = &targets.Virtual{Kind: kind, Faults: faults}
			case faults != "":
				return fmt.Errorf("--fault %s: needs --virtual KIND; faults are not injected into real boards", faults)
			}
			return a.addTarget(c, *path, t, agree)
		},
	}
	f := c.Flags()
	f.StringVar(&t.User, "user", "", "login")
	f.IntVar(&t.Port, "port", 0, "port (default that of the SSH configuration, else 22, or 8022 with --board phone)")
	f.StringSliceVar(&t.Jump, "jump", nil, "hosts to go through, [user@]host[:port]")
	f.StringVar(&t.KeyFile, "key-file", "", "private key")
	f.StringVar(&t.Transport, "transport", "", "ssh or adb (default ssh)")
	f.StringVar(&t.CacheDir, "cache-dir", "", "folder on the target for runner, models and data")
	f.StringVar(&t.Board, "board", "", "kind of board (default auto)")
	f.StringSliceVar(&t.Labels, "label", nil, "group that --target label=NAME selects")
	f.StringVar(&t.PowerMode, "power-mode", "", "nvpmodel mode wanted")
	f.StringVar(&t.Governor, "governor", "", "cpufreq governor wanted")
	f.StringVar(&t.Fan, "fan", "", "fan wanted: auto, max or 0% to 100%")
	f.StringVar(&t.CPUSet, "cpuset", "", "CPUs for the runner, as in 0-3,6")
	f.StringSliceVar(&t.Sudo, "sudo", nil, "commands that the harness may run by sudo -n (default none)")
	f.StringVar(&kind, "virtual", "", "add a virtual board of this `KIND`")
	f.StringVar(&faults, "fault", "", "faults to inject into a virtual board, name[@time],...")
	agree.flags(c)
	complete(c, "board", targets.Boards()...)
	complete(c, "virtual", targets.VirtualKinds()...)
	complete(c, "transport", targets.SSH, targets.ADB)
	return c
}

func (a *app) addTarget(c *cobra.Command, path string, t targets.Target, agree consent) error {
	if err := agree.check(); err != nil {
		return err
	}
	v, err := readInventory(path)
	if err != nil {
		return err
	}
	// Before anybody is asked anything.
	if _, err := v.Add(t); err != nil {
		return err
	}
	switch {
	case t.Virtual == nil && t.Transport != targets.ADB:
		ctx, cancel := interruptible(c.Context())
		defer cancel()
		if t.HostKey, err = a.agreedKey(ctx, t, agree); err != nil {
			return err
		}
		// While the question stood, somebody may have written to the file.
		if v, err = readInventory(path); err != nil {
			return err
		}
	case agree.fingerprint != "":
		return fmt.Errorf("--fingerprint: %s has no host key", t.Name)
	}
	if v, err = v.Add(t); err != nil {
		return err
	}
	if err := v.Save(); err != nil {
		return err
	}
	a.say("added %s to %s", t.Name, v.Path)
	return nil
}

func (a *app) targetsPinCommand(path *string) *cobra.Command {
	var agree consent
	c := &cobra.Command{
		Use: "pin NAME", Short: "Pin a target's host key anew, as after it was installed again", Args: cobra.ExactArgs(1),
		Example:           "  harness targets pin nano1",
		ValidArgsFunction: targetNames(path),
		RunE: func(c *cobra.Command, args []string) error {
			if err := agree.check(); err != nil {
				return err
			}
			v, err := readInventory(*path)
			if err != nil {
				return err
			}
			t, err := v.Find(args[0])
			if err != nil {
				return err
			}
			if t.Virtual != nil {
				return fmt.Errorf("target %s is virtual and has a new key every time", t.Name)
			}
			ctx, cancel := interruptible(c.Context())
			defer cancel()
			if old := fingerprintOf(t); old != none {
				a.say("pinned until now: %s", old)
			}
			key, err := a.agreedKey(ctx, t, agree)
			if err != nil {
				return err
			}
			// While the question stood, somebody may have written to the file.
			if v, err = readInventory(*path); err != nil {
				return err
			}
			if v, err = v.Pin(t.Name, key); err != nil {
				return err
			}
			if err := v.Save(); err != nil {
				return err
			}
			a.say("pinned the host key of %s in %s", t.Name, v.Path)
			return nil
		},
	}
	agree.flags(c)
	return c
}

// agreedKey fetches a target's host key and returns it, in the inventory's form,
// once the user agrees to its fingerprint.
func (a *app) agreedKey(ctx context.Context, t targets.Target, agree consent) (string, error) {
	key, err := remote.HostKey(ctx, t, remote.Options{})
	if err != nil {
		return "", err
	}
	shown := ssh.FingerprintSHA256(key)
	if agree.fingerprint != "" && agree.fingerprint != shown {
		return "", &wire.Error{
			Kind: wire.Target,
			Text: fmt.Sprintf("target %s shows the host key %s, --fingerprint is %s", t.Name, shown, agree.fingerprint),
			Mend: "nothing was pinned; somebody may be in between, or the address is another machine's",
		}
	}
	if agree.yes {
		return remote.Pinned(key), nil
	}
	fmt.Fprintf(a.err, "%s at %s shows the host key\n  %s %s\nOn the target itself this prints what it should be:\n  cat %s/ssh_host_*_key.pub | ssh-keygen -lf -\n",
		t.Name, reachOf(t), key.Type(), shown, keyFolder(t))
	if in, ok := a.in.(*os.File); !ok || !term.IsTerminal(int(in.Fd())) {
		return "", fmt.Errorf("there is no terminal to agree on; if that is the right key: --fingerprint %s --yes", shown)
	}
	if !agreed(a.in, a.err, "Pin this key? [y/N] ") {
		return "", fmt.Errorf("the key was not agreed to, and nothing was changed")
	}
	return remote.Pinned(key), nil
}

// keyFolder is where a target's SSH server keeps its keys, as far as its kind tells.
func keyFolder(t targets.Target) string {
	if t.Board == "phone" {
		return "$PREFIX/etc/ssh" // Termux
	}
	return "/etc/ssh"
}

// agreed asks a question; only a clear yes is one.
func agreed(in io.Reader, out io.Writer, question string) bool {
	fmt.Fprint(out, question)
	line, err := bufio.NewReader(io.LimitReader(in, 100)).ReadString('\n')
	if err != nil {
		return false
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true
	}
	return false
}
