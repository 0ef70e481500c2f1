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
	"gatelodge/web/shell"
)

// at returns the path of a route, as it is for a user.
func at(rt shell.Route, u store.User) string {
	path := strings.ReplaceAll(rt.Path, "/groups/:name", "/groups/media")
	if strings.HasSuffix(path, "/:") { // an action of the session API with a provider
		path = strings.TrimSuffix(path, ":") + "email"
	}
	return regexp.MustCompile(`[:*]\w+`).ReplaceAllString(path, u.ID)
}

// filled holds what the forms of ours can have, so that none is refused for lacking it.
var filled = url.Values{
	"group": {"media"}, "who": {"x"}, "id": {"x"}, "email": {"x@home.example"}, "identifier": {"x@home.example"}, "password": {"quite a long password"}, "code": {"123456"},
}

// secretFields are never kept in a browser.
var secretFields = []string{"password", "code", "setup_code", "confirm", "csrfToken"}

func TestEveryRouteSaysWhoMayUseIt(t *testing.T) {
	h := open(t, nil)
	seen := make(map[string]bool)
	for _, rt := range h.web.Routes() {
		name := rt.Method + " " + rt.Path
		if seen[name] {
			t.Errorf("%s stands twice in the table", name)
		}
		seen[name] = true
		if rt.Guard == 0 {
			t.Errorf("%s has no guard", name)
		}
		answers := 0
		for _, has := range []bool{rt.Page != nil, rt.API != nil, rt.Action != nil, rt.Plain != nil} {
			if has {
				answers++
			}
		}
		if answers != 1 {
			t.Errorf("%s has %d handlers", name, answers)
		}
		if rt.Plain != nil && (rt.Guard != shell.Anyone || rt.Method != http.MethodGet) {
			t.Errorf("%s looks at nobody and is not public", name)
		}
		if (rt.CSRF == shell.OwnSite) != (rt.Action != nil) {
			t.Errorf("%s: only the session API tells by itself which site a form is of", name)
		}
		if (rt.Guard == shell.Fresh || rt.Guard == shell.FreshAdmin) && rt.Back == "" {
			t.Errorf("%s asks for a proof and leads nowhere after it", name)
		}
		if i := slices.IndexFunc(secretFields, func(f string) bool { return slices.Contains(rt.Keeps, f) }); i >= 0 {
			t.Errorf("%s keeps %q in the browser", name, secretFields[i])
		}
	}
	if len(seen) < 100 {
		t.Errorf("saw only %d routes", len(seen))
	}
}

// refusal reports whether an answer lets nobody in.
type refusal func(reply) bool

func leadsTo(path string) refusal {
	return func(a reply) bool { return a.StatusCode == http.StatusSeeOther && a.Header.Get("Location") == path }
}

func answers(status int) refusal { return func(a reply) bool { return a.StatusCode == status } }

func TestEveryRouteRefusesWhoMayNotUseIt(t *testing.T) {
	h := open(t, nil)
	stale := h.admin("sam@home.example")
	u := h.user("mara@home.example")
	h.group("media")
	if _, err := h.app.Relay.Add(t.Context(), store.SubmissionCredential{Name: "nas", Senders: "nas@home.example", Recipients: "*@home.example"}); err != nil {
		t.Fatal(err)
	}
	staleUser, user := h.browser(), h.browser()
	staleUser.signIn("mara@home.example")
	h.pass(11 * time.Minute)
	user.signIn("mara@home.example")
	wrongKey := h.browser()
	wrongKey.headers["Cookie"] = h.named("gatelodge-inbox") + "=wrong"
	wrongLogin := h.browser()
	wrongLogin.headers["Authorization"] = "Basic bmFzOndyb25n"

	signIn, confirm := leadsTo("/signin"), leadsTo("/account/confirm")
	type who struct {
		called string
		*browser
		refused refusal
	}
	stranger := func(r refusal) who { return who{"a stranger", h.browser(), r} }
	noAdmin := who{"somebody who is no admin", user, answers(http.StatusForbidden)}
	refused := map[shell.Guard][]who{
		shell.SignedIn: {stranger(signIn)},
		shell.Fresh:    {stranger(signIn), {"somebody who signed in long ago", staleUser, confirm}},
		shell.Admin:    {stranger(signIn), noAdmin},
		shell.FreshAdmin: {
			stranger(signIn), noAdmin, {"an admin who signed in long ago", stale, confirm},
		},
		shell.InboxKey:   {stranger(answers(http.StatusNotFound)), {"an admin", stale, answers(http.StatusNotFound)}, {"somebody with another key", wrongKey, answers(http.StatusNotFound)}},
		shell.Credential: {stranger(answers(http.StatusUnauthorized)), {"an admin", stale, answers(http.StatusUnauthorized)}, {"an app with another password", wrongLogin, answers(http.StatusUnauthorized)}},
		shell.AppUser:    {stranger(answers(http.StatusForbidden)), {"a user on our own pages", user, answers(http.StatusForbidden)}},
	}
	for _, rt := range h.web.Routes() {
		form := filled
		if rt.Method == http.MethodGet {
			form = nil
		}
		switch rt.Guard {
		case shell.Anyone, shell.Client:
			continue
		case shell.Attempting:
			r := leadsTo("/signin")
			if rt.Method == http.MethodPost && rt.Back != "" {
				r = answers(http.StatusGone)
			}
			if a := h.browser().do(rt.Method, at(rt, u), form); !r(a) {
				t.Errorf("%s %s answers %d to %q without an attempt", rt.Method, rt.Path, a.StatusCode, a.Header.Get("Location"))
			}
			continue
		}
		if refused[rt.Guard] == nil {
			t.Errorf("nobody is tried at %s %s", rt.Method, rt.Path)
		}
		for _, w := range refused[rt.Guard] {
			if a := w.do(rt.Method, at(rt, u), form); !w.refused(a) {
				t.Errorf("%s %s answers %s %d to %q", rt.Method, rt.Path, w.called, a.StatusCode, a.Header.Get("Location"))
			}
		}
	}
	if p := h.person("mara@home.example"); p.Admin || p.Disabled() || len(p.Groups) > 0 {
		t.Errorf("somebody was changed: %+v", p)
	}
}

// At the session API an answer to another site's form is no refusal by its status: the
// clients read an address out of it.
func TestEveryRouteThatChangesSomethingRefusesOtherSites(t *testing.T) {
	h := open(t, nil)
	sam := h.admin("sam@home.example")
	u := h.user("mara@home.example")
	h.group("media")
	for name, headers := range map[string][]string{
		"another site":          {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		"a sibling":             {"Sec-Fetch-Site", "same-site", "Origin", "http://sibling.localhost"},
		"an origin alone":       {"Origin", "https://evil.example"},
		"a page without origin": {"Sec-Fetch-Site", "cross-site", "Origin", "null"},
	} {
		for _, rt := range h.web.Routes() {
			if rt.Method == http.MethodGet || rt.Path == "/api/auth/_log" { // which changes nothing
				continue
			}
			a := sam.do(rt.Method, at(rt, u), filled, headers...)
			ok := a.StatusCode == http.StatusForbidden
			if rt.CSRF == shell.OwnSite {
				ok = a.StatusCode == http.StatusBadRequest || strings.Contains(a.Header.Get("Location"), "error=MissingCSRF") || strings.Contains(a.Header.Get("Location"), "csrf=true")
			}
			if !ok {
				t.Errorf("%s: %s %s answers %d to %q", name, rt.Method, rt.Path, a.StatusCode, a.Header.Get("Location"))
			}
		}
	}
	sam.isSignedInAs("sam@home.example")
	if p := h.person("mara@home.example"); p.Admin || p.Disabled() || len(p.Groups) > 0 {
		t.Errorf("somebody was changed: %+v", p)
	}
}
