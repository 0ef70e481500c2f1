package compose_test

import (
	"flag"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/app/lang"
	"gatelodge/app/mail/compose"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const link = "https://auth.home.example/signin/link/9vQ2"

// letters are all kinds, with the variants that read differently.
func letters() map[string]compose.Letter {
	week := now.AddDate(0, 0, 7)
	return map[string]compose.Letter{
		"signin":              compose.SignIn{Link: link, Code: "482913", Device: "Firefox on Linux", LinkUntil: now.Add(2 * time.Hour), CodeUntil: now.Add(15 * time.Minute)},
		"signin_new":          compose.SignIn{New: true, Link: link, Code: "482913", Device: "Firefox on Linux", LinkUntil: now.Add(2 * time.Hour), CodeUntil: now.Add(15 * time.Minute)},
		"signin_known":        compose.SignIn{Known: true, Link: link, Code: "482913", Device: "Firefox on Linux", LinkUntil: now.Add(2 * time.Hour), CodeUntil: now.Add(15 * time.Minute)},
		"sent_link":           compose.SentLink{By: "Sam", Link: link, Code: "482913", Until: now.Add(2 * time.Hour)},
		"reset":               compose.Reset{Link: link, Device: "Firefox on Linux", Until: now.Add(time.Hour)},
		"confirm_email":       compose.ConfirmEmail{Account: "mara@old.example", Link: link, Code: "482913", Until: now.Add(time.Hour)},
		"email_changed":       compose.EmailChanged{NewEmail: "mara@new.example", At: now, Device: "Safari on Mac", Link: link, Until: week},
		"email_added":         compose.EmailAdded{NewEmail: "mara@new.example", At: now, Device: "Safari on Mac", Link: link, Until: week},
		"new_device":          compose.NewDevice{At: now, Device: "Safari on Mac", IP: "198.51.100.40", Means: []string{"pwd", "otp"}, Link: link},
		"password_changed":    compose.PasswordChanged{At: now, Device: "Safari on Mac", IP: "198.51.100.40", Link: link},
		"password_removed":    compose.PasswordChanged{Removed: true, At: now, Device: "Safari on Mac", IP: "198.51.100.40", Link: link},
		"linked":              compose.Linked{Upstream: "Google", Who: "mara@gmail.example", At: now, Device: "Safari on Mac", IP: "198.51.100.40", Link: link},
		"unlinked":            compose.Linked{Removed: true, Upstream: "Google", Who: "mara@gmail.example", At: now, Device: "Safari on Mac", IP: "198.51.100.40", Link: link},
		"invite":              compose.Invite{By: "Sam", ByEmail: "sam@home.example", Link: link, Until: week},
		"invite_apps":         compose.Invite{By: "Sam", ByEmail: "sam@home.example", Apps: []string{"Grafana", "Forgejo"}, Link: link, Until: week},
		"invite_more":         compose.Invite{By: "Sam", ByEmail: "sam@home.example", Apps: []string{"A", "B", "C", "D"}, Link: link, Until: week},
		"access_request":      compose.AccessRequest{Person: "Mara <b>Jones", Email: "mara@home.example", App: "Grafana", Link: link},
		"account_claimed":     compose.AccessRequest{Person: "Mara", Upstream: "GitHub", Claimed: "mara@home.example", Link: link},
		"account_unaddressed": compose.AccessRequest{Person: "Mara", Upstream: "GitHub", Link: link},
		"account_requested":   compose.AccessRequest{Person: "Mara", Email: "mara@home.example", Link: link},
		"approved":            compose.Approved{Link: link},
		"claimed":             compose.Claimed{At: now, Device: "Safari on Mac", IP: "198.51.100.40", Link: link},
		"closing":             compose.Closing{EraseAt: week, Link: link},
		"test":                compose.Test{},
	}
}

func TestEveryLetterIsTried(t *testing.T) {
	source, err := os.ReadFile("letters.go")
	if err != nil {
		t.Fatal(err)
	}
	tried := make(map[string]bool)
	for _, letter := range letters() {
		tried[letter.Name()] = true
	}
	names := regexp.MustCompile(`Name\(\) string { return "(\w+)" }`).FindAllSubmatch(source, -1)
	if len(names) < 10 {
		t.Fatalf("%d kinds of letters", len(names))
	}
	for _, name := range names {
		if !tried[string(name[1])] {
			t.Errorf("%s is never written", name[1])
		}
	}
}

var otherAddress = regexp.MustCompile(`(?i)<img|https?://|url\(|@import|<script`)

func TestEveryLetterInEveryLanguage(t *testing.T) {
	c := composer(t)
	c.ReplyTo = "sam@home.example"
	for name, letter := range letters() {
		for _, language := range []string{"en", "de"} {
			t.Run(name+"-"+language, func(t *testing.T) {
				raw, err := c.Write(compose.Head{To: "mara@home.example", Language: language, ID: "01kb", Now: now}, letter)
				if err != nil {
					t.Fatal(err)
				}
				header, bodies := parts(t, raw)
				if len(bodies) != 2 {
					t.Fatalf("got %d parts, want text and HTML", len(bodies))
				}
				subject, err := header.Text("Subject")
				if err != nil {
					t.Fatal(err)
				}
				golden(t, name+"-"+language, "Subject: "+subject+"\n\n"+bodies[0])
				sameWords(t, bodies[0], bodies[1])
				if strings.Contains(string(raw), "[mail.") {
					t.Error("a sentence is missing")
				}
				if len(raw) > 20<<10 {
					t.Errorf("got %d bytes, want below 20 KiB", len(raw))
				}
				if found := otherAddress.FindString(strings.ReplaceAll(bodies[1], link, "")); found != "" {
					t.Errorf("the HTML loads or names something else than the link: %s", found)
				}
				for name, want := range map[string]string{
					"Message-Id": "<01kb@home.example>", "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All", "List-Unsubscribe": "",
					"Content-Language": language, "To": "mara@home.example", "Reply-To": "sam@home.example", "Date": "Mon, 23 Nov 2026 14:12:08 +0000",
				} {
					if got := header.Get(name); got != want {
						t.Errorf("%s: got %q, want %q", name, got, want)
					}
				}
				wire(t, raw)
			})
		}
	}
}

var tag = regexp.MustCompile(`<style>.*?</style>|<[^>]*>`)

// sameWords checks that who reads text learns what the HTML says: each of its
// lines but the call to use a link or a button, and the line for phones.
func sameWords(t *testing.T, text, page string) {
	t.Helper()
	shown := html.UnescapeString(strings.Join(strings.Fields(tag.ReplaceAllString(page, " ")), " "))
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line == "--" || strings.HasPrefix(line, "@"), strings.HasSuffix(line, ":"):
			continue
		}
		for _, piece := range strings.Split(line, ": ") {
			for sentence := range strings.SplitSeq(piece, ". ") {
				if !strings.Contains(shown, strings.TrimSuffix(sentence, ".")) {
					t.Errorf("the text says %q, the HTML does not: %s", sentence, shown)
				}
			}
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("differs from %s (-want +got):\n%s", path, diff)
	}
}

// What people call themselves must stay words: in the subject, in the text and
// above all in the HTML.
func TestNamesThatWouldBeMarkup(t *testing.T) {
	letter := compose.Invite{By: "Sam\r\nBcc: x@evil.example <script>alert(1)</script>", ByEmail: "sam@home.example", Link: link, Until: now}
	raw, err := composer(t).Write(compose.Head{To: "mara@home.example", ID: "01kb", Now: now}, letter)
	if err != nil {
		t.Fatal(err)
	}
	header, bodies := parts(t, raw)
	if header.Get("Bcc") != "" || strings.Contains(bodies[1], "<script") {
		t.Errorf("a name became markup or a header:\n%s", raw)
	}
}

// A link that is no web address, should one ever get here, is not made clickable.
func TestForeignSchemeIsNoLink(t *testing.T) {
	raw, err := composer(t).Write(compose.Head{To: "mara@home.example", ID: "01kb", Now: now}, compose.Closing{EraseAt: now, Link: "javascript:alert(1)"})
	if err != nil {
		t.Fatal(err)
	}
	if _, bodies := parts(t, raw); strings.Contains(bodies[1], `href="javascript:`) {
		t.Error("the HTML runs a script")
	}
}

func TestOwnTemplates(t *testing.T) {
	catalog, err := lang.Load()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"signin.txt":  "Welcome to {{.Site}}: {{.Link}} or {{.Code}}",
		"signin.html": "<p>{{.Heading}} <a href={{.Link}}>here</a></p>", // forgets the code
		"invite.html": "<p>{{.Nonsense}}",
		"reset.txt":   "{{",
		"welcome.txt": "hello",
		".swp":        "left by an editor",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	templates, problems := compose.LoadTemplates(dir, catalog)
	all := ""
	for _, err := range problems {
		all += err.Error() + "\n"
	}
	for _, want := range []string{"signin.html leaves out the code", "invite.html cannot be used", "reset.txt cannot be used", "welcome.txt is for no message"} {
		if !strings.Contains(all, want) {
			t.Errorf("nobody is told that %s, only:\n%s", want, all)
		}
	}
	if len(problems) != 4 {
		t.Errorf("got %d problems, want 4:\n%s", len(problems), all)
	}
	c := composer(t)
	c.Templates = templates
	raw, err := c.Write(compose.Head{To: "mara@home.example", ID: "01kb", Now: now}, letters()["signin"])
	if err != nil {
		t.Fatal(err)
	}
	_, bodies := parts(t, raw)
	if want := "Welcome to home.example: " + link + " or 482 913"; bodies[0] != want {
		t.Errorf("text: got %q, want %q", bodies[0], want)
	}
	if !strings.Contains(bodies[1], "482 913") || !strings.Contains(bodies[1], "<!doctype html>") {
		t.Error("the template that forgets the code was used")
	}
}

// A template that its sample suits can fail on a letter that has less: the letter is
// written in ours, and whoever runs this is told.
func TestATemplateThatFailsOnALetterKeepsNobodyOut(t *testing.T) {
	catalog, err := lang.Load()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"linked.txt":  "At {{(index .Facts 2).Value}}: {{.Link}}",
		"linked.html": "<p>{{if gt (len .Facts) 2}}<a href=\"{{.Link}}\">here</a>{{end}}</p>",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	templates, problems := compose.LoadTemplates(dir, catalog)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	c := composer(t)
	var told []string
	c.Templates, c.Troubled = templates, func(err error) { told = append(told, err.Error()) }
	head := compose.Head{To: "mara@home.example", ID: "01kb", Now: now}
	full := compose.Linked{Upstream: "Google", Who: "mara", Link: link + "?a=1&b=2", At: now, Device: "Firefox", IP: "198.51.100.40"}
	raw, err := c.Write(head, full)
	if err != nil {
		t.Fatal(err)
	}
	if _, bodies := parts(t, raw); !strings.HasPrefix(bodies[0], "At ") || strings.Contains(bodies[1], "<!doctype") || len(told) > 0 {
		t.Errorf("a letter that has all is not written in the operator's words: %q, %q", bodies, told)
	}
	full.Device, full.IP = "", ""
	if raw, err = c.Write(head, full); err != nil {
		t.Fatal(err)
	}
	_, bodies := parts(t, raw)
	if !strings.Contains(bodies[0], full.Link) || !strings.Contains(bodies[1], "<!doctype html>") {
		t.Errorf("a letter that has less is not written in ours: %q", bodies)
	}
	if all := strings.Join(told, "\n"); !strings.Contains(all, "linked.txt") || !strings.Contains(all, "linked.html leaves out the link") {
		t.Errorf("told: %q", told)
	}
}

// What "mail template" prints can be used as it is, for every message.
func TestPrintedTemplateWorksUnchanged(t *testing.T) {
	catalog, err := lang.Load()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range compose.Names() {
		for _, html := range []bool{false, true} {
			source, err := compose.Source(html)
			if err != nil {
				t.Fatal(err)
			}
			kind := map[bool]string{false: ".txt", true: ".html"}[html]
			if err := os.WriteFile(filepath.Join(dir, name+kind), []byte(source), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	templates, problems := compose.LoadTemplates(dir, catalog)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	own, built := composer(t), composer(t)
	own.Templates = templates
	for name, letter := range letters() {
		head := compose.Head{To: "mara@home.example", Language: "de", ID: "01kb", Now: now}
		a, errA := own.Write(head, letter)
		b, errB := built.Write(head, letter)
		if errA != nil || errB != nil {
			t.Fatal(name, errA, errB)
		}
		_, gotA := parts(t, a)
		_, gotB := parts(t, b)
		for i := range gotA {
			gotA[i], gotB[i] = strings.TrimSpace(gotA[i]), strings.TrimSpace(gotB[i])
		}
		if diff := cmp.Diff(gotB, gotA); diff != "" {
			t.Errorf("%s differs from ours:\n%s", name, diff)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	c := composer(b)
	letter := letters()["signin"]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(compose.Head{To: "mara@home.example", ID: "01kb", Now: now}, letter); err != nil {
			b.Fatal(err)
		}
	}
}
