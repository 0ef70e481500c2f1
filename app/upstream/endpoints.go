package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// endpoints is where an upstream is asked, as it tells itself or as is known.
type endpoints struct {
	auth, token, userinfo string
	issuer                string // "" where there is none
	template              bool   // issuer holds {tenantid}, for Microsoft's many
	announces             bool   // it names itself in every answer (RFC 9207)
	authMethods, prompts  []string
	keys                  oidc.KeySet
	keysAt                string
}

const (
	placeFor = time.Hour
	// failedFor is how long an upstream that does not answer is not asked again, so
	// that those who wait for it do not wait one after the other.
	failedFor = 3 * time.Second
)

// algorithms may sign what an upstream says. None of them is symmetric: a client
// secret is no signature.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// endpointsNow returns endpointsNow to ask, and asks an OpenID provider for it the first time
// and then once in a while. The last answer is used while it does not respond.
func (u *Upstream) endpointsNow(ctx context.Context) (*endpoints, error) {
	if !u.kind.openID {
		return u.fixedEndpoints(), nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	switch {
	case u.endpoints != nil && now.Sub(u.placedAt) < placeFor:
		return u.endpoints, nil
	case u.failed != nil && now.Sub(u.failedAt) < failedFor:
		if u.endpoints != nil {
			return u.endpoints, nil
		}
		return nil, u.failed
	}
	p, err := u.discover(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, u.fault(ErrDown, ctx.Err()) // the asker went away; that says nothing
		}
		u.failed, u.failedAt = err, now
		if u.endpoints != nil {
			return u.endpoints, nil
		}
		return nil, err
	}
	if u.endpoints != nil && u.endpoints.issuer == p.issuer && u.endpoints.keysAt == p.keysAt {
		p.keys = u.endpoints.keys // with those it has read
	}
	u.endpoints, u.placedAt, u.failed = p, now, nil
	return p, nil
}

// fixedEndpoints is the place of an upstream that does not speak OpenID.
func (u *Upstream) fixedEndpoints() *endpoints {
	p := &endpoints{auth: u.kind.auth, token: u.kind.token, userinfo: u.kind.userinfo, issuer: u.config.Issuer}
	if base := u.config.URL; base != "" {
		p.auth, p.token, p.userinfo = base+"/login/oauth/authorize", base+"/login/oauth/access_token", base+"/api/v3/user"
	}
	for _, own := range []struct {
		set  string
		into *string
	}{{u.config.AuthURL, &p.auth}, {u.config.TokenURL, &p.token}, {u.config.UserinfoURL, &p.userinfo}} {
		if own.set != "" {
			*own.into = own.set
		}
	}
	return p
}

// issuer is what the provider has to call itself.
func (u *Upstream) issuer() string {
	switch {
	case u.config.Issuer != "":
		return u.config.Issuer
	case u.Kind == "microsoft":
		tenant := u.config.Tenant
		if tenant == "" {
			tenant = "common"
		}
		return "https://login.microsoftonline.com/" + tenant + "/v2.0"
	}
	return u.kind.issuer
}

// discover reads the provider's own description (OpenID Connect Discovery 1.0, 4).
func (u *Upstream) discover(ctx context.Context) (*endpoints, error) {
	issuer := u.issuer()
	var published claims
	if _, err := u.get(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", "", &published); err != nil {
		return nil, u.faultOf(err)
	}
	p := &endpoints{
		auth: published.text("authorization_endpoint"), token: published.text("token_endpoint"), userinfo: published.text("userinfo_endpoint"),
		issuer: published.text("issuer"), announces: published.yes("authorization_response_iss_parameter_supported"),
		authMethods: published.list("token_endpoint_auth_methods_supported"), prompts: published.list("prompt_values_supported"),
		keysAt: published.text("jwks_uri"),
	}
	switch {
	case p.auth == "" || p.token == "" || p.keysAt == "":
		return nil, u.fault(ErrMisconfigured, errors.New("the provider's description lacks an endpoint"))
	case u.Kind == "microsoft":
		// Its common address calls itself by a template, and a tenant's by its id.
		if !sameServer(issuer, p.issuer) {
			return nil, u.fault(ErrMisconfigured, errors.New("the tenant is described by another server"))
		}
		p.template = strings.Contains(p.issuer, "{tenantid}")
	case p.issuer != issuer:
		return nil, u.fault(ErrMisconfigured, fmt.Errorf("the issuer is set to %q, and calls itself %q", issuer, limited(p.issuer)))
	}
	client := *u.client
	client.Transport = &remembered{RoundTripper: u.client.Transport, now: u.now}
	p.keys = oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), &client), p.keysAt)
	return p, nil
}

// sameServer reports whether two issuers are tenants of one server.
func sameServer(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && x.Scheme == y.Scheme && x.Host == y.Host
}

var tenantID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// issuedBy reports whether an ID token's issuer is the provider. For Microsoft's
// many tenants it is the one that the token names.
func (p *endpoints) issuedBy(issuer, tenant string) bool {
	if p.template {
		return tenantID.MatchString(tenant) && issuer == strings.ReplaceAll(p.issuer, "{tenantid}", tenant)
	}
	return issuer == p.issuer || p.issuer == "https://accounts.google.com" && issuer == "accounts.google.com"
}
