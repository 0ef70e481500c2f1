package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatelodge/store"
)

// paths returns every path of ours with that method below one of the places, as
// they are for the user: no page is forgotten here.
func (h *testServer) paths(method string, u store.User, places ...string) []string {
	var list []string
	for _, pattern := range h.web.Paths(method) {
		if !slices.ContainsFunc(places, func(place string) bool { return pattern == place || strings.HasPrefix(pattern, place+"/") }) {
			continue
		}
		pattern = strings.ReplaceAll(pattern, "/groups/:name", "/groups/media")
		list = append(list, regexp.MustCompile(`[:*]\w+`).ReplaceAllString(pattern, u.ID))
	}
	if len(list) == 0 {
		h.t.Fatalf("no path with %s below %v", method, places)
	}
	return list
}

// anyForm holds what some form of ours may.
var anyForm = url.Values{"group": {store.Admins}, "who": {"x"}, "id": {"x"}, "email": {"x@home.example"}, "identifier": {"x@home.example"}}

// A form on another site, or on a sibling subdomain, must not act for whoever is
// signed in here.
func TestNoFormObeysAnotherSite(t *testing.T) {
	h := open(t, nil)
	sam := h.admin("sam@home.example")
	u := h.user("mara@home.example")
	for name, headers := range map[string][]string{
		"another site by its origin":     {"Origin", "https://evil.example"},
		"a sibling subdomain":            {"Sec-Fetch-Site", "same-site"},
		"another site by fetch metadata": {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		"a page without an origin":       {"Origin", "null"},
	} {
		for _, path := range h.paths(http.MethodPost, u, "") {
			if a := sam.do(http.MethodPost, path, anyForm, headers...); a.StatusCode != http.StatusForbidden {
				t.Errorf("%s: POST %s answers %d", name, path, a.StatusCode)
			}
		}
	}
	sam.do(http.MethodPost, "/signout", nil, "Origin", "null").is(t, http.StatusForbidden, "came from another site", "GL-")
	sam.isSignedInAs("sam@home.example")
	sam.do(http.MethodPost, "/signout", nil, "Sec-Fetch-Site", "same-origin").goesTo(t, "/signout")
	sam.isSignedInAs("")
}

func TestAccountAndAdminPagesAskWhoIsThere(t *testing.T) {
	h := open(t, nil)
	u := h.user("mara@home.example")
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, path := range h.paths(method, u, "/account", "/admin") {
			switch a := h.browser().do(method, path, anyForm); {
			case a.StatusCode == http.StatusSeeOther && a.Header.Get("Location") == "/signin":
			case path == "/account/connect" && a.Header.Get("Location") == "/account": // nothing waits to be connected
			case path == "/account/methods/link" && a.StatusCode == http.StatusNotFound: // there is no such upstream
			default:
				t.Errorf("%s %s answers a stranger %d to %q", method, path, a.StatusCode, a.Header.Get("Location"))
			}
		}
	}
}

func TestAdminPagesAreForAdmins(t *testing.T) {
	h := open(t, mode("approve"))
	h.admin("sam@home.example")
	u := h.user("mara@home.example")
	b := h.browser()
	b.signIn("mara@home.example")
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, path := range h.paths(method, u, "/admin") {
			a := b.do(method, path, anyForm)
			if a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "This page is for admins") {
				t.Errorf("%s %s answers somebody who is no admin %d", method, path, a.StatusCode)
			}
		}
	}
	if p := h.person("mara@home.example"); p.Admin || p.Disabled() {
		t.Errorf("got %+v", p)
	}
	if page := b.get("/account"); strings.Contains(page.body, `href="/admin"`) {
		t.Error("the way to the admin pages is shown to whoever may not go there")
	}
}

func TestChangesOfAdminsNeedAFreshSignIn(t *testing.T) {
	h := open(t, nil)
	sam := h.admin("sam@home.example")
	u := h.user("mara@home.example")
	h.group("media")
	h.pass(11 * time.Minute)
	for _, path := range h.paths(http.MethodGet, u, "/admin") {
		if a := sam.get(path); a.StatusCode >= 400 && !strings.HasSuffix(path, "/message/"+u.ID) && !strings.HasPrefix(path, "/admin/help/") {
			t.Errorf("%s answers %d: reading needs no fresh sign-in", path, a.StatusCode)
		}
	}
	for _, path := range h.paths(http.MethodPost, u, "/admin") {
		if a := sam.do(http.MethodPost, path, anyForm); a.Header.Get("Location") != "/account/confirm" {
			t.Errorf("%s answers %d to %q", path, a.StatusCode, a.Header.Get("Location"))
		}
	}
	if p := h.person("mara@home.example"); p.Admin || p.Disabled() {
		t.Errorf("got %+v", p)
	}
}
