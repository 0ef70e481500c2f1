package upstream_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/app/upstream"
	"gatelodge/app/upstream/upstreamtest"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

const openID = "kind = \"oidc\"\nissuer = \"URL\"\n"

// says answers with a status, a content type and a body.
func says(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// An ID token that says enough signs in, whatever becomes of userinfo.
func TestUserinfoThatFailsKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	enough := map[string]any{"sub": "u", "email": "mara@home.example", "email_verified": true} // no name: userinfo is asked
	for name, h := range map[string]http.Handler{
		"403":                      says(403, "text/plain", "no"),
		"404":                      says(404, "text/html", "<h1>no</h1>"),
		"429":                      says(429, "text/plain", "later"),
		"500":                      says(500, "text/plain", "oops"),
		"a redirect":               says(302, "text/plain", ""),
		"an empty answer":          says(200, "application/json", ""),
		"a page":                   says(200, "text/html", "<html>Sign in. Now. Here.</html>"),
		"null":                     says(200, "application/json", "null"),
		"a list":                   says(200, "application/json", "[]"),
		"JSON that is cut":         says(200, "application/json", `{"sub": "u", "na`),
		"an error with 200":        says(200, "application/json", `{"error": "server_error"}`),
		"an encrypted JWT":         says(200, "application/jwt", "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d"),
		"a JWT that is none":       says(200, "application/jwt", "a.b.c"),
		"a JWT with alg none":      says(200, "application/jwt", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1In0."),
		"a JWT signed by HS256":    says(200, "application/jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.AAAA"),
		"a connection that breaks": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := loadOn(t, db, openID)
			b.up.Set(func(s *upstreamtest.Server) { s.Claims, s.API = enough, map[string]any{"/userinfo": h} })
			who, err := b.come()
			if err != nil || who.Subject != "u" || who.Email != "mara@home.example" || !who.Verified {
				t.Errorf("got %+v, %v", who, err)
			}
		})
	}
}

// What userinfo would have decided is not decided without it.
func TestUserinfoThatFailsLetsNobodyThroughAList(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	for name, tt := range map[string]struct {
		toml, claims string
		status       int
		want         error
	}{
		"a group, refused":          {"allow_groups = [\"ops\"]", `{"sub":"u","email":"mara@home.example","email_verified":true,"name":"Mara"}`, 403, upstream.ErrMisconfigured},
		"a group, down":             {"allow_groups = [\"ops\"]", `{"sub":"u","email":"mara@home.example","email_verified":true,"name":"Mara"}`, 500, upstream.ErrDown},
		"an address, refused":       {"allow_domains = [\"home.example\"]", `{"sub":"u"}`, 403, upstream.ErrMisconfigured},
		"no list, no address, down": {"", `{"sub":"u"}`, 503, upstream.ErrDown},
		"another domain":            {"allow_domains = [\"home.example\"]", `{"sub":"u","email":"mara@else.example","email_verified":true}`, 403, upstream.ErrNotListed},
		"the subject":               {"[upstream.claims]\nsubject = \"uid\"", `{"sub":"u","email":"mara@home.example","name":"Mara"}`, 404, upstream.ErrMisconfigured},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := loadOn(t, db, openID+tt.toml)
			b.up.Set(func(s *upstreamtest.Server) {
				s.Claims, s.API = object(t, tt.claims), map[string]any{"/userinfo": says(tt.status, "text/plain", "no")}
			})
			if who, err := b.come(); !errors.Is(err, tt.want) {
				t.Errorf("got %+v, %v", who, err)
			}
		})
	}
}

// object reads JSON as the server holds claims, with every digit.
func object(t testing.TB, text string) map[string]any {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestUserinfoAsASignedJWT(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	mara := map[string]any{"sub": "u", "email": "mara@home.example", "email_verified": true, "name": "Mara"}
	with := func(name string, value any) map[string]any {
		c := maps.Clone(mara)
		c[name] = value
		return c
	}
	for name, tt := range map[string]struct {
		claims map[string]any
		forge  bool
		want   error
	}{
		"plain":            {mara, false, nil},
		"for us":           {with("aud", []string{"other", upstreamtest.ClientID}), false, nil},
		"expired":          {with("exp", 1), false, nil}, // it is not what signs in
		"for another":      {with("aud", "other"), false, upstream.ErrUntrue},
		"by another":       {with("iss", "https://evil.example"), false, upstream.ErrUntrue},
		"about another":    {with("sub", "v"), false, upstream.ErrUntrue},
		"signed by nobody": {mara, true, upstream.ErrUntrue},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, other := loadOn(t, db, openID), upstreamtest.New(t)
			b.up.Set(func(s *upstreamtest.Server) {
				s.Claims = map[string]any{"sub": "u"}
				signer := s
				if tt.forge {
					signer = other
				}
				s.API = map[string]any{"/userinfo": says(200, "application/jwt;charset=utf-8", signer.Sign(tt.claims)+"\n")}
			})
			who, err := b.come()
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %+v, %v", who, err)
			}
			if tt.want == nil && (who.Email != "mara@home.example" || !who.Verified || who.Name != "Mara") {
				t.Errorf("got %+v", who)
			}
		})
	}
}

// Userinfo speaks about the person. What the ID token has to prove it cannot add, and
// its email_verified is about its own address.
func TestUserinfoProvesNothingInTheIDTokensPlace(t *testing.T) {
	t.Parallel()
	b := load(t, openID+"trust_email = true")
	b.up.Set(func(s *upstreamtest.Server) {
		s.Claims = map[string]any{"sub": "u", "email": "victim@home.example"}
		s.Userinfo = map[string]any{"sub": "u", "email": "eve@home.example", "email_verified": true}
	})
	if who, err := b.come(); err != nil || who.Email != "victim@home.example" || who.Verified {
		t.Errorf("got %+v, %v", who, err)
	}
}

func TestAMissingNonceIsAcceptedOnlyWhereItIsAllowed(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	for name, tt := range map[string]struct {
		toml  string
		nonce any
		want  error
	}{
		"missing":               {"", nil, upstream.ErrUntrue},
		"missing, allowed":      {"allow_missing_nonce = true", nil, nil},
		"empty":                 {"", "", upstream.ErrUntrue},
		"another":               {"", "replayed", upstream.ErrUntrue},
		"another, all the same": {"allow_missing_nonce = true", "replayed", upstream.ErrUntrue},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := loadOn(t, db, openID+tt.toml)
			b.up.Set(func(s *upstreamtest.Server) {
				s.Claims = map[string]any{"sub": "u", "name": "Mara", "email": "m@x.example", "nonce": tt.nonce}
			})
			if who, err := b.come(); !errors.Is(err, tt.want) {
				t.Errorf("got %+v, %v", who, err)
			}
		})
	}
}

// OpenID Connect Core 1.0, 3.1.3.7, 3 and 4: we are among the audiences, and the
// authorized party where there is one.
func TestSeveralAudiences(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	us := upstreamtest.ClientID
	for name, tt := range map[string]struct {
		aud, azp any
		want     error
	}{
		"two":              {[]string{us, "api"}, nil, nil},
		"us second":        {[]string{"api", us}, nil, nil},
		"a list of one":    {[]string{us}, nil, nil},
		"two, azp us":      {[]string{us, "api"}, us, nil},
		"two, azp another": {[]string{us, "api"}, "api", upstream.ErrUntrue},
		"two others":       {[]string{"api", "web"}, nil, upstream.ErrUntrue},
		"others, azp us":   {[]string{"api", "web"}, us, upstream.ErrUntrue},
		"an empty list":    {[]string{}, nil, upstream.ErrUntrue},
		"none":             {nil, nil, upstream.ErrUntrue},
		"ours is a part":   {[]string{us + "2"}, nil, upstream.ErrUntrue},
		"one, azp another": {us, "api", upstream.ErrUntrue},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := loadOn(t, db, openID)
			b.up.Set(func(s *upstreamtest.Server) {
				s.Claims = map[string]any{"sub": "u", "email": "m@x.example", "name": "Mara", "aud": tt.aud}
				if tt.azp != nil {
					s.Claims["azp"] = tt.azp
				}
			})
			if who, err := b.come(); !errors.Is(err, tt.want) {
				t.Errorf("got %+v, %v", who, err)
			}
		})
	}
}

// A float64 would round the longer ones to another person's.
func TestANumericSubjectKeepsItsDigits(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	for text, want := range map[string]string{
		"7": "7", "0": "0", "-3": "-3", "12345678901234567890": "12345678901234567890", "9007199254740993": "9007199254740993",
		`"7"`: "7", "7.0": "", "1e3": "", "7.5": "", "true": "", "null": "", "[7]": "", "{}": "", `""`: "",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			for _, toml := range []string{openID, "kind = \"oauth2\"\n" + plain} {
				b := loadOn(t, db, toml)
				person := object(t, `{"sub":`+text+`,"email":"m@x.example"}`)
				b.up.Set(func(s *upstreamtest.Server) { s.Claims, s.API = person, map[string]any{"/me": person} })
				who, err := b.come()
				if who.Subject != want || (err == nil) != (want != "") {
					t.Errorf("%s: got %q, %v", toml[:12], who.Subject, err)
				}
			}
		})
	}
}

func TestUserinfoMaySpellANumericSubjectAsText(t *testing.T) {
	t.Parallel()
	b := load(t, openID)
	b.up.Set(func(s *upstreamtest.Server) {
		s.Claims = object(t, `{"sub":12345678901234567890}`)
		s.Userinfo = map[string]any{"sub": "12345678901234567890", "email": "mara@home.example"}
	})
	if who, err := b.come(); err != nil || who.Email != "mara@home.example" {
		t.Errorf("got %+v, %v", who, err)
	}
	b.up.Set(func(s *upstreamtest.Server) { s.Userinfo = object(t, `{"sub":12345678901234567891}`) })
	if who, err := b.come(); !errors.Is(err, upstream.ErrUntrue) {
		t.Errorf("another of the same float64: %+v, %v", who, err)
	}
}

// with returns the token endpoint's answer with other members.
func with(v map[string]any, pairs ...any) string {
	v = maps.Clone(v)
	for i := 0; i < len(pairs); i += 2 {
		if v[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
			delete(v, pairs[i].(string))
		}
	}
	text, _ := json.Marshal(v)
	return string(text)
}

func form(v map[string]any) string {
	q := make(url.Values)
	for name, value := range v {
		q.Set(name, fmt.Sprint(value))
	}
	return q.Encode()
}

// Each of these is sent by some provider, with status 200.
func TestTokenAnswersAreReadAsProvidersSendThem(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	const kind = "application/json"
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	for name, tt := range map[string]struct {
		answers func(v map[string]any) (string, string)
		lasts   int // seconds
	}{
		"a whole number":   {func(v map[string]any) (string, string) { return kind, with(v, "expires_in", raw("3600")) }, 3600},
		"a fraction":       {func(v map[string]any) (string, string) { return kind, with(v, "expires_in", raw("3600.0")) }, 3600},
		"an odd fraction":  {func(v map[string]any) (string, string) { return kind, with(v, "expires_in", raw("3599.9")) }, 3599},
		"an exponent":      {func(v map[string]any) (string, string) { return kind, with(v, "expires_in", raw("3.6e3")) }, 3600},
		"a text":           {func(v map[string]any) (string, string) { return kind, with(v, "expires_in", "3600") }, 3600},
		"a fraction, text": {func(v map[string]any) (string, string) { return kind, with(v, "expires_in", "3600.0") }, 3600},
		"an empty text":    {func(v map[string]any) (string, string) { return kind, with(v, "expires_in", "") }, 0},
		"a word":           {func(v map[string]any) (string, string) { return kind, with(v, "expires_in", "never") }, 0},
		"infinity":         {func(v map[string]any) (string, string) { return kind, with(v, "expires_in", "NaN") }, 0},
		"null":             {func(v map[string]any) (string, string) { return kind, with(v, "expires_in", raw("null")) }, 0},
		"absent":           {func(v map[string]any) (string, string) { return kind, with(v, "expires_in", nil) }, 0},
		"zero":             {func(v map[string]any) (string, string) { return kind, with(v, "expires_in", 0) }, 0},
		"negative":         {func(v map[string]any) (string, string) { return kind, with(v, "expires_in", -1) }, 0},
		"a list":           {func(v map[string]any) (string, string) { return kind, with(v, "expires_in", []int{3600}) }, 0},
		"text/plain":       {func(v map[string]any) (string, string) { return "text/plain; charset=utf-8", with(v, "expires_in", 60) }, 60},
		"text/html":        {func(v map[string]any) (string, string) { return "text/html", with(v, "expires_in", 60) }, 60},
		"no content type":  {func(v map[string]any) (string, string) { return "", with(v, "expires_in", 60) }, 60},
		"called a form": {func(v map[string]any) (string, string) {
			return "application/x-www-form-urlencoded", with(v, "expires_in", 60)
		}, 60},
		"a byte order mark": {func(v map[string]any) (string, string) { return kind, "\ufeff\r\n" + with(v, "expires_in", 60) }, 60},
		"a form": {func(v map[string]any) (string, string) {
			return "application/x-www-form-urlencoded", form(v) + "&expires_in=60"
		}, 60},
		"a form as text":   {func(v map[string]any) (string, string) { return "text/plain", form(v) + "&expires_in=60" }, 60},
		"a form as HTML":   {func(v map[string]any) (string, string) { return "text/html", form(v) }, 0},
		"an empty error":   {func(v map[string]any) (string, string) { return kind, with(v, "error", "", "expires_in", 60) }, 60},
		"no error":         {func(v map[string]any) (string, string) { return kind, with(v, "error", raw("null")) }, 0},
		"error false":      {func(v map[string]any) (string, string) { return kind, with(v, "error", false) }, 0},
		"a list of scopes": {func(v map[string]any) (string, string) { return kind, with(v, "scope", []string{"openid", "email"}) }, 0},
		"no refresh token": {func(v map[string]any) (string, string) { return kind, with(v, "refresh_token", raw("null")) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := loadOn(t, db, openID)
			b.up.Set(func(s *upstreamtest.Server) {
				s.Claims, s.Answers = map[string]any{"sub": "u", "email": "m@x.example", "name": "Mara"}, tt.answers
			})
			who, err := b.come()
			if err != nil || who.Subject != "u" || who.Tokens.Access == "" {
				t.Fatalf("got %+v, %v", who, err)
			}
			if left := time.Until(who.Tokens.ExpiresAt).Round(time.Minute); tt.lasts == 0 != who.Tokens.ExpiresAt.IsZero() || tt.lasts > 0 && left != (time.Duration(tt.lasts)*time.Second).Round(time.Minute) {
				t.Errorf("the access token ends at %v", who.Tokens.ExpiresAt)
			}
			if scope := who.Tokens.Scope; scope != "openid email" {
				t.Errorf("the scope is %q", scope)
			}
		})
	}
}

// An answer that came and cannot be read is not an outage: trying again does not help.
func TestAnAnswerThatCannotBeReadIsAMisconfiguration(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	for name, tt := range map[string]struct{ contentType, body string }{
		"a page":             {"text/html", "<html><body>Welcome a=b</body></html>"},
		"nothing":            {"application/json", ""},
		"half of it":         {"application/json", `{"access_token": "a`},
		"null":               {"application/json", "null"},
		"a list":             {"application/json", "[]"},
		"a text":             {"application/json", `"ok"`},
		"no access token":    {"application/json", `{"token_type": "Bearer"}`},
		"an empty one":       {"application/json", `{"access_token": ""}`},
		"one in a list":      {"application/json", `{"access_token": ["a"]}`},
		"another form":       {"application/x-www-form-urlencoded", "ok=1"},
		"plain text":         {"text/plain", "OK"},
		"an error of theirs": {"application/json", `{"errcode": 40029, "errmsg": "no"}`},
		"an error object":    {"application/json", `{"error": {"message": "no", "type": "OAuthException", "code": 190}}`},
		"without end":        {"application/json", `{"access_token": "` + strings.Repeat("x", 2<<20) + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := loadOn(t, db, openID)
			b.up.Set(func(s *upstreamtest.Server) {
				s.Claims, s.Answers = map[string]any{"sub": "u"}, func(map[string]any) (string, string) { return tt.contentType, tt.body }
			})
			who, err := b.come()
			if !errors.Is(err, upstream.ErrMisconfigured) {
				t.Fatalf("got %+v, %v", who, err)
			}
			if cause := errors.Unwrap(err); cause == nil || strings.Contains(cause.Error(), "xxx") || strings.Contains(cause.Error(), "?") {
				t.Errorf("the log says %v", cause)
			}
		})
	}
}

// The same for the description, the keys, and what plain providers answer.
func TestNoOtherAnswerThatCannotBeReadIsAnOutage(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	for name, tt := range map[string]struct {
		path   string
		h      http.Handler
		want   error
		openID bool
	}{
		"a description that is a page":   {"/.well-known/openid-configuration", says(200, "text/html", "<html>"), upstream.ErrMisconfigured, true},
		"no description":                 {"/.well-known/openid-configuration", says(404, "text/html", "<html>"), upstream.ErrMisconfigured, true},
		"a description elsewhere":        {"/.well-known/openid-configuration", says(301, "text/html", ""), upstream.ErrMisconfigured, true},
		"a description that lacks all":   {"/.well-known/openid-configuration", says(200, "application/json", "{}"), upstream.ErrMisconfigured, true},
		"a description from a sick host": {"/.well-known/openid-configuration", says(502, "text/html", "<html>"), upstream.ErrDown, true},
		"keys that are a page":           {"/keys", says(200, "text/html", "<html>"), upstream.ErrMisconfigured, true},
		"no keys":                        {"/keys", says(404, "text/html", "<html>"), upstream.ErrMisconfigured, true},
		"an empty set of keys":           {"/keys", says(200, "application/json", `{"keys": []}`), upstream.ErrMisconfigured, true},
		"keys of a kind that is unknown": {"/keys", says(200, "application/json", `{"keys": [{"kty": "XYZ"}]}`), upstream.ErrMisconfigured, true},
		"keys from a sick host":          {"/keys", says(500, "text/html", "<html>"), upstream.ErrDown, true},
		"a person that is a page":        {"/me", says(200, "text/html", "<html>"), upstream.ErrMisconfigured, false},
		"a person from a sick host":      {"/me", says(500, "text/html", "<html>"), upstream.ErrDown, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			toml := openID
			if !tt.openID {
				toml = "kind = \"oauth2\"\n" + plain
			}
			b := loadOn(t, db, toml)
			b.up.Set(func(s *upstreamtest.Server) {
				s.Claims, s.Instead = map[string]any{"sub": "u"}, map[string]http.Handler{tt.path: tt.h}
			})
			if who, err := b.come(); !errors.Is(err, tt.want) {
				t.Errorf("got %+v, %v", who, err)
			}
		})
	}
}

// Members of the description that nobody needs may be of any kind, and a key that is
// unknown here does not hide the one that signs.
func TestWhatIsOptionalInADescriptionMayBeOdd(t *testing.T) {
	t.Parallel()
	b := load(t, openID)
	b.up.Set(func(s *upstreamtest.Server) {
		s.Claims = map[string]any{"sub": "u", "email": "m@x.example", "name": "Mara"}
		s.Describes = map[string]any{
			"prompt_values_supported": "none", "authorization_response_iss_parameter_supported": "false",
			"id_token_signing_alg_values_supported": nil, "scopes_supported": 7, "token_endpoint_auth_methods_supported": map[string]any{},
		}
		s.MoreKeys = []any{map[string]any{"kty": "XYZ", "kid": "one"}, map[string]any{"kty": "RSA", "n": "%"}, "no key"}
	})
	if who, err := b.come(); err != nil || who.Subject != "u" {
		t.Errorf("got %+v, %v", who, err)
	}
}

// A refresh meets the same answers.
func TestARefreshReadsTokenAnswersTheSameWay(t *testing.T) {
	t.Parallel()
	b := load(t, openID, "oidc")
	b.up.Set(func(s *upstreamtest.Server) {
		s.Claims = map[string]any{"sub": "u", "email": "m@x.example", "name": "Mara"}
		s.Answers = func(v map[string]any) (string, string) { return "text/plain", with(v, "expires_in", "3600.0") }
	})
	who, err := b.come()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	u := store.User{ID: "u1", Name: "Mara", CreatedAt: now}
	err = b.db.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.AddUser(u); err != nil {
			return err
		}
		return tx.AddAccount(who.Account(u.ID, now))
	})
	if err != nil {
		t.Fatal(err)
	}
	b.ahead = 2 * time.Hour
	got, err := b.Tokens(t.Context(), u.ID, "oidc")
	if err != nil || got.Access == who.Tokens.Access || !got.ExpiresAt.After(now.Add(2*time.Hour)) {
		t.Fatalf("got %+v, %v", got, err)
	}
	b.ahead = 4 * time.Hour
	b.up.Set(func(s *upstreamtest.Server) {
		s.Answers = func(map[string]any) (string, string) { return "text/html", "<html>" }
	})
	if got, err := b.Tokens(t.Context(), u.ID, "oidc"); !errors.Is(err, upstream.ErrMisconfigured) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// paged answers a list as GitHub does: so many a page, and links to the others, which
// lead to a host of its own.
func paged(items []any, links bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		per, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
		if per == 0 {
			per = 30
		}
		n, _ := strconv.Atoi(r.URL.Query().Get("page"))
		n = max(n, 1)
		from, to := min((n-1)*per, len(items)), min(n*per, len(items))
		if links && to < len(items) {
			w.Header().Set("Link", fmt.Sprintf(`<https://evil.example/steal?per_page=%d&page=%d>; rel="next", <https://evil.example/steal?page=99>; rel="last"`, per, n+1))
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(slices.Clone(items[from:to]))
	})
}

func TestGitHubsListsAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	var orgs, teams, emails []any
	for n := 1; n <= 121; n++ {
		orgs = append(orgs, map[string]any{"login": fmt.Sprintf("org%d", n)})
		emails = append(emails, map[string]any{"email": fmt.Sprintf("m%d@home.example", n), "verified": true, "primary": n == 120})
		teams = append(teams, map[string]any{"slug": fmt.Sprintf("team%d", n), "organization": map[string]any{"login": "org"}})
	}
	for _, links := range []bool{true, false} {
		for _, group := range []string{"org121", "org/team121"} {
			t.Run(fmt.Sprint(group, links), func(t *testing.T) {
				t.Parallel()
				b := loadOn(t, db, "kind = \"github\"\nurl = \"URL\"\nallow_groups = [\""+group+"\"]")
				b.up.Set(func(s *upstreamtest.Server) {
					s.API = map[string]any{
						"/api/v3/user": map[string]any{"login": "mara", "id": 583231}, "/api/v3/user/emails": paged(emails, links),
						"/api/v3/user/orgs": paged(orgs, links), "/api/v3/user/teams": paged(teams, links),
					}
				})
				who, err := b.come()
				if err != nil || who.Email != "m120@home.example" || !who.Verified {
					t.Errorf("got %+v, %v", who, err)
				}
			})
		}
	}
}

func TestAListWithoutEndIsReadToABound(t *testing.T) {
	t.Parallel()
	asked := 0
	b := load(t, "kind = \"github\"\nurl = \"URL\"")
	b.up.Set(func(s *upstreamtest.Server) {
		s.API = map[string]any{
			"/api/v3/user": map[string]any{"login": "mara", "id": 1},
			"/api/v3/user/emails": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked++
				w.Header().Set("Link", `<https://api.github.com/user/emails?page=2>; rel="next"`)
				_, _ = io.WriteString(w, `[{"email": "mara@home.example", "primary": true, "verified": true}]`)
			}),
		}
	})
	if who, err := b.come(); err != nil || !who.Verified || asked > 50 {
		t.Errorf("got %+v, %v after %d pages", who, err, asked)
	}
}

func TestDiscordsServersAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	b := load(t, "kind = \"discord\"\nallow_groups = [\"1201\"]\n"+plain)
	b.up.Set(func(s *upstreamtest.Server) {
		s.API = map[string]any{"/me": map[string]any{"id": "7", "username": "mara"}, "/me/guilds": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			after, _ := strconv.Atoi(r.URL.Query().Get("after"))
			var page []any
			for id := max(after+1, 1001); id <= 1201 && len(page) < 200; id++ {
				page = append(page, map[string]any{"id": strconv.Itoa(id)})
			}
			_ = json.NewEncoder(w).Encode(page)
		})}
	})
	if who, err := b.come(); err != nil || len(who.Groups) != 201 {
		t.Errorf("got %d servers, %v", len(who.Groups), err)
	}
}

// A GitHub App may not read addresses unless it was given the right to.
func TestGitHubWithoutTheRightToReadAddresses(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	limited := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.WriteHeader(http.StatusForbidden)
	})
	for name, tt := range map[string]struct {
		emails http.Handler
		toml   string
		want   error
	}{
		"403":             {says(403, "application/json", `{"message": "Resource not accessible by integration"}`), "", nil},
		"404":             {says(404, "application/json", `{}`), "", nil},
		"403, and a list": {says(403, "application/json", `{}`), "allow_domains = [\"home.example\"]", upstream.ErrMisconfigured},
		"a rate limit":    {limited, "", upstream.ErrDown},
		"an outage":       {says(502, "text/html", ""), "", upstream.ErrDown},
		"a page":          {says(200, "text/html", "<html>"), "", upstream.ErrMisconfigured},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := loadOn(t, db, "kind = \"github\"\nurl = \"URL\"\n"+tt.toml)
			b.up.Set(func(s *upstreamtest.Server) {
				s.API = map[string]any{
					"/api/v3/user": map[string]any{"login": "mara", "id": 583231, "email": "shown@home.example"}, "/api/v3/user/emails": tt.emails,
				}
			})
			who, err := b.come()
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %+v, %v", who, err)
			}
			if tt.want == nil && (who.Subject != "583231" || who.Email != "shown@home.example" || who.Verified) {
				t.Errorf("got %+v", who)
			}
		})
	}
}

func TestAGroupThatCannotBeReadLetsNobodyIn(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	mail := []any{map[string]any{"email": "mara@home.example", "primary": true, "verified": true}}
	for name, tt := range map[string]struct {
		toml string
		want error
	}{
		"the group alone":         {"allow_groups = [\"acme\"]", upstream.ErrMisconfigured},
		"an address is on a list": {"allow_groups = [\"acme\"]\nallow_domains = [\"home.example\"]", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := loadOn(t, db, "kind = \"github\"\nurl = \"URL\"\n"+tt.toml)
			b.up.Set(func(s *upstreamtest.Server) {
				s.API = map[string]any{
					"/api/v3/user": map[string]any{"login": "mara", "id": 1}, "/api/v3/user/emails": mail, "/api/v3/user/orgs": says(403, "application/json", "{}"),
				}
			})
			if who, err := b.come(); !errors.Is(err, tt.want) {
				t.Errorf("got %+v, %v", who, err)
			}
		})
	}
}

func TestGroupsInEachFormThatProvidersSend(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	for name, tt := range map[string]struct {
		claim, claims string
		want          []string
	}{
		"a list":                         {"groups", `{"groups": ["ops", "dev"]}`, []string{"ops", "dev"}},
		"one text":                       {"groups", `{"groups": "Domain Users"}`, []string{"Domain Users"}},
		"commas":                         {"groups", `{"groups": "ops, dev,,Domain Users "}`, []string{"ops", "dev", "Domain Users"}},
		"an LDAP name":                   {"groups", `{"groups": "cn=ops,dc=home,dc=example"}`, []string{"cn=ops,dc=home,dc=example"}},
		"a list of LDAP names":           {"groups", `{"groups": ["cn=ops,dc=home", "a,b"]}`, []string{"cn=ops,dc=home", "a,b"}},
		"JSON as text":                   {"groups", `{"groups": "[\"ops\",\"dev\"]"}`, []string{"ops", "dev"}},
		"numbers":                        {"groups", `{"groups": [7, 9007199254740993, 1.5]}`, []string{"7", "9007199254740993"}},
		"an object (Zitadel)":            {"urn:zitadel:iam:org:project:roles", `{"urn:zitadel:iam:org:project:roles": {"ops": {"1": "home.example"}, "dev": {}}}`, []string{"dev", "ops"}},
		"an object that says no":         {"groups", `{"groups": {"ops": true, "admins": false, "a": null, "b": "", "c": 0, "d": [], "e": "false"}}`, []string{"ops"}},
		"objects with a name":            {"groups", `{"groups": [{"id": "1", "name": "ops"}, {"id": "2", "displayName": "dev"}, {"value": "3"}, {}, null]}`, []string{"ops", "dev", "3"}},
		"Keycloak's realm":               {"realm_access.roles", `{"realm_access": {"roles": ["ops"]}}`, []string{"ops"}},
		"Keycloak's client":              {"resource_access.app.roles", `{"resource_access": {"app": {"roles": ["ops"]}}}`, []string{"ops"}},
		"a client with a dot":            {"resource_access.my.app.roles", `{"resource_access": {"my.app": {"roles": ["ops"]}}}`, []string{"ops"}},
		"a key with dots":                {"https://id.example/groups", `{"https://id.example/groups": ["ops"]}`, []string{"ops"}},
		"a key with dots, and a path":    {"a.b", `{"a.b": ["literal"], "a": {"b": ["path"]}}`, []string{"literal"}},
		"an inner key with dots":         {"a.b.c", `{"a": {"b.c": ["ops"], "b": {"c": ["path"]}}}`, []string{"ops"}},
		"a longer key that leads astray": {"a.b.c", `{"a.b": {"x": 1}, "a": {"b": {"c": ["ops"]}}}`, []string{"ops"}},
		"a path through a text":          {"a.b.c", `{"a": "text"}`, nil},
		"true":                           {"groups", `{"groups": true}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, toml := range []string{openID, "kind = \"oauth2\"\n" + plain} {
				b := loadOn(t, db, toml+"[upstream.claims]\ngroups = \""+tt.claim+"\"")
				person := object(t, tt.claims)
				person["sub"] = "u"
				b.up.Set(func(s *upstreamtest.Server) { s.Claims, s.API = person, map[string]any{"/me": person} })
				who, err := b.come()
				if diff := cmp.Diff(tt.want, who.Groups); err != nil || diff != "" {
					t.Errorf("%v\n%s", err, diff)
				}
			}
		})
	}
}

func TestAddressesAndNamesInEachFormThatProvidersSend(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	for name, tt := range map[string]struct {
		toml, claims string
		want         person
	}{
		"a list (Azure AD B2C)":   {"", `{"emails": ["mara@home.example"], "name": "Mara"}`, person{"u", "mara@home.example", false, "Mara", "", nil}},
		"a list, verified":        {"", `{"emails": ["mara@home.example"], "email_verified": true}`, person{"u", "mara@home.example", true, "", "", nil}},
		"verified, but which":     {"", `{"emails": ["eve@home.example", "victim@home.example"], "email_verified": true}`, person{"u", "eve@home.example", false, "", "", nil}},
		"objects":                 {"", `{"emails": [{"value": "old@home.example"}, {"value": "mara@home.example", "primary": true}]}`, person{"u", "mara@home.example", false, "", "", nil}},
		"a claim of that name":    {"[upstream.claims]\nemail = \"mails\"", `{"mails": ["mara@home.example"], "email": "other@home.example"}`, person{"u", "mara@home.example", false, "", "", nil}},
		"an empty list":           {"", `{"emails": []}`, person{"u", "", false, "", "", nil}},
		"given and family":        {"", `{"given_name": "Mara", "family_name": "Okafor", "nickname": "mo"}`, person{"u", "", false, "Mara Okafor", "", nil}},
		"given alone":             {"", `{"given_name": "Mara"}`, person{"u", "", false, "Mara", "", nil}},
		"family alone":            {"", `{"family_name": "Okafor"}`, person{"u", "", false, "Okafor", "", nil}},
		"a name and its parts":    {"", `{"name": "M. Okafor", "given_name": "Mara"}`, person{"u", "", false, "M. Okafor", "", nil}},
		"first and last":          {"", `{"first_name": "Mara", "last_name": "Okafor"}`, person{"u", "", false, "Mara Okafor", "", nil}},
		"a claim that is missing": {"[upstream.claims]\nname = \"called\"", `{"given_name": "Mara", "family_name": "Okafor"}`, person{"u", "", false, "Mara Okafor", "", nil}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, toml := range []string{openID, "kind = \"oauth2\"\n" + plain} {
				b := loadOn(t, db, toml+tt.toml)
				claims := object(t, tt.claims)
				claims["sub"] = "u"
				b.up.Set(func(s *upstreamtest.Server) { s.Claims, s.API = claims, map[string]any{"/me": claims} })
				who, err := b.come()
				want := tt.want
				if strings.Contains(toml, "oauth2") {
					want.Verified = false // it has no claims.email_verified
				}
				got := person{who.Subject, who.Email, who.Verified, who.Name, who.Picture, who.Groups}
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%v\n%s", err, diff)
				}
			}
		})
	}
}

// Microsoft leaves the groups of people in many out of the token.
func TestMicrosoftsMissingGroupsAreNamed(t *testing.T) {
	t.Parallel()
	const tenant = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
	b := load(t, "kind = \"microsoft\"\nissuer = \"URL/"+tenant+"/v2.0\"\nallow_groups = [\"ops\"]")
	b.up.Set(func(s *upstreamtest.Server) {
		s.Issuer = s.URL + "/" + tenant + "/v2.0"
		s.Claims = object(t, `{"sub": "p", "tid": "`+tenant+`", "oid": "o", "_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}}`)
	})
	_, err := b.come()
	if cause := errors.Unwrap(err); !errors.Is(err, upstream.ErrMisconfigured) || cause == nil || !strings.Contains(cause.Error(), "more than 200") {
		t.Errorf("got %v: %v", err, cause)
	}
}
