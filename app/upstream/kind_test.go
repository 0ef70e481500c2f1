package upstream_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"gatelodge/app/audit"
	"gatelodge/app/config"
	"gatelodge/app/limit"
	"gatelodge/app/secret"
	"gatelodge/app/upstream"
	"gatelodge/app/upstream/upstreamtest"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

// bench is the upstreams of a configuration on a real store.
type bench struct {
	*upstream.Upstreams
	t  testing.TB
	db *store.DB
	up *upstreamtest.Server
	// ahead is how far the clock is ahead of the machine's.
	ahead time.Duration
}

// load reads [[upstream]] as a server does. URL stands for the test's upstream.
func load(t testing.TB, toml string, tokens ...string) *bench {
	t.Helper()
	return loadOn(t, storetest.Open(t), toml, tokens...)
}

// loadOn is load on a store that others use too.
func loadOn(t testing.TB, db *store.DB, toml string, tokens ...string) *bench {
	t.Helper()
	b := &bench{t: t, db: db, up: upstreamtest.New(t)}
	path := filepath.Join(t.TempDir(), "config.toml")
	text := fmt.Sprintf("[[upstream]]\nclient_id = %q\n%s", upstreamtest.ClientID, strings.ReplaceAll(toml, "URL", b.up.URL))
	if !strings.Contains(text, "apple") {
		text = strings.Replace(text, "\n", fmt.Sprintf("\nclient_secret = %q\n", upstreamtest.Secret), 1)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := config.Load(config.Source{File: path})
	if err != nil {
		t.Fatal(err)
	}
	b.Upstreams = upstream.New(l.Upstreams, upstream.Options{
		DB: b.db, Limits: limit.New(time.Now), Now: func() time.Time { return time.Now().Add(b.ahead) }, Log: slog.New(slog.DiscardHandler), PublicURL: "https://auth.home.example", Tokens: func(id string) bool { return slices.Contains(tokens, id) },
	})
	return b
}

// come is somebody who goes to the upstream and comes back.
func (b *bench) come() (upstream.Identity, error) {
	b.t.Helper()
	browser, _ := secret.Hash(secret.Token())
	id := b.All()[0].ID
	to, err := b.Begin(b.t.Context(), audit.Origin{Network: "192.0.2.1"}, id, browser, upstream.AuthRequest{To: upstream.ToSignIn}, upstream.AuthParams{})
	if err != nil {
		return upstream.Identity{}, err
	}
	// The address is the provider's own in the configuration of a kind; what a test
	// overrides goes to its server.
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Get(to)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	back, err := url.Parse(res.Header.Get("Location"))
	if err != nil || res.StatusCode != http.StatusFound {
		text, _ := io.ReadAll(res.Body)
		b.t.Fatalf("the upstream answered %d: %s", res.StatusCode, text)
	}
	q := back.Query()
	_, who, err := b.Finish(b.t.Context(), id, browser, upstream.Answer{State: q.Get("state"), Code: q.Get("code"), Error: q.Get("error"), Issuer: q.Get("iss")})
	return who, err
}

const plain = "auth_url = \"URL/authorize\"\ntoken_url = \"URL/token\"\nuserinfo_url = \"URL/me\"\n"

// person is what of an identity is compared.
type person struct {
	Subject, Email string
	Verified       bool
	Name, Picture  string
	Groups         []string
}

// answered is what a provider answers, by its documents, and whom we take that for.
type answered struct {
	toml   string
	claims map[string]any
	api    map[string]any
	want   person
}

// tenantID and objectID are of somebody at Microsoft.
const tenantID, objectID = "aaaabbbb-0000-cccc-1111-dddd2222eeee", "11112222-bbbb-3333-cccc-4444dddd5555"

// identifies checks whom each answer is taken for.
func identifies(t *testing.T, tests map[string]answered) {
	t.Helper()
	t.Parallel()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := load(t, tt.toml)
			b.up.Set(func(s *upstreamtest.Server) {
				s.Claims, s.API = tt.claims, tt.api
				if iss, ok := tt.claims["iss"].(string); ok {
					s.Claims["iss"] = strings.ReplaceAll(iss, "URL", s.URL)
					s.Issuer = s.URL + "/{tenantid}/v2.0"
					if !strings.Contains(tt.toml, "common") {
						s.Issuer = s.URL + "/" + tenantID + "/v2.0"
					}
				}
			})
			who, err := b.come()
			if err != nil {
				t.Fatal(err)
			}
			got := person{who.Subject, who.Email, who.Verified, who.Name, who.Picture, who.Groups}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if who.Tokens.Access == "" || who.Issuer == "" {
				t.Errorf("got %+v", who)
			}
		})
	}
}

func TestGoogleVerifiesAddressesOfItsOwnDomains(t *testing.T) {
	identifies(t, map[string]answered{
		"Google, its own address": {
			"kind = \"google\"\nissuer = \"URL\"",
			map[string]any{"sub": "110", "email": "mara@gmail.com", "email_verified": true, "name": "Mara", "picture": "https://lh3.example/p"},
			nil,
			person{"110", "mara@gmail.com", true, "Mara", "https://lh3.example/p", nil},
		},
		"Google, a domain it hosts": {
			"kind = \"google\"\nissuer = \"URL\"",
			map[string]any{"sub": "110", "email": "mara@Home.example", "email_verified": true, "hd": "home.example", "name": "Mara"},
			nil,
			person{"110", "mara@Home.example", true, "Mara", "", nil},
		},
		"Google, an address of elsewhere": {
			"kind = \"google\"\nissuer = \"URL\"",
			map[string]any{"sub": "110", "email": "mara@home.example", "email_verified": true, "name": "Mara"},
			nil,
			person{"110", "mara@home.example", false, "Mara", "", nil},
		},
		"Google, hd of another domain": {
			"kind = \"google\"\nissuer = \"URL\"",
			map[string]any{"sub": "110", "email": "mara@home.example", "email_verified": true, "hd": "evil.example", "name": "Mara"},
			nil,
			person{"110", "mara@home.example", false, "Mara", "", nil},
		},
	})
}

func TestGitHubVerifiesThePrimaryAddressItNames(t *testing.T) {
	gitHub := map[string]any{"login": "mara", "id": 583231, "avatar_url": "https://avatars.example/1", "name": "Mara", "email": "shown@home.example"}
	emails := func(list ...any) []any { return list }
	mail := func(email string, primary, verified bool) any {
		return map[string]any{"email": email, "primary": primary, "verified": verified, "visibility": nil}
	}
	identifies(t, map[string]answered{
		"GitHub, the primary and verified one": {
			"kind = \"github\"\nurl = \"URL\"", nil,
			map[string]any{"/api/v3/user": gitHub, "/api/v3/user/emails": emails(mail("old@home.example", false, true), mail("mara@home.example", true, true))},
			person{"583231", "mara@home.example", true, "Mara", "https://avatars.example/1", nil},
		},
		"GitHub, the primary one unverified": {
			"kind = \"github\"\nurl = \"URL\"", nil,
			map[string]any{"/api/v3/user": gitHub, "/api/v3/user/emails": emails(mail("victim@home.example", true, false), mail("mara@home.example", false, true))},
			person{"583231", "victim@home.example", false, "Mara", "https://avatars.example/1", nil},
		},
		"GitHub, none at all": {
			"kind = \"github\"\nurl = \"URL\"", nil,
			map[string]any{"/api/v3/user": map[string]any{"login": "mara", "id": 583231, "name": nil, "email": nil}, "/api/v3/user/emails": emails()},
			person{"583231", "", false, "mara", "", nil},
		},
		"GitHub, with organisations": {
			"kind = \"github\"\nurl = \"URL\"\nallow_groups = [\"acme/ops\"]", nil,
			map[string]any{
				"/api/v3/user": gitHub, "/api/v3/user/emails": emails(), "/api/v3/user/orgs": []any{map[string]any{"login": "acme", "id": 1}},
				"/api/v3/user/teams": []any{map[string]any{"slug": "ops", "organization": map[string]any{"login": "Acme"}}},
			},
			person{"583231", "", false, "Mara", "https://avatars.example/1", []string{"acme", "Acme/ops"}},
		},
	})
}

func TestSocialNetworksAreBelievedAsFarAsTheyVerify(t *testing.T) {
	identifies(t, map[string]answered{
		"X, with a confirmed address": {
			"kind = \"twitter\"\n" + plain, nil,
			map[string]any{"/me": map[string]any{"data": map[string]any{"id": "2244994945", "name": "Mara", "username": "mara", "confirmed_email": "mara@home.example", "profile_image_url": "https://pbs.example/1_normal.jpg"}}},
			person{"2244994945", "mara@home.example", true, "Mara", "https://pbs.example/1_normal.jpg", nil},
		},
		"X, without one": {
			"kind = \"twitter\"\n" + plain, nil,
			map[string]any{"/me": map[string]any{"data": map[string]any{"id": "2244994945", "name": "Mara", "username": "mara"}}},
			person{"2244994945", "", false, "Mara", "", nil},
		},
		"Facebook, which verifies nothing": {
			"kind = \"facebook\"\n" + plain, nil,
			map[string]any{"/me": map[string]any{"id": "1020", "name": "Mara", "email": "mara@home.example", "picture": map[string]any{"data": map[string]any{"url": "https://fb.example/p"}}}},
			person{"1020", "mara@home.example", false, "Mara", "https://fb.example/p", nil},
		},
		"Facebook, without an address": {
			"kind = \"facebook\"\n" + plain, nil,
			map[string]any{"/me": map[string]any{"id": "1020", "name": "Mara"}},
			person{"1020", "", false, "Mara", "", nil},
		},
		"Discord, verified": {
			"kind = \"discord\"\n" + plain, nil,
			map[string]any{"/me": map[string]any{"id": "80351110224678912", "username": "mara", "global_name": "Mara", "avatar": "a_8342", "email": "mara@home.example", "verified": true}},
			person{"80351110224678912", "mara@home.example", true, "Mara", "https://cdn.discordapp.com/avatars/80351110224678912/a_8342.gif", nil},
		},
		"Discord, unverified": {
			"kind = \"discord\"\nallow_groups = [\"197\"]\n" + plain, nil,
			map[string]any{
				"/me":        map[string]any{"id": "80351110224678912", "username": "mara", "global_name": nil, "avatar": nil, "email": "mara@home.example", "verified": false},
				"/me/guilds": []any{map[string]any{"id": "197", "name": "Friends"}},
			},
			person{"80351110224678912", "mara@home.example", false, "mara", "https://cdn.discordapp.com/embed/avatars/5.png", []string{"197"}},
		},
	})
}

func TestMicrosoftVerifiesAddressesOfATrustedTenant(t *testing.T) {
	identifies(t, map[string]answered{
		"Microsoft, any tenant: an address is nobody's (nOAuth)": {
			"kind = \"microsoft\"\nissuer = \"URL/common/v2.0\"\ntrust_email = true",
			map[string]any{"iss": "URL/" + tenantID + "/v2.0", "tid": tenantID, "oid": objectID, "sub": "pairwise", "email": "victim@home.example", "email_verified": true, "name": "Eve"},
			nil,
			person{tenantID + "." + objectID, "victim@home.example", false, "Eve", "", []string{tenantID}},
		},
		"Microsoft, the owner of the domain is verified": {
			"kind = \"microsoft\"\nissuer = \"URL/common/v2.0\"",
			map[string]any{"iss": "URL/" + tenantID + "/v2.0", "tid": tenantID, "oid": objectID, "sub": "pairwise", "email": "mara@home.example", "xms_edov": "1", "name": "Mara"},
			nil,
			person{tenantID + "." + objectID, "mara@home.example", true, "Mara", "", []string{tenantID}},
		},
		"Microsoft, one's own tenant, untrusted": {
			"kind = \"microsoft\"\nissuer = \"URL/" + tenantID + "/v2.0\"",
			map[string]any{"iss": "URL/" + tenantID + "/v2.0", "tid": tenantID, "oid": objectID, "sub": "pairwise", "email": "mara@home.example", "name": "Mara"},
			nil,
			person{tenantID + "." + objectID, "mara@home.example", false, "Mara", "", []string{tenantID}},
		},
		"Microsoft, one's own tenant, trusted": {
			"kind = \"microsoft\"\nissuer = \"URL/" + tenantID + "/v2.0\"\ntrust_email = true",
			map[string]any{"iss": "URL/" + tenantID + "/v2.0", "tid": tenantID, "oid": objectID, "sub": "pairwise", "email": "mara@home.example", "name": "Mara", "groups": []string{"ops"}},
			nil,
			person{tenantID + "." + objectID, "mara@home.example", true, "Mara", "", []string{"ops", tenantID}},
		},
	})
}

func TestOtherProvidersNameClaimsAsConfigured(t *testing.T) {
	identifies(t, map[string]answered{
		"GitLab": {
			"kind = \"gitlab\"\nissuer = \"URL\"\nallow_groups = [\"acme\"]",
			map[string]any{"sub": "7"},
			map[string]any{"/userinfo": map[string]any{"sub": "7", "nickname": "mara", "email": "mara@home.example", "email_verified": true, "groups": []string{"acme", "acme/ops"}}},
			person{"7", "mara@home.example", true, "mara", "", []string{"acme", "acme/ops"}},
		},
		"a provider that tells all in userinfo": {
			"kind = \"oidc\"\nissuer = \"URL\"",
			map[string]any{"sub": "u"},
			map[string]any{"/userinfo": map[string]any{"sub": "u", "email": "mara@home.example", "email_verified": true, "name": "Mara"}},
			person{"u", "mara@home.example", true, "Mara", "", nil},
		},
		"a provider with names of its own": {
			"kind = \"oidc\"\nissuer = \"URL\"\n[upstream.claims]\nemail = \"mail\"\nemail_verified = \"mail_ok\"\nname = \"person.called\"\ngroups = \"https://id.example/roles\"",
			map[string]any{"sub": "u", "mail": "mara@home.example", "mail_ok": true, "person": map[string]any{"called": "Mara"}, "https://id.example/roles": []string{"ops"}},
			nil,
			person{"u", "mara@home.example", true, "Mara", "", []string{"ops"}},
		},
		"some OAuth 2.0 provider": {
			"kind = \"oauth2\"\n" + plain + "[upstream.claims]\nsubject = \"user.no\"\nemail = \"user.mail\"\nname = \"user.nick\"", nil,
			map[string]any{"/me": map[string]any{"user": map[string]any{"no": 42, "mail": "mara@home.example", "nick": "mara", "email_verified": true}}},
			person{"42", "mara@home.example", false, "mara", "", nil},
		},
	})
}

// A tenant of an attacker's signs a token in another tenant's name.
func TestMicrosoftTenantsDoNotSpeakForOneAnother(t *testing.T) {
	t.Parallel()
	const mine, other = "aaaabbbb-0000-cccc-1111-dddd2222eeee", "bbbbbbbb-0000-cccc-1111-dddd2222eeee"
	for name, claims := range map[string]map[string]any{
		"another tenant's issuer": {"iss": "URL/" + other + "/v2.0", "tid": mine},
		"no tenant":               {"iss": "URL/" + mine + "/v2.0"},
		"a tenant that is none":   {"iss": "URL/../evil/v2.0", "tid": "../evil"},
		"another server":          {"iss": "https://evil.example/" + mine + "/v2.0", "tid": mine},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := load(t, "kind = \"microsoft\"\nissuer = \"URL/common/v2.0\"")
			b.up.Set(func(s *upstreamtest.Server) {
				s.Issuer = s.URL + "/{tenantid}/v2.0"
				s.Claims = map[string]any{"sub": "1", "oid": "2"}
				for k, v := range claims {
					s.Claims[k] = strings.ReplaceAll(v.(string), "URL", s.URL)
				}
			})
			if who, err := b.come(); !errors.Is(err, upstream.ErrUntrue) {
				t.Errorf("got %+v, %v", who, err)
			}
		})
	}
}

var field = regexp.MustCompile(`name="([^"]+)" value="([^"]*)"`)

// Apple answers by a form, says booleans as text, tells a name once, and wants a
// secret that we sign.
func TestApple(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "AuthKey_K1.p8")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	b := load(t, "kind = \"apple\"\nissuer = \"URL\"\nteam_id = \"T1\"\nkey_id = \"K1\"\nprivate_key_file = \""+path+"\"\n")
	shown := ""
	b.up.Set(func(s *upstreamtest.Server) {
		s.Claims = map[string]any{"sub": "001.abc", "email": "x1y2@privaterelay.appleid.com", "email_verified": "true", "is_private_email": "true"}
		s.Shown = func(form url.Values) { shown = form.Get("client_secret") }
	})
	browser, _ := secret.Hash(secret.Token())
	to, err := b.Begin(t.Context(), audit.Origin{}, "apple", browser, upstream.AuthRequest{}, upstream.AuthParams{})
	if err != nil {
		t.Fatal(err)
	}
	if !b.All()[0].PostsBack() || !strings.Contains(to, "response_mode=form_post") || !strings.Contains(to, "scope=name+email") {
		t.Errorf("Apple is asked %s", to)
	}
	res, err := http.Get(to)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, _ := io.ReadAll(res.Body)
	answer := upstream.Answer{Name: "Mara Okafor"}
	for _, f := range field.FindAllStringSubmatch(string(page), -1) {
		switch f[1] {
		case "state":
			answer.State = f[2]
		case "code":
			answer.Code = f[2]
		}
	}
	_, who, err := b.Finish(t.Context(), "apple", browser, answer)
	if err != nil || who.Subject != "001.abc" || !who.Verified || who.Name != "Mara Okafor" || who.Email != "x1y2@privaterelay.appleid.com" {
		t.Errorf("got %+v, %v", who, err)
	}

	signed, err := jose.ParseSignedCompact(shown, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := signed.Verify(key.Public())
	if err != nil || signed.Signatures[0].Header.KeyID != "K1" {
		t.Fatalf("the secret is signed by %q: %v", signed.Signatures[0].Header.KeyID, err)
	}
	var claims struct {
		Iss, Sub, Aud string
		Iat, Exp      int64
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Iss != "T1" || claims.Sub != upstreamtest.ClientID || claims.Aud != b.up.URL || claims.Exp-claims.Iat != 300 {
		t.Errorf("the secret says %+v", claims)
	}
}

// An upstream that leads elsewhere, answers without end or not at all.
func TestAnUpstreamThatMisbehavesIsNotFollowed(t *testing.T) {
	t.Parallel()
	b := load(t, "kind = \"oauth2\"\n"+plain)
	b.up.Set(func(s *upstreamtest.Server) {
		s.API = map[string]any{"/me": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }), "/elsewhere": map[string]any{"id": "1"}}
	})
	if who, err := b.come(); !errors.Is(err, upstream.ErrMisconfigured) {
		t.Errorf("a redirect gives %+v, %v", who, err)
	}
	b.up.Set(func(s *upstreamtest.Server) {
		s.API = map[string]any{"/me": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"id": "1", "rest": "`)
			for range 64 {
				io.WriteString(w, strings.Repeat("x", 64<<10))
			}
			io.WriteString(w, `"}`)
		})}
	})
	if who, err := b.come(); !errors.Is(err, upstream.ErrDown) {
		t.Errorf("a long answer gives %+v, %v", who, err)
	}
	b.up.Set(func(s *upstreamtest.Server) { s.API = map[string]any{"/me": "no object"} })
	if who, err := b.come(); err == nil {
		t.Errorf("an answer that is no object gives %+v", who)
	}
}

// Tokens whose key nobody knows do not make us ask for keys without end, and a new
// key is known within a minute.
func TestAnUnknownKeyIsAskedForOnceAMinute(t *testing.T) {
	t.Parallel()
	b := load(t, "kind = \"oidc\"\nissuer = \"URL\"")
	b.up.Set(func(s *upstreamtest.Server) { s.Claims = map[string]any{"sub": "1"} })
	if _, err := b.come(); err != nil {
		t.Fatal(err)
	}
	b.up.Set(func(s *upstreamtest.Server) { s.KeyID = "two" })
	asked := func() (n int) {
		b.up.Set(func(s *upstreamtest.Server) { n = s.KeysAsked })
		return n
	}
	for range 5 {
		if who, err := b.come(); !errors.Is(err, upstream.ErrUntrue) {
			t.Errorf("got %+v, %v", who, err)
		}
	}
	if n := asked(); n != 1 {
		t.Errorf("asked %d times within a minute", n)
	}
	b.up.Set(func(s *upstreamtest.Server) { s.Published = "two" })
	b.ahead = time.Minute
	if _, err := b.come(); err != nil {
		t.Error(err)
	}
	if n := asked(); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
}

func TestAJourneyIsOverAfterTenMinutes(t *testing.T) {
	t.Parallel()
	b := load(t, "kind = \"oidc\"\nissuer = \"URL\"")
	browser, _ := secret.Hash(secret.Token())
	to, err := b.Begin(t.Context(), audit.Origin{}, "oidc", browser, upstream.AuthRequest{}, upstream.AuthParams{})
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	b.ahead = 10*time.Minute + time.Second
	if _, _, err := b.Finish(t.Context(), "oidc", browser, upstream.Answer{State: at.Query().Get("state"), Code: "x"}); !errors.Is(err, upstream.ErrLost) {
		t.Errorf("got %v", err)
	}
}
