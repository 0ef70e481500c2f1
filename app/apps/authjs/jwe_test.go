package authjs_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatelodge/app/apps/authjs"
)

// The vectors were made by next-auth 4.24.15 and 5.0.0-beta.32 themselves.
const (
	vectorSecret = "test-secret-0123456789abcdef0123456789abcdef"
	vectorV4     = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..X5ynTRoK6U5gUV-V.aC4_Rz9JEEc9SpGNlWeT85iPNqq_px8iYOvSQgKj9e8Nrwmdw3BN87531Hk6niUzY5z_i87WEdA2RlC9nN5BDrPI0wenW6i0naBKp4GMuz5SD2LgV-fQ3khsByLqelIsul5theJSTpcsW4SDVMjAmbNIuhADU2Zwzxz-3pcQ8ALIaAFKFgu6xoOoBVAy6VMFw_s0bZ5XANJ2EtP5dulZv1sSOKdb8lYpgS99aA7kNzZhVp0.YKlYyoCJDpzdpXqg2Hyh7g"
	vectorV5     = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2Q0JDLUhTNTEyIiwia2lkIjoiOUU3UVh4NERDUTFPRHFucnNvSmVLeUJpVFVRaFhKWnpzRWV2TEJIOENoMm9fRGVqMjdPeGNDNUViYk1MT0ZoMGJHXzlRbm9JRVQxNWJWaGktZDZzekEifQ..jAVG8b6pqrh0ARzib0212Q.Yf_omkwUnNJlHLiPz5MUYcv77zwYcxE3I0W5cEgReyCAKOCK-b4BcsTiX56vVgM4EkteS68-XAlTQFBncTi0-waODXIR9eunKNBMDvdof70B41gNCGsh444mWvOS4L2e_2g23Gw3vZktGN8VjtO64h-5FtWU3bgAKm83uhVfgtp3sRq0YNumhgekGzdX1Hhv4GQIO4OLgekk-U8MKcSUbdbgu-asGP9JaaTmgC-4eo7_q2WP7-DPbTuZiJKFpthi.kUAJNc7T7z1fKiymHSlvwIk_yFkG1-Rd0JCdGOtg-kE"
	vectorKid    = "9E7QXx4DCQ1ODqnrsoJeKyBiTUQhXJZzsEevLBH8Ch2o_Dej27OxcC5EbbMLOFh0bG_9QnoIET15bVhi-d6szA"
	cookieV5     = "authjs.session-token"
	cookieV4     = "next-auth.session-token"
)

var vectorNow = time.Unix(1795470950, 0)

func sealer(t testing.TB, enc authjs.Encryption, cookie string, secrets ...string) *authjs.Sealer {
	t.Helper()
	s, err := authjs.NewSealer(enc, cookie, secrets)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTokensOfTheOriginalsOpen(t *testing.T) {
	for name, tt := range map[string]struct {
		enc           authjs.Encryption
		cookie, token string
		iat           int64
	}{
		"next-auth 4": {authjs.GCM, cookieV4, vectorV4, 1795470946},
		"next-auth 5": {authjs.CBC, cookieV5, vectorV5, 1795470949},
	} {
		t.Run(name, func(t *testing.T) {
			c, current, err := sealer(t, tt.enc, tt.cookie, vectorSecret).Open(tt.token, vectorNow)
			if err != nil || !current {
				t.Fatal(current, err)
			}
			want := authjs.Claims{
				Name: "Ada L", Email: "ada@example.test", Picture: "https://img.example.test/a.png", Subject: "u-ada",
				IssuedAt: time.Unix(tt.iat, 0).UTC(), Expires: time.Unix(tt.iat+2592000, 0).UTC(),
			}
			if c != want {
				t.Errorf("got %+v", c)
			}
		})
	}
}

// The clock of an app may be off by 15 seconds.
func TestAnExpiredTokenIsOutAfterItsTolerance(t *testing.T) {
	s := sealer(t, authjs.CBC, cookieV5, vectorSecret)
	expires := time.Unix(1798062949, 0)
	if _, _, err := s.Open(vectorV5, expires.Add(10*time.Second)); err != nil {
		t.Errorf("10 s late: %v", err)
	}
	if _, _, err := s.Open(vectorV5, expires.Add(20*time.Second)); err == nil {
		t.Error("20 s late it still opens")
	}
}

func TestACookieOfAnotherVersionOrNameDoesNotOpen(t *testing.T) {
	v4, v5 := sealer(t, authjs.GCM, cookieV4, vectorSecret), sealer(t, authjs.CBC, cookieV5, vectorSecret)
	other, secure := sealer(t, authjs.CBC, cookieV5, "another secret"), sealer(t, authjs.CBC, "__Secure-"+cookieV5, vectorSecret)
	for name, s := range map[string]*authjs.Sealer{"v4": v4, "another secret": other, "another cookie": secure} {
		if _, _, err := s.Open(vectorV5, vectorNow); err == nil {
			t.Errorf("%s opens a token of v5", name)
		}
	}
	if _, _, err := v5.Open(vectorV4, vectorNow); err == nil {
		t.Error("v5 opens a token of v4")
	}
}

func claims() authjs.Claims {
	return authjs.Claims{
		Name: "Mara Okafor", Email: "mara@example.com", Subject: "0198f1a0-7c1e-7e1e-8a1e-0123456789ab", SessionID: strings.Repeat("s", 43),
		IssuedAt: vectorNow.UTC(), Expires: vectorNow.Add(720 * time.Hour).UTC(),
	}
}

func TestASecretRotates(t *testing.T) {
	for _, enc := range []authjs.Encryption{authjs.GCM, authjs.CBC} {
		old := sealer(t, enc, cookieV5, "old")
		token, err := old.Seal(claims())
		if err != nil {
			t.Fatal(err)
		}
		both := sealer(t, enc, cookieV5, "new", "old")
		c, current, err := both.Open(token, vectorNow)
		if err != nil || current || c != claims() {
			t.Errorf("%s: %v, current %v, %+v", enc, err, current, c)
		}
		if token, err = both.Seal(claims()); err != nil {
			t.Fatal(err)
		}
		if _, current, err = both.Open(token, vectorNow); err != nil || !current {
			t.Errorf("%s: the new secret does not encrypt: %v", enc, err)
		}
		if _, _, err = old.Open(token, vectorNow); err == nil {
			t.Errorf("%s: the old secret still encrypts", enc)
		}
	}
}

// A browser and every proxy on the way take 600 bytes.
func TestACookieIsNeverLongerThanPromised(t *testing.T) {
	long := claims()
	long.Picture = "https://img.example.test/" + strings.Repeat("p", 3000)
	long.Name = strings.Repeat("ä", 50)
	long.Email = strings.Repeat("e", 242) + "@example.test"
	for _, enc := range []authjs.Encryption{authjs.GCM, authjs.CBC} {
		s := sealer(t, enc, "__Secure-"+cookieV5, vectorSecret)
		for _, c := range []authjs.Claims{long, claims()} {
			token, err := s.Seal(c)
			if err != nil || len(token) > authjs.MaxToken {
				t.Fatalf("%s: %d bytes, %v", enc, len(token), err)
			}
			got, _, err := s.Open(token, vectorNow)
			if err != nil || got.Subject != c.Subject || got.SessionID != c.SessionID {
				t.Errorf("%s: got %+v, %v", enc, got, err)
			}
			if c.Picture == "" && (got.Name != c.Name || got.Email != c.Email) {
				t.Errorf("%s: an ordinary person's name is left out: %+v", enc, got)
			}
		}
	}
}

func TestTheHeaderIsThatOfTheOriginal(t *testing.T) {
	token, err := sealer(t, authjs.CBC, cookieV5, vectorSecret).Seal(claims())
	if err != nil {
		t.Fatal(err)
	}
	header, _, _ := strings.Cut(token, ".")
	if want, _, _ := strings.Cut(vectorV5, "."); header != want {
		t.Errorf("got %s", header)
	}
	plain, _ := base64.RawURLEncoding.DecodeString(header)
	if want := `{"alg":"dir","enc":"A256CBC-HS512","kid":"` + vectorKid + `"}`; string(plain) != want {
		t.Errorf("got %s", plain)
	}
}

// Whoever changes a character of a token has none.
func TestTamperedTokens(t *testing.T) {
	for name, tt := range map[string]struct {
		s     *authjs.Sealer
		token string
	}{
		"v4": {sealer(t, authjs.GCM, cookieV4, vectorSecret), vectorV4},
		"v5": {sealer(t, authjs.CBC, cookieV5, vectorSecret), vectorV5},
	} {
		for i := range tt.token {
			for _, with := range []string{"A", "B", "_", ".", ""} {
				bad := tt.token[:i] + with + tt.token[i+1:]
				if bad == tt.token {
					continue
				}
				if _, _, err := tt.s.Open(bad, vectorNow); err == nil {
					t.Fatalf("%s: opens with %q at %d", name, with, i)
				}
			}
		}
	}
	s := sealer(t, authjs.CBC, cookieV5, vectorSecret)
	for name, header := range map[string]string{
		"none": `{"alg":"none"}`, "a wrapped key": `{"alg":"A256KW","enc":"A256GCM"}`, "a packed one": `{"alg":"dir","enc":"A256CBC-HS512","zip":"DEF"}`,
		"a demand": `{"alg":"dir","enc":"A256CBC-HS512","crit":["exp"]}`, "no JSON": `alg`,
	} {
		_, rest, _ := strings.Cut(vectorV5, ".")
		if _, _, err := s.Open(base64.RawURLEncoding.EncodeToString([]byte(header))+"."+rest, vectorNow); err == nil {
			t.Errorf("opens with %s", name)
		}
	}
}

func FuzzOpen(f *testing.F) {
	s4, s5 := sealer(f, authjs.GCM, cookieV4, vectorSecret), sealer(f, authjs.CBC, cookieV5, vectorSecret)
	f.Add(vectorV4)
	f.Add(vectorV5)
	f.Add("....")
	f.Add(strings.Replace(vectorV5, "..", ".x.", 1))
	f.Fuzz(func(t *testing.T, token string) {
		for _, s := range []*authjs.Sealer{s4, s5} {
			if _, _, err := s.Open(token, vectorNow); err == nil && token != vectorV4 && token != vectorV5 {
				t.Errorf("opens %q", token)
			}
		}
	})
}

func TestCSRFVector(t *testing.T) {
	c := authjs.CSRF{Secret: vectorSecret}
	token := strings.Repeat("a", 64)
	if got := c.Token(token + "|f8d8f1376581c13486e50896dfeba565ec70d15e63dfa05dca97ccc6355907f3"); got != token {
		t.Errorf("got %q", got)
	}
	mine, cookie := c.New()
	if len(mine) != 64 || c.Token(cookie) != mine {
		t.Errorf("%q is not the token of %q", mine, cookie)
	}
	for _, bad := range []string{"", "|", token, token + "|", token + "|" + strings.Repeat("0", 64), cookie + "0", cookie[1:], "|" + cookie} {
		if got := c.Token(bad); got != "" {
			t.Errorf("%q has the token %q", bad, got)
		}
	}
}

func FuzzCSRF(f *testing.F) {
	c, other := authjs.CSRF{Secret: vectorSecret}, authjs.CSRF{Secret: "another"}
	token := strings.Repeat("a", 64)
	cookie := token + "|f8d8f1376581c13486e50896dfeba565ec70d15e63dfa05dca97ccc6355907f3"
	f.Add(cookie)
	f.Add(token + "||" + cookie)
	f.Add("|e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
	f.Fuzz(func(t *testing.T, value string) {
		got := c.Token(value)
		if got == "" {
			return
		}
		if value != cookie || got != token {
			t.Errorf("%q has the token %q", value, got)
		}
		if other.Token(value) != "" {
			t.Errorf("%q is good with two secrets", value)
		}
	})
}

func TestEveryLandingIsOnTheOrigin(t *testing.T) {
	const origin = "https://wiki.example.com"
	for value, want := range map[string]string{
		"": origin, "/": origin + "/", "/page?x=1&y=a+b#part": origin + "/page?x=1&y=a+b#part",
		origin: origin, origin + "/deep/page": origin + "/deep/page", "HTTPS://WIKI.example.com/x": origin + "/x", origin + ":443/x": origin + "/x",
		"//evil.example": origin + "//evil.example", `/\evil.example`: origin + `/%5Cevil.example`,
		"https://evil.example/": origin, "http://wiki.example.com/": origin, "https://wiki.example.com.evil.example/": origin,
		"https://wiki.example.com@evil.example/": origin, "https://u:p@wiki.example.com/": origin, "https://wiki.example.com:444/": origin,
		"javascript:alert(1)": origin, "data:text/html,x": origin, "garbage": origin, "\x00": origin, "/x\r\nSet-Cookie: a=b": origin,
		"https://": origin, "/%zz": origin + "/%25zz", "/50%off": origin + "/50%25off", "/%": origin + "/%25", "/x#100%": origin + "/x#100%25", "/%2": origin + "/%252", " /x": origin, "https:wiki.example.com": origin,
		"/x?error=CredentialsSignin&y=1&code=z": origin + "/x?y=1", "/x?%65rror=1": origin + "/x", "/x?errors=1": origin + "/x?errors=1",
		strings.Repeat("/x", 1001): origin, "/" + strings.Repeat("ü", 700): origin,
		// Encoded, never deleted.
		"/search?q=münchen": origin + "/search?q=m%C3%BCnchen", "/search?q=hello world": origin + "/search?q=hello%20world",
		`/search?q="a"<b>&r='c'`: origin + "/search?q=%22a%22%3Cb%3E&r='c'", `/search?q=a\b`: origin + "/search?q=a%5Cb",
		"/käse/brot und butter": origin + "/k%C3%A4se/brot%20und%20butter", "/#käse brot": origin + "/#k%C3%A4se%20brot",
		"/x?q=%6d%C3%BC+1%2B1": origin + "/x?q=%6d%C3%BC+1%2B1", "/x?a=1&&b=2": origin + "/x?a=1&&b=2", "/x?q=100%": origin + "/x?q=100%",
		"/a%2Fb c": origin + "/a%2Fb%20c", origin + "/a%2Fb/ü?x#y%2Fz ü": origin + "/a%2Fb/%C3%BC?x#y%2Fz%20%C3%BC", "/#a%2Fb#c": origin + "/#a%2Fb%23c",
		"/?er ror": origin + "/?er%20ror", "/?co\u200bde=1": origin + "/?co%E2%80%8Bde=1", "/x?\xff": origin + "/x?%FF",
		// A code is the app's, but for one that stands beside an error.
		"/join?code=ABC123": origin + "/join?code=ABC123", "/join?code=ABC123&errors=1": origin + "/join?code=ABC123&errors=1",
		"/join?code=rate_limited&error=CredentialsSignin": origin + "/join",
	} {
		if got := authjs.Landing(origin, value); got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
	// A page opened at one name of this machine stays there.
	if got := authjs.Landing("http://127.0.0.1:3000", "http://localhost:3000/x"); got != "http://127.0.0.1:3000/x" {
		t.Errorf("got %q", got)
	}
	if got := authjs.Landing("http://127.0.0.1:3000", "http://localhost:3001/x"); got != "http://127.0.0.1:3000" {
		t.Errorf("got %q", got)
	}
}

func FuzzLanding(f *testing.F) {
	const origin = "https://wiki.example.com"
	for _, value := range []string{"/x?a=b", "//evil", `/\evil`, "https://wiki.example.com@evil/", "javascript:x", "/%2F%2Fevil", "/x?error=a&b", "/?er ror", "/join?code=ABC123", "/search?q=münchen", `/?"\`, "/x#a b", "/?%zz&error"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := authjs.Landing(origin, value)
		rest, ok := strings.CutPrefix(got, origin)
		if !ok || rest != "" && !strings.ContainsAny(rest[:1], "/?#") || strings.ContainsAny(rest, "\\\r\n \"<>") {
			t.Fatalf("%q leads to %q", value, got)
		}
		if again := authjs.Landing(origin, got); again != got {
			t.Errorf("%q leads to %q and from there to %q", value, got, again)
		}
	})
}

func cookies(pairs ...string) []*http.Cookie {
	var list []*http.Cookie
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, &http.Cookie{Name: pairs[i], Value: pairs[i+1]})
	}
	return list
}

// What spoils a session in the originals must not here.
func TestChunksAndStrayCookies(t *testing.T) {
	const n = "authjs.session-token"
	for name, tt := range map[string]struct {
		in        []*http.Cookie
		values    string
		leftovers string
	}{
		"none":                {cookies("x", "1"), "", ""},
		"whole":               {cookies(n, "abc"), "abc", ""},
		"chunks in any order": {cookies(n+".1", "b", n+".0", "a", n+".2", "c"), "abc", n + ".0 " + n + ".1 " + n + ".2"},
		"whole and stale":     {cookies(n+".0", "x", n, "abc"), "abc x", n + ".0"},
		"a stray name":        {cookies(n+"-x", "1", n, "abc", n+".x", "2", n+".01", "3", n+".-1", "4"), "abc", ""},
		"a gap":               {cookies(n+".0", "a", n+".2", "c"), "a", n + ".0 " + n + ".2"},
		"no beginning":        {cookies(n+".1", "b"), "", n + ".1"},
		"twice":               {cookies(n, "a", n, "b"), "a b", ""},
	} {
		c := authjs.Join(tt.in, n)
		if got := strings.Join(c.Values, " "); got != tt.values {
			t.Errorf("%s: got the values %q", name, got)
		}
		if got := strings.Join(c.Leftovers(n), " "); got != tt.leftovers {
			t.Errorf("%s: got the leftovers %q", name, got)
		}
	}
}

func FuzzJoin(f *testing.F) {
	f.Add("authjs.session-token=a; authjs.session-token.0=b")
	f.Add("authjs.session-token.999999999999999999=b; authjs.session-token.=1")
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Cookie": {header}}}
		c := authjs.Join(r.Cookies(), "authjs.session-token")
		if len(c.Values) > len(c.Names) {
			t.Errorf("%d values of %d cookies", len(c.Values), len(c.Names))
		}
		for _, name := range c.Leftovers("authjs.session-token") {
			if !strings.HasPrefix(name, "authjs.session-token.") {
				t.Errorf("%q would be expired", name)
			}
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s := sealer(b, authjs.CBC, cookieV5, vectorSecret)
	for b.Loop() {
		if _, err := s.Seal(claims()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	s := sealer(b, authjs.CBC, cookieV5, vectorSecret)
	token, err := s.Seal(claims())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := s.Open(token, vectorNow); err != nil {
			b.Fatal(err)
		}
	}
}
