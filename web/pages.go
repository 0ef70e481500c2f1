package web

import (
	"errors"

	"gatelodge/app/account"
	"gatelodge/app/fault"
	"gatelodge/app/login"
	"gatelodge/app/people"
	"gatelodge/app/session"
	"gatelodge/web/shell"
)

// errorPage says a fault in the reader's words and where to go from there.
func (s *pages) errorPage(q *shell.Request, f *fault.Fault) ErrorPage {
	p := q.Printer()
	page := ErrorPage{Layout: q.Layout(), Next: Link{Text: p.Say("error.start"), Href: "/"}, Ref: q.Ref(f)}
	switch {
	case !s.Lang.Has(f.Text):
		page.Heading, page.Text = s.Say(p, f, ".title"), s.Say(p, f, ".text")
	case f.Kind == fault.Limited:
		// One sentence, meant for the side of a field: this page has none.
		page.Heading, page.Text = p.Say("error.limited.title"), s.Say(p, f, "")
	default:
		page.Heading, page.Text = p.Say("error.refused.title"), s.Say(p, f, "")
	}
	switch {
	case errors.Is(f, shell.ErrHost):
		page.Next = Link{Text: p.Say("error.open_right", "url", s.Origin.String()), Href: s.Origin.String()}
	case errors.Is(f, shell.ErrInboxKey):
		// A browser that opened the printed address from a page of another site has
		// the cookie, and sends it from here on.
		page.Next = Link{Text: p.Say("devmail.again"), Href: "/dev/mail"}
	case errors.Is(f, login.ErrStateLost), f.Reason == fault.Provider, errors.Is(f, account.ErrEmailFirst), errors.Is(f, people.ErrNotInvited),
		errors.Is(f, people.ErrInviteUsed), errors.Is(f, people.ErrInviteKnown):
		page.Next = Link{Text: p.Say("error.back_to_sign_in"), Href: "/signin"}
	}
	return page
}

func (s signInPages) getHome(q *shell.Request) error {
	_, err := q.WhoIs()
	switch {
	case err == nil:
		return q.Redirect("/account")
	case !errors.Is(err, session.ErrNone):
		return err
	}
	open, err := s.Users.SetUpOpen(q.Context())
	if err != nil {
		return err
	}
	if open {
		return q.Redirect("/setup")
	}
	return q.Redirect("/signin")
}

// getError shows the error page by its own address: for apps that send people
// here. It says nothing that stands in the address.
func (s signInPages) getError(*shell.Request) error { return shell.ErrNotFound }
