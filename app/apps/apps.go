// Package apps knows the Apps: what people reach through us, where it is opened,
// who may, and in which dialect it asks who is signed in.
//
// An App is recognised by the host it is opened at, which stands in the
// configuration, and by nothing that a request could make up.
package apps

import (
	"fmt"
	"net/url"
	"strings"

	"gatelodge/app/apps/authjs"
	"gatelodge/app/config"
	"gatelodge/app/email"
)

// App is something people reach through us.
type App struct {
	Name      string
	Origins   []string // scheme and host, the first is the usual one
	Dialect   *authjs.Dialect
	Secrets   []string // that the App shares with us, the newest first
	Providers []string // to list; empty lists all
	Tokens    []string // ids of upstreams whose tokens it may have, its own user's alone
	Pages     config.AuthJSPages
	Allow     Allow

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

// Apps are all of them. Make them with New.
type Apps struct {
	list  []*App
	exact map[string]Place // by host as it stands in an address
}

// Place is an App at one of its origins.
type Place struct {
	App    *App
	Origin string
}

// New returns the Apps of a configuration that has been checked.
func New(list []config.App) (*Apps, error) {
	a := &Apps{exact: make(map[string]Place)}
	for _, c := range list {
		app := &App{
			Name: c.Name, Origins: c.AuthJS.Origins, Dialect: authjs.ByVersion(c.AuthJS.Version), Secrets: c.AuthJS.Secrets(),
			Providers: c.AuthJS.Providers, Tokens: c.AuthJS.Tokens, Pages: c.AuthJS.Pages, Allow: newAllow(c.Allow),
		}
		if err := app.makeSealers(); err != nil {
			return nil, fmt.Errorf("the App %s: %w", c.Name, err)
		}
		for _, origin := range app.Origins {
			_, host, _ := strings.Cut(origin, "://")
			a.exact[host] = Place{app, origin}
		}
		a.list = append(a.list, app)
	}
	return a, nil
}

func (a *App) makeSealers() error {
	if len(a.Secrets) == 0 {
		return nil
	}
	a.sealers = make(map[sealerKey]*authjs.Sealer)
	for _, d := range []*authjs.Dialect{authjs.V4, authjs.V5} {
		for _, secure := range []bool{false, true} {
			s, err := authjs.NewSealer(d.Encryption, d.Names(secure).Session, a.Secrets)
			if err != nil {
				return err
			}
			a.sealers[sealerKey{d.Prefix, secure}] = s
		}
	}
	return nil
}

// Sealer returns what encrypts the session cookie of a dialect, or nil where the
// App shares no secret and gets a token that says nothing.
func (a *App) Sealer(d *authjs.Dialect, secure bool) *authjs.Sealer {
	return a.sealers[sealerKey{d.Prefix, secure}]
}

// All returns the Apps in the order of the file.
func (a *Apps) All() []*App { return a.list }

// Tokens returns the ids of the upstreams whose tokens some App may have.
func (a *Apps) Tokens() []string {
	var list []string
	for _, app := range a.list {
		list = append(list, app.Tokens...)
	}
	return list
}

// Named returns the App with that name, or nil.
func (a *Apps) Named(name string) *App {
	for _, app := range a.list {
		if app.Name == name {
			return app
		}
	}
	return nil
}

// At returns the App that is opened at a host in normal form, with or without the port
// that its scheme has by itself. A host without a port means the only App there is on
// it: proxies lose ports. The names of this machine are one name, and the origin has the
// one that was used.
func (a *Apps) At(host string) (Place, bool) {
	if place, ok := a.exact[host]; ok {
		return place, true
	}
	host = strings.ToLower(host)
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/\@?#"<>,`, r) }) {
		return Place{}, false
	}
	var found []Place
	for _, app := range a.list {
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
