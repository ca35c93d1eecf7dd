package lab

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// User is who calls.
type User struct {
	Name string
	Role string
}

// may says whether he may do what he likes with something of an owner's.
func (u User) may(owner string) bool { return u.Role == RoleAdmin || u.Name == owner }

// Auth says who calls. A proxy that authenticates, by OpenID Connect say, is
// believed only when it calls from one of the named addresses.
type Auth struct {
	Tokens Tokens
	// File has the tokens as they are now, in place of Tokens; nil = they never change.
	File *TokensFile
	// Header holds the user's name where a proxy sets it, such as
	// X-Forwarded-User; "" = there is no proxy.
	Header string
	// Proxies are the addresses from which Header is believed.
	Proxies []netip.Prefix
	// Admins are users of the proxy who are admins.
	Admins []string
}

// Validate refuses what would let anybody in, or nobody.
func (a Auth) Validate() error {
	switch {
	case a.Header != "" && len(a.Proxies) == 0:
		return errors.New("--proxy-header believes whoever sends it; name the proxy's address with --proxy, such as 127.0.0.1/32")
	case a.Header == "" && len(a.Tokens.Tokens) == 0:
		return errors.New("nobody could log in: make a token with harness lab token USER, or name --proxy-header")
	case a.Header != "" && (strings.EqualFold(a.Header, "Authorization") || strings.ContainsAny(a.Header, " :\r\n")):
		return fmt.Errorf("--proxy-header %q: must be the name of a header that holds the user, such as X-Forwarded-User", a.Header)
	}
	return nil
}

// errNobody refuses a call without a valid token.
var errNobody = errors.New("log in: send a token as Authorization: Bearer TOKEN")

// user returns who makes a request. The proxy's header is looked at only on a
// connection from the proxy, and only when there is no token.
func (a Auth) user(r *http.Request) (User, error) {
	secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		// A page's event stream cannot send a header: it has the cookie of the login.
		if c, err := r.Cookie(cookie); err == nil {
			secret, ok = c.Value, true
		}
	}
	if ok {
		if t, found := a.find(secret); found {
			return User{t.User, t.Role}, nil
		}
		return User{}, errNobody
	}
	if a.Header == "" || !a.fromProxy(r.RemoteAddr) {
		return User{}, errNobody
	}
	values := r.Header.Values(a.Header)
	if len(values) != 1 || !userName.MatchString(values[0]) {
		return User{}, errNobody
	}
	u := User{values[0], RoleUser}
	if slices.Contains(a.Admins, u.Name) {
		u.Role = RoleAdmin
	}
	return u, nil
}

// find returns whose token it is.
func (a Auth) find(secret string) (Token, bool) {
	if a.File != nil {
		return a.File.Tokens().find(secret)
	}
	return a.Tokens.find(secret)
}

func (a Auth) fromProxy(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, p := range a.Proxies {
		if p.Contains(ip.Unmap()) {
			return true
		}
	}
	return false
}
