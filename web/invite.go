package web

import (
	"cmp"
	"errors"
	"net/http"

	"gatelodge/app/fault"
	"gatelodge/app/login"
	"gatelodge/app/people"
	"gatelodge/app/session"
	"gatelodge/app/upstream"
	"gatelodge/store"
	"gatelodge/web/shell"
)

// getInvite shows what an invite is for. It spends nothing, however often and by
// whomever it is opened: mail scanners open links.
func (s signInPages) getInvite(q *shell.Request) error {
	page, v, err := s.invite(q)
	if err != nil {
		return s.inviteUsed(q, v, err)
	}
	if _, err := q.Begun(); err != nil {
		return err
	}
	return q.Render(http.StatusOK, "invite.html", page)
}

// invite returns the page of the invite that the path names.
func (s signInPages) invite(q *shell.Request) (InvitePage, store.Invite, error) {
	v, known, err := s.Users.Invited(q.Context(), q.Param("token"))
	if err != nil {
		return InvitePage{}, v, err
	}
	page := InvitePage{
		Layout: q.Layout(), By: s.inviter(q, v), Email: v.Email, Known: known, Passwords: s.Passwords, Least: s.Account.Least(), Until: v.ExpiresAt,
		Upstreams: s.upstreamButtons(""),
	}
	cur, err := q.WhoIs()
	switch {
	case errors.Is(err, session.ErrNone):
		return page, v, nil
	case err != nil:
		return InvitePage{}, v, err
	}
	page.SignedIn = cur.User.Called()
	page.Mine, err = s.Users.MayAccept(q.Context(), cur.User.ID, v)
	return page, v, err
}

// inviter names who invites.
func (s signInPages) inviter(q *shell.Request, v store.Invite) string {
	var by store.User
	if v.CreatedBy != "" {
		if u, ok, err := s.Account.Lookup(q.Context(), v.CreatedBy); err == nil && ok {
			by = u
		}
	}
	return s.inviterCalled(by)
}

// inviterCalled is what who invites is called, "" for the command line where nobody
// says who runs it.
func (s signInPages) inviterCalled(by store.User) string {
	switch {
	case by.ID != "":
		return cmp.Or(by.Name, by.Called())
	case s.Contact != "":
		return Layout{Contact: s.Contact}.ContactLink().Text
	}
	return ""
}

// postInvite accepts an invite: as whoever is signed in, as somebody who has an
// account, or as somebody new.
func (s signInPages) postInvite(q *shell.Request) error {
	if err := q.KeepsCookies(); err != nil {
		return err
	}
	page, v, err := s.invite(q)
	if err != nil {
		return s.inviteUsed(q, v, err)
	}
	switch as := q.PostForm.Get("as"); {
	case as == "me" && page.Mine:
		return s.acceptAsMe(q)
	case as == "known" || page.Known:
		return s.acceptAsKnown(q, v)
	}
	a := q.Attempt()
	a.AppLogin, a.Confirms, a.Notice = nil, "", ""
	a.Joining = &login.Joining{Invite: v.ID}
	if up := s.Upstreams.Named(q.PostForm.Get("with")); up != nil {
		return s.signInBy(q, a, up, upstream.AuthParams{})
	}
	form := readSignUp(q)
	if form.Name == "" {
		// Programs that open links press buttons too. None fills in a name.
		return s.inviteAgain(q, page, form, people.ErrNameNeeded.In("name"))
	}
	if v.Email != "" {
		return s.acceptMailed(q, a, page, form)
	}
	err = s.Login.SignUp(q.Context(), q.From(), &a.Login, form, q.Printer().Tag())
	if f := shell.InField(err); f != nil {
		return s.inviteAgain(q, page, form, f)
	}
	if err != nil {
		return err
	}
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect("/signin/code")
}

// acceptMailed makes the account of an invite whose mail was read.
func (s signInPages) acceptMailed(q *shell.Request, a shell.Attempt, page InvitePage, form login.SignUp) error {
	typed := q.PostForm.Get("password")
	form.Password = typed != "" && s.Passwords
	out, err := s.Login.AcceptMailed(q.Context(), q.From(), &a.Login, q.Param("token"), login.Acceptance{
		SignUp: form, Typed: typed, Language: q.Printer().Tag(), Least: s.Account.Least(), Site: s.Name,
	}, q.SessionToken())
	if f := shell.InField(err); f != nil {
		return s.inviteAgain(q, page, form, f)
	}
	return s.proven(q, a, out, err)
}

// inviteAgain shows the invite with what was wrong.
func (s signInPages) inviteAgain(q *shell.Request, page InvitePage, form login.SignUp, f *fault.Fault) error {
	page.Typed, page.Name, page.Choose = form.Email, form.Name, form.Password
	page.Problems = s.signUpProblems(q, f)
	return q.Refuse(f, "invite.html", page)
}

// acceptAsMe gives what the invite gives to whoever is signed in.
func (s signInPages) acceptAsMe(q *shell.Request) error {
	cur, err := q.WhoIs()
	if err != nil {
		return err
	}
	if err := s.Login.AcceptSignedIn(q.Context(), q.From(), cur.User.ID, q.Param("token")); err != nil {
		return err
	}
	return q.BackTo("/account", "invite.accepted", 0)
}

// acceptAsKnown has somebody sign in who has an account, and remembers the invite
// meanwhile. A mailed one is for the account of its address.
func (s signInPages) acceptAsKnown(q *shell.Request, v store.Invite) error {
	a := q.Attempt()
	a.AppLogin, a.Confirms, a.Notice = nil, "", "invite.sign_in"
	a.Joining = &login.Joining{Invite: v.ID}
	if v.Email == "" {
		if err := q.SaveAttempt(a); err != nil {
			return err
		}
		return q.Redirect("/signin?other=1")
	}
	a.Notice = ""
	if err := s.Login.SendLink(q.Context(), q.From(), &a.Login, v.Email, q.Printer().Tag()); err != nil {
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			return f.In("") // there is no field to say it beside
		}
		return err
	}
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect("/signin/code")
}
