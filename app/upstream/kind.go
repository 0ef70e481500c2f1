package upstream

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// kind is how a provider is spoken with: all that differs.
type kind struct {
	id     string // in the configuration
	name   string // on buttons
	openID bool
	issuer string
	// auth, token and userinfo are of those without discovery.
	auth, token, userinfo string

	scopes        []string
	groupScopes   []string // besides, to know groups
	offlineScopes []string // besides, to get a refresh token
	params        map[string]string
	offlineParams map[string]string
	byConsent     bool   // it sends a refresh token only to who is asked for consent
	again         string // the prompt that has somebody prove themselves again
	tells         bool   // it tells when they last did, so that it can be checked
	style         oauth2.AuthStyle
	formPost      bool
	read          func(context.Context, *exchange) (Identity, error)
}

// kinds are all of them. Whose addresses count as verified is written at each
// reader.
var kinds = []kind{
	{
		id: "google", name: "Google", openID: true, issuer: "https://accounts.google.com", scopes: []string{"openid", "email", "profile"},
		offlineParams: map[string]string{"access_type": "offline"}, byConsent: true, again: "select_account", style: oauth2.AuthStyleInParams, read: readGoogle,
	},
	{
		id: "twitter", name: "X", auth: "https://x.com/i/oauth2/authorize", token: "https://api.x.com/2/oauth2/token", userinfo: "https://api.x.com/2/users/me",
		scopes: []string{"users.read", "tweet.read", "users.email"}, offlineScopes: []string{"offline.access"}, style: oauth2.AuthStyleInHeader, read: readTwitter,
	},
	{
		id: "facebook", name: "Facebook", auth: "https://www.facebook.com/dialog/oauth", token: "https://graph.facebook.com/oauth/access_token",
		userinfo: "https://graph.facebook.com/me", scopes: []string{"public_profile", "email"}, style: oauth2.AuthStyleInParams, read: readFacebook,
	},
	{
		id: "github", name: "GitHub", auth: "https://github.com/login/oauth/authorize", token: "https://github.com/login/oauth/access_token",
		userinfo: "https://api.github.com/user", scopes: []string{"read:user", "user:email"}, groupScopes: []string{"read:org"},
		style: oauth2.AuthStyleInParams, read: readGitHub,
	},
	{
		id: "gitlab", name: "GitLab", openID: true, issuer: "https://gitlab.com", scopes: []string{"openid", "email", "profile"}, again: "login", tells: true, read: readOpenID,
	},
	{
		id: "discord", name: "Discord", auth: "https://discord.com/oauth2/authorize", token: "https://discord.com/api/oauth2/token",
		userinfo: "https://discord.com/api/users/@me", scopes: []string{"identify", "email"}, groupScopes: []string{"guilds"},
		style: oauth2.AuthStyleInHeader, read: readDiscord,
	},
	{
		id: "microsoft", name: "Microsoft", openID: true, scopes: []string{"openid", "email", "profile"}, offlineScopes: []string{"offline_access"}, again: "login",
		style: oauth2.AuthStyleInParams, read: readMicrosoft,
	},
	{
		id: "apple", name: "Apple", openID: true, issuer: "https://appleid.apple.com", scopes: []string{"name", "email"}, style: oauth2.AuthStyleInParams,
		formPost: true, // Apple answers no other way when it is asked for a name or an address
		read:     readApple,
	},
	{id: "oidc", openID: true, scopes: []string{"openid", "email", "profile"}, again: "login", tells: true, read: readOpenID},
	{id: "oauth2", style: oauth2.AuthStyleInHeader, read: readPlain},
}

// kindOf returns the kind of that id, the zero kind where there is none.
func kindOf(id string) kind {
	for _, k := range kinds {
		if k.id == id {
			return k
		}
	}
	return kind{}
}

// claim returns what the operator says a claim is called, or its usual name.
func claim(set, usual string) string { return cmp.Or(set, usual) }

// readOpenID reads an OpenID provider's standard claims.
func readOpenID(ctx context.Context, v *exchange) (Identity, error) {
	c := v.up.config.Claims
	subject := claim(c.Subject, "sub")
	groups, verified := claim(c.Groups, "groups"), claim(c.EmailVerified, "email_verified")
	signed, _ := v.up.email(v.claims)
	vouched := v.claims.yes(verified)
	// Providers that follow the specification tell only who it is in the ID token.
	if signed == "" || v.claims.fullName(claim(c.Name, "name")) == "" || v.claims.identifier(subject) == "" || len(v.up.config.AllowGroups) > 0 && v.claims.at(groups) == nil {
		more, err := v.readUserinfo(ctx)
		if err != nil {
			return Identity{}, err
		}
		// Userinfo vouches for the address that it names, which may be another.
		if email, _ := v.up.email(more); signed == "" || signed == email {
			vouched = v.claims.yes(verified)
		}
	}
	email, sole := v.up.email(v.claims)
	return Identity{
		Issuer: v.issuer, Subject: v.claims.identifier(subject), Email: email,
		Verified: sole && vouched,
		Name:     cmp.Or(v.claims.fullName(claim(c.Name, "name")), v.claims.text("nickname"), v.claims.text("preferred_username")),
		Picture:  v.claims.text(claim(c.Picture, "picture")), Groups: v.claims.groups(groups),
	}, nil
}

// email returns the email address in the claim that the operator has named, else in
// the usual ones, and whether it is the only one there.
func (u *Upstream) email(c claims) (email string, sole bool) {
	if set := u.config.Claims.Email; set != "" {
		return c.address(set)
	}
	if email, sole = c.address("email"); email == "" {
		email, sole = c.address("emails")
	}
	return email, sole
}

// readGoogle reads Google's claims. It vouches for its own addresses and for those
// of domains it hosts (hd). Any other was theirs when they made the account there,
// which may be years ago.
func readGoogle(ctx context.Context, v *exchange) (Identity, error) {
	who, err := readOpenID(ctx, v)
	if err != nil {
		return who, err
	}
	domain := strings.ToLower(who.Email[strings.LastIndexByte(who.Email, '@')+1:])
	hosted := v.claims.text("hd")
	who.Verified = who.Verified && (domain == "gmail.com" || hosted != "" && strings.EqualFold(domain, hosted))
	return who, nil
}

// readMicrosoft reads Microsoft's claims. email is what a tenant's administrator,
// or anybody with a tenant, has typed: it counts only when Microsoft says that the
// domain's owner was verified (xms_edov), or for the one tenant whose word the
// operator takes. A person is tid and oid; sub differs from app to app.
func readMicrosoft(_ context.Context, v *exchange) (Identity, error) {
	tenant, object := v.claims.text("tid"), v.claims.text("oid")
	who := Identity{
		Issuer: v.issuer, Formerly: []string{v.claims.text("sub")}, Email: v.claims.text("email"),
		Name: v.claims.text("name"), Groups: append(v.claims.groups("groups"), tenant),
	}
	if v.claims.at("_claim_names.groups") != nil {
		v.lacks = &unreadableError{v.place.issuer, "without groups, which Microsoft leaves out for people in more than 200: assign groups to the application there"}
	}
	if tenant != "" && object != "" {
		who.Subject = tenant + "." + object
	}
	who.Verified = v.claims.yes("xms_edov") || !v.place.template && v.up.ownTenant() && v.up.TrustsEmail()
	return who, nil
}

// ownTenant reports whether only one organisation's people come by the upstream.
func (u *Upstream) ownTenant() bool {
	tenant := u.config.Tenant
	if u.config.Issuer != "" {
		parts := strings.Split(strings.TrimSuffix(u.config.Issuer, "/v2.0"), "/")
		tenant = parts[len(parts)-1]
	}
	// The id of "consumers" is that of everybody with an account of their own.
	return !slices.Contains([]string{"", "common", "organizations", "consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"}, strings.ToLower(tenant))
}

// readApple reads Apple's claims. It has no userinfo, and tells a name only the
// first time, by way of the browser. It verifies addresses, those it relays too.
func readApple(_ context.Context, v *exchange) (Identity, error) {
	return Identity{
		Issuer: v.issuer, Subject: v.claims.text("sub"), Email: v.claims.text("email"), Verified: v.claims.yes("email_verified"), Name: v.name,
	}, nil
}

// readPlain reads what some OAuth 2.0 provider tells, by the names the operator
// has set.
func readPlain(ctx context.Context, v *exchange) (Identity, error) {
	if _, err := v.up.get(ctx, v.place.userinfo, v.token.AccessToken, &v.claims); err != nil {
		return Identity{}, err
	}
	c := v.up.config.Claims
	email, sole := v.up.email(v.claims)
	who := Identity{
		Subject: cmp.Or(v.claims.identifier(claim(c.Subject, "sub")), v.claims.identifier(claim(c.Subject, "id"))), Email: email,
		Name:    cmp.Or(v.claims.fullName(claim(c.Name, "name")), v.claims.text("login"), v.claims.text("username")),
		Picture: v.claims.text(claim(c.Picture, "picture")), Groups: v.claims.groups(claim(c.Groups, "groups")),
	}
	who.Verified = sole && c.EmailVerified != "" && v.claims.yes(c.EmailVerified)
	return who, nil
}
