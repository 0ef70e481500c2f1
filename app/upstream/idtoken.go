package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"gatelodge/app/secret"
	"gatelodge/store"
)

// skew is how far an upstream's clock may be from ours.
const skew = 5 * time.Minute

// visit is one answer of an upstream, being read.
type visit struct {
	up     *Upstream
	place  *place
	token  *oauth2.Token
	claims claims
	issuer string
	name   string // what the browser brought besides
	authAt time.Time
}

// readIDToken checks the ID token as OpenID Connect Core 1.0, 3.1.3.7 asks, and
// keeps its claims.
func (v *visit) readIDToken(ctx context.Context, luggage parcel) error {
	raw, _ := v.token.Extra("id_token").(string)
	if raw == "" {
		return v.up.fault(ErrMisconfigured, errors.New("the upstream sent no ID token: is \"openid\" among the scopes?"))
	}
	untrue := func(what string, args ...any) error { return v.up.fault(ErrUntrue, fmt.Errorf(what, args...)) }
	verifier := oidc.NewVerifier(v.place.issuer, v.place.keys, &oidc.Config{
		ClientID: v.up.config.ClientID, SupportedSigningAlgs: algorithms, Now: v.up.now, SkipIssuerCheck: true,
	})
	t, err := verifier.Verify(v.up.with(ctx), raw)
	if late, ok := errors.AsType[*oidc.TokenExpiredError](err); ok {
		// It was made a moment ago: it is our clock, or theirs.
		return v.up.fault(ErrClock, fmt.Errorf("a new ID token expired at %v", late.Expiry))
	}
	if err != nil && strings.Contains(err.Error(), "before the nbf") {
		return v.up.fault(ErrClock, errors.New("a new ID token is not valid yet"))
	}
	if err != nil {
		if strings.Contains(err.Error(), "fetching keys") {
			return v.up.fault(ErrDown, errors.New("the keys of the upstream cannot be read"))
		}
		return untrue("the ID token: %v", err)
	}
	var text json.RawMessage
	if err := t.Claims(&text); err != nil {
		return untrue("the ID token cannot be read")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v.claims); err != nil {
		return untrue("the ID token holds no claims")
	}
	if !v.place.issuedBy(t.Issuer, v.claims.text("tid")) {
		return untrue("the ID token is by %q", limited(t.Issuer))
	}
	if t.IssuedAt.After(v.up.now().Add(skew)) {
		return v.up.fault(ErrClock, fmt.Errorf("the ID token was made at %v", t.IssuedAt))
	}
	if !secret.Equal([]byte(t.Nonce), []byte(luggage.Nonce)) {
		return untrue("the ID token answers another question")
	}
	// azp is who it was made for, where it names several (ibid., 4 and 5).
	azp := v.claims.text("azp")
	if azp != "" && azp != v.up.config.ClientID || azp == "" && len(t.Audience) > 1 {
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
	if luggage.Errand.To == ToConfirm {
		if at.IsZero() && !luggage.Errand.Only || !at.IsZero() && at.Before(luggage.At.Add(-skew)) {
			return v.up.fault(ErrNotAsked, errors.New("the upstream did not ask the person again, or does not tell"))
		}
	}
	if v.issuer = t.Issuer; v.issuer == "accounts.google.com" {
		v.issuer = v.place.issuer
	}
	return nil
}

// readUserinfo adds what the upstream tells of the person besides. What an ID
// token said stands: it is signed.
func (v *visit) readUserinfo(ctx context.Context) error {
	if v.place.userinfo == "" {
		return nil
	}
	var more claims
	if err := v.up.get(ctx, v.place.userinfo, v.token.AccessToken, &more); err != nil {
		return err
	}
	// OpenID Connect Core 1.0, 5.3.2: else it may be somebody else's.
	if more.text("sub") != v.claims.text("sub") {
		return v.up.fault(ErrUntrue, errors.New("userinfo is about somebody else"))
	}
	for name, value := range more {
		if _, ok := v.claims[name]; !ok {
			v.claims[name] = value
		}
	}
	return nil
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

// claims are what an upstream says of somebody.
type claims map[string]any

// at returns what stands at a path such as "data.id".
func (c claims) at(path string) any {
	// A name may hold dots itself: "https://example.com/groups".
	if v, ok := c[path]; ok {
		return v
	}
	name, rest, ok := strings.Cut(path, ".")
	if !ok {
		return nil
	}
	inner, _ := c[name].(map[string]any)
	return claims(inner).at(rest)
}

// text returns a text or number as text, or "".
func (c claims) text(path string) string {
	switch v := c.at(path).(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// yes reports whether something is said to be so. Apple and others say it as text.
func (c claims) yes(path string) bool {
	switch v := c.at(path).(type) {
	case bool:
		return v
	case string:
		return v == "true" || v == "1"
	case json.Number:
		return v == "1"
	}
	return false
}

func (c claims) moment(path string) time.Time {
	if n, ok := c.at(path).(json.Number); ok {
		if seconds, err := n.Int64(); err == nil {
			return time.Unix(seconds, 0)
		}
	}
	return time.Time{}
}

// list returns the texts in a list, or one text alone.
func (c claims) list(path string) []string {
	switch v := c.at(path).(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, item := range v {
			if text, ok := item.(string); ok {
				list = append(list, text)
			}
		}
		return slices.Clip(list)
	}
	return nil
}
