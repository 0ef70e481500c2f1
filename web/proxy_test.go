package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatelodge/app/config"
)

// Two clients of a proxy that adds ports are two, and share no limit.
func TestClientsOfAProxyThatAddsPortsShareNoLimit(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *config.Config) { c.TrustedProxies = []string{"127.0.0.0/8"} })
	for header, want := range map[string]string{"203.0.113.9:51234": "203.0.113.9", "[2001:db8::7]:443": "2001:db8::7", `"[2001:db8::8]"`: "2001:db8::8"} {
		h.browser().get("/nowhere", "X-Forwarded-For", header)
		if !strings.Contains(h.logged(), "ip="+want+" ") {
			t.Errorf("%s: want ip=%s in\n%s", header, want, h.logged())
		}
	}
	if strings.Contains(h.logged(), "level=WARN") {
		t.Errorf("a header that was read is a trouble:\n%s", h.logged())
	}
}

// A proxy that hides its clients must not give them the rights of this machine's own
// programs, which have limits for each app.
func TestAClientThatAProxyHidesIsNotLocal(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	status := 0
	for n := range 12 {
		r := httptest.NewRequest(http.MethodPost, "/api/mail/send", strings.NewReader("{}"))
		r.RemoteAddr, r.Host = "127.0.0.1:4000", h.srv.Listener.Addr().String()
		r.Header.Set("X-Forwarded-For", "unknown")
		r.SetBasicAuth("app"+string(rune('a'+n)), "wrong")
		w := httptest.NewRecorder()
		h.web.ServeHTTP(w, r)
		status = w.Code
	}
	if status != http.StatusTooManyRequests {
		t.Errorf("twelve wrong passwords for twelve names end with %d", status)
	}
}

// However a proxy writes the App's host, its links have the address that stands in the
// configuration.
func TestAnAppsAddressDoesNotDependOnHowAProxyWritesIt(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *config.Config) {
		c.TrustedProxies = []string{"127.0.0.1"}
		c.PublicURL = "https://auth.home.example"
		c.Apps = appsOf(t, "[[app]]\nname = \"Wiki\"\nhosts = [\"wiki.home.example\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \"v4\"\n"+
			"[[app]]\nname = \"Notes\"\nhosts = [\"notes.home.example:8443\"]\nallow = [\"everyone\"]\n[app.authjs]\n"+
			"[[app]]\nname = \"Dev\"\nhosts = [\"localhost:3000\"]\nallow = [\"everyone\"]\n[app.authjs]\n")
	})
	const wiki, notes = "https://wiki.home.example", "https://notes.home.example:8443"
	for name, tt := range map[string]struct{ host, forwarded, want string }{
		"the usual port":            {"wiki.home.example:443", "", wiki},
		"a full name":               {"wiki.home.example.", "", wiki},
		"both, in capitals":         {"WIKI.home.example.:443", "", wiki},
		"forwarded, the usual port": {"auth.home.example", "wiki.home.example:443", wiki},
		"forwarded, a full name":    {"auth.home.example", "wiki.home.example.", wiki},
		"forwarded by two":          {"10.0.0.1:8080", "wiki.home.example, 10.0.0.1:8080", wiki},
		"forwarded by ours":         {"auth.home.example", "wiki.home.example, auth.home.example", wiki},
		"a port of its own":         {"notes.home.example.:8443", "", notes},
		"a port that is lost":       {"notes.home.example.", "", notes},
		"this machine by two names": {"LOCALHOST.:3000", "", "http://localhost:3000"},
		"our own, the usual port":   {"auth.home.example:443", "", "https://auth.home.example"},
		"our own, a full name":      {"AUTH.home.example.", "", "https://auth.home.example"},
	} {
		headers := []string{"Host", tt.host}
		if tt.forwarded != "" {
			headers = append(headers, "X-Forwarded-Host", tt.forwarded)
		}
		a := h.browser().get("/api/auth/providers", headers...)
		if !strings.Contains(a.body, `"signinUrl":"`+tt.want+`/api/auth/signin/email"`) {
			t.Errorf("%s: got %d %s", name, a.StatusCode, a.body)
		}
	}
	h.browser().get("/signin", "Host", "auth.home.example.:443").is(t, http.StatusOK)
}
