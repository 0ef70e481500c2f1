package e2e

import (
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"gatelodge/app/mail/mailtest"
)

var invitedLink = regexp.MustCompile(`(?m)^  (http\S+/invite/\S+)$`)

// admin sets the server up as Sam in a browser, which is signed in as him then.
func (p *program) admin(sam *browser) *browser {
	p.t.Helper()
	sam.open(p.wait(setUpLink))
	sam.fill("Your email address", "sam@home.example")
	sam.fill("Your name", "Sam Rivera")
	sam.press("Create the account")
	sam.see("Your account")
	return sam
}

// choose picks a checkbox by its words.
func (b *browser) choose(words string) {
	b.t.Helper()
	b.run(chromedp.Click(`//label[contains(normalize-space(), "`+words+`")]`, chromedp.BySearch))
}

// Nobody comes by themselves; an admin invites one by mail and another by a link.
func TestPeopleRegisterByInvite(t *testing.T) {
	told(t, func(t *testing.T, person func() *browser) {
		mailtest.Peer(t, "chromium")
		p := start(t, "contact = \"Sam <sam@home.example>\"\n[signup]\nmode = \"closed\"\n")
		sam := p.admin(person())
		stranger := person()
		stranger.open(p.url + "/signup")
		stranger.see("Sign-up is closed")
		stranger.accessible("closed")

		sam.open(p.url + "/admin/groups")
		sam.see("Groups")
		sam.fill("Name", "Two words")
		sam.press("Create group")
		sam.sees("A group name has")
		sam.accessible("groups, a name that is none")
		sam.fill("Name", "media")
		sam.press("Create group")
		sam.sees("Group created.")
		sam.accessible("groups")

		sam.open(p.url + "/admin/invites")
		sam.see("Invitations")
		sam.fill("Email addresses", "mara@home.example")
		sam.choose("media")
		sam.press("Send invitation")
		sam.sees("Invitation sent.")
		sam.accessible("invites")

		// Mara reads her mail on the phone, and chooses a password.
		mara := person()
		mara.look(views[3])
		mara.open(p.wait(invitedLink))
		mara.see("Create your account")
		mara.sees("Sam Rivera invited mara@home.example to Gatelodge.")
		mara.accessible("a mailed invite")
		mara.fill("Your name", "Mara Okafor")
		mara.fill("Password", "short")
		mara.press("Create the account")
		mara.sees("That has 5 characters.")
		mara.accessible("a mailed invite, a short password")
		mara.fill("Password", "crimson ladder over quiet fjord")
		mara.press("Create the account")
		mara.sees("Your account is ready.")
		// Used, it leads on whoever it made the account for. Others see that it is used.
		mara.open(p.wait(invitedLink))
		mara.see("Your account")
		other := person()
		other.open(p.wait(invitedLink))
		other.see("This invitation has been used")
		other.accessible("a used invite")

		// Ana has a link from Sam. She confirms an address of hers first.
		sam.open(p.url + "/admin/invites")
		sam.press("Send invitation")
		sam.sees("It is not shown again.")
		sam.accessible("invites, a link that was just made")
		var link string
		sam.run(chromedp.Text(`.alert code`, &link, chromedp.ByQuery))
		stranger.open(link)
		stranger.see("Create your account")
		stranger.accessible("an invite by link")
		stranger.fill("Your name", "Ana")
		stranger.fill("Email address", "ana@else.example")
		stranger.press("Email me a link and code")
		stranger.see("Check your email")
		stranger.open(p.wait(mailLink))
		stranger.sees("Your account is ready.")

		// Opened by somebody who is signed in, it says so and takes nothing away.
		out := p.command("invite", "add", "-group", "media", "-uses", "2")
		stranger.open(out)
		stranger.sees("You are signed in here as ana@else.example.")
		stranger.accessible("an invite for somebody who is signed in")
		stranger.press("Accept as ana@else.example")
		stranger.sees("Invitation accepted.")
		if got := p.command("group", "show", "media"); !strings.Contains(got, "ana@else.example") || !strings.Contains(got, "mara@home.example") {
			t.Errorf("the group is\n%s", got)
		}

		sam.open(p.url + "/admin/people")
		sam.see("People")
		sam.sees("Mara Okafor")
		sam.accessible("people")
		sam.press("Mara Okafor")
		sam.see("Mara Okafor")
		sam.accessible("a person")
		sam.press("Sign out everywhere")
		sam.sees("Signed out everywhere.")
		sam.press("Suspend account")
		sam.sees("Account suspended. All its sessions have ended.")
		sam.accessible("a person who is suspended")
		sam.press("Delete account")
		sam.see("Delete Mara Okafor?")
		sam.accessible("a person to remove")
		sam.press("Cancel")
		sam.see("Mara Okafor")
		sam.open(p.url + "/admin/invites")
		sam.fill("Email addresses", "jin@home.example mara@home.example")
		sam.press("Send invitation")
		sam.sees("mara@home.example: A user with that address exists. Add them to groups instead.")
		sam.accessible("invites, of which one could not be sent")
		sam.open(p.url + "/admin/people")
		sam.sees("jin@home.example")
		sam.accessible("people, of whom one is invited")
		mara.open(p.url + "/account")
		mara.see("Welcome back")
		mara.open(p.url + "/admin/people")
		mara.see("Welcome back")
	})
}

// Whoever asks waits for an admin's word.
func TestPeopleAskForAnAccount(t *testing.T) {
	told(t, func(t *testing.T, person func() *browser) {
		mailtest.Peer(t, "chromium")
		p := start(t, "contact = \"Sam <sam@home.example>\"\n[signup]\nmode = \"approve\"\n")
		sam := p.admin(person())
		ana, eve := person(), person()
		ask := func(b *browser, email string) {
			t.Helper()
			b.open(p.url + "/signin")
			b.press("Create your account")
			b.see("Create your account")
			b.fill("Email address", email)
			b.fill("Your name", "Somebody")
			b.press("Email me a link and code")
			b.see("Check your email")
			b.open(p.wait(regexp.MustCompile(`(?m)^Mail for ` + regexp.QuoteMeta(email) + `: .*\n  (http\S+/signin/link/\S+)$`)))
		}
		ana.open(p.url + "/signup")
		ana.see("Create your account")
		ana.accessible("sign up")
		ana.fill("Email address", "ana@")
		ana.press("Email me a link and code")
		ana.sees("Check the address.")
		ana.accessible("sign up, a malformed address")
		ask(ana, "ana@else.example")
		ana.see("Your account waits for approval")
		ana.accessible("waiting")
		ask(eve, "eve@else.example")
		eve.see("Your account waits for approval")

		sam.open(p.url + "/admin/people")
		sam.sees("Waiting for approval")
		sam.accessible("people, of whom two wait")
		sam.run(chromedp.Click(`//li[contains(., "ana@else.example")]//button[starts-with(normalize-space(), "Approve")]`, chromedp.BySearch))
		sam.sees("Account approved. We emailed them.")
		sam.run(chromedp.Click(`//li[contains(., "eve@else.example")]//button[starts-with(normalize-space(), "Decline")]`, chromedp.BySearch))
		sam.sees("Request declined.")

		if got := p.command("user", "waiting"); got != "No pending requests." {
			t.Errorf("user waiting says %q", got)
		}
		ana.open(p.command("user", "link", "ana@else.example"))
		ana.press("Yes, sign in here")
		ana.see("Your account")
	})
}

// Signing up needs no script.
func TestSigningUpWithoutScript(t *testing.T) {
	t.Parallel()
	mailtest.Peer(t, "chromium")
	p := start(t, "[signup]\nmode = \"open\"\n")
	p.admin(person(t))
	b := person(t)
	b.withoutScript()
	b.open(p.url + "/signin")
	b.press("Create your account")
	b.fill("Email address", "mara@home.example")
	b.fill("Your name", "Mara")
	b.choose("I also want a password")
	b.press("Email me a link and code")
	b.see("Check your email")
	b.open(p.wait(mailLink))
	b.see("Set a password")
	b.fill("New password", "crimson ladder over quiet fjord")
	b.press("Save password")
	b.see("Your account")
}
