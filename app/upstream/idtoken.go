package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"gatelodge/app/fault"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// skew is how far an upstream's clock may be from ours.
const skew = 5 * time.Minute

// exchange is one answer of an upstream, being read.
type exchange struct {
	up     *Upstream
	place  *endpoints
	token  *oauth2.Token
	claims claims
	issuer string
	name   string // what the browser brought besides
	authAt time.Time
	// lacks is why something optional could not be read, or nil.
	lacks error
}

// readIDToken checks the ID token as OpenID Connect Core 1.0, 3.1.3.7 asks, and
// keeps its claims.
func (v *exchange) readIDToken(ctx context.Context, luggage savedRequest) error {
	raw, _ := v.token.Extra("id_token").(string)
	if raw == "" {
		return v.up.fault(ErrMisconfigured, errors.New("the upstream sent no ID token: is \"openid\" among the scopes?"))
	}
	untrue := func(what string, args ...any) error { return v.up.fault(ErrUntrue, fmt.Errorf(what, args...)) }
	t, said, err := v.verify(ctx, raw, &oidc.Config{ClientID: v.up.config.ClientID})
	if late, ok := errors.AsType[*oidc.TokenExpiredError](err); ok {
		// It was made a moment ago: it is our clock, or theirs.
		return v.up.fault(ErrClock, fmt.Errorf("a new ID token expired at %v", late.Expiry))
	}
	if err != nil && strings.Contains(err.Error(), "before the nbf") {
		return v.up.fault(ErrClock, errors.New("a new ID token is not valid yet"))
	}
	if e, ok := errors.AsType[*keysError](err); ok {
		return v.up.faultOf(e)
	}
	if err != nil {
		return untrue("the ID token: %v", err)
	}
	v.claims = said
	if !v.place.issuedBy(t.Issuer, v.claims.text("tid")) {
		return untrue("the ID token is by %q", limited(t.Issuer))
	}
	if t.IssuedAt.After(v.up.now().Add(skew)) {
		return v.up.fault(ErrClock, fmt.Errorf("the ID token was made at %v", t.IssuedAt))
	}
	switch sent := t.Nonce; {
	case sent == "" && v.up.config.AllowMissingNonce:
		// The state and PKCE still tie the answer to this browser.
	case sent == "":
		return untrue("the ID token has no nonce; if the provider never sends one, set allow_missing_nonce = true")
	case !secret.Equal([]byte(sent), []byte(luggage.Nonce)):
		return untrue("the ID token answers another question")
	}
	// azp is the client that the token was issued to, where it says so (ibid., 4). Other
	// audiences beside us are the provider's choice: the token came from it directly.
	if azp := v.claims.text("azp"); azp != "" && azp != v.up.config.ClientID {
		return untrue("the ID token is for another client")
	}
	if t.AccessTokenHash != "" {
		if err := t.VerifyAccessToken(v.token.AccessToken); err != nil {
			return untrue("the access token is not the one of the ID token")
		}
	}
	at := v.claims.moment("auth_time")
	switch now := v.up.now(); {
	case at.After(now.Add(skew)):
		at = time.Time{} // it has not happened
	case at.After(now):
		at = now
	}
	v.authAt = at
	if luggage.Request.To == ToConfirm {
		if at.IsZero() && !luggage.Request.Only || !at.IsZero() && at.Before(luggage.At.Add(-skew)) {
			return v.up.fault(ErrNotAsked, errors.New("the upstream did not ask the person again, or does not tell"))
		}
	}
	if v.issuer = t.Issuer; v.issuer == "accounts.google.com" {
		v.issuer = v.place.issuer
	}
	return nil
}

// verify checks the signature of a JWT of the upstream's, and what c asks besides,
// and returns its claims.
func (v *exchange) verify(ctx context.Context, raw string, c *oidc.Config) (*oidc.IDToken, claims, error) {
	c.SupportedSigningAlgs, c.Now, c.SkipIssuerCheck = algorithms, v.up.now, true
	keys := &readable{KeySet: v.place.keys}
	t, err := oidc.NewVerifier(v.place.issuer, keys, c).Verify(v.up.with(ctx), raw)
	switch {
	case keys.err != nil:
		return nil, nil, keys.err
	case err != nil && !keys.asked:
		return nil, nil, &unreadableError{v.place.issuer, "that is signed in no way that is accepted"}
	case err != nil:
		return nil, nil, err
	}
	said, err := decodeClaims(keys.payload)
	return t, said, err
}

// readable is a key set that checks one JWT and keeps its payload. A "sub" that is a
// whole number becomes its digits as text: go-oidc reads nothing else.
type readable struct {
	oidc.KeySet
	payload []byte
	asked   bool
	err     *keysError
}

// keysError means that the keys of an upstream cannot be read.
type keysError struct{ err error }

func (e *keysError) Error() string {
	return "the keys of the upstream cannot be read: " + e.err.Error()
}
func (e *keysError) Unwrap() error { return e.err }

// VerifySignature implements oidc.KeySet.
func (k *readable) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	k.asked = true
	payload, err := k.KeySet.VerifySignature(ctx, jwt)
	if err != nil {
		if strings.Contains(err.Error(), "fetching keys") {
			k.err = &keysError{err}
		}
		return nil, err
	}
	said, err := decodeClaims(payload)
	if err != nil {
		return nil, errors.New("it holds no claims")
	}
	if n, ok := said["sub"].(json.Number); ok && whole(n) {
		said["sub"] = n.String()
		if payload, err = json.Marshal(said); err != nil {
			return nil, err
		}
	}
	k.payload = payload
	return payload, nil
}

// protocol are the claims that only the ID token may make: userinfo says who a
// person is, and nothing about this sign-in.
var protocol = []string{"iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "auth_time", "acr", "amr", "at_hash", "sid"}

// readUserinfo adds the claims of userinfo and returns them. A claim of the ID token stands: it is
// signed. Userinfo that cannot be read leaves the visit with the ID token alone, and
// v.lacks says why; userinfo about another subject is an error.
func (v *exchange) readUserinfo(ctx context.Context) (claims, error) {
	if v.place.userinfo == "" {
		return nil, nil
	}
	more, err := v.userinfo(ctx)
	if _, ok := errors.AsType[*fault.Fault](err); ok {
		return nil, err
	}
	if err == nil && more.identifier("sub") == "" {
		err = &unreadableError{v.place.userinfo, "without a sub"}
	}
	if err != nil {
		v.lacks = err
		return nil, nil
	}
	// OpenID Connect Core 1.0, 5.3.2: else it may belong to another user.
	if more.identifier("sub") != v.claims.identifier("sub") {
		return nil, v.up.fault(ErrUntrue, errors.New("userinfo is about another subject"))
	}
	for name, value := range more {
		if _, ok := v.claims[name]; !ok && !slices.Contains(protocol, name) {
			v.claims[name] = value
		}
	}
	return more, nil
}

// userinfo asks for the claims of userinfo, which are JSON or a signed JWT (OpenID
// Connect Core 1.0, 5.3.2). Its error is a Fault where it is proof of foul play.
func (v *exchange) userinfo(ctx context.Context) (claims, error) {
	body, _, err := v.up.ask(ctx, v.place.userinfo, v.token.AccessToken)
	if err != nil {
		return nil, err
	}
	raw := strings.TrimSpace(string(body))
	if strings.HasPrefix(raw, "{") {
		more, err := decodeClaims(body)
		if err != nil {
			return nil, &unreadableError{v.place.userinfo, "that is no JSON"}
		}
		return more, nil
	}
	switch strings.Count(raw, ".") {
	case 2:
	case 4:
		return nil, &unreadableError{v.place.userinfo, "that is encrypted: have the provider send it signed or as JSON"}
	default:
		return nil, &unreadableError{v.place.userinfo, "that is neither JSON nor a signed JWT"}
	}
	// Userinfo has no lifetime, and names its audience only where it likes to.
	_, more, err := v.verify(ctx, raw, &oidc.Config{SkipClientIDCheck: true, SkipExpiryCheck: true})
	if e, ok := errors.AsType[*keysError](err); ok {
		return nil, e
	}
	if e, ok := errors.AsType[*unreadableError](err); ok {
		return nil, e
	}
	if err != nil {
		return nil, v.up.fault(ErrUntrue, fmt.Errorf("userinfo: %w", err))
	}
	iss, aud := more.text("iss"), more.list("aud")
	if iss != "" && !v.place.issuedBy(iss, v.claims.text("tid")) || len(aud) > 0 && !slices.Contains(aud, v.up.config.ClientID) {
		return nil, v.up.fault(ErrUntrue, errors.New("userinfo is by another provider, or for another client"))
	}
	return more, nil
}

// tokensOf returns what an upstream lets us ask it with.
func tokensOf(t *oauth2.Token, now time.Time) store.Tokens {
	tokens := store.Tokens{Access: t.AccessToken, Refresh: t.RefreshToken, Type: t.TokenType}
	tokens.ID, _ = t.Extra("id_token").(string)
	tokens.Scope, _ = t.Extra("scope").(string)
	if t.ExpiresIn > 0 {
		tokens.ExpiresAt = now.Add(time.Duration(min(t.ExpiresIn, 10*366*24*3600)) * time.Second)
	}
	return tokens
}
