// Package apps knows the Apps: what people reach through us, where it is opened,
// who may use it, and in which dialects it asks who is signed in.
//
// An App is recognised by the host it is opened at, which stands in the
// configuration, and by nothing that a request could make up. Its ID is its key
// everywhere: in rows, addresses and cookies. Its name is only shown.
package apps

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"

	"gatelodge/app/apps/authjs"
	"gatelodge/app/config"
	"gatelodge/app/email"
)

// App is something people reach through us. It never changes: a changed
// configuration makes another one.
type App struct {
	ID      string
	Name    string
	Hosts   []string
	Origins []string // scheme and host, the first is the usual one
	Allow   Allow
	AuthJS  *AuthJS // nil for an App that does not use the session API
}

// AuthJS is how an App uses the session API.
type AuthJS struct {
	Dialect   *authjs.Dialect
	Secrets   []string // that the App shares with us, the newest first
	Providers []string // to list; empty lists all
	Tokens    []string // ids of upstreams whose tokens it may have, its own user's alone
	Pages     config.AuthJSPages

	sealers map[sealerKey]*authjs.Sealer
}

// Allow says who may use an App. Package gate alone decides by it.
type Allow struct {
	Text      []string // as the file has it
	Everyone  bool
	Groups    []string
	Addresses map[string]bool // in their normal form
	IDs       map[string]bool // of users; what reads as an address is none
}

func newAllow(text []string) Allow {
	a := Allow{Text: text, Addresses: make(map[string]bool), IDs: make(map[string]bool)}
	for _, who := range text {
		kind, what, _ := strings.Cut(who, ":")
		address, err := email.Normal(what)
		switch {
		case who == "everyone":
			a.Everyone = true
		case kind == "group":
			a.Groups = append(a.Groups, what)
		case kind == "user" && err == nil:
			a.Addresses[address] = true
		case kind == "user":
			a.IDs[what] = true
		}
	}
	return a
}

type sealerKey struct {
	version string
	secure  bool
}

// Apps are the Apps of a running server. They can be replaced while it runs. Make them
// with New.
type Apps struct {
	now atomic.Pointer[Set]
}

// New returns the Apps of a configuration that has been checked.
func New(list []config.App) (*Apps, error) {
	set, err := NewSet(list)
	if err != nil {
		return nil, err
	}
	a := new(Apps)
	a.now.Store(set)
	return a, nil
}

// Snapshot returns the Apps as they are now. A request takes one and keeps to it.
func (a *Apps) Snapshot() *Set { return a.now.Load() }

// Replace makes a set the Apps of the next requests. Those under way keep theirs.
func (a *Apps) Replace(set *Set) { a.now.Store(set) }

// Set is all Apps at one moment. It never changes.
type Set struct {
	list  []*App
	exact map[string]Place // by host as it stands in an address
}

// Place is an App at one of its origins.
type Place struct {
	App    *App
	Origin string
}

// NewSet returns the Apps of a configuration that has been checked.
func NewSet(list []config.App) (*Set, error) {
	s := &Set{exact: make(map[string]Place)}
	for _, c := range list {
		// Never "": that is no App's key. Only an unchecked configuration has none.
		app := &App{ID: cmp.Or(c.ID, config.AppID(c.Name)), Name: c.Name, Hosts: c.Hosts, Origins: c.Origins, Allow: newAllow(c.Allow)}
		if c.AuthJS != nil {
			var err error
			if app.AuthJS, err = newAuthJS(c.AuthJS); err != nil {
				return nil, fmt.Errorf("the App %s: %w", c.Name, err)
			}
		}
		for _, origin := range app.Origins {
			_, host, _ := strings.Cut(origin, "://")
			s.exact[host] = Place{app, origin}
		}
		s.list = append(s.list, app)
	}
	return s, nil
}

func newAuthJS(c *config.AuthJS) (*AuthJS, error) {
	a := &AuthJS{Dialect: authjs.ByVersion(c.Version), Secrets: c.Secrets(), Providers: c.Providers, Tokens: c.Tokens, Pages: c.Pages}
	if len(a.Secrets) == 0 {
		return a, nil
	}
	a.sealers = make(map[sealerKey]*authjs.Sealer)
	for _, d := range []*authjs.Dialect{authjs.V4, authjs.V5} {
		for _, secure := range []bool{false, true} {
			s, err := authjs.NewSealer(d.Encryption, d.Names(secure).Session, a.Secrets)
			if err != nil {
				return nil, err
			}
			a.sealers[sealerKey{d.Prefix, secure}] = s
		}
	}
	return a, nil
}

// Sealer returns what encrypts the session cookie of a dialect, or nil where the
// App shares no secret and gets an opaque token.
func (a *AuthJS) Sealer(d *authjs.Dialect, secure bool) *authjs.Sealer {
	return a.sealers[sealerKey{d.Prefix, secure}]
}

// All returns the Apps in the order of the file.
func (s *Set) All() []*App { return s.list }

// MayHaveTokens reports whether some App may have the tokens of an upstream.
func (s *Set) MayHaveTokens(upstream string) bool {
	for _, app := range s.list {
		if app.AuthJS == nil {
			continue
		}
		for _, id := range app.AuthJS.Tokens {
			if id == upstream {
				return true
			}
		}
	}
	return false
}

// ByID returns the App with that id, or nil.
func (s *Set) ByID(id string) *App {
	for _, app := range s.list {
		if app.ID == id {
			return app
		}
	}
	return nil
}

// Find returns the App with that id, else the one with that name, or nil. Addresses and
// cookies of earlier versions hold the name, and people type it. No App's name is
// another one's id.
func (s *Set) Find(idOrName string) *App {
	if app := s.ByID(idOrName); app != nil {
		return app
	}
	for _, app := range s.list {
		if app.Name == idOrName {
			return app
		}
	}
	return nil
}

// NameOf returns the name of the App with that id, or the id of one that is gone.
func (s *Set) NameOf(id string) string {
	if app := s.ByID(id); app != nil {
		return app.Name
	}
	return strings.TrimPrefix(id, namedKey)
}

// At returns the App that is opened at a host in normal form, with or without the port
// that its scheme has by itself. A host without a port means the only App there is on
// it: proxies lose ports. The names of this machine are one name, and the origin has the
// one that was used.
func (s *Set) At(host string) (Place, bool) {
	if place, ok := s.exact[host]; ok {
		return place, true
	}
	host = strings.ToLower(host)
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/\@?#"<>,`, r) }) {
		return Place{}, false
	}
	var found []Place
	for _, app := range s.list {
		for _, origin := range app.Origins {
			u, err := url.Parse(origin)
			if err != nil {
				continue // checked when it was read
			}
			switch {
			case authjs.SameHost(u.Scheme, host, u.Host):
				if authjs.Loopback(u.Hostname()) {
					return Place{app, u.Scheme + "://" + authjs.WithoutUsualPort(u.Scheme, host)}, true
				}
				return Place{app, origin}, true
			case !strings.Contains(host, ":") && strings.EqualFold(u.Hostname(), host):
				found = append(found, Place{app, origin})
			}
		}
	}
	if len(found) == 1 {
		return found[0], true
	}
	return Place{}, false
}
