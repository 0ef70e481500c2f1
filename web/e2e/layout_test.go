package e2e

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"gatelodge/app"
	"gatelodge/app/people"
	"gatelodge/store"
)

//go:embed testdata/layout.js
var layoutScript string

// screen is a browser that shows pages at a size.
type screen interface {
	open(url string)
	size(width, height int64)
	read(expression string) string
	screenshot() []byte
}

// widths are those of phones, a tablet, a window beside another, a laptop and a desktop.
// The first are the short set: the narrowest of either layout.
var widths = []int64{320, 900, 390, 768, 1280, 1920}

// chosenWidths are the short set, or all of them where GATELODGE_DEPTH is "full".
func chosenWidths() []int64 {
	if os.Getenv("GATELODGE_DEPTH") == "full" {
		return widths
	}
	return widths[:2]
}

// crowded fills a server with what breaks layouts: long names, names without a space,
// several long groups and names that are written from right to left. It returns the admin
// and the paths of all pages that the admin can open.
func crowded(t *testing.T, h *testServer) (store.User, []string) {
	t.Helper()
	ctx, operator := t.Context(), app.Operator()
	groups := []string{"administrators-of-the-northern-district", "photographyandvideoarchive", "ops", strings.Repeat("w", 40)}
	for _, g := range groups {
		if _, err := h.app.Users.AddGroup(ctx, operator, g); err != nil {
			t.Fatal(err)
		}
	}
	var person store.User
	for _, p := range []struct{ email, name string }{
		{"a.person.with.a.long.address@department.university.example", "Wolfeschlegelsteinhausenbergerdorff"},
		{"mara.okafor@example.com", "Mara Okafor"},
		{"layla@example.com", "ليلى عبد الرحمن الفاسي"},
	} {
		u, err := h.app.Users.Add(ctx, operator, p.email, p.name, false, groups...)
		if err != nil {
			t.Fatal(err)
		}
		person = u
	}
	admin, err := h.app.Users.Add(ctx, operator, "the.admin.of.this.server@example.com", "שמואל בן־דוד Bartholomew-Featherstone", true, groups...)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.app.Invites.Add(ctx, operator, people.Invitation{Email: "somebody.with.a.long.address@department.university.example", Groups: groups}); err != nil {
		t.Fatal(err)
	}
	invite := h.letter("invite", "somebody.with.a.long.address@department.university.example")
	return admin, []string{
		"/account", "/account/profile", "/account/emails", "/account/password", "/account/history", "/account/close", "/account/confirm", "/signout",
		"/admin/people", "/admin/people/" + person.ID, "/admin/people/" + person.ID + "/remove", "/admin/groups", "/admin/groups/" + groups[3] + "/remove",
		"/admin/invites", "/admin/mail", "/admin/mail/sent", "/admin/mail/blocked", "/admin/mail/dns", "/admin/mail/test", "/admin/mail/message/" + invite.ID,
		"/dev/mail?key=" + h.app.InboxKey, "/dev/mail/" + invite.ID, "/dev/mail/" + invite.ID + "/html", "/no/such/page",
		strings.TrimPrefix(invite.Link, h.url),
	}
}

// signIn signs a screen in with a link from the operator.
func (h *testServer) signIn(s screen, u store.User) {
	h.t.Helper()
	link, _, err := h.app.Login.LinkFor(h.t.Context(), app.Operator(), u)
	if err != nil {
		h.t.Fatal(err)
	}
	s.open(link)
	s.read(`document.querySelector("main form .btn-main").click()`)
	for deadline := time.Now().Add(20 * time.Second); !strings.HasPrefix(s.read(`location.pathname`), "/account"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("not signed in: %s", s.read(`document.body.innerText`))
		}
	}
}

// Every page fits its screen in both browsers: nothing scrolls sideways, is cut off or is
// broken inside a word, targets are large enough and the current page is in view.
func TestEveryPageFitsItsScreen(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) screen{
		"Chromium": func(t testing.TB) screen { return person(t) },
		"Firefox":  func(t testing.TB) screen { return startFirefox(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := openServer(t)
			s := start(t)
			admin, paths := crowded(t, h)
			for _, path := range []string{"/signin", "/signin/forgot", "/signin/code", "/setup"} {
				fits(t, s, name, h.url+path)
			}
			h.signIn(s, admin)
			for _, path := range paths {
				fits(t, s, name, h.url+path)
			}
		})
	}
}

// fits opens a page at every width and reports what is wrong with its layout.
func fits(t *testing.T, s screen, browser, url string) {
	t.Helper()
	for i, width := range chosenWidths() {
		s.size(width, 800)
		if i == 0 {
			s.open(url)
		}
		path := s.read(`location.pathname`)
		if found := s.read(layoutScript); found != "" {
			t.Errorf("%s, %d px, %s:\n%s", browser, width, path, found)
		}
		if dir := os.Getenv("GATELODGE_PICTURES"); dir != "" {
			name := fmt.Sprintf("%s-%s-%d.png", strings.Trim(strings.ReplaceAll(path, "/", "-"), "-"), browser, width)
			if err := os.WriteFile(filepath.Join(dir, name), s.screenshot(), 0o600); err != nil {
				t.Error(err)
			}
		}
	}
}

func (b *browser) size(width, height int64) {
	b.t.Helper()
	b.run(chromedp.EmulateViewport(width, height))
}

func (b *browser) read(expression string) string {
	b.t.Helper()
	var answer any
	b.run(chromedp.Evaluate(expression, &answer))
	return fmt.Sprint(answer)
}

func (b *browser) screenshot() []byte {
	b.t.Helper()
	var png []byte
	b.run(chromedp.FullScreenshot(&png, 100))
	return png
}

// media sets how the page is shown: the medium, "" for a screen, and features of the reader's.
func (b *browser) media(medium string, features ...*emulation.MediaFeature) {
	b.t.Helper()
	b.run(emulation.SetEmulatedMedia().WithMedia(medium).WithFeatures(features))
}

// In forced colours the current page and the main button differ from others, with more
// contrast muted text is as dark as any, and on paper text is dark and the page one column.
func TestPagesInForcedColoursWithMoreContrastAndOnPaper(t *testing.T) {
	t.Parallel()
	h, b := openServer(t), person(t)
	admin, _ := crowded(t, h)
	h.signIn(b, admin)
	b.open(h.url + "/admin/invites")
	colours := func(what, first, second, property string) (string, string) {
		t.Helper()
		expression := `getComputedStyle(document.querySelector(%q))[%q]`
		return b.read(fmt.Sprintf(expression, first, property)), b.read(fmt.Sprintf(expression, second, property))
	}

	b.media("", &emulation.MediaFeature{Name: "forced-colors", Value: "active"})
	if current, other := colours("forced colours", ".side a[aria-current]", ".side a:not([aria-current])", "backgroundColor"); current == other {
		t.Errorf("in forced colours the current page looks like others: %s", current)
	}
	if button, other := colours("forced colours", ".btn-main", ".btn:not(.btn-main)", "backgroundColor"); button == other {
		t.Errorf("in forced colours the main button looks like others: %s", button)
	}
	b.media("", &emulation.MediaFeature{Name: "prefers-contrast", Value: "more"})
	if muted, text := colours("contrast", ".lede", "body", "color"); muted != text {
		t.Errorf("with more contrast muted text is %s, other text %s", muted, text)
	}
	b.media("print", &emulation.MediaFeature{Name: "prefers-color-scheme", Value: "dark"})
	if text, page := colours("print", "body", "body", "color"); text != "rgb(0, 0, 0)" {
		t.Errorf("on paper text is %s on %s", text, page)
	}
	if wide := b.read(`document.querySelector("main").getBoundingClientRect().width > innerWidth * .9`); wide != "true" {
		t.Errorf("on paper the page is %s px wide", b.read(`document.querySelector("main").getBoundingClientRect().width`))
	}
}
