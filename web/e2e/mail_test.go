package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"gatelodge/app/mail/mailtest"
)

// choosy is a smarthost that judges recipients by their names.
func choosy(c *mailtest.Conn) {
	c.Line("220 mail.test ESMTP")
	for {
		line := c.Read()
		switch word, rest, _ := strings.Cut(line, " "); {
		case word == "EHLO":
			c.Line("250 mail.test")
		case strings.Contains(rest, "<gone@"):
			c.Line("550 5.1.1 no such user")
		case strings.Contains(rest, "<slow@"):
			c.Line("451 4.7.1 greylisted, come back later")
		case word == "DATA":
			c.Line("354 go ahead")
			c.Body()
			c.Line("250 2.0.0 queued")
		case word == "QUIT":
			c.Line("221 bye")
			return
		default:
			c.Line("250 2.1.0 ok")
		}
	}
}

// picture keeps what the tab shows, in every view, where GATELODGE_PICTURES says.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("GATELODGE_PICTURES")
	if dir == "" {
		return
	}
	for _, v := range views {
		b.look(v)
		var png []byte
		b.run(chromedp.FullScreenshot(&png, 100))
		if err := os.WriteFile(filepath.Join(dir, name+" "+v.name+".png"), png, 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	b.look(views[0])
}

// Somebody who runs the server looks after its mail; those who wait for mail are
// told what became of it, on their own browsers. All of it without script too.
func TestMailAsAdminsAndRecipientsSeeIt(t *testing.T) {
	told(t, func(t *testing.T, person func() *browser) {
		smarthost := mailtest.Serve(t, choosy)
		mailtest.Peer(t, "chromium")
		p := start(t, fmt.Sprintf(`name = "Our house"
[mail]
mode = "smarthost"
from = "Our house <login@home.example>"
ehlo_name = "auth.home.example"
[mail.smarthost]
url = "smtp://127.0.0.1:%d?tls=off"
`, smarthost.Port))
		admin, waiting := person(), person()
		admin.look(views[0])
		waiting.look(views[0])
		admin.open(p.wait(setUpLink))
		admin.fill("Your email address", "sam@home.example")
		admin.press("Create the account")
		admin.see("Your account")
		for _, name := range []string{"mara", "slow", "gone"} {
			p.command("user", "add", name+"@home.example")
		}
		for name, said := range map[string]string{
			"mara": "The message left this server", "slow": "has not accepted the message yet", "gone": "the mailbox does not exist",
		} {
			waiting.open(p.command("user", "link", name+"@home.example"))
			waiting.press("Yes, sign in here")
			waiting.see("Your account")
			waiting.press("Sign out")
			waiting.see("You are signed out")
			waiting.open(p.url + "/signin?other=1")
			waiting.fill("Email or username", name+"@home.example")
			waiting.press("Email me a link and code")
			waiting.see("Check your email")
			if waiting.scriptless {
				waiting.reloads(said)
			} else {
				waiting.sees(said) // by itself
			}
			waiting.checked("check email, " + name)
		}

		admin.open(p.url + "/admin")
		admin.press("Mail")
		admin.see("Mail")
		admin.sees("slow@home.example")
		admin.sees("451 4.7.1")
		admin.checked("admin mail")
		admin.press("slow@home.example")
		admin.see("Sign-in link")
		admin.checked("admin message")
		admin.press("Hold")
		admin.sees("Message held. Retry it to send it.")
		admin.press("slow@home.example")
		admin.press("Cancel")
		admin.sees("Message cancelled.")
		admin.press("Sent")
		admin.see("Sent mail")
		admin.checked("admin sent")
		admin.press("Blocked addresses")
		admin.see("Blocked addresses")
		admin.sees("gone@home.example")
		admin.checked("admin blocked")
		admin.press("Unblock")
		admin.sees("No blocked addresses.")
		admin.press("DNS records")
		admin.see("DNS records for mail")
		admin.checked("admin dns")
		admin.open(p.url + "/admin/mail/test")
		admin.see("Test mail")
		admin.fill("To", "mara@home.example")
		admin.press("Send test mail")
		admin.sees("The server accepted the message")
		admin.checked("admin test")
	})
}

// checked looks at the page as it is, and with axe.
func (b *browser) checked(state string) {
	b.t.Helper()
	if !b.scriptless {
		b.picture(state)
	}
	b.accessible(state)
}

// reloads asks for the page again until it shows some words.
func (b *browser) reloads(words string) {
	b.t.Helper()
	for range 50 {
		if strings.Contains(b.page(), words) {
			return
		}
		b.run(chromedp.Reload())
	}
	b.sees(words)
}
