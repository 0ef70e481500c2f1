package web_test

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"gatelodge/app/audit"
	"gatelodge/app/config"
	"gatelodge/app/people"
	"gatelodge/store"
)

var formAction = regexp.MustCompile(`action="(/admin/people/[^"]+)/disable"`)

// Ids come from other databases as they are. Whatever stands in one, the admin pages
// manage that user and nothing else.
func TestAnImportedIDWithAnyLettersIsManaged(t *testing.T) {
	h := open(t, nil)
	sam := h.admin("sam@home.example")
	ids := []string{
		"a/b", "/", "//", "/a", "a/", "../../admin", "..", ".", "...", "a/../b", "%2F", "%2e%2e", "a?b", "a#b", "a%", "a b", "a;b", "a&b=c", "a+b",
		`a\b`, `..\`, "~", "~YQ", "~Li4", "a:b", "auth0|123", "mara@home.example", "ü/é", "😀", `"><script>`, "remove", "disable",
		strings.Repeat("/", 255),
	}
	for n, id := range ids {
		email := fmt.Sprintf("old-%d@home.example", n)
		err := h.app.DB.Update(t.Context(), func(tx *store.Tx) error {
			u := store.User{ID: id, Email: email, EmailNorm: email, EmailVerifiedAt: h.Now(), CreatedAt: h.Now(), UpdatedAt: h.Now()}
			return errors.Join(tx.AddUser(u), h.app.Audit.Record(tx, operator(), audit.UserImported, audit.ByAdmin, id, email))
		})
		if err != nil {
			t.Fatalf("%q: %v", id, err)
		}
		// As a browser does it: the path of the link, resolved, and of the form there.
		found := regexp.MustCompile(`href="(/admin/people/[^"]+)">` + email).FindStringSubmatch(sam.get("/admin/people?q=" + email).body)
		if found == nil {
			t.Fatalf("%q is not listed", id)
		}
		at := resolved(t, found[1])
		page := sam.get(at)
		page.is(t, http.StatusOK, email)
		action := formAction.FindStringSubmatch(page.body)
		if action == nil {
			t.Fatalf("%q cannot be suspended:\n%s", id, page.body)
		}
		if got := resolved(t, action[1]); got != at {
			t.Errorf("%q: the form leads to %s, the link to %s", id, got, at)
		}
		sam.post(at+"/disable").goesTo(t, at)
		if u, err := h.app.Users.ByID(t.Context(), id); err != nil || !u.Disabled() {
			t.Errorf("%q was not suspended: %v", id, err)
		}
		sam.get(at+"/remove").is(t, http.StatusOK, `action="`+html.EscapeString(at)+`/remove"`)
		sam.post(at+"/remove").goesTo(t, "/admin/people")
		if _, err := h.app.Users.ByID(t.Context(), id); !errors.Is(err, people.ErrUnknown) {
			t.Errorf("%q was not removed: %v", id, err)
		}
	}
}

// resolved returns the path that a browser, or a proxy that decodes paths and
// encodes them anew, asks for when it is told to go to href.
func resolved(t *testing.T, href string) string {
	t.Helper()
	u, err := url.Parse(html.UnescapeString(href))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.ToLower(u.EscapedPath()), "%2") || u.RawQuery != "" || u.Fragment != "" {
		t.Errorf("%s does not survive every browser and proxy", href)
	}
	return (&url.URL{Path: path.Clean(u.Path)}).String()
}

// The page that hands a session over to an App has the App's name in its path.
func TestAnAppWithAnyLettersInItsNameIsEntered(t *testing.T) {
	for _, name := range []string{"Wiki/Docs", "..", "../account", "a?b", "a#b", "50%", "%2e%2e", "~YQ", "Our wiki", "Ärzte"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, func(c *config.Config) {
				c.Apps = appsOf(t, "[[app]]\nname = \""+name+"\"\nhosts = [\"localhost:3000\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \"v5\"\n")
			})
			h.user("mara@home.example")
			b := h.browser()
			c := b.authjs("v5")
			b.get(relative(t, c.get("/api/auth/signin?callbackUrl=%2Fpage").Header.Get("Location"))).goesTo(t, "/signin")
			b.get("/signin").is(t, 200, "Continue to <strong>")
			back := b.get(b.path(b.ask("mara@home.example"))).Header.Get("Location")
			code := b.get(back, "Sec-Fetch-Site", "cross-site").Header.Get("Location")
			c.get(relative(t, code)).redirects(t, wikiOrigin+"/page")
			c.get("/api/auth/session").is(t, 200, "mara@home.example")
		})
	}
}
