package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"gatelodge/app/mail/mailtest"
	"gatelodge/app/mail/outbox"
	"gatelodge/store"
)

var (
	inboxLink = regexp.MustCompile(`(?m)(http\S+/dev/mail\?key=\S+)$`)
	setUpLink = regexp.MustCompile(`(?m)^  (http\S+/setup\?code=\S+)$`)
	mailLink  = regexp.MustCompile(`(?m)^  (http\S+/signin/link/\S+)$`)
	mailCode  = regexp.MustCompile(`Your sign-in code is (\d{3} \d{3})`)
)

// From an empty directory to signed in, with mail that a real server delivered.
func TestFirstRunWithARealMailServer(t *testing.T) {
	t.Parallel()
	postfix := mailtest.Postfix(t)
	mailtest.Peer(t, "chromium")
	p := start(t, fmt.Sprintf(`name = "Our house"
contact = "sam@else.example"
[mail]
mode = "smarthost"
from = "Our house <login@home.example>"
ca_file = %q
ehlo_name = "auth.home.example"
[mail.smarthost]
url = "smtp://%s@%s:%d"
password = %q
`, postfix.CAFile, postfix.User, postfix.Host, postfix.Port, postfix.Password))

	desk, phone := person(t), person(t)
	desk.open(p.wait(setUpLink))
	desk.see("Set up this server")
	desk.accessible("set up")
	desk.fill("Your email address", "mara@else.example")
	desk.fill("Your name", "Mara Okafor")
	desk.press("Create the account")
	desk.see("Your account")
	desk.sees("Your account is ready.")
	desk.accessible("account, just made")

	desk.press("Sign out")
	desk.see("You are signed out")
	desk.accessible("signed out")
	desk.press("Sign in")
	desk.see("Welcome back")
	desk.accessible("welcome back")
	desk.press("Email me a link and code")
	desk.see("Check your email")
	desk.accessible("check email")

	first := message(t, postfix.Messages(t, 1)[0])
	if !strings.Contains(first.Source, "dkim") && !strings.Contains(first.Source, "From: \"Our house\" <login@home.example>") {
		t.Errorf("the mail is not from us:\n%s", first.Source)
	}
	desk.open(first.Link)
	desk.see("Your account")
	desk.sees("Mara Okafor")

	// The same person on their phone, by a link that the phone did not ask for.
	desk.press("Sign out")
	desk.press("Sign in")
	desk.see("Welcome back")
	desk.press("Email me a link and code")
	desk.see("Check your email")
	second := newest(t, postfix, 2, first)
	phone.look(views[3])
	phone.open(second.Link)
	phone.see("Sign in on this device?")
	phone.accessible("confirm link")
	phone.press("Yes, sign in here")
	phone.see("Your account")
	phone.sees("This device")

	// And back at the desk: the mail was used, a new one is asked for.
	desk.fill("6-digit code", "000000")
	desk.press("Sign in")
	desk.sees("Each link and its code work once.")
	desk.accessible("a code of a used link")
	if out := p.command("mail", "queue"); out != "The queue is empty." {
		t.Errorf("mail queue says %q", out)
	}
	if out := p.command("mail", "test", "mara@else.example"); !strings.Contains(out, "Accepted by the smarthost (TLS 1.3)") || strings.Contains(out, postfix.Password) {
		t.Errorf("mail test says:\n%s", out)
	}
}

// message opens what a mail server has delivered.
func message(t *testing.T, raw []byte) outbox.Message {
	t.Helper()
	m, err := outbox.Open(store.Work{Body: raw})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newest returns the message that is not before.
func newest(t *testing.T, postfix *mailtest.PostfixServer, n int, before outbox.Message) outbox.Message {
	t.Helper()
	for _, raw := range postfix.Messages(t, n) {
		if m := message(t, raw); m.Link != before.Link {
			return m
		}
	}
	t.Fatal("no new message arrived")
	return outbox.Message{}
}

// With nothing but the program: mail is captured, and every state of every page
// is looked at.
func TestEveryPageWithCapturedMail(t *testing.T) {
	t.Parallel()
	mailtest.Peer(t, "chromium")
	p := start(t, "")
	b, other := person(t), person(t)
	b.open(p.url)
	b.see("Set up this server")
	b.fill("Set-up code", "wrong")
	b.fill("Your email address", "mara@home.example")
	b.press("Create the account")
	b.sees("That is not the set-up code.")
	b.accessible("set up, wrong code")
	link := p.wait(setUpLink)
	b.fill("Set-up code", link[strings.LastIndex(link, "=")+1:])
	b.press("Create the account")
	b.see("Your account")
	b.open(p.url + "/setup")
	b.see("Your account")
	other.open(p.url + "/setup")
	other.see("This server is already set up")
	other.accessible("error page")
	b.open(p.url + "/signout")
	b.accessible("sign out?")
	b.press("Sign out here")
	b.see("You are signed out")

	b.open(p.url + "/dev/mail")
	b.see("This page needs its key")
	b.accessible("captured mail without its key")
	b.open(p.wait(inboxLink))
	b.see("Captured mail")
	b.open(p.url + "/signin")
	b.press("Not you?")
	b.see("Sign in")
	b.fill("Email or username", "nobody")
	b.press("Email me a link and code")
	b.sees("A username works with a password.")
	b.accessible("sign in, malformed address")
	b.fill("Email or username", "mara@home.example")
	b.press("Email me a link and code")
	b.see("Check your email")
	b.press("captured mail")
	b.see("Captured mail")
	b.accessible("captured mail")
	b.press("Open")
	b.see("Your sign-in code is " + p.wait(mailCode))
	b.accessible("a captured message")
	other.open(p.wait(mailLink))
	other.see("Sign in on this device?")
	other.press("I did not ask for this")
	other.see("Link cancelled")
	other.accessible("voided link")
	other.open(p.wait(mailLink))
	other.see("This sign-in link was cancelled")
	other.accessible("dead link")

	b.open(p.url + "/signin/code")
	b.sees("It was cancelled before it was used.")
	b.accessible("code of a voided link")
	b.open(p.url + "/nowhere?lang=de")
	b.see("Seite nicht gefunden")
	b.accessible("error page in German")
}

// Every way in works without script.
func TestWithoutScript(t *testing.T) {
	t.Parallel()
	p := start(t, "")
	b := person(t)
	b.withoutScript()
	b.open(p.wait(setUpLink))
	b.fill("Your email address", "mara@home.example")
	b.press("Create the account")
	b.see("Your account")
	b.press("Sign out")
	b.press("Sign in")
	b.press("Not you?")
	b.fill("Email or username", "mara@home.example")
	b.press("Email me a link and code")
	b.see("Check your email")
	b.fill("6-digit code", p.wait(mailCode))
	b.press("Sign in")
	b.see("Your account")
	b.press("Sign out")
	b.see("You are signed out")
	var text string
	b.run(chromedp.Navigate(p.url+"/api/auth/session"), chromedp.Text("body", &text, chromedp.ByQuery))
	if strings.TrimSpace(text) != "null" {
		t.Errorf("the session is %q after signing out", text)
	}
}
