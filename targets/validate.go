package targets

import (
	"fmt"
	"net/netip"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Problem is what is wrong with one key of an entry.
type Problem struct {
	Key  string // as in rails[0].shunt_uohm
	Text string // completes "KEY ..."
}

func (p *Problem) Error() string { return p.Key + " " + p.Text }

var (
	nameLike   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	userLike   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}\$?$`)
	hostLike   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$`)
	serialLike = regexp.MustCompile(`^[A-Za-z0-9\[][A-Za-z0-9._:\[\]-]{0,126}$`)
	wordLike   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)
	railLike   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_. /+-]{0,63}$`)
	faultsLike = regexp.MustCompile(`^[a-z0-9@:,.+-]{1,256}$`)
)

// Validate returns a *Problem for the first value that cannot work.
func (t Target) Validate() error {
	if !nameLike.MatchString(t.Name) {
		return &Problem{"name", fmt.Sprintf("%s: must be 1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or digit", cut(t.Name))}
	}
	if t.Name == Local {
		return &Problem{"name", `"local": is this machine itself, which needs no entry; choose another name`}
	}
	if err := checkEnums("", reflect.ValueOf(t)); err != nil {
		return err
	}
	for _, check := range []func() error{t.checkReach, t.checkHostKey, t.checkWiring, t.checkMeter, t.checkBattery, t.checkWishes} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkEnums looks at every key with a closed set of values, and at required ones.
func checkEnums(prefix string, v reflect.Value) error {
	for _, f := range fields(v.Type()) {
		key, value := prefix+f.name, v.Field(f.index)
		switch value.Kind() {
		case reflect.String:
			s := value.String()
			if s == "" && f.required {
				return &Problem{key, "is missing: " + f.doc}
			}
			if s != "" && f.enum != nil && !slices.Contains(f.enum, s) {
				return &Problem{key, fmt.Sprintf("%s: must be one of %s%s", cut(s), strings.Join(f.enum, ", "), near(s, f.enum))}
			}
		case reflect.Pointer:
			if !value.IsNil() {
				if err := checkEnums(key+".", value.Elem()); err != nil {
					return err
				}
			}
		case reflect.Slice:
			for i := range value.Len() {
				one := fmt.Sprintf("%s[%d]", key, i)
				if item := value.Index(i); item.Kind() == reflect.Struct {
					if err := checkEnums(one+".", item); err != nil {
						return err
					}
				} else if s := item.String(); f.enum != nil && !slices.Contains(f.enum, s) {
					return &Problem{one, fmt.Sprintf("%s: must be one of %s%s", cut(s), strings.Join(f.enum, ", "), near(s, f.enum))}
				}
			}
		}
	}
	return nil
}

func near(s string, names []string) string {
	if n := Nearest(s, names); n != "" {
		return "; the nearest: " + n
	}
	return ""
}

func (t Target) checkReach() error {
	adb := t.Transport == ADB
	switch {
	case t.Address == "" && t.Virtual == nil:
		return &Problem{"address", "is missing: name the host, or a serial number with transport: adb"}
	case t.Address == "":
	case adb && !serialLike.MatchString(t.Address):
		return &Problem{"address", cut(t.Address) + ": is no adb serial number; adb devices lists them"}
	case !adb && !isHost(t.Address):
		return &Problem{"address", cut(t.Address) + ": must be a host name, an IPv4 or an IPv6 address; user and port have keys of their own"}
	}
	reach := []given{{"user", t.User != ""}, {"port", t.Port != 0}, {"jump", t.Jump != nil}, {"key_file", t.KeyFile != ""}, {"host_key", t.HostKey != ""}}
	if adb {
		if err := refuse("transport: adb", reach...); err != nil {
			return err
		}
	}
	if t.Virtual != nil {
		// The harness starts the board, and knows where.
		reach = append(reach, given{"address", t.Address != ""}, given{"transport", t.Transport != ""}, given{"meter", t.Meter != nil})
		if err := refuse("virtual", reach...); err != nil {
			return err
		}
	}
	if t.User != "" && !userLike.MatchString(t.User) {
		return &Problem{"user", cut(t.User) + ": is no login name"}
	}
	if t.Port < 0 || t.Port > 65535 {
		return &Problem{"port", fmt.Sprintf("%d: must be from 1 to 65535", t.Port)}
	}
	for i, j := range t.Jump {
		if _, err := ParseHop(j); err != nil {
			return &Problem{fmt.Sprintf("jump[%d]", i), err.Error()}
		}
	}
	if t.KeyFile != "" && strings.ContainsAny(t.KeyFile, "\x00\n") {
		return &Problem{"key_file", cut(t.KeyFile) + ": is no file name"}
	}
	if d := t.CacheDir; d != "" && (!path.IsAbs(d) || path.Clean(d) != d || d == "/" || strings.ContainsFunc(d, control)) {
		return &Problem{"cache_dir", cut(d) + ": must be an absolute path without dots, such as /data/harness"}
	}
	return nil
}

// given says whether an entry has a key.
type given struct {
	key string
	set bool
}

// refuse names the first key that would be taken and never used.
func refuse(with string, keys ...given) error {
	for _, k := range keys {
		if k.set {
			return &Problem{k.key, "has no meaning with " + with + "; remove it"}
		}
	}
	return nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// isHost takes names and addresses, the latter with a zone.
func isHost(s string) bool {
	if hostLike.MatchString(s) {
		return true
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

func (t Target) checkHostKey() error {
	if t.HostKey == "" {
		return nil
	}
	if _, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(t.HostKey)); err != nil || len(options) > 0 || len(rest) > 0 {
		return &Problem{"host_key", cut(t.HostKey) + ": must be a public key, TYPE BASE64; remove it and run harness targets pin " + t.Name}
	}
	return nil
}

func (t Target) checkWishes() error {
	for i, l := range t.Labels {
		if !nameLike.MatchString(l) {
			return &Problem{fmt.Sprintf("labels[%d]", i), cut(l) + ": must be letters, digits, dots, dashes or underscores"}
		}
	}
	if t.PowerMode != "" && !wordLike.MatchString(t.PowerMode) {
		return &Problem{"power_mode", cut(t.PowerMode) + ": must be one word"}
	}
	if t.Governor != "" && !wordLike.MatchString(t.Governor) {
		return &Problem{"governor", cut(t.Governor) + ": must be one word"}
	}
	if err := checkFan(t.Fan); err != nil {
		return err
	}
	if t.CPUSet != "" {
		if _, err := ParseCPUSet(t.CPUSet); err != nil {
			return &Problem{"cpuset", err.Error()}
		}
	}
	if v := t.Virtual; v != nil && v.Faults != "" && !faultsLike.MatchString(v.Faults) {
		return &Problem{"virtual.faults", cut(v.Faults) + ": must be names with times, such as throttle@10s,undervolt"}
	}
	return nil
}

func checkFan(s string) error {
	if s == "" || s == "auto" || s == "max" {
		return nil
	}
	digits, percent := strings.CutSuffix(s, "%")
	if n, err := strconv.Atoi(digits); err != nil || !percent || n < 0 || n > 100 {
		return &Problem{"fan", cut(s) + ": must be auto, max or a duty of 0% to 100%"}
	}
	return nil
}

// cut quotes a value for an error and shortens what is no value at all.
func cut(s string) string {
	if len(s) > 60 {
		return strconv.Quote(strings.ToValidUTF8(s[:60], "")) + "…"
	}
	return strconv.Quote(s)
}
