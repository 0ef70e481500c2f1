// Package upstream signs people in to us with an account they have elsewhere: it
// sends a browser there, receives it back once, and says whom the upstream vouches
// for.
//
// Each journey has a state, a PKCE verifier and, with OpenID providers, a nonce;
// they wait sealed in the store, for the browser that set out and nobody else, and
// are spent by the first return. What an upstream says is believed as far as its
// documents let it: an address counts as verified only where the upstream has
// verified it itself. Whether somebody may come in, and as whom, others decide.
//
// Nothing is asked of an upstream before somebody wants to sign in by it, so one
// that is down keeps nothing else from working.
package upstream

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"gatelodge/app/config"
	"gatelodge/app/email"
	"gatelodge/app/fault"
	"gatelodge/app/limit"
	"gatelodge/app/links"
	"gatelodge/store"
)

// What can be said to somebody who came back, or could not leave. Each has the
// upstream's name.
var (
	ErrUnknown       = fault.New(fault.NotFound, "error.not_found")
	ErrDown          = fault.New(fault.Unavailable, "upstream.down").For(fault.Provider)
	ErrMisconfigured = fault.New(fault.Unavailable, "upstream.misconfigured").For(fault.Provider)
	ErrDenied        = fault.New(fault.Denied, "upstream.denied").For(fault.Provider)
	ErrNotAsked      = fault.New(fault.Denied, "upstream.not_asked").For(fault.Provider)
	ErrLost          = fault.New(fault.Gone, "upstream.lost").For(fault.Provider)
	ErrStale         = fault.New(fault.Gone, "upstream.stale").For(fault.Provider)
	ErrMixUp         = fault.New(fault.Denied, "upstream.mixed_up").For(fault.Provider)
	ErrUntrue        = fault.New(fault.Denied, "upstream.untrue").For(fault.Provider)
	ErrClock         = fault.New(fault.Unavailable, "upstream.clock").For(fault.Provider)
	ErrNoEmail       = fault.New(fault.Denied, "upstream.no_email").For(fault.Provider)
	ErrNotListed     = fault.New(fault.Denied, "upstream.not_listed").For(fault.Provider)
	ErrLimited       = fault.New(fault.Limited, "error.limited")
	ErrReconnect     = fault.New(fault.Conflict, "upstream.reconnect").For(fault.Provider)
)

// Upstream is one provider as the configuration has it.
type Upstream struct {
	ID   string
	Kind string
	Name string // on buttons

	config   config.Upstream
	kind     kind
	redirect string               // ours, where it sends browsers back to
	offline  func(id string) bool // whether some App may have its tokens
	client   *http.Client
	now      func() time.Time
	log      *slog.Logger

	mu        sync.Mutex
	endpoints *endpoints
	placedAt  time.Time
	failed    error
	failedAt  time.Time
}

// Upstreams are all of them. Make them with New.
type Upstreams struct {
	db     *store.DB
	limits *limit.Limiter
	now    func() time.Time
	log    *slog.Logger
	list   []*Upstream
}

// Options are what surrounds them.
type Options struct {
	DB        *store.DB
	Limits    *limit.Limiter
	Now       func() time.Time
	Log       *slog.Logger
	PublicURL string               // without a trailing slash
	Tokens    func(id string) bool // whether some App may have the tokens of that upstream
}

// New returns the upstreams of a configuration that has been checked.
func New(list []config.Upstream, o Options) *Upstreams {
	s := &Upstreams{db: o.DB, limits: o.Limits, now: o.Now, log: o.Log}
	client := newClient()
	for _, c := range list {
		k := kindOf(c.Kind)
		u := &Upstream{
			ID: c.ID, Kind: c.Kind, Name: c.Name, config: c, kind: k, redirect: o.PublicURL + links.Callback(c.ID),
			offline: o.Tokens, client: client, now: o.Now, log: o.Log,
		}
		if u.Name == "" {
			u.Name = k.name
		}
		if u.Name == "" {
			u.Name = hostOf(c.Issuer, c.AuthURL)
		}
		s.list = append(s.list, u)
	}
	return s
}

// hostOf names a provider that nobody gave a name.
func hostOf(addresses ...string) string {
	for _, text := range addresses {
		if u, err := url.Parse(text); err == nil && u.Host != "" {
			return u.Host
		}
	}
	return ""
}

// All returns the upstreams in the order of the file.
func (s *Upstreams) All() []*Upstream { return s.list }

// Named returns the upstream with that id, or nil.
func (s *Upstreams) Named(id string) *Upstream {
	for _, u := range s.list {
		if u.ID == id {
			return u
		}
	}
	return nil
}

// NameOf is what pages and mails call the upstream with that id: the id itself, for
// one that is no longer in the configuration.
func (s *Upstreams) NameOf(id string) string {
	if u := s.Named(id); u != nil {
		return u.Name
	}
	return id
}

// Type returns how Auth.js calls what the upstream speaks: "oidc" or "oauth".
func (u *Upstream) Type() string {
	if u.kind.openID {
		return "oidc"
	}
	return "oauth"
}

// TrustsEmail reports whether the operator takes the upstream's word that an
// address is somebody's own.
func (u *Upstream) TrustsEmail() bool { return u.config.TrustEmail }

// SignsUp reports whether whoever comes by the upstream may have an account.
func (u *Upstream) SignsUp() bool { return u.config.SignUp }

// AsksAgain reports whether the upstream has somebody prove themselves once more
// when it is asked to, and tells that it did. One that does not proves only that a
// browser is signed in there.
func (u *Upstream) AsksAgain() bool { return u.kind.tells }

// PostsBack reports whether the upstream answers by a form.
func (u *Upstream) PostsBack() bool { return u.kind.formPost }

// fault gives a fault the upstream's name.
func (u *Upstream) fault(f *fault.Fault, cause error) error {
	f = f.With("upstream", u.Name)
	if cause != nil {
		return f.Because(cause)
	}
	return f
}

// scopes are those that are asked for.
func (u *Upstream) scopes() []string {
	scopes := u.config.Scopes
	if len(scopes) == 0 {
		scopes = slices.Clone(u.kind.scopes)
		if u.offline(u.ID) {
			scopes = append(scopes, u.kind.offlineScopes...)
		}
		if len(u.config.AllowGroups) > 0 {
			scopes = append(scopes, u.kind.groupScopes...)
		}
	}
	return scopes
}

// oauth returns the client for x/oauth2.
func (u *Upstream) oauth(p *endpoints) (*oauth2.Config, error) {
	secret := u.config.ClientSecret.Reveal()
	if key := u.config.AppleKey(); key != nil {
		var err error
		if secret, err = appleSecret(key, u.config, p.issuer, u.now()); err != nil {
			return nil, err
		}
	}
	return &oauth2.Config{
		ClientID: u.config.ClientID, ClientSecret: secret, RedirectURL: u.redirect, Scopes: u.scopes(),
		Endpoint: oauth2.Endpoint{AuthURL: p.auth, TokenURL: p.token, AuthStyle: u.style(p)},
	}, nil
}

// style is how we show the client's secret.
func (u *Upstream) style(p *endpoints) oauth2.AuthStyle {
	switch u.config.AuthMethod {
	case "client_secret_basic":
		return oauth2.AuthStyleInHeader
	case "client_secret_post", "none":
		return oauth2.AuthStyleInParams
	}
	if u.kind.style != oauth2.AuthStyleAutoDetect {
		return u.kind.style
	}
	// OpenID Connect Discovery 1.0, 3: left out, it is client_secret_basic.
	if len(p.authMethods) > 0 && !slices.Contains(p.authMethods, "client_secret_basic") && slices.Contains(p.authMethods, "client_secret_post") {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

// Identity is somebody an upstream vouches for.
type Identity struct {
	Upstream string // its id
	Type     string // "oidc" or "oauth"
	Issuer   string // who vouched
	Subject  string // what the issuer calls them, for ever
	// Formerly are what the upstream has called them to others: accounts that were
	// taken over from elsewhere may have such a one.
	Formerly []string

	Email    string // as the upstream tells; "" for none
	Verified bool   // the upstream has verified that it is theirs
	Name     string
	Picture  string
	Groups   []string
	// AuthAt is when the person proved themselves there, by the signed ID token; zero
	// where it does not say.
	AuthAt time.Time

	Tokens store.Tokens
}

// Called returns what the person is called at the upstream.
func (i Identity) Called() string {
	for _, name := range []string{i.Email, i.Name} {
		if name != "" {
			return name
		}
	}
	return i.Subject
}

// Account returns the identity as an account of a user.
func (i Identity) Account(userID string, now time.Time) store.Account {
	return store.Account{
		ID: store.NewID(now), UserID: userID, Provider: i.Upstream, Subject: i.Subject, Issuer: i.Issuer, Type: i.Type,
		Email: i.Email, Name: i.Name, Tokens: i.Tokens, CreatedAt: now, UsedAt: now,
	}
}

// permits says why the upstream's lists do not let somebody through, or nil.
func (u *Upstream) permits(i Identity) error {
	c := u.config
	byEmail := len(c.AllowDomains)+len(c.AllowEmails) > 0
	if !byEmail && len(c.AllowGroups) == 0 {
		return nil
	}
	for _, group := range c.AllowGroups {
		if slices.ContainsFunc(i.Groups, func(g string) bool { return strings.EqualFold(g, group) }) {
			return nil
		}
	}
	if byEmail && i.Verified && listed(c, i.Email) {
		return nil
	}
	if byEmail && !i.Verified && len(c.AllowGroups) == 0 {
		return u.fault(ErrNoEmail, nil)
	}
	return u.fault(ErrNotListed, nil)
}

// listed reports whether an address is on the lists, however either is written.
func listed(c config.Upstream, address string) bool {
	address, err := email.Normal(address)
	if err != nil {
		return false
	}
	domain := email.DomainOf(address)
	return slices.ContainsFunc(c.AllowEmails, func(typed string) bool {
		allowed, err := email.Normal(typed)
		return err == nil && allowed == address
	}) || slices.ContainsFunc(c.AllowDomains, func(typed string) bool {
		allowed, ok := email.Domain(typed)
		return ok && allowed == domain
	})
}
