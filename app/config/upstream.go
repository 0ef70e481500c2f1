package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode"
)

// Upstream is one [[upstream]]: a provider that signs people in to us.
type Upstream struct {
	// ID names it in addresses: {public_url}/api/auth/callback/{id}. It stands in
	// every account that came by it, so it must not change. "" is Kind.
	ID   string
	Kind string
	Name string // on buttons; "" is the kind's usual name

	ClientID         string
	ClientSecret     Secret
	ClientSecretFile string
	AuthMethod       string // how the secret is shown: "", "client_secret_basic", "client_secret_post" or "none"

	Issuer      string // of an OpenID provider, byte for byte as it calls itself
	Tenant      string // Microsoft's: "common", "organizations", a domain or an id
	URL         string // of a GitHub Enterprise server
	AuthURL     string // in place of the kind's own
	TokenURL    string
	UserinfoURL string

	Scopes []string // "" is what the kind needs
	// AllowMissingNonce accepts an ID token without a nonce, which some providers never
	// send. One with another nonce than ours is refused all the same.
	AllowMissingNonce bool
	// TrustEmail takes the upstream's word that an address is somebody's own: it
	// then leads to the user who has it here.
	TrustEmail bool
	// SignUp gives everybody an account whom the upstream and the lists below let
	// through, whatever signup.mode says.
	SignUp bool
	// Who may sign in by it: whoever is on one of the lists. None: everybody.
	AllowDomains, AllowEmails, AllowGroups []string

	TeamID, KeyID  string // Apple's
	PrivateKeyFile string
	Claims         UpstreamClaims

	appleKey *ecdsa.PrivateKey
}

// UpstreamClaims say what a provider calls what we need to know. A dot leads into
// an object: "data.id".
type UpstreamClaims struct {
	Subject, Email, EmailVerified, Name, Picture, Groups string
}

// AppleKey returns the key that signs the client secret for Apple.
func (u Upstream) AppleKey() *ecdsa.PrivateKey { return u.appleKey }

// UpstreamKinds are the providers we know how to speak with.
var UpstreamKinds = []string{"google", "twitter", "facebook", "github", "gitlab", "discord", "microsoft", "apple", "oidc", "oauth2"}

// reservedIDs are sign-in methods that are not upstreams.
var reservedIDs = []string{"email", "nodemailer", "resend", "magic-link", "credentials", "passkey", "webauthn", "gatelodge"}

// upstreamSettings lists every key of the upstream with that index.
func upstreamSettings(i int) []setting {
	at := func(c *Config) *Upstream { return &c.Upstreams[i] }
	return []setting{
		{key: "upstream.id", example: `"google"`, ptr: func(c *Config) any { return &at(c).ID }},
		{key: "upstream.kind", example: `"google"`, ptr: func(c *Config) any { return &at(c).Kind }},
		{key: "upstream.name", example: `"Our school"`, ptr: func(c *Config) any { return &at(c).Name }},
		{key: "upstream.client_id", example: `"123.apps.googleusercontent.com"`, ptr: func(c *Config) any { return &at(c).ClientID }},
		{key: "upstream.client_secret", example: `"…"`, ptr: func(c *Config) any { return &at(c).ClientSecret }},
		{key: "upstream.client_secret_file", example: `"/etc/gatelodge/google-secret"`, ptr: func(c *Config) any { return &at(c).ClientSecretFile }, path: true},
		{key: "upstream.auth_method", example: `"client_secret_post"`, ptr: func(c *Config) any { return &at(c).AuthMethod }},
		{key: "upstream.issuer", example: `"https://id.example.com"`, ptr: func(c *Config) any { return &at(c).Issuer }},
		{key: "upstream.tenant", example: `"example.com"`, ptr: func(c *Config) any { return &at(c).Tenant }},
		{key: "upstream.url", example: `"https://github.example.com"`, ptr: func(c *Config) any { return &at(c).URL }},
		{key: "upstream.auth_url", example: `"https://id.example.com/authorize"`, ptr: func(c *Config) any { return &at(c).AuthURL }},
		{key: "upstream.token_url", example: `"https://id.example.com/token"`, ptr: func(c *Config) any { return &at(c).TokenURL }},
		{key: "upstream.userinfo_url", example: `"https://id.example.com/userinfo"`, ptr: func(c *Config) any { return &at(c).UserinfoURL }},
		{key: "upstream.scopes", example: `["openid", "email"]`, ptr: func(c *Config) any { return &at(c).Scopes }},
		{key: "upstream.allow_missing_nonce", example: `true`, ptr: func(c *Config) any { return &at(c).AllowMissingNonce }},
		{key: "upstream.trust_email", example: `true`, ptr: func(c *Config) any { return &at(c).TrustEmail }},
		{key: "upstream.sign_up", example: `true`, ptr: func(c *Config) any { return &at(c).SignUp }},
		{key: "upstream.allow_domains", example: `["example.com"]`, ptr: func(c *Config) any { return &at(c).AllowDomains }},
		{key: "upstream.allow_emails", example: `["mara@example.com"]`, ptr: func(c *Config) any { return &at(c).AllowEmails }},
		{key: "upstream.allow_groups", example: `["our-organisation"]`, ptr: func(c *Config) any { return &at(c).AllowGroups }},
		{key: "upstream.team_id", example: `"A1B2C3D4E5"`, ptr: func(c *Config) any { return &at(c).TeamID }},
		{key: "upstream.key_id", example: `"F6G7H8I9J0"`, ptr: func(c *Config) any { return &at(c).KeyID }},
		{key: "upstream.private_key_file", example: `"/etc/gatelodge/apple.p8"`, ptr: func(c *Config) any { return &at(c).PrivateKeyFile }, path: true},
		{key: "upstream.claims.subject", example: `"sub"`, ptr: func(c *Config) any { return &at(c).Claims.Subject }},
		{key: "upstream.claims.email", example: `"email"`, ptr: func(c *Config) any { return &at(c).Claims.Email }},
		{key: "upstream.claims.email_verified", example: `"email_verified"`, ptr: func(c *Config) any { return &at(c).Claims.EmailVerified }},
		{key: "upstream.claims.name", example: `"name"`, ptr: func(c *Config) any { return &at(c).Claims.Name }},
		{key: "upstream.claims.picture", example: `"picture"`, ptr: func(c *Config) any { return &at(c).Claims.Picture }},
		{key: "upstream.claims.groups", example: `"groups"`, ptr: func(c *Config) any { return &at(c).Claims.Groups }},
	}
}

// upstreamKeys say which kinds a key is for, and which need it.
var upstreamKeys = []struct {
	key         string
	kinds, need []string
	value       func(Upstream) string
}{
	{"issuer", []string{"oidc", "oauth2", "gitlab", "google", "microsoft", "apple"}, []string{"oidc"}, func(u Upstream) string { return u.Issuer }},
	{"tenant", []string{"microsoft"}, nil, func(u Upstream) string { return u.Tenant }},
	{"url", []string{"github"}, nil, func(u Upstream) string { return u.URL }},
	{"auth_url", plainKinds, []string{"oauth2"}, func(u Upstream) string { return u.AuthURL }},
	{"token_url", plainKinds, []string{"oauth2"}, func(u Upstream) string { return u.TokenURL }},
	{"userinfo_url", plainKinds, []string{"oauth2"}, func(u Upstream) string { return u.UserinfoURL }},
	{"auth_method", []string{"oidc", "oauth2"}, nil, func(u Upstream) string { return u.AuthMethod }},
	{"team_id", []string{"apple"}, []string{"apple"}, func(u Upstream) string { return u.TeamID }},
	{"key_id", []string{"apple"}, []string{"apple"}, func(u Upstream) string { return u.KeyID }},
	{"private_key_file", []string{"apple"}, []string{"apple"}, func(u Upstream) string { return u.PrivateKeyFile }},
	{"allow_missing_nonce", []string{"oidc"}, nil, func(u Upstream) string {
		if u.AllowMissingNonce {
			return "true"
		}
		return ""
	}},
	{"claims", []string{"oidc", "oauth2"}, nil, func(u Upstream) string {
		c := u.Claims
		return c.Subject + c.Email + c.EmailVerified + c.Name + c.Picture + c.Groups
	}},
}

// plainKinds speak OAuth 2.0 without OpenID.
var plainKinds = []string{"twitter", "facebook", "github", "discord", "oauth2"}

// upstreams checks every upstream and reads the files with their secrets.
func (k *checker) upstreams() {
	taken := map[string]bool{}
	for i := range k.l.Upstreams {
		u := &k.l.Upstreams[i]
		fail := func(key, format string, args ...any) {
			at := k.l.origins[tableKey(i, "upstream", "upstream."+key)]
			if at == "" {
				at = k.l.origins[tableKey(i, "upstream", "upstream")]
			}
			k.errs = append(k.errs, fmt.Errorf("%s: upstream.%s %w", at, key, fmt.Errorf(format, args...)))
		}
		if !slices.Contains(UpstreamKinds, u.Kind) {
			fail("kind", "is %q, but must be %s", u.Kind, quoted(UpstreamKinds))
			continue
		}
		if u.ID == "" {
			u.ID = u.Kind
		}
		switch {
		case !goodID(u.ID):
			fail("id", `is %q, but must have 1 to 40 lower-case letters, digits, "-" or "_": it is part of addresses`, u.ID)
		case slices.Contains(reservedIDs, u.ID):
			fail("id", "is %q, which is another sign-in method: choose another", u.ID)
		case taken[u.ID]:
			fail("id", "is %q, and so is another upstream's: each needs its own id", u.ID)
		}
		taken[u.ID] = true
		if n := len([]rune(u.Name)); n > maxName || strings.ContainsFunc(u.Name, unicode.IsControl) {
			fail("name", "must have at most %d characters", maxName)
		}
		k.upstreamSecret(u, fail)
		for _, rule := range upstreamKeys {
			switch set := rule.value(*u) != ""; {
			case set && !slices.Contains(rule.kinds, u.Kind):
				fail(rule.key, "does not exist for kind = %q; it is for %s", u.Kind, quoted(rule.kinds))
			case !set && slices.Contains(rule.need, u.Kind):
				fail(rule.key, "must be set for kind = %q", u.Kind)
			}
		}
		upstreamPlaces(u, fail)
		k.upstreamPeople(u, fail)
	}
}

func goodID(id string) bool {
	return id != "" && len(id) <= 40 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// upstreamSecret reads what we prove with to the upstream who we are.
func (k *checker) upstreamSecret(u *Upstream, fail func(key, format string, args ...any)) {
	if u.ClientID == "" {
		fail("client_id", "must be set: the provider shows it when you register %s there", k.l.Origin().String())
	}
	if u.ClientSecretFile != "" {
		if u.ClientSecret.text != "" {
			fail("client_secret_file", "is set, and so is upstream.client_secret: keep one")
			return
		}
		text, err := os.ReadFile(u.ClientSecretFile)
		if err != nil {
			fail("client_secret_file", "cannot be read: %w", err)
			return
		}
		if u.ClientSecret.text = strings.TrimSpace(string(text)); u.ClientSecret.text == "" {
			fail("client_secret_file", "names %s, which is empty", u.ClientSecretFile)
			return
		}
	}
	switch secret := u.ClientSecret.text != ""; {
	case u.Kind == "apple" && secret:
		fail("client_secret", "is created by Gatelodge for Apple: set team_id, key_id and private_key_file instead")
	case u.Kind == "apple" && u.PrivateKeyFile != "":
		var err error
		if u.appleKey, err = readAppleKey(u.PrivateKeyFile); err != nil {
			fail("private_key_file", "%w", err)
		}
	case u.AuthMethod == "none" && secret:
		fail("auth_method", `is "none", but there is a client secret`)
	case u.Kind != "apple" && u.AuthMethod != "none" && !secret:
		fail("client_secret_file", "must be set, or client_secret")
	}
	if m := u.AuthMethod; m != "" && m != "client_secret_basic" && m != "client_secret_post" && m != "none" {
		fail("auth_method", `is %q, but must be "client_secret_basic", "client_secret_post" or "none"`, m)
	}
}

func readAppleKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("contains no key in PEM format; Apple's file is AuthKey_….p8")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("contains another kind of key than Apple's, which is EC P-256")
	}
	return key, nil
}

// upstreamPlaces checks every address: what goes there are codes, secrets and
// tokens, so it is https but on this machine.
func upstreamPlaces(u *Upstream, fail func(key, format string, args ...any)) {
	for _, place := range []struct{ key, text string }{
		{"issuer", u.Issuer}, {"url", u.URL}, {"auth_url", u.AuthURL}, {"token_url", u.TokenURL}, {"userinfo_url", u.UserinfoURL},
	} {
		key, text := place.key, place.text
		if text == "" {
			continue
		}
		at, err := url.Parse(text)
		switch {
		case err != nil || at.Host == "" || at.Opaque != "" || at.User != nil || at.Fragment != "" || strings.ContainsFunc(text, unicode.IsSpace):
			fail(key, "is %q, but must be an address such as https://id.example.com", text)
		case at.Scheme != "https" && (at.Scheme != "http" || !loopback(at.Hostname())):
			fail(key, "is %q, but must begin with https://: secrets go there", text)
		case key != "auth_url" && key != "userinfo_url" && at.RawQuery != "":
			fail(key, "is %q, but must have no query", text)
		}
	}
	if t := u.Tenant; strings.ContainsFunc(t, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/\?#{}%`, r) }) {
		fail("tenant", `is %q, but must be "common", "organizations", "consumers", a domain or an id`, t)
	}
	if u.Tenant != "" && u.Issuer != "" {
		fail("issuer", "is set, and so is upstream.tenant: keep one")
	}
	u.URL = strings.TrimSuffix(u.URL, "/")
}

// upstreamPeople checks who may come by the upstream.
func (k *checker) upstreamPeople(u *Upstream, fail func(key, format string, args ...any)) {
	if u.TrustEmail && u.Kind == "facebook" {
		fail("trust_email", "cannot be true: Facebook does not report whether an address is verified")
	}
	if u.TrustEmail && u.Kind == "oauth2" && u.Claims.EmailVerified == "" {
		fail("trust_email", "is true, but claims.email_verified is not set, so no address counts as verified")
	}
	for i, domain := range u.AllowDomains {
		u.AllowDomains[i] = strings.ToLower(strings.TrimPrefix(domain, "@"))
		if d := u.AllowDomains[i]; d == "" || strings.ContainsAny(d, "@*/ ") {
			fail("allow_domains", `contains %q, but must contain domains, as in "example.com"`, domain)
		}
	}
	for i, address := range u.AllowEmails {
		u.AllowEmails[i] = strings.ToLower(address)
		if at := strings.IndexByte(address, '@'); at < 1 || at == len(address)-1 {
			fail("allow_emails", `contains %q, but must contain addresses, as in "mara@example.com"`, address)
		}
	}
	if u.Kind == "facebook" && len(u.AllowDomains)+len(u.AllowEmails) > 0 {
		fail("allow_domains", "and upstream.allow_emails match no one: Facebook does not report whether an address is verified")
	}
	if slices.Contains([]string{"google", "twitter", "facebook", "apple"}, u.Kind) && len(u.AllowGroups) > 0 {
		fail("allow_groups", "matches no one: kind = %q does not report groups", u.Kind)
	}
	anybody := u.Kind != "oidc" && u.Kind != "oauth2" && u.Issuer == "" && u.URL == ""
	if u.SignUp && anybody && len(u.AllowDomains)+len(u.AllowEmails)+len(u.AllowGroups) == 0 {
		k.warn("anyone with an account at %s gets one here: the upstream %q has sign_up = true and no allow_ list", u.Kind, u.ID)
	}
}
