package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"gatelodge/app/lang"
	"gatelodge/app/login"
	"gatelodge/app/theme"
	"gatelodge/web"
)

// state is a page in one of its states.
type state struct {
	page string
	data any
}

// states returns every page in every state.
func states() map[string]state {
	now := time.Date(2026, 11, 23, 14, 12, 8, 0, time.UTC)
	bare := web.Layout{Instance: "Gatelodge", Host: "auth.home.example", Now: now}
	l := bare
	l.Contact = "Sam Rivera <sam@home.example>"
	mine := l
	mine.Person = web.Person{Name: "Mara Okafor", Email: "mara@home.example"}
	managing := mine
	managing.Manages = true
	one := web.OnePerson{
		ID: "u1", Person: web.Person{Name: "Mara Okafor", Email: "mara@home.example"}, Email: "mara@home.example", Username: "mara", Methods: []string{"email", "password", "passkey"},
		Upstreams: []string{"github"}, Groups: []string{"admins", "ops"}, Status: "active", SeenAt: now.Add(-2 * time.Minute), Since: now.AddDate(-1, 0, 0),
	}
	people := web.PeoplePage{
		Layout: managing, Total: 2, Groups: []string{"media", "ops"}, Next: "/admin/people?after=x", People: []web.OnePerson{
			one, {ID: "u2", Person: web.Person{Email: "eve@home.example"}, Status: "new"}, {ID: "u3", Person: web.Person{Email: "jin@home.example"}, Status: "closing"},
		}, Waiting: []web.Waiting{
			{Key: "ana@home.example", Person: web.Person{Name: "Ana", Email: "ana@home.example"}, Proven: "ana@home.example", At: now.Add(-time.Hour), Where: "Firefox on Linux, 203.0.113.7", Upstream: "GitHub"},
			{Key: "!github 1", Person: web.Person{Name: "Jin", Email: "jin@else.example"}, Claimed: "jin@else.example", At: now.Add(-time.Hour), Where: "Firefox on Linux, 203.0.113.7", Upstream: "GitHub"},
			{Key: "!github 2", Person: web.Person{Email: "2"}, At: now.Add(-time.Hour), Where: "Firefox on Linux, 203.0.113.7", Upstream: "GitHub"},
			{Key: "lee@home.example", Person: web.Person{Email: "lee@home.example"}, Proven: "lee@home.example", At: now.Add(-time.Hour), Where: "Safari on Mac, 203.0.113.7"},
		},
	}
	ref := web.Ref{Reference: "GL-7F3K-92QD", At: now, What: "link.expired"}
	check := web.CheckEmailPage{
		Layout: l, Email: "mara@home.example", From: "login@home.example", LinkUntil: now.Add(2 * time.Hour), CodeUntil: now.Add(15 * time.Minute),
	}
	confirm := web.ConfirmLinkPage{
		Layout: l, Email: "mara@home.example", Device: "Firefox on Linux", AskedAt: now.Add(-2 * time.Minute), IP: "203.0.113.7", SameNetwork: true, Code: "482913",
	}
	phone := web.Device{ID: "s1", Label: "Chrome on Android", Phone: true, IP: "203.0.113.7", SignedInAt: now.Add(-time.Hour), SeenAt: now, Current: true, Method: "email"}
	account := web.AccountPage{Layout: mine, Admin: true, Since: now.AddDate(-1, 0, 0), Devices: []web.Device{
		phone,
		{ID: "s2", Label: "Firefox on Linux", IP: "203.0.113.7", SameNetwork: true, SignedInAt: now.AddDate(0, 0, -20), SeenAt: now.Add(-2 * time.Hour), Method: "setup"},
		{ID: "s3", Label: "Safari on Mac", IP: "198.51.100.40", SignedInAt: now.AddDate(0, 0, -30), SeenAt: now.AddDate(0, 0, -9), Method: "passkey"},
	}}
	mail := web.DevMail{ID: "m1", To: "mara@home.example", Subject: "Your sign-in code is 482 913", At: now.Add(-12 * time.Second), Link: "http://localhost:8080/signin/link/9vQ2"}

	buttons := []web.UpstreamButton{{ID: "google", Kind: "google", Name: "Google"}, {ID: "github", Kind: "github", Name: "GitHub", Last: true}, {ID: "x", Kind: "oidc", Name: "Our own server"}}
	found := map[string]state{
		"signin":         {"signin.html", web.SignInPage{Layout: l}},
		"signin-alone":   {"signin.html", web.SignInPage{Layout: bare}},
		"signin-problem": {"signin.html", web.SignInPage{Layout: l, Identifier: "mara@", Problem: "Check the address."}},
		"signin-notice":  {"signin.html", web.SignInPage{Layout: l, Notice: "You were signed out. Sign in again to continue."}},
		"signin-target":  {"signin.html", web.SignInPage{Layout: l, Target: web.Target{Name: "Grafana", Host: "grafana.home.example"}}},

		"signin-passwords": {"signin.html", web.SignInPage{Layout: l, Passwords: true}},
		"signin-known": {"signin.html", web.SignInPage{Layout: l, Passwords: true, Known: []web.Known{
			{Person: web.Person{Name: "Mara Okafor", Email: "mara@home.example"}, Identifier: "mara@home.example", Means: "pwd", Method: "your password", Mail: true, Password: true},
			{Number: 1, Person: web.Person{Email: "sam@home.example"}, Identifier: "sam@home.example", Means: "email", Mail: true, Password: true},
		}}},
		"signin-known-mail":    {"signin.html", web.SignInPage{Layout: l, Passwords: true, Known: []web.Known{{Person: web.Person{Email: "sam@home.example"}, Means: "email", Mail: true, Password: true}}}},
		"password":             {"password.html", web.PasswordPage{Layout: l, Identifier: "mara@home.example", Keeps: 30 * 24 * time.Hour, Keep: true}},
		"password-problem":     {"password.html", web.PasswordPage{Layout: l, Identifier: "mara@home.example", Problem: "That account and password do not match."}},
		"reauth":               {"confirm.html", web.ConfirmPage{Layout: mine, Identifier: "mara@home.example", Mail: true, Password: true}},
		"reauth-problem":       {"confirm.html", web.ConfirmPage{Layout: mine, Identifier: "mara@home.example", Mail: true, Password: true, Problem: "That account and password do not match."}},
		"reauth-mail":          {"confirm.html", web.ConfirmPage{Layout: mine, Identifier: "mara@home.example", Mail: true}},
		"reauth-limited":       {"confirm.html", web.ConfirmPage{Layout: mine, Identifier: "mara@home.example", Mail: true, Problem: "Too many mails were asked for."}},
		"reauth-other":         {"confirm.html", web.ConfirmPage{Layout: mine, Identifier: "mara"}},
		"forgot":               {"forgot.html", web.ForgotPage{Layout: l, Identifier: "mara@home.example"}},
		"forgot-problem":       {"forgot.html", web.ForgotPage{Layout: l, Identifier: "mara", Problem: "Check the address."}},
		"forgot-sent":          {"forgot.html", web.ForgotPage{Layout: l, Identifier: "mara@home.example", Sent: true, From: "login@home.example", Captured: true}},
		"mailed-reset-problem": {"mailed.html", web.MailedPage{Layout: l, Purpose: "reset", Account: "mara@home.example", Least: 15, Problem: "That has 4 characters."}},
		"mailed-tick":          {"mailed.html", web.MailedPage{Layout: l, Purpose: "not_me", Account: "mara@home.example", Tick: true, Problem: "Tick the box to continue."}},
		"own-password":         {"own-password.html", web.OwnPasswordPage{Layout: mine, Set: true, Least: 15, Notice: "Submit the change once more."}},
		"own-password-first":   {"own-password.html", web.OwnPasswordPage{Layout: mine, Last: true, Least: 15, Problem: "That has 4 characters."}},
		"profile":              {"profile.html", web.ProfilePage{Layout: mine, Name: "Mara Okafor", Username: "mara", Language: "de", Chosen: "dark", Notice: "Profile saved."}},
		"profile-problem":      {"profile.html", web.ProfilePage{Layout: mine, Name: "Mara", Username: "m", Chosen: "light", NameProblem: "Too long.", UsernameProblem: "That username is taken."}},
		"emails": {"emails.html", web.EmailsPage{Layout: mine, Notice: "Address added.", Waiting: []string{"mara@new.example"}, Emails: []web.OwnEmail{
			{Norm: "mara@home.example", Email: "mara@home.example", Primary: true, Verified: true}, {Norm: "mara@work.example", Email: "mara@work.example"},
		}}},
		"emails-none":   {"emails.html", web.EmailsPage{Layout: mine, Email: "x", Problem: "Check the address."}},
		"history":       {"history.html", web.HistoryPage{Layout: mine, Older: "01", Events: []web.HistoryLine{{What: "You signed in", At: now, Where: "Firefox on Linux, 203.0.113.7", Reference: "GL-7F3K-92QD"}, {What: "A sign-in was refused", At: now, Bad: true}}}},
		"history-none":  {"history.html", web.HistoryPage{Layout: mine}},
		"close":         {"close.html", web.ClosePage{Layout: mine, Name: "mara@home.example", EraseAt: now, Notice: "Submit the change once more."}},
		"close-problem": {"close.html", web.ClosePage{Layout: mine, Name: "mara@home.example", EraseAt: now, Problem: "That is not mara@home.example."}},
		"closed":        {"closed.html", web.ClosePage{Layout: l, EraseAt: now}},
		"account-ways": {"account.html", with(account, func(p *web.AccountPage) {
			p.Own = []web.OwnMethod{{Kind: "email", Name: "mara@home.example"}, {Kind: "password", At: now}}
			p.Layout.Theme = "dark"
		})},
		"account-no-password": {"account.html", with(account, func(p *web.AccountPage) { p.Own = []web.OwnMethod{{Kind: "password"}} })},

		"signin-open":   {"signin.html", web.SignInPage{Layout: l, SignsUp: true}},
		"signin-invite": {"signin.html", web.SignInPage{Layout: l, ByInvite: true}},

		"signup":         {"signup.html", web.SignUpPage{Layout: l, Passwords: true}},
		"signup-domain":  {"signup.html", web.SignUpPage{Layout: l, Domains: "home.example, work.example"}},
		"signup-waits":   {"signup.html", web.SignUpPage{Layout: l, Waits: true}},
		"signup-problem": {"signup.html", web.SignUpPage{Layout: l, Email: "mara@", Name: "Mara", Passwords: true, Password: true, Problems: web.SignUpProblems{Email: "That is no address.", Name: "Too long."}}},

		"invite-mailed":    {"invite.html", web.InvitePage{Layout: l, By: "Sam", Email: "mara@home.example", Until: now, Passwords: true, Least: 15}},
		"invite-link":      {"invite.html", web.InvitePage{Layout: l, By: "Sam", Until: now, Passwords: true}},
		"invite-alone":     {"invite.html", web.InvitePage{Layout: bare, By: "Sam", Until: now}},
		"invite-known":     {"invite.html", web.InvitePage{Layout: l, By: "Sam", Email: "mara@home.example", Until: now, Known: true}},
		"invite-mine":      {"invite.html", web.InvitePage{Layout: l, By: "Sam", Email: "mara@home.example", Until: now, Known: true, SignedIn: "mara@home.example", Mine: true}},
		"invite-other":     {"invite.html", web.InvitePage{Layout: l, By: "Sam", Email: "mara@home.example", Until: now, Passwords: true, Least: 15, SignedIn: "eve@home.example"}},
		"invite-as-me":     {"invite.html", web.InvitePage{Layout: l, By: "Sam", Until: now, SignedIn: "eve@home.example", Mine: true, Typed: "x", Name: "Mara", Choose: true, Problems: web.SignUpProblems{Email: "No address."}}},
		"invite-upstreams": {"invite.html", web.InvitePage{Layout: l, By: "Sam", Until: now, Upstreams: []web.UpstreamButton{{ID: "google", Kind: "google", Name: "Google"}}}},
		"signup-upstreams": {"signup.html", web.SignUpPage{Layout: l, Upstreams: []web.UpstreamButton{{ID: "github", Kind: "github", Name: "GitHub", Comes: true}}}},
		"invite-problem":   {"invite.html", web.InvitePage{Layout: l, By: "Sam", Email: "mara@home.example", Until: now, Passwords: true, Least: 15, Problems: web.SignUpProblems{Name: "Enter your name.", Password: "Too short."}}},

		"admin-people":         {"admin-people.html", people},
		"admin-people-none":    {"admin-people.html", web.PeoplePage{Layout: managing, Search: "x", Status: "disabled", Total: 1, Notice: "Account approved."}},
		"admin-person":         {"admin-person.html", web.PersonPage{Layout: managing, One: one, Emails: []web.OwnEmail{{Email: "mara@home.example", Primary: true, Verified: true}, {Email: "mara@work.example"}}, Own: []web.OwnMethod{{Kind: "email", Name: "mara@home.example"}, {Kind: "password", At: now}, {Kind: "upstream", Name: "GitHub", Detail: "mara", ID: "a1", At: now}, {Kind: "upstream", Name: "GitHub", Detail: "mara", ID: "a2", At: now, UsedAt: now}}, Devices: account.Devices, Others: []string{"media"}, Events: []web.HistoryLine{{What: "Signed in", At: now, Where: "Firefox", Reference: "GL-7F3K-92QD"}, {What: "Refused", At: now, Bad: true}}}},
		"admin-person-closed":  {"admin-person.html", web.PersonPage{Layout: managing, One: web.OnePerson{ID: "u2", Person: web.Person{Email: "eve@home.example"}, Status: "disabled", Since: now}, Notice: "Access is closed."}},
		"admin-person-self":    {"admin-person.html", web.PersonPage{Layout: managing, One: one, Self: true, Own: []web.OwnMethod{{Kind: "password", At: now, Last: true}}}},
		"admin-person-closing": {"admin-person.html", web.PersonPage{Layout: managing, One: web.OnePerson{ID: "u2", Person: web.Person{Email: "eve@home.example"}, Status: "closing", Since: now}}},
		"admin-remove":         {"admin-remove.html", web.RemovePage{Layout: managing, Name: "Eve", Text: "Removes the account for good.", At: "/admin/people/u2/remove", Back: "/admin/people/u2"}},
		"admin-remove-group":   {"admin-remove.html", web.RemovePage{Layout: managing, Name: "media", Text: "2 people are in it.", At: "/admin/groups/media/remove", Back: "/admin/groups", Group: true}},
		"admin-remove-self":    {"admin-remove.html", web.RemovePage{Layout: managing, Name: "mara@home.example", Text: "Removes the account for good.", At: "/admin/people/u1/remove", Back: "/admin/people/u1", Self: true}},
		"admin-people-invited": {"admin-people.html", web.PeoplePage{Layout: managing, Total: 1, Status: "invited", Invited: []web.OneInvite{{ID: "i1", Email: "ana@home.example", State: "open", Groups: []string{"ops"}, Until: now, By: "Sam"}, {ID: "i2", Email: "jin@home.example", State: "returned", Until: now, By: "Sam"}}}},
		"connect-comes":        {"connect.html", web.ConnectPage{Layout: l, Upstream: "GitHub", Who: "mara", Email: "mara@home.example", MayJoin: true, Comes: true, Passwords: true}},
		"connect-comes-alone":  {"connect.html", web.ConnectPage{Layout: l, Upstream: "GitHub", Who: "mara", MayJoin: true, Comes: true}},
		"admin-invites":        {"admin-invites.html", web.InvitesPage{Layout: managing, Groups: []string{"media", "ops"}, Chosen: []string{"ops"}, Uses: 1, MaxUses: 1000, Days: 7, Link: "https://auth.home.example/invite/9vQ2", Notice: "On its way.", Invites: []web.OneInvite{{ID: "i1", Email: "ana@home.example", State: "open", UsesLeft: 1, Groups: []string{"ops"}, Until: now, By: "Sam"}, {ID: "i6", Email: "jin@home.example", State: "returned", UsesLeft: 1, Until: now, By: "Sam"}, {ID: "i2", State: "open", UsesLeft: 3, Until: now, By: "Sam"}, {ID: "i3", State: "used", Until: now, By: "Sam"}, {ID: "i4", State: "expired", Until: now, By: "Sam"}, {ID: "i5", State: "revoked", Until: now, By: "Sam"}}}},
		"admin-invites-none":   {"admin-invites.html", web.InvitesPage{Layout: managing, Uses: 1, MaxUses: 1000, Days: 7, Emails: "x\ny", Problem: "x: No address."}},
		"admin-help":           {"admin-help.html", web.HelpPage{Layout: managing, Title: "Send mail", Text: `<h2>Check</h2><pre tabindex="0">gatelodge mail check</pre>`}},
		"admin-help-index":     {"admin-help.html", web.HelpPage{Layout: managing, Title: "The Gatelodge guide", Text: `<p>One page for each job.</p>`, Index: true}},
		"admin-groups":         {"admin-groups.html", web.GroupsPage{Layout: managing, Groups: []web.OneGroup{{Name: "admins", Members: 1, Fixed: true}, {Name: "ops", Members: 2}}}},
		"admin-groups-problem": {"admin-groups.html", web.GroupsPage{Layout: managing, Name: "a b", Problem: "No name.", Notice: "Group deleted."}},

		"signin-upstreams": {"signin.html", web.SignInPage{Layout: l, Passwords: true, Upstreams: buttons}},
		"signin-known-upstream": {"signin.html", web.SignInPage{Layout: l, Upstreams: buttons, Known: []web.Known{
			{Person: web.Person{Name: "Mara Okafor", Email: "mara@home.example"}, Identifier: "mara@home.example", Mail: true, Password: true, Means: "fed:github", Upstream: &buttons[1]},
			{Number: 1, Person: web.Person{Name: "Ana"}, Means: "fed:google", Upstream: &buttons[0]},
		}}},
		"connect":           {"connect.html", web.ConnectPage{Layout: l, Upstream: "GitHub", Who: "mara", Email: "mara@home.example", MayJoin: true, Passwords: true}},
		"connect-closed":    {"connect.html", web.ConnectPage{Layout: l, Upstream: "GitHub", Who: "mara", Target: web.Target{Name: "Grafana", Host: "grafana.home.example"}}},
		"own-connect":       {"own-connect.html", web.OwnConnectPage{Layout: mine, Upstream: "GitHub", Who: "mara", Account: "mara@home.example"}},
		"note":              {"note.html", web.NotePage{Layout: l, Heading: "You are on the list", Text: "You get a mail when you are let in."}},
		"note-app":          {"note.html", web.NotePage{Layout: mine, Target: web.Target{Name: "Wiki", Host: "wiki.home.example"}, Heading: "Continue to Wiki?", Text: "You are signed in.", Next: web.Link{Text: "Continue", Href: "/"}, Other: web.Link{Text: "Sign out", Href: "/signout"}}},
		"app-signout":       {"app-signout.html", web.AppSignOutPage{Layout: l, Action: "/api/auth/signout", CSRFToken: "x", CallbackURL: "https://wiki.home.example/"}},
		"password-target":   {"password.html", web.PasswordPage{Layout: l, Identifier: "mara", Keeps: 24 * time.Hour, Target: web.Target{Name: "Wiki", Host: "wiki.home.example"}}},
		"password-confirms": {"password.html", web.PasswordPage{Layout: l, Identifier: "mara", Confirms: true}},

		"check":         {"check-email.html", check},
		"check-sure":    {"check-email.html", with(check, func(p *web.CheckEmailPage) { p.Sure = true })},
		"check-wait":    {"check-email.html", with(check, func(p *web.CheckEmailPage) { p.ResendIn = 42 * time.Second; p.Notice = "We sent a new link and code." })},
		"check-problem": {"check-email.html", with(check, func(p *web.CheckEmailPage) { p.Problem = "That code did not match. 4 tries left." })},
		"check-slow": {"check-email.html", with(check, func(p *web.CheckEmailPage) {
			p.MailSlow, p.Captured, p.MailLastAt = true, true, p.Now.Add(-3*time.Minute)
		})},
		"check-delivered": {"check-email.html", with(check, func(p *web.CheckEmailPage) {
			p.Delivery = login.Delivery{State: login.Delivered, Took: 4 * time.Second, Direct: true}
		})},
		"check-sent": {"check-email.html", with(check, func(p *web.CheckEmailPage) { p.Delivery = login.Delivery{State: login.Delivered} })},
		"check-no-domain": {"check-email.html", with(check, func(p *web.CheckEmailPage) {
			p.Delivery = login.Delivery{State: login.Deferred, NextAt: now, Why: "domain"}
		})},
		"check-deferred": {"check-email.html", with(check, func(p *web.CheckEmailPage) { p.Delivery = login.Delivery{State: login.Deferred, NextAt: now} })},
		"check-dead": {"check-email.html", with(check, func(p *web.CheckEmailPage) {
			p.Dead, p.ResendIn = "That code did not match, and no tries are left. Request a new one.", 20*time.Second
		})},

		"confirm":          {"confirm-link.html", confirm},
		"confirm-other":    {"confirm-link.html", with(confirm, func(p *web.ConfirmLinkPage) { p.SameNetwork, p.IP = false, "2001:db8:85a3:8d3:1319:8a2e:370:7348" })},
		"confirm-operator": {"confirm-link.html", with(confirm, func(p *web.ConfirmLinkPage) { p.Operator = true })},
		"confirm-code":     {"confirm-link.html", with(confirm, func(p *web.ConfirmLinkPage) { p.AskCode = true })},
		"confirm-code-problem": {"confirm-link.html", with(confirm, func(p *web.ConfirmLinkPage) {
			p.AskCode, p.Problem = true, "That code did not match. 1 try left."
		})},

		"voided":       {"voided.html", web.VoidedPage{Layout: l}},
		"voided-alone": {"voided.html", web.VoidedPage{Layout: bare}},

		"setup": {"setup.html", web.SetupPage{Layout: bare}},
		"setup-problem": {"setup.html", web.SetupPage{Layout: bare, Code: "K7QW-2F9D", Email: "mara", Name: "Mara", Problems: web.SetupProblems{
			Code: "That is not the set-up code.", Email: "Check the address.", Name: "That name is too long.",
		}}},

		"account":         {"account.html", account},
		"account-notice":  {"account.html", with(account, func(p *web.AccountPage) { p.Notice, p.Devices = "2 other devices signed out.", p.Devices[:1] })},
		"account-welcome": {"account.html", with(account, func(p *web.AccountPage) { p.Welcome, p.Person.Name = true, "" })},

		"signout":       {"signout.html", web.SignOutPage{Layout: mine, Devices: 3}},
		"signout-alone": {"signout.html", web.SignOutPage{Layout: mine, Devices: 1}},
		"signed-out":    {"signed-out.html", web.SignedOutPage{Layout: l}},

		"error":       {"error.html", web.ErrorPage{Layout: l, Heading: "Something went wrong", Text: "This server made a mistake, and it was written down.", Next: web.Link{Text: "Go to the start page", Href: "/"}, Ref: ref}},
		"error-alone": {"error.html", web.ErrorPage{Layout: bare, Heading: "Page not found", Text: "The address may be old or mistyped.", Ref: ref}},

		"continue": {"continue.html", web.GoingToPage{Layout: l, Target: web.Target{Name: "Grafana", Host: "grafana.home.example"}, Href: "https://grafana.home.example/d/1?a=b&c=d"}},

		"dev-mail":           {"dev-mail.html", web.DevMailPage{Layout: l, Messages: []web.DevMail{mail, {ID: "m2", To: "sam@home.example", Subject: "Test mail from Gatelodge", At: now.Add(-time.Hour)}}}},
		"dev-mail-empty":     {"dev-mail.html", web.DevMailPage{Layout: l, Notice: "Captured mail deleted."}},
		"dev-message":        {"dev-message.html", web.DevMailMessagePage{Layout: l, Message: mail, Body: "Sign in to Gatelodge\n\nhttp://localhost:8080/signin/link/9vQ2\n"}},
		"dev-message-source": {"dev-message.html", web.DevMailMessagePage{Layout: l, Message: mail, Source: true, Body: "From: <login@home.example>\r\nSubject: x\r\n\r\n" + strings.Repeat("x", 400)}},
	}
	maps.Copy(found, adminStates(mine))
	for _, why := range []string{"unknown", "full", "domain", "other"} {
		found["check-refused-"+why] = state{"check-email.html", with(check, func(p *web.CheckEmailPage) { p.Delivery = login.Delivery{State: login.Refused, Why: why} })}
	}
	for _, purpose := range []string{"reset", "confirm_email", "undo_email", "not_me", "not_me_password", "keep_account", "unlink"} {
		found["mailed-"+purpose] = state{"mailed.html", web.MailedPage{Layout: l, Purpose: purpose, Account: "mara@home.example", Email: "mara@new.example", Least: 15}}
	}
	for _, kind := range []string{"expired", "used", "superseded", "cancelled", "unknown"} {
		found["dead-mailed-"+kind] = state{"dead-mailed.html", web.DeadLinkPage{Layout: l, Kind: kind, Ref: ref}}
		found["dead-"+kind] = state{"dead-link.html", web.DeadLinkPage{Layout: l, Kind: kind, Ref: ref}}
		if kind != "unknown" {
			found["dead-"+kind+"-known"] = state{"dead-link.html", web.DeadLinkPage{Layout: bare, Kind: kind, At: now.Add(-52 * time.Minute), Email: "mara@home.example", Ref: ref}}
		}
	}
	return found
}

func TestEveryPageHasAState(t *testing.T) {
	drawn := make(map[string]bool)
	for _, s := range states() {
		drawn[s.page] = true
	}
	pages, err := os.ReadDir("templates/pages")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if !drawn[page.Name()] {
			t.Errorf("%s is in no state that is looked at", page.Name())
		}
	}
}

func with[T any](page T, change func(*T)) T {
	change(&page)
	return page
}

// pagesOf returns the templates in every language, the pseudo-language too.
func pagesOf(t testing.TB) (*web.Templates, *lang.Catalog, *web.Assets) {
	t.Helper()
	catalog, err := lang.Load()
	if err != nil {
		t.Fatal(err)
	}
	catalog = catalog.WithPseudo()
	assets, err := web.LoadAssets(theme.DefaultHue)
	if err != nil {
		t.Fatal(err)
	}
	templates, err := web.ParseTemplates(catalog, assets)
	if err != nil {
		t.Fatal(err)
	}
	return templates, catalog, assets
}

func render(t testing.TB, templates *web.Templates, p lang.Printer, s state) string {
	t.Helper()
	var b strings.Builder
	if err := templates.Render(&b, p, s.page, s.data); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEveryPageInEveryStateAndLanguage(t *testing.T) {
	templates, catalog, _ := pagesOf(t)
	for name, s := range states() {
		for _, l := range catalog.Languages() {
			t.Run(name+"/"+l.Tag, func(t *testing.T) {
				text := render(t, templates, catalog.For(l.Tag), s)
				doc, err := html.Parse(strings.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				for _, problem := range problems(doc, text) {
					t.Error(problem)
				}
				if got := attr(element(doc, "html"), "lang"); got != l.Tag {
					t.Errorf("the page says it is in %q, want %q", got, l.Tag)
				}
			})
		}
	}
}

// unresolved is what a sentence or value that is not there leaves behind.
var unresolved = regexp.MustCompile(`\[[a-z_.0-9]+\]|ZgotmplZ|%!|<no value>|<nil>|0001`)

// problems lists what no page may have.
func problems(doc *html.Node, text string) []string {
	var list []string
	if m := unresolved.FindString(text); m != "" {
		list = append(list, "something is missing: "+m)
	}
	for _, tag := range []string{"h1", "main", "title", "footer", "header"} {
		if n := len(elements(doc, tag)); n != 1 {
			list = append(list, "there must be one "+tag+" on a page, whatever it shows")
		}
	}
	ids := map[string]bool{}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				list = append(list, "the id "+id+" is there twice")
			}
			ids[id] = true
		}
		list = append(list, elementProblems(n)...)
	}
	if strings.Count(text, " autofocus") > 1 {
		list = append(list, "the cursor cannot start in two places")
	}
	for n := range doc.Descendants() {
		for _, name := range []string{"for", "aria-describedby", "aria-labelledby"} {
			for id := range strings.FieldsSeq(attr(n, name)) {
				if !ids[id] {
					list = append(list, name+" names "+id+", which is not there")
				}
			}
		}
	}
	return append(list, unlabelled(doc)...)
}

// links are the attributes that make a browser go or fetch.
var links = []string{"href", "src", "action", "formaction", "srcset", "poster", "data"}

func elementProblems(n *html.Node) []string {
	var list []string
	switch {
	case n.Data == "style":
		list = append(list, "style stands inline")
	case n.Data == "script" && (attr(n, "src") == "" || n.FirstChild != nil):
		list = append(list, "script stands inline")
	case n.Data == "form" && attr(n, "method") != "post" && attr(n, "role") != "search":
		list = append(list, "a form does not post")
	case n.Data == "button" && attr(n, "type") == "":
		list = append(list, "a button has no type")
	}
	for _, a := range n.Attr {
		if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
			list = append(list, "the attribute "+a.Key+" is inline style or script")
		}
		fetched := a.Key != "href" || n.Data == "link"
		if slices.Contains(links, a.Key) && fetched && !(strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "//")) {
			list = append(list, n.Data+" "+a.Key+" leads away: "+a.Val)
		}
	}
	return list
}

// unlabelled lists form controls that nothing names.
func unlabelled(doc *html.Node) []string {
	var list []string
	labels := map[string]string{}
	for _, l := range elements(doc, "label") {
		labels[attr(l, "for")] = words(l)
	}
	for _, in := range elements(doc, "input") {
		if attr(in, "type") != "hidden" && labels[attr(in, "id")] == "" {
			list = append(list, "the input "+attr(in, "name")+" has no label")
		}
	}
	for _, tag := range []string{"button", "a", "h1", "h2", "title", "summary"} {
		for _, n := range elements(doc, tag) {
			if words(n) == "" {
				list = append(list, "an element "+tag+" has no words")
			}
		}
	}
	return list
}

func elements(doc *html.Node, tag string) []*html.Node {
	var list []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == tag {
			list = append(list, n)
		}
	}
	return list
}

func element(doc *html.Node, tag string) *html.Node {
	if list := elements(doc, tag); len(list) > 0 {
		return list[0]
	}
	return &html.Node{}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// words returns the text of an element as a person reads it.
func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// TestPagesSay reads pages as a person does.
func TestPagesSay(t *testing.T) {
	templates, catalog, _ := pagesOf(t)
	all := states()
	tests := map[string]struct {
		state, element, want string
	}{
		"the lede of check-email":          {"check", "p", "If mara@home.example has an account here, we sent a link and a code. Each works once. The code expires in 15 minutes (14:27 UTC), the link in 2 hours (16:12 UTC)."},
		"a title with a problem":           {"signin-problem", "title", "Error: Sign in · Gatelodge"},
		"a title without":                  {"signin", "title", "Sign in · Gatelodge"},
		"what became of the mail":          {"check-delivered", "p", "Delivered. Your mail server took the message 4 seconds after you asked."},
		"the button that waits":            {"check-wait", "button", "Send again in 0:42"},
		"the button that need not":         {"check", "button", "Send again"},
		"where the code goes instead":      {"confirm", "p", "To sign in on the other device instead, type the code 482 913 there and close this page."},
		"an address to write to":           {"signin", "p", "No account? Ask Sam Rivera, who runs this server."},
		"a link that expired":              {"dead-expired-known", "p", "It expired 52 minutes ago (13:20 UTC). Nothing is wrong with your account."},
		"a link that expired at some time": {"dead-expired", "p", "Sign-in links work for a limited time. Nothing is wrong with your account."},
		"a device in the same network":     {"account", "div", "Same network as you, active 2 hours ago"},
		"a device, for screen readers":     {"account", "button", "Sign out Safari on Mac"},
		"a person without a name":          {"account-welcome", "span", "M"},
		"the facts of an error":            {"error", "dd", "23 Nov 2026, 14:12:08 UTC"},
		"all devices":                      {"signout", "button", "Sign out on all 3 devices"},
		"the target of a sign-in":          {"signin-target", "div", "Continue to Grafanagrafana.home.example"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			doc, err := html.Parse(strings.NewReader(render(t, templates, catalog.For("en"), all[tt.state])))
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, n := range elements(doc, tt.element) {
				said = append(said, words(n))
			}
			if !slices.Contains(said, tt.want) {
				t.Errorf("got %q, want %q among them", said, tt.want)
			}
		})
	}
}

// TestPagesKeepSecretsOfTheirStates checks what must not be there.
func TestPagesKeepSecretsOfTheirStates(t *testing.T) {
	templates, catalog, _ := pagesOf(t)
	all := states()
	tests := map[string]struct{ state, never string }{
		"a page that asks for the code shows it":   {"confirm-code", "482"},
		"an operator's link speaks of a device":    {"confirm-operator", "Firefox"},
		"an operator's link shows a code":          {"confirm-operator", "482"},
		"a code can be typed when all are dead":    {"check-dead", `name="code"`},
		"a lone device is offered the others' end": {"account-notice", "end-others"},
		"the device in use can be ended":           {"account", "/account/devices/s1/end"},
		"help without a contact":                   {"signin-alone", "Help"},
		"one device offers all":                    {"signout-alone", "everywhere"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text := render(t, templates, catalog.For("en"), all[tt.state])
			if strings.Contains(text, tt.never) {
				t.Errorf("the page contains %q", tt.never)
			}
		})
	}
}

// A second click is ignored and a form has the browser's time zone on every page, or
// the first mail of a browser has none.
func TestEveryPageLoadsTheScript(t *testing.T) {
	templates, catalog, _ := pagesOf(t)
	for name, state := range states() {
		if page := render(t, templates, catalog.For("en"), state); strings.Count(page, "<script ") != 1 {
			t.Errorf("%s loads the script %d times, want once", name, strings.Count(page, "<script "))
		}
	}
}

// TestValuesAreTextWhereverTheyStand puts markup into every value.
func TestValuesAreTextWhereverTheyStand(t *testing.T) {
	templates, catalog, _ := pagesOf(t)
	const evil = `"><img src=x onerror=alert(1)><b>{email}</b>'`
	now := time.Now()
	l := web.Layout{Instance: evil, Host: evil, Contact: evil, Now: now, Path: "/signin", Person: web.Person{Name: evil, Email: evil}}
	mail := web.DevMail{ID: evil, To: evil, Subject: evil, At: now, Link: "javascript:alert(1)//" + evil}
	ref := web.Ref{Reference: evil, At: now, What: evil}
	target := web.Target{Name: evil, Host: evil}
	for name, s := range map[string]state{
		"signin":   {"signin.html", web.SignInPage{Layout: l, Identifier: evil, Problem: evil, Notice: evil, Target: target}},
		"check":    {"check-email.html", web.CheckEmailPage{Layout: l, Email: evil, From: evil, Problem: evil, Notice: evil}},
		"dead":     {"check-email.html", web.CheckEmailPage{Layout: l, Dead: evil}},
		"confirm":  {"confirm-link.html", web.ConfirmLinkPage{Layout: l, Email: evil, Device: evil, IP: evil, Code: evil, Problem: evil}},
		"link":     {"dead-link.html", web.DeadLinkPage{Layout: l, Kind: "used", Email: evil, Ref: ref}},
		"voided":   {"voided.html", web.VoidedPage{Layout: l}},
		"setup":    {"setup.html", web.SetupPage{Layout: l, Code: evil, Email: evil, Name: evil, Problems: web.SetupProblems{Code: evil, Email: evil, Name: evil}}},
		"account":  {"account.html", web.AccountPage{Layout: l, Notice: evil, Welcome: true, Devices: []web.Device{{ID: evil, Label: evil, IP: evil}}}},
		"signout":  {"signout.html", web.SignOutPage{Layout: l, Devices: 2}},
		"out":      {"signed-out.html", web.SignedOutPage{Layout: l}},
		"error":    {"error.html", web.ErrorPage{Layout: l, Heading: evil, Text: evil, Next: web.Link{Text: evil, Href: "javascript:alert(1)"}, Ref: ref}},
		"continue": {"continue.html", web.GoingToPage{Layout: l, Target: target, Href: "javascript:alert(1)"}},
		"devmail":  {"dev-mail.html", web.DevMailPage{Layout: l, Messages: []web.DevMail{mail}, Notice: evil}},
		"message":  {"dev-message.html", web.DevMailMessagePage{Layout: l, Message: mail, Body: evil}},
	} {
		t.Run(name, func(t *testing.T) {
			text := render(t, templates, catalog.For("en"), s)
			doc, err := html.Parse(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if n := len(elements(doc, "img")) + len(elements(doc, "b")); n > 0 {
				t.Errorf("%d elements came out of values", n)
			}
			for n := range doc.Descendants() {
				for _, a := range n.Attr {
					if strings.HasPrefix(a.Key, "on") || strings.Contains(strings.ToLower(a.Val), "javascript:") {
						t.Errorf("%s has %s=%q", n.Data, a.Key, a.Val)
					}
				}
			}
		})
	}
}

func TestContactLeadsWhereItCan(t *testing.T) {
	tests := map[string]struct {
		contact    string
		text, href string
	}{
		"an address":           {"sam@home.example", "sam@home.example", "mailto:sam@home.example"},
		"a name and address":   {"Sam Rivera <sam@home.example>", "Sam Rivera", "mailto:sam@home.example"},
		"a page":               {"https://home.example/help", "https://home.example/help", "https://home.example/help"},
		"words":                {"Sam, in the kitchen", "Sam, in the kitchen", ""},
		"a script":             {"javascript://home.example/%0aalert(1)", "javascript://home.example/%0aalert(1)", ""},
		"an address with more": {`"a?subject=x&b"@home.example`, "a?subject=x&b@home.example", "mailto:a%3Fsubject=x&b@home.example"},
		"nothing":              {"", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := web.Layout{Contact: tt.contact}.ContactLink()
			if got != (web.Link{Text: tt.text, Href: tt.href}) {
				t.Errorf("got %+v, want %q %q", got, tt.text, tt.href)
			}
		})
	}
}

func TestInitials(t *testing.T) {
	for name, tt := range map[string]struct {
		person web.Person
		want   string
	}{
		"two names":   {web.Person{Name: "Mara Okafor", Email: "x@y"}, "MO"},
		"three names": {web.Person{Name: "Mara van Okafor"}, "MO"},
		"one name":    {web.Person{Name: "élodie"}, "É"},
		"no name":     {web.Person{Email: "sam@home.example"}, "S"},
		"nobody":      {web.Person{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.person.Initials(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestSizes holds the budgets of what a first visit loads.
func TestSizes(t *testing.T) {
	templates, catalog, assets := pagesOf(t)
	all := states()
	sizes := map[string]struct{ got, most int }{
		"gatelodge.css": {len(served(t, assets, "gatelodge.css", "gzip").body), 6 << 10},
		"app.js":        {len(served(t, assets, "app.js", "gzip").body), 6 << 10},
	}
	for _, l := range catalog.Languages() {
		sizes["signin.html in "+l.Name] = struct{ got, most int }{len(gzipped(t, render(t, templates, catalog.For(l.Tag), all["signin-target"]))), 2 << 10}
	}
	for name, s := range sizes {
		if s.got > s.most || s.got == 0 {
			t.Errorf("%s is %d bytes, want at most %d", name, s.got, s.most)
		}
	}
}

func gzipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestStylesheetAndPagesAgree finds classes that only one of the two knows.
func TestStylesheetAndPagesAgree(t *testing.T) {
	templates, catalog, assets := pagesOf(t)
	styled := map[string]bool{}
	for _, m := range regexp.MustCompile(`\.([a-z][a-z0-9-]*)`).FindAllStringSubmatch(string(served(t, assets, "gatelodge.css", "").body), -1) {
		styled[m[1]] = true
	}
	worn := map[string]bool{}
	for _, s := range states() {
		doc, err := html.Parse(strings.NewReader(render(t, templates, catalog.For("en"), s)))
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			for class := range strings.FieldsSeq(attr(n, "class")) {
				worn[class] = true
			}
		}
	}
	for class := range styled {
		if !worn[class] && class != "css" { // theme.css, in a comment
			t.Errorf("no page has the class %s", class)
		}
	}
	for class := range worn {
		if !styled[class] {
			t.Errorf("the stylesheet does not know the class %s", class)
		}
	}
}

func BenchmarkRenderSignIn(b *testing.B) {
	templates, catalog, _ := pagesOf(b)
	s, p := states()["signin"], catalog.For("en")
	for b.Loop() {
		if err := templates.Render(io.Discard, p, s.page, s.data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseTemplates(b *testing.B) {
	catalog, err := lang.Load()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		assets, err := web.LoadAssets(theme.DefaultHue)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := web.ParseTemplates(catalog, assets); err != nil {
			b.Fatal(err)
		}
	}
}
