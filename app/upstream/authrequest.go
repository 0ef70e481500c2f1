package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"gatelodge/app/audit"
	"gatelodge/app/email"
	"gatelodge/app/fault"
	"gatelodge/app/limit"
	"gatelodge/app/people"
	"gatelodge/app/secret"
	"gatelodge/store"
)

const (
	// requestFor is how long a sign-in at a provider may take. Some people first create an
	// account there.
	requestFor = 10 * time.Minute
	// pendingFor is how long whom an upstream vouched for is kept while the person
	// proves an account here.
	pendingFor = 15 * time.Minute
)

// A network is a company as often as an attacker; each auth request is a write.
var (
	perNetwork = []limit.Rule{{Count: 60, Per: 10 * time.Minute}, {Count: 1000, Per: 24 * time.Hour}}
	perServer  = []limit.Rule{{Count: 2000, Per: 10 * time.Minute}}
)

// The purposes of an auth request.
const (
	ToSignIn  = "signin"
	ToConfirm = "confirm" // that the signed-in user is still there
	ToLink    = "link"    // the identity to the user's account
)

// AuthRequest is a request to sign in at an upstream. It waits in the store.
type AuthRequest struct {
	To      string // one of the above
	Return  string // the local path to go to in the end
	User    string // of ToConfirm and ToLink
	Session string // of those too: it must be the one that comes back
	// Only is set for a ToConfirm of a user without another way to confirm: what
	// the upstream cannot tell is then let pass.
	Only bool
	// Joins and Invite say that they want an account, and by which invite: what the tab
	// that set out was for.
	Joins  bool   `json:",omitempty"`
	Invite string `json:",omitempty"`
	// Consented means that they are asked for consent in this request.
	Consented bool
}

// AuthParams are what the client that begins a sign-in may ask of the upstream.
type AuthParams struct {
	LoginHint string // an address to begin with
	Prompt    string // "login", "select_account" or "consent"
	MaxAge    string // the seconds since they last proved themselves there, at most; "" for any
	// Known is the user whose browser this is known to be, or "". What strangers do
	// from the same network does not keep it waiting.
	Known string
}

// savedRequest is what lies in the store under a hash: of a state while the user is
// at the upstream, of a token of ours while an identity is pending.
type savedRequest struct {
	Verifier string      `json:"v,omitempty"`
	Nonce    string      `json:"n,omitempty"`
	Issuer   string      `json:"i,omitempty"`
	Request  AuthRequest `json:"e"`
	At       time.Time   `json:"t"`
	Pending  *Identity   `json:"h,omitempty"`
}

// Begin saves an auth request for the browser with that hash and returns the address
// to send it to. It is worth something in that browser alone, once.
func (s *Upstreams) Begin(ctx context.Context, from audit.Origin, id string, browserHash []byte, e AuthRequest, w AuthParams) (string, error) {
	u := s.Named(id)
	if u == nil || browserHash == nil {
		return "", ErrUnknown
	}
	asks := append(limit.Networks("journey:", from.Network, perNetwork, perServer), limit.Ask{Key: "journeys", Rules: perServer})
	if w.Known != "" {
		asks = []limit.Ask{{Key: "journey user:" + w.Known, Rules: perNetwork}}
	}
	if wait, _ := s.limits.Take(asks...); wait > 0 {
		return "", ErrLimited.After(wait)
	}
	p, err := u.endpointsNow(ctx)
	if err != nil {
		return "", err
	}
	client, err := u.oauth(p)
	if err != nil {
		return "", err
	}
	state, now := secret.Token(), s.now()
	hash, _ := secret.Hash(state)
	luggage := savedRequest{Verifier: oauth2.GenerateVerifier(), Issuer: p.issuer, Request: e, At: now}
	params := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(luggage.Verifier)}
	if u.kind.openID {
		luggage.Nonce = secret.Token()
		params = append(params, oauth2.SetAuthURLParam("nonce", luggage.Nonce))
	}
	for name, value := range u.params(p, e, w) {
		params = append(params, oauth2.SetAuthURLParam(name, value))
	}
	if err := s.save(ctx, hash, u.ID, browserHash, luggage, requestFor); err != nil {
		return "", err
	}
	return client.AuthCodeURL(state, params...), nil
}

// params are what the kind and the errand add to the address.
func (u *Upstream) params(p *endpoints, e AuthRequest, w AuthParams) map[string]string {
	params := make(map[string]string)
	for name, value := range u.kind.params {
		params[name] = value
	}
	if u.kind.formPost {
		params["response_mode"] = "form_post"
	}
	if u.offline(u.ID) {
		for name, value := range u.kind.offlineParams {
			params[name] = value
		}
	}
	prompt := w.Prompt
	if e.To == ToConfirm && u.kind.again != "" {
		prompt = u.kind.again
	}
	// Not every provider has people choose among accounts, and strict ones refuse
	// what they do not have.
	if prompt == "select_account" && u.Kind != "google" && u.Kind != "microsoft" && !slices.Contains(p.prompts, prompt) {
		prompt = ""
	}
	if prompt != "" && u.kind.openID {
		params["prompt"] = prompt
	}
	maxAge := w.MaxAge
	if e.To == ToConfirm {
		maxAge = "0"
	}
	if maxAge != "" && u.kind.tells {
		params["max_age"] = maxAge // OpenID Connect Core 1.0, 3.1.2.1: auth_time is then required
	}
	if w.LoginHint != "" && u.kind.openID {
		params["login_hint"] = w.LoginHint
	}
	return params
}

func (s *Upstreams) save(ctx context.Context, hash []byte, provider string, browserHash []byte, p savedRequest, lasts time.Duration) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("saving an auth request: %w", err)
	}
	now := s.now()
	j := store.AuthRequest{StateHash: hash, Provider: provider, BrowserHash: browserHash, Payload: text, CreatedAt: now, ExpiresAt: now.Add(lasts)}
	return s.db.Update(ctx, func(tx *store.Tx) error { return tx.AddAuthRequest(j) })
}

// Answer is what an upstream sends a browser back with.
type Answer struct {
	State, Code, Error, Issuer string
	// Name is what Apple tells of a person the first time, and only here. Nobody
	// has signed it.
	Name string
}

// Finish takes the auth request of the browser and returns it, with the identity that the
// upstream vouches for. The request is filled for faults too, where it is known.
func (s *Upstreams) Finish(ctx context.Context, id string, browserHash []byte, a Answer) (AuthRequest, Identity, error) {
	u := s.Named(id)
	if u == nil {
		return AuthRequest{}, Identity{}, ErrUnknown
	}
	hash, ok := secret.Hash(a.State)
	if !ok || browserHash == nil {
		return AuthRequest{}, Identity{}, u.fault(ErrLost, nil)
	}
	var luggage savedRequest
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		luggage, err = takeSaved(tx, hash, u.ID, browserHash, s.now())
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return AuthRequest{}, Identity{}, u.fault(ErrLost, nil)
	}
	if err != nil {
		return AuthRequest{}, Identity{}, err
	}
	who, err := u.redeem(ctx, a, luggage)
	return luggage.Request, who, err
}

func takeSaved(tx *store.Tx, hash []byte, provider string, browserHash []byte, now time.Time) (savedRequest, error) {
	j, err := tx.TakeAuthRequest(hash, provider, browserHash, now)
	if err != nil {
		return savedRequest{}, err
	}
	return readSaved(j)
}

func readSaved(j store.AuthRequest) (p savedRequest, err error) {
	if err = json.Unmarshal(j.Payload, &p); err != nil {
		return p, fmt.Errorf("reading an auth request: %w", err)
	}
	return p, nil
}

// redeem turns the code of an answer into whom it stands for.
func (u *Upstream) redeem(ctx context.Context, a Answer, luggage savedRequest) (Identity, error) {
	p, err := u.endpointsNow(ctx)
	if err != nil {
		return Identity{}, err
	}
	// RFC 9207, 2.4: an answer of another server must not be taken to this one,
	// whose code or secret it would get.
	if a.Issuer != "" && p.issuer != "" && !p.template && a.Issuer != p.issuer || a.Issuer == "" && p.announces || luggage.Issuer != p.issuer {
		return Identity{}, u.fault(ErrMixUp, fmt.Errorf("the answer names the issuer %q", limited(a.Issuer)))
	}
	if a.Error != "" {
		return Identity{}, u.refused(a.Error)
	}
	if a.Code == "" {
		return Identity{}, u.fault(ErrMisconfigured, errors.New("the answer holds neither a code nor an error"))
	}
	client, err := u.oauth(p)
	if err != nil {
		return Identity{}, err
	}
	token, err := client.Exchange(u.exchanging(ctx), a.Code, oauth2.VerifierOption(luggage.Verifier))
	if err != nil {
		return Identity{}, u.faultOf(err)
	}
	v := exchange{up: u, place: p, token: token, name: a.Name}
	if u.kind.openID {
		if err := v.readIDToken(ctx, luggage); err != nil {
			return Identity{}, err
		}
	} else if luggage.Request.To == ToConfirm && !luggage.Request.Only {
		return Identity{}, u.fault(ErrNotAsked, errors.New("OAuth 2.0 does not report when the user was asked"))
	}
	who, err := u.kind.read(ctx, &v)
	if err != nil {
		if _, ok := errors.AsType[*fault.Fault](err); ok {
			return Identity{}, err
		}
		return Identity{}, u.faultOf(err)
	}
	if err := u.checkPartial(who, v.lacks); err != nil {
		return Identity{}, err
	}
	if who.Subject == "" || len(who.Subject) > 255 {
		return Identity{}, u.fault(ErrMisconfigured, errors.New("the upstream does not report who the user is"))
	}
	who.AuthAt = v.authAt
	who.Upstream, who.Type, who.Tokens = u.ID, u.Type(), tokensOf(token, u.now())
	if who.Issuer == "" {
		who.Issuer = p.issuerOrHost()
	}
	who.Name, _ = people.ShortName(who.Name)
	if a, err := email.Read(who.Email); err == nil {
		who.Email, who.Verified = a.Text, who.Verified && a.Exact(who.Email)
	}
	if who.Email == "" {
		who.Verified = false
	}
	return who, u.permits(who)
}

// checkPartial decides about an identity of which something optional could not be read.
// It is an error where the missing part decides who the person is or whether they may
// sign in, and where another try may bring the address that is missing.
func (u *Upstream) checkPartial(who Identity, lacks error) error {
	if lacks == nil {
		return nil
	}
	trouble := u.faultOf(lacks)
	refused := u.permits(who) != nil && (!who.Verified || len(u.config.AllowGroups) > 0)
	if who.Subject == "" || refused || who.Email == "" && errors.Is(trouble, ErrDown) {
		return trouble
	}
	u.log.Warn("signing in with less than the provider should send", "upstream", u.ID, "err", withoutQuery(lacks))
	return nil
}

// issuerOrHost names the server of an upstream that has no issuer, so that an account
// never stands for a user of another one.
func (p *endpoints) issuerOrHost() string {
	if p.issuer != "" {
		return p.issuer
	}
	at, err := url.Parse(p.auth)
	if err != nil {
		return ""
	}
	return at.Scheme + "://" + at.Host
}

// refused turns the error of an answer into a fault (RFC 6749, 4.1.2.1; OpenID
// Connect Core 1.0, 3.1.2.6).
func (u *Upstream) refused(code string) error {
	cause := fmt.Errorf("the upstream answered %s", clean(code))
	switch code {
	case "access_denied", "user_cancelled_authorize", "user_denied", "consent_required", "login_required", "interaction_required", "account_selection_required":
		return u.fault(ErrDenied, cause)
	case "temporarily_unavailable", "server_error":
		return u.fault(ErrDown, cause)
	}
	return u.fault(ErrMisconfigured, cause)
}

// limited keeps a stranger's words short in the log.
func limited(text string) string { return strings.ToValidUTF8(text[:min(len(text), 100)], "") }

// pendingBy is the provider under which a held identity lies: no state of a journey
// opens it.
const pendingBy = "+held"

// KeepIdentity keeps whom an upstream vouched for until the browser has proved an account
// here, and returns the token that stands for it.
func (s *Upstreams) KeepIdentity(ctx context.Context, browserHash []byte, who Identity) (string, error) {
	token := secret.Token()
	hash, _ := secret.Hash(token)
	return token, s.save(ctx, hash, pendingBy, browserHash, savedRequest{Pending: &who, At: s.now()}, pendingFor)
}

// PendingIdentity returns whom a token stands for, and leaves it. ErrLost when it stands for
// nobody.
func (s *Upstreams) PendingIdentity(ctx context.Context, browserHash []byte, token string) (who Identity, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		hash, ok := secret.Hash(token)
		if !ok || browserHash == nil {
			return store.ErrNotFound
		}
		j, err := tx.AuthRequestOf(hash, pendingBy, browserHash, s.now())
		if err != nil {
			return err
		}
		p, err := readSaved(j)
		if err == nil {
			who = *p.Pending
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return Identity{}, ErrLost
	}
	return who, err
}

// TakeIdentity spends the token of Hold within a transaction.
func (s *Upstreams) TakeIdentity(tx *store.Tx, browserHash []byte, token string) (Identity, error) {
	hash, ok := secret.Hash(token)
	if !ok || browserHash == nil {
		return Identity{}, ErrLost
	}
	p, err := takeSaved(tx, hash, pendingBy, browserHash, s.now())
	if errors.Is(err, store.ErrNotFound) {
		return Identity{}, ErrLost
	}
	if err != nil {
		return Identity{}, err
	}
	return *p.Pending, nil
}
