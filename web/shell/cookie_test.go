package shell

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatelodge/app/login"
)

var testOrigin = &url.URL{Scheme: "https", Host: "auth.home.example"}

func testCookies() *Cookies {
	return NewCookies(testOrigin, []byte("0123456789abcdef0123456789abcdef"), []byte("fedcba9876543210fedcba9876543210"))
}

// Nobody but us can write a login cookie: whatever a browser sends is either one
// we made, unchanged, or a new attempt.
func FuzzLoginCookie(f *testing.F) {
	c := testCookies()
	r := &http.Request{Header: http.Header{}}
	w := recorder{http.Header{}}
	made := Attempt{Login: login.Login{Browser: "b", Email: "mara@home.example", Challenge: "c"}}
	if err := c.SaveLogin(w, made); err != nil {
		f.Fatal(err)
	}
	ours := (&http.Response{Header: w.h}).Cookies()[0].Value
	f.Add(ours)
	f.Add("")
	f.Add(ours + "A")
	f.Add(ours[:len(ours)-4])
	f.Fuzz(func(t *testing.T, value string) {
		r.Header.Set("Cookie", (&http.Cookie{Name: "__Host-gatelodge-login", Value: value}).String())
		got := c.ReadLogin(r)
		if got.Browser == made.Browser && got.Email == made.Email && got.Challenge == made.Challenge {
			return // one that we made, maybe in another process of this test
		}
		if value == ours {
			t.Errorf("our own cookie is read as %+v", got)
		}
		if got.Browser != "" || got.Email != "" || got.Challenge != "" || got.Proofs != nil || got.Notice != "" {
			t.Errorf("%q is read as %+v", value, got)
		}
	})
}

type recorder struct{ h http.Header }

func (r recorder) Header() http.Header         { return r.h }
func (r recorder) Write(b []byte) (int, error) { return len(b), nil }
func (r recorder) WriteHeader(int)             {}

func TestLoginCookieCannotBeReadByItsBrowser(t *testing.T) {
	w := recorder{http.Header{}}
	if err := testCookies().SaveLogin(w, Attempt{Login: login.Login{Email: "mara@home.example", Return: "/account", Proofs: []login.Proof{{Means: "email", UserID: "u", At: time.Now()}}}}); err != nil {
		t.Fatal(err)
	}
	cookie := (&http.Response{Header: w.h}).Cookies()[0]
	if len(cookie.Value) < 100 || cookie.MaxAge != 900 || !cookie.Secure || !cookie.HttpOnly || cookie.Name != "__Host-gatelodge-login" {
		t.Errorf("got %v", cookie)
	}
	for _, key := range [][2]string{{"0123456789abcdef0123456789abcdeX", "fedcba9876543210fedcba9876543210"}, {"0123456789abcdef0123456789abcdef", "fedcba987654321Xfedcba9876543210"}} {
		r := &http.Request{Header: http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}}}
		if got := NewCookies(testOrigin, []byte(key[0]), []byte(key[1])).ReadLogin(r); got.Email != "" {
			t.Errorf("another key opens it: %+v", got)
		}
	}
}

// A browser that was once led to a long address must be able to sign in all the same.
func TestWhateverIsInAnAttemptItFitsIntoACookie(t *testing.T) {
	c := testCookies()
	for _, text := range []string{strings.Repeat("&", 2000), strings.Repeat("<", 2000), strings.Repeat("\"", 2000), strings.Repeat("\x01", 2000), strings.Repeat("\u2028", 2000), strings.Repeat("ü", 2000), strings.Repeat("a", 20000)} {
		made := Attempt{
			Login: login.Login{
				Browser: "b", Return: "/account?" + text, Identifier: text, Email: strings.Repeat("ü", 120) + "@home.example", Challenge: "c",
				Joining: &login.Joining{Name: text, Invite: "i"}, Device: text,
			},
			Notice: "reauth.again", Form: text, At: text,
		}
		w := recorder{http.Header{}}
		if err := c.SaveLogin(w, made); err != nil {
			t.Fatalf("%.10q: %v", text, err)
		}
		cookie := (&http.Response{Header: w.h}).Cookies()[0]
		if n := len(cookie.Name) + len(cookie.Value); n > 4096 {
			t.Errorf("%.10q: the cookie has %d bytes", text, n)
		}
		got := c.ReadLogin(&http.Request{Header: http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}}})
		if got.Browser != "b" || got.Email != made.Email || got.Challenge != "c" || got.Notice != made.Notice || got.Joining == nil || got.Joining.Invite != "i" {
			t.Errorf("%.10q: the attempt is lost: %+v", text, got)
		}
	}
}
