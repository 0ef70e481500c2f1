package web_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/command/line"
	"gatelodge/app/config"
	"gatelodge/app/fault"
	"gatelodge/app/lang"
	"gatelodge/app/people"
	"gatelodge/store"
)

func passwordsOff(c *config.Config) { c.Password.Enabled = false }

// addEmail adds an address to whoever the browser is signed in as, and confirms it.
func (b *browser) addEmail(email string) {
	b.t.Helper()
	b.post("/account/emails", "email", email).goesTo(b.t, "/account/emails")
	b.h.browser().post(b.path(b.h.lettersTo("confirm_email", email, 1)[0])).goesTo(b.t, "/account/emails")
}

func TestAnAddressIsAddedOnlyByWhoReadsMailThere(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	b.signIn("mara@home.example")
	b.post("/account/emails", "email", "not an address").is(t, 422, "Check the address")
	b.post("/account/emails", "email", "MARA@home.example").is(t, 422, "already yours")
	b.post("/account/emails", "email", "Mara@Work.example").goesTo(t, "/account/emails")
	b.get("/account/emails").is(t, 200, "Mara@Work.example", "Waiting for confirmation")

	m := h.letter("confirm_email")
	if m.Rcpt != "Mara@work.example" {
		t.Errorf("the mail went to %s", m.Rcpt)
	}
	h.browser().get(b.path(m)).is(t, 200, "Is this your address?", "mara@home.example")
	stranger := h.browser()
	stranger.post("/signin", "identifier", "mara@work.example").goesTo(t, "/signin/code")
	h.browser().post(b.path(m)).goesTo(t, "/account/emails")
	if got := h.letter("email_added"); got.Rcpt != "mara@home.example" {
		t.Errorf("%s was told", got.Rcpt)
	}
	h.pass(10 * time.Minute)
	b.signIn("mara@work.example")
	b.isSignedInAs("mara@home.example")
}

func TestThatAnAddressIsTakenIsKnownToItsOwnerAlone(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	h.user("sam@home.example")
	b := h.browser()
	b.signIn("mara@home.example")
	b.post("/account/emails", "email", "sam@home.example").goesTo(t, "/account/emails")
	b.get("/account/emails").is(t, 200, "A link is on its way")
	m := h.letter("confirm_email")
	h.browser().post(b.path(m)).is(t, http.StatusConflict, "another account")
	h.browser().signIn("sam@home.example")
}

func TestAStolenMainAddressIsTakenBack(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	thief := h.browser()
	thief.signIn("mara@home.example")
	thief.addEmail("thief@evil.example")
	thief.post("/account/emails/primary", "email", "thief@evil.example").goesTo(t, "/account/emails")
	thief.post("/account/emails/remove", "email", "mara@home.example").goesTo(t, "/account/emails")
	thief.isSignedInAs("thief@evil.example")

	owner := h.browser()
	h.pass(6 * 24 * time.Hour)
	link := owner.path(h.letter("email_changed"))
	owner.get(link).is(t, 200, "Undo the change?", "mara@home.example")
	if a := owner.post(link); !strings.HasPrefix(a.Header.Get("Location"), "/mailed/") {
		t.Fatalf("got %d to %s\n%s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	if thief.who() != "" {
		t.Error("the thief is still in")
	}
	u, err := h.app.Users.Find(t.Context(), "mara@home.example")
	if err != nil || u.EmailNorm != "mara@home.example" {
		t.Errorf("the account has %q, %v", u.EmailNorm, err)
	}
	if _, err := h.app.Users.Find(t.Context(), "thief@evil.example"); !errors.Is(err, people.ErrUnknown) {
		t.Errorf("the thief's address still leads there: %v", err)
	}
}

func TestALinkThatWaitsAtARemovedAddressIsVoid(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	b.signIn("mara@home.example")
	b.addEmail("old@work.example")
	other := h.browser()
	m := other.ask("old@work.example")
	b.post("/account/emails/remove", "email", "old@work.example").goesTo(t, "/account/emails")
	other.get(other.path(m)).is(t, http.StatusGone)
	if other.who() != "" {
		t.Error("it signed in")
	}
}

func TestAProfileIsChangedAndAUsernameIsUnique(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	h.user("sam@home.example")
	b, sam := h.browser(), h.browser()
	b.signIn("mara@home.example")
	sam.signIn("sam@home.example")
	b.post("/account/profile", "name", "Mara", "username", "Mara.O", "language", "de", "theme", "dark").goesTo(t, "/account/profile")
	b.get("/account/profile").is(t, 200, `data-theme="dark"`, `lang="de"`, "Profil gespeichert", "Mara.O")
	sam.post("/account/profile", "username", "mara.o").is(t, 422, "That username is taken")
	for _, bad := range []string{"a", "-x-", "mara@home", "mаra", strings.Repeat("x", 41), "x y"} {
		sam.post("/account/profile", "username", bad).is(t, 422, "A username has")
	}
	sam.post("/account/profile", "name", strings.Repeat("x", 101)).is(t, 422, "too long")
	sam.post("/account/profile", "username", "sam", "language", "xx", "theme", "<b>").goesTo(t, "/account/profile")
}

func TestHistoryIsOnesOwnAndGoesBackPageByPage(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	h.user("sam@home.example")
	sam := h.browser()
	sam.signIn("sam@home.example")
	b := h.browser()
	b.signIn("mara@home.example")
	for range 60 {
		h.pass(time.Second)
		b.post("/account/profile", "name", "Mara")
	}
	first := b.get("/account/history")
	first.is(t, 200, "The profile was changed", "Older")
	_, rest, _ := strings.Cut(first.body, "/account/history?before=")
	before, _, _ := strings.Cut(rest, `"`)
	b.get("/account/history?before="+before).is(t, 200, "You signed in", "Firefox on Linux")
	if page := sam.get("/account/history"); strings.Contains(page.body, "The profile was changed") {
		t.Error("somebody else's history is shown")
	}
}

func TestPeopleTakeTheirDataAlong(t *testing.T) {
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	b := h.browser()
	b.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	a := b.post("/account/data")
	a.is(t, 200)
	var data struct {
		Email    string
		Emails   []struct{ Email string }
		Groups   []string
		Sessions []struct{ Device string }
		History  []struct{ Kind string }
	}
	if err := json.Unmarshal([]byte(a.body), &data); err != nil {
		t.Fatal(err)
	}
	if data.Email != "mara@home.example" || len(data.Emails) != 1 || data.Groups == nil || len(data.Sessions) != 1 || len(data.History) < 2 {
		t.Errorf("got %+v", data)
	}
	if strings.Contains(a.body, "argon2") || strings.Contains(a.body, b.cookie("gatelodge")) {
		t.Error("a secret is in it")
	}
}

func TestAClosedAccountIsErasedAfterAWeekUnlessItsOwnerReopensIt(t *testing.T) {
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	b := h.browser()
	b.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	b.post("/account/close", "confirm", "yes").is(t, 422, "Nothing was deleted")
	b.post("/account/close", "confirm", "mara@home.example").is(t, 200, "Your account is closed")
	if b.who() != "" {
		t.Error("still signed in")
	}
	b.tryPassword("mara@home.example", goodPassword).is(t, http.StatusForbidden, "This account is closed")
	m := b.ask("mara@home.example")
	b.get(b.path(m)).is(t, http.StatusForbidden, "This account is closed")
	b.post(b.path(h.letter("closing"))).goesTo(t, "/signin")
	b.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	b.post("/account/close", "confirm", "mara@home.example").is(t, 200)

	h.pass(7*24*time.Hour - time.Minute)
	if n, err := h.app.Users.EraseDue(t.Context(), app.Operator()); n != 0 || err != nil {
		t.Errorf("%d were erased before their day, %v", n, err)
	}
	h.pass(2 * time.Minute)
	if n, err := h.app.Users.EraseDue(t.Context(), app.Operator()); n != 1 || err != nil {
		t.Errorf("%d were erased, %v", n, err)
	}
	if _, err := h.app.Users.Find(t.Context(), "mara@home.example"); !errors.Is(err, people.ErrUnknown) {
		t.Errorf("the account is still there: %v", err)
	}
}

func TestTheLastAdminCannotCloseTheirAccount(t *testing.T) {
	h := open(t, nil)
	if _, err := h.app.Users.Add(t.Context(), app.Operator(), "sam@home.example", "", true); err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	b.signIn("sam@home.example")
	b.post("/account/close", "confirm", "sam@home.example").is(t, 422, "last admin")
	b.isSignedInAs("sam@home.example")
}

// A line of one's own history is a sentence, whatever happened.
func TestEveryEventOfAnAccountHasASentence(t *testing.T) {
	t.Parallel()
	c, err := lang.Load()
	if err != nil {
		t.Fatal(err)
	}
	nobodys := regexp.MustCompile(`^(key|request|import|export|backup|applicant|mail)\.|^(group|invite)\.(added|removed|revoked)$|^setup\.refused$|^user\.removed$|^account\.erased$`)
	for _, kind := range namesIn(t, "../app/audit/audit.go", `(?m)= "([a-z]+\.[a-z_]+)"(?: //.*)?$`, 40) {
		if !nobodys.MatchString(kind) && !c.Has("history."+kind) {
			t.Errorf("%s has no sentence", kind)
		}
		if said := line.What(kind, ""); said == kind {
			t.Errorf("the command line has no sentence for %s", kind)
		}
	}
}

// A refusal meant for the side of a field may end on a page of its own.
func TestEveryRefusalMakesAWholePage(t *testing.T) {
	h := open(t, nil)
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	kinds := map[string]fault.Kind{"Limited": fault.Limited}
	found := 0
	for _, root := range []string{"../app", "."} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, m := range regexp.MustCompile(`fault\.New\(fault\.(\w+), "([\w.]+)"\)`).FindAllSubmatch(source, -1) {
				found++
				f := fault.New(kinds[string(m[1])], string(m[2]))
				if page := h.web.ErrorPage(r, f); page.Heading == "" || page.Text == "" || strings.Contains(page.Heading+page.Text, "["+f.Text) {
					t.Errorf("%s: %s becomes %q, %q", path, f.Text, page.Heading, page.Text)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 50 {
		t.Errorf("%d refusals were found", found)
	}
}

// namesIn returns what the first group of a pattern finds in a file of ours, at
// least so many.
func namesIn(t *testing.T, path, pattern string, least int) (names []string) {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1) {
		names = append(names, found[1])
	}
	if len(names) < least {
		t.Fatalf("%s has %d of %s", path, len(names), pattern)
	}
	return names
}

// The queue tells admins what each mail is.
func TestEveryKindOfMailHasAName(t *testing.T) {
	t.Parallel()
	c, err := lang.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range append(namesIn(t, "../app/mail/compose/letters.go", `Name\(\) string { return "(\w+)" }`, 10), "report", "relayed") {
		if !c.Has("admin_mail.kind." + kind) {
			t.Errorf("%s has no name", kind)
		}
	}
}

// Times are told in the zone that was chosen, on pages and in mail, and in the
// browser's own before; somebody else's cookie is no zone.
func TestTimesAreShownInTheReadersZone(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	own := func(zone string) []string { return []string{"Cookie", "gatelodge-own-zone=" + zone} }
	b.ask("mara@home.example")
	if page := b.get("/signin/code"); strings.Contains(page.body, "UTC") {
		t.Errorf("a page shows UTC to a browser whose zone is not known:\n%s", page.body)
	}
	b.get("/signin/code").is(t, 200, "The code expires in 15 minutes, the link in 2 hours.")
	jar := b.client.Jar.Cookies(mustURL(t, h.url))
	b.client.Jar.SetCookies(mustURL(t, h.url), []*http.Cookie{{Name: "gatelodge-own-zone", Value: "America/New_York", Path: "/"}})
	b.get("/signin/code").is(t, 200, "the link in 2 hours (09:00 EST)")
	if len(jar) == 0 {
		t.Fatal("there is no login cookie")
	}
	b.get(b.path(h.signInMails()[0])).goesTo(t, "/account")
	b.get("/account/history").is(t, 200, " EST")
	b.post("/account/profile", "time_zone", "Asia/Tokyo").goesTo(t, "/account/profile")
	b.get("/account/profile").is(t, 200, `value="Asia/Tokyo" selected`)
	b.get("/account/history").is(t, 200, "21:00:00 JST")
	b.get("/nowhere").is(t, 404, "12:00:00 UTC") // what an operator looks for
	h.pass(11 * time.Minute)
	if m := h.browser().ask("mara@home.example"); !strings.Contains(m.Text, "JST") {
		t.Errorf("the mail says:\n%s", m.Text)
	}
	b.post("/account/profile", "time_zone", "../../etc/passwd").goesTo(t, "/account/profile")
	for _, zone := range []string{"../../etc/passwd", "Local", "Nowhere/Land", strings.Repeat("A", 4000)} {
		h.browser().get("/nowhere", own(zone)...).is(t, 404, " UTC")
	}
}

// The first form of a browser has its zone, and so has the mail that the form asks
// for. A zone that the user chose, and one that does not exist, change nothing.
func TestMailHasTheZoneOfTheFormThatAskedForIt(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ chosen, cookie, want, not string }{
		"a browser without a zone":  {"", "", "expires in 15 minutes, the link in 2 hours.", "UTC"},
		"the browser's zone":        {"", "Europe/Berlin", "the link in 2 hours (15:00 CET)", "UTC"},
		"a zone without letters":    {"", "Asia/Kolkata", "the link in 2 hours (19:30 IST)", "UTC"},
		"an offset":                 {"", "Asia/Kathmandu", "the link in 2 hours (19:45 UTC+5:45)", "+0545"},
		"the zone that was chosen":  {"Asia/Tokyo", "Europe/Berlin", "the link in 2 hours (23:00 JST)", "CET"},
		"a zone that is not there":  {"", "Nowhere/Land", "the link in 2 hours.", "UTC"},
		"a path instead of a zone":  {"", "../../etc/passwd", "the link in 2 hours.", "UTC"},
		"the zone of the server":    {"", "Local", "the link in 2 hours.", "UTC"},
		"a zone with a line in it":  {"", "Europe/Berlin%0d%0aBcc:x", "the link in 2 hours.", "Bcc"},
		"a zone that goes on a lot": {"", strings.Repeat("A", 3000), "the link in 2 hours.", "AAAA"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, nil)
			u := h.user("mara@home.example")
			if tt.chosen != "" {
				if err := h.app.DB.Update(t.Context(), func(tx *store.Tx) error {
					return tx.SetProfile(u.ID, store.Profile{TimeZone: tt.chosen}, h.Now())
				}); err != nil {
					t.Fatal(err)
				}
			}
			b := h.browser()
			if tt.cookie != "" {
				b.client.Jar.SetCookies(mustURL(t, h.url), []*http.Cookie{{Name: "gatelodge-own-zone", Value: tt.cookie, Path: "/"}})
			}
			m := b.ask("mara@home.example")
			if !strings.Contains(m.Text, tt.want) || strings.Contains(m.Text, tt.not) {
				t.Errorf("the mail says:\n%s", m.Text)
			}
		})
	}
}
