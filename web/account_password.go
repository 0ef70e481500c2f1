package web

import (
	"errors"
	"net/http"
	"slices"

	"gatelodge/app/account"
	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/app/session"
	"gatelodge/web/shell"
)

// confirmPage is the page on which somebody who is signed in proves themselves.
func (s accountPages) confirmPage(q *shell.Request, cur session.Current) (ConfirmPage, error) {
	u, methods, err := s.Account.UserAndMethods(q.Context(), cur.User.ID)
	page := ConfirmPage{Layout: s.personal(q, cur.User), Identifier: u.Called(), Mail: u.HasEmail()}
	for _, way := range methods {
		if way.Kind == "upstream" && !slices.ContainsFunc(page.Upstreams, func(b UpstreamButton) bool { return b.ID == way.Upstream }) {
			page.Upstreams = append(page.Upstreams, UpstreamButton{ID: way.Upstream, Name: way.Name})
		}
		page.Password = page.Password || way.Kind == "password" && !way.Idle
	}
	// A provider that does not ask again confirms nothing, unless there is nothing else:
	// anyone at a browser that is signed in there would be confirmed.
	var asks []UpstreamButton
	for _, b := range page.Upstreams {
		if s.Upstreams.Named(b.ID).AsksAgain() {
			asks = append(asks, b)
		}
	}
	page.Only = !page.Mail && !page.Password && (len(asks) == 0 || len(page.Upstreams) == 1)
	if !page.Only {
		page.Upstreams = asks
	}
	return page, err
}

func (s accountPages) getConfirm(q *shell.Request) error {
	cur := q.Current
	page, err := s.confirmPage(q, cur)
	if err != nil {
		return err
	}
	return q.Render(http.StatusOK, "confirm.html", page)
}

func (s accountPages) postConfirm(q *shell.Request) error {
	cur := q.Current
	page, err := s.confirmPage(q, cur)
	if err != nil {
		return err
	}
	a := q.Attempt()
	a.Confirms, a.AppLogin = cur.Session.ID, nil
	if id := q.PostForm.Get("upstream"); id != "" {
		if !slices.ContainsFunc(page.Upstreams, func(b UpstreamButton) bool { return b.ID == id }) {
			return shell.ErrNotFound
		}
		return s.confirmWith(q, a, cur, id, page.Only)
	}
	if q.PostForm.Get("method") == "mail" {
		err = s.Login.SendLink(q.Context(), q.From(), &a.Login, page.Identifier, q.Printer().Tag())
		if err == nil {
			if err := q.SaveAttempt(a); err != nil {
				return err
			}
			return q.Redirect("/signin/code")
		}
	} else {
		out, failed := s.Login.WithPassword(q.Context(), q.From(), &a.Login, page.Identifier, q.PostForm.Get("password"), q.SessionToken())
		if failed == nil {
			return s.proven(q, a, out, nil)
		}
		err = failed
	}
	f := shell.InField(err)
	if f == nil {
		return err
	}
	page.Problem = q.Say(f)
	return q.Refuse(f, "confirm.html", page)
}

// getForgot asks whose password is forgotten, or says that mail is on its way.
func (s accountPages) getForgot(q *shell.Request) error {
	if !s.Passwords {
		return shell.ErrNotFound
	}
	a := q.Attempt()
	page := ForgotPage{Layout: q.Layout(), Identifier: a.Identifier, From: s.MailFrom}
	if q.URL.Query().Has("sent") && a.Identifier != "" {
		page.Sent, page.Captured, page.Unsent = true, s.HasInbox(q.Request), s.unsent(q)
	}
	return q.Render(http.StatusOK, "forgot.html", page)
}

func (s accountPages) postForgot(q *shell.Request) error {
	a := q.Attempt()
	typed := q.PostForm.Get("identifier")
	err := s.Login.SendReset(q.Context(), q.From(), &a.Login, typed, q.Printer().Tag())
	if f := shell.InField(err); f != nil {
		page := ForgotPage{Layout: q.Layout(), Identifier: typed, Problem: q.Say(f), From: s.MailFrom}
		return q.Refuse(f, "forgot.html", page)
	}
	if err != nil {
		return err
	}
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect("/signin/forgot?sent=1")
}

// getOwnPassword is the page that sets, changes and removes the password.
func (s accountPages) getOwnPassword(q *shell.Request) error {
	cur := q.Current
	page, err := s.ownPassword(q, cur)
	if err != nil {
		return err
	}
	if page.Notice, err = q.Taken(); err != nil {
		return err
	}
	return q.Render(http.StatusOK, "own-password.html", page)
}

func (s accountPages) ownPassword(q *shell.Request, cur session.Current) (OwnPasswordPage, error) {
	if !s.Passwords {
		return OwnPasswordPage{}, shell.ErrNotFound
	}
	_, methods, err := s.Account.UserAndMethods(q.Context(), cur.User.ID)
	page := OwnPasswordPage{Layout: s.personal(q, cur.User), Least: s.Account.Least(), Last: account.IsLast(methods, "password")}
	for _, way := range methods {
		page.Set = page.Set || way.Kind == "password"
	}
	return page, err
}

func (s accountPages) postOwnPassword(q *shell.Request) error {
	cur := q.Current
	err := s.Account.SetPassword(q.Context(), q.From(), audit.ByUser, cur.User.ID, account.NewPassword{
		Typed: q.PostForm.Get("password"), Keep: cur.Session.ID, KeepOthers: q.PostForm.Get("keep") != "",
	})
	f := shell.InField(err)
	switch {
	case err == nil:
		return q.BackTo("/account", notified(cur.User, "password.changed", "password.changed_untold"), 0)
	case f == nil:
		return err
	}
	page, err := s.ownPassword(q, cur)
	if err != nil {
		return err
	}
	page.Problem = q.Say(f)
	return q.Refuse(f, "own-password.html", page)
}

func (s accountPages) postRemovePassword(q *shell.Request) error {
	cur := q.Current
	err := s.Account.RemovePassword(q.Context(), q.From(), audit.ByUser, cur.User.ID, cur.Session.ID)
	f, ok := errors.AsType[*fault.Fault](err)
	if err == nil {
		return q.BackTo("/account", notified(cur.User, "password.removed", "password.removed_untold"), 0)
	}
	if !ok || !errors.Is(f, account.ErrLastMethod) {
		return err
	}
	page, err := s.ownPassword(q, cur)
	if err != nil {
		return err
	}
	page.Problem = q.Say(f)
	return q.Refuse(f, "own-password.html", page)
}
