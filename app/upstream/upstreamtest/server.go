// Package upstreamtest is an upstream for tests: an OpenID provider that signs in
// any person a test names, and a server that answers as GitHub and the others do. It
// checks what a strict provider checks, and misbehaves where a test asks it to.
package upstreamtest

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatelodge/app/secret"
)

// The client that the server knows.
const (
	ClientID = "gatelodge"
	Secret   = "a secret: with % and +"
)

// Server is one upstream. What is exported may be changed between requests, with
// Set.
type Server struct {
	URL string

	mu sync.Mutex
	// Issuer is what it calls itself; "" is URL.
	Issuer string
	// Claims are those of whoever signs in next. "iss", "aud", "exp", "iat" and
	// "nonce" are added where they are missing.
	Claims map[string]any
	// Userinfo is what userinfo tells; nil is Claims.
	Userinfo map[string]any
	// API is what other paths answer: a value, or an http.Handler.
	API map[string]any
	// Instead answers at a path in the server's place, with its lock held.
	Instead map[string]http.Handler
	// Describes are other members of its description, MoreKeys what its set of keys
	// holds first.
	Describes map[string]any
	MoreKeys  []any
	// Shown is called with what the token endpoint receives.
	Shown func(url.Values)
	// Error is sent back in place of a code.
	Error string
	// TokenError is the token endpoint's, with status 400, or 200 where StatusOK.
	TokenError string
	StatusOK   bool
	// Down answers everything with 503.
	Down bool
	// Announces says that it names itself in every answer; Silent that it does not
	// do so all the same; NamedAs what it calls itself there.
	Announces, Silent bool
	NamedAs           string
	// Answers turns what the token endpoint answers into a content type and a body.
	Answers func(map[string]any) (contentType, body string)
	// ExpiresIn is the lifetime of access tokens in seconds; 0 tells none.
	ExpiresIn int
	// Thrifty sends a refresh token only to who is asked for consent, as Google does.
	Thrifty bool
	// Never sends none at all.
	Never bool
	// KeyID is that of the key that signs, Published that of the published one; ""
	// is "one". KeysAsked counts who asks for it.
	KeyID, Published string
	KeysAsked        int
	// Algorithm signs ID tokens; "none" and "HS256" are what an attacker would use.
	Algorithm string
	// Now is its clock.
	Now func() time.Time
	// Refreshed counts refreshes; Slow holds each up.
	Refreshed int
	Slow      time.Duration

	codes     map[string]code
	refreshes map[string]bool
	tokens    map[string]bool
	asked     []url.Values
	key       *ecdsa.PrivateKey
	t         testing.TB
}

type code struct {
	redirect, challenge, nonce string
	prompt, access             string
	claims                     map[string]any
}

// New starts a server.
func New(t testing.TB) *Server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, key: key, Now: time.Now, codes: map[string]code{}, refreshes: map[string]bool{}, tokens: map[string]bool{}, Algorithm: "ES256"}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

// Set changes the server.
func (s *Server) Set(f func(*Server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// Asked returns the parameters of the last request to authorize.
func (s *Server) Asked() url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) == 0 {
		return nil
	}
	return s.asked[len(s.asked)-1]
}

// Refreshes returns how often tokens were renewed.
func (s *Server) Refreshes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Refreshed
}

func (s *Server) issuer() string {
	if s.Issuer != "" {
		return s.Issuer
	}
	return s.URL
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	slow := s.Slow
	s.mu.Unlock()
	if strings.HasSuffix(r.URL.Path, "/token") {
		time.Sleep(slow)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Down {
		http.Error(w, "down for maintenance", http.StatusServiceUnavailable)
		return
	}
	if h := s.Instead[r.URL.Path]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/.well-known/openid-configuration"):
		described := map[string]any{
			"issuer": s.issuer(), "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token",
			"userinfo_endpoint": s.URL + "/userinfo", "jwks_uri": s.URL + "/keys", "authorization_response_iss_parameter_supported": s.Announces,
			"id_token_signing_alg_values_supported": []string{"none", "HS256", "ES256"},
			"prompt_values_supported":               []string{"none", "login", "consent", "select_account"},
		}
		maps.Copy(described, s.Describes)
		answer(w, described)
	case path == "/keys":
		s.KeysAsked++
		key := jose.JSONWebKey{Key: s.key.Public(), KeyID: cmp.Or(s.Published, "one"), Algorithm: "ES256", Use: "sig"}
		answer(w, map[string]any{"keys": append(slices.Clone(s.MoreKeys), key)})
	case strings.HasSuffix(path, "/authorize"):
		s.authorize(w, r)
	case strings.HasSuffix(path, "/token"), strings.HasSuffix(path, "/access_token"):
		s.token(w, r)
	default:
		s.api(w, r)
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.asked = append(s.asked, q)
	for name, ok := range map[string]bool{
		"client_id": q.Get("client_id") == ClientID, "redirect_uri": q.Get("redirect_uri") != "", "response_type": q.Get("response_type") == "code",
		"state": len(q.Get("state")) >= 32, "code_challenge": len(q.Get("code_challenge")) == 43, "code_challenge_method": q.Get("code_challenge_method") == "S256",
	} {
		if !ok {
			http.Error(w, "wrong "+name+": "+q.Get(name), http.StatusBadRequest)
			return
		}
	}
	back := url.Values{"state": {q.Get("state")}}
	if s.Announces && !s.Silent || s.NamedAs != "" {
		back.Set("iss", s.issuer())
		if s.NamedAs != "" {
			back.Set("iss", s.NamedAs)
		}
	}
	if s.Error != "" {
		back.Set("error", s.Error)
	} else {
		name := secret.Token()
		s.codes[name] = code{
			q.Get("redirect_uri"), q.Get("code_challenge"), q.Get("nonce"), q.Get("prompt"), q.Get("access_type"), maps.Clone(s.Claims),
		}
		back.Set("code", name)
	}
	if q.Get("response_mode") == "form_post" {
		if user, ok := s.API["form user"].(string); ok {
			back.Set("user", user)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = form.Execute(w, map[string]any{"To": q.Get("redirect_uri"), "Values": back})
		return
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

var form = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><title>Back</title><h1>Back</h1><form method="post" action="{{.To}}">
{{range $name, $values := .Values}}<input type="hidden" name="{{$name}}" value="{{index $values 0}}">
{{end}}<button>Go on</button></form></html>`))

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	fail := func(what string) {
		w.Header().Set("Content-Type", "application/json")
		if !s.StatusOK {
			w.WriteHeader(http.StatusBadRequest)
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"error": what, "error_description": "the secret is " + Secret})
	}
	if err := r.ParseForm(); err != nil {
		fail("invalid_request")
		return
	}
	if s.Shown != nil {
		s.Shown(r.PostForm)
	}
	id, pass := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, basic, ok := r.BasicAuth(); ok {
		id, _ = url.QueryUnescape(user)
		pass, _ = url.QueryUnescape(basic)
	}
	switch {
	case s.TokenError != "":
		fail(s.TokenError)
	case id != ClientID || pass != Secret && strings.Count(pass, ".") != 2:
		fail("invalid_client")
	case r.PostForm.Get("grant_type") == "refresh_token":
		if old := r.PostForm.Get("refresh_token"); !s.refreshes[old] {
			fail("invalid_grant")
			return
		}
		delete(s.refreshes, r.PostForm.Get("refresh_token"))
		s.Refreshed++
		s.grant(w, code{claims: s.Claims})
	default:
		c, ok := s.codes[r.PostForm.Get("code")]
		delete(s.codes, r.PostForm.Get("code"))
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		if !ok || c.redirect != r.PostForm.Get("redirect_uri") || c.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
			fail("invalid_grant")
			return
		}
		s.grant(w, c)
	}
}

func (s *Server) grant(w http.ResponseWriter, c code) {
	access, refresh := secret.Token(), secret.Token()
	s.refreshes[refresh], s.tokens[access] = true, true
	v := map[string]any{"access_token": access, "token_type": "Bearer", "refresh_token": refresh, "scope": "openid email"}
	if s.Never || s.Thrifty && (c.prompt != "consent" || c.access != "offline") {
		delete(v, "refresh_token")
	}
	if s.ExpiresIn > 0 {
		v["expires_in"] = s.ExpiresIn
	}
	claims := map[string]any{"iss": s.issuer(), "aud": ClientID, "iat": s.Now().Unix(), "exp": s.Now().Add(5 * time.Minute).Unix()}
	if c.nonce != "" {
		claims["nonce"] = c.nonce
	}
	maps.Copy(claims, c.claims)
	v["id_token"] = s.Sign(claims)
	if s.Answers != nil {
		contentType, body := s.Answers(v)
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
		return
	}
	answer(w, v)
}

// Sign makes a JWT of the server's, for what runs under Set or answers a request.
func (s *Server) Sign(claims map[string]any) string {
	text, err := json.Marshal(claims)
	if err != nil {
		s.t.Error(err)
	}
	if s.Algorithm == "none" {
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(text) + "."
	}
	key := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: cmp.Or(s.KeyID, "one")}}
	if s.Algorithm == "HS256" {
		key = jose.SigningKey{Algorithm: jose.HS256, Key: []byte(Secret + Secret)}
	}
	signer, err := jose.NewSigner(key, nil)
	if err != nil {
		s.t.Error(err)
		return ""
	}
	signed, err := signer.Sign(text)
	if err != nil {
		s.t.Error(err)
		return ""
	}
	compact, _ := signed.CompactSerialize()
	return compact
}

func (s *Server) api(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	v, ok := s.API[r.URL.Path]
	if r.URL.Path == "/userinfo" && !ok {
		if v, ok = s.Userinfo, true; s.Userinfo == nil {
			v = s.Claims
		}
	}
	switch {
	case !ok:
		http.NotFound(w, r)
	case !s.tokens[token]:
		http.Error(w, fmt.Sprintf("no such token as %q", token), http.StatusUnauthorized)
	default:
		if h, ok := v.(http.Handler); ok {
			h.ServeHTTP(w, r)
			return
		}
		answer(w, v)
	}
}
