package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// One long address of ours, which any page can link to, must not keep a browser from
// signing in until its cookie expires.
func TestALongAddressDoesNotBreakABrowser(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	for name, path := range map[string]string{
		"many ampersands": "/account?" + strings.Repeat("&", 372),
		"as many as fit":  "/account?" + strings.Repeat("&", 1990),
		"percent signs":   "/account?" + strings.Repeat("%26", 660),
		"angles":          "/account/profile?a=" + strings.Repeat("%3C", 600),
		"plain":           "/account?a=" + strings.Repeat("a", 1980),
		"far too long":    "/account?a=" + strings.Repeat("a", 8000),
	} {
		t.Run(name, func(t *testing.T) {
			h.pass(11 * 60e9)
			b := h.browser()
			b.get(path).goesTo(t, "/signin")
			b.get("/signin").is(t, http.StatusOK)
			m := b.ask("mara@home.example")
			a := b.get(b.path(m))
			if to := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, "/") {
				t.Errorf("got %d to %.60q", a.StatusCode, to)
			}
			b.isSignedInAs("mara@home.example")
		})
	}
}

// The same at an App's own address.
func TestALongCallbackDoesNotBreakAnApp(t *testing.T) {
	h := wiki(t, "v5", "")
	for _, long := range []string{strings.Repeat("&", 1500), strings.Repeat("a", 3000), strings.Repeat("%", 3000)} {
		c := h.browser().authjs("v5")
		for _, path := range []string{"/api/auth/signin", "/api/auth/session", "/api/auth/providers", "/api/auth/signin/email"} {
			a := c.get(path + "?callbackUrl=" + url.QueryEscape("/page?"+long))
			if a.StatusCode >= 500 {
				t.Errorf("%s with %.5q: got %d", path, long, a.StatusCode)
			}
			for _, cookie := range a.Cookies() {
				if n := len(cookie.Name) + len(cookie.Value); n > 4096 {
					t.Errorf("%s: the cookie %s has %d bytes", path, cookie.Name, n)
				}
			}
			if a := c.get("/api/auth/session"); a.StatusCode != http.StatusOK {
				t.Errorf("%s with %.5q: the session answers %d", path, long, a.StatusCode)
			}
		}
	}
}
