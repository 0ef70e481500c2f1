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
)

// getInvite shows what an invite is for. It spends nothing, however often and by
// whomever it is opened: mail scanners open links.
func (s *Server) getInvite(w http.ResponseWriter, r *http.Request) error {
	page, v, err := s.invite(w, r)
	if err != nil {
		return s.inviteUsed(w, r, v, err)
	}
	if _, err := s.begun(w, r); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "invite.html", page)
}

// invite returns the page of the invite that the path names.
func (s *Server) invite(w http.ResponseWriter, r *http.Request) (InvitePage, store.Invite, error) {
	v, known, err := s.Users.Invited(r.Context(), param(r, "token"))
	if err != nil {
		return InvitePage{}, v, err
	}
	page := InvitePage{
		Layout: s.layout(r), By: s.inviter(r, v), Email: v.Email, Known: known, Passwords: s.Passwords, Least: s.Account.Least(), Until: v.ExpiresAt,
		Upstreams: s.upstreamButtons(""),
	}
	cur, err := s.current(w, r)
	switch {
	case errors.Is(err, session.ErrNone):
		return page, v, nil
	case err != nil:
		return InvitePage{}, v, err
	}
	page.SignedIn = cur.User.Called()
	page.Mine, err = s.Users.MayAccept(r.Context(), cur.User.ID, v)
	return page, v, err
}

// inviter names who invites.
func (s *Server) inviter(r *http.Request, v store.Invite) string {
	var by store.User
	if v.CreatedBy != "" {
		if u, ok, err := s.Account.Lookup(r.Context(), v.CreatedBy); err == nil && ok {
			by = u
		}
	}
	return s.inviterCalled(by)
}

// inviterCalled is what who invites is called, "" for the command line where nobody
// says who runs it.
func (s *Server) inviterCalled(by store.User) string {
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
func (s *Server) postInvite(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	if err := s.keepsCookies(r); err != nil {
		return err
	}
	page, v, err := s.invite(w, r)
	if err != nil {
		return s.inviteUsed(w, r, v, err)
	}
	switch as := r.PostForm.Get("as"); {
	case as == "me" && page.Mine:
		return s.acceptAsMe(w, r)
	case as == "known" || page.Known:
		return s.acceptAsKnown(w, r, v)
	}
	a := s.cookies.readLogin(r)
	a.AppLogin, a.Confirms, a.Notice = nil, "", ""
	a.Joining = &login.Joining{Invite: v.ID}
	if up := s.Upstreams.Named(r.PostForm.Get("with")); up != nil {
		return s.signInBy(w, r, a, up, upstream.AuthParams{})
	}
	form := readSignUp(r)
	if form.Name == "" {
		// Programs that open links press buttons too. None fills in a name.
		return s.inviteAgain(w, r, page, form, people.ErrNameNeeded.In("name"))
	}
	if v.Email != "" {
		return s.acceptMailed(w, r, a, page, form)
	}
	err = s.Login.SignUp(r.Context(), s.from(r), &a.Login, form, s.printer(r).Tag())
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Field != "" {
		return s.inviteAgain(w, r, page, form, f)
	}
	if err != nil {
		return err
	}
	if err := s.cookies.saveLogin(w, a); err != nil {
		return err
	}
	return s.redirect(w, r, "/signin/code")
}

// acceptMailed makes the account of an invite whose mail was read.
func (s *Server) acceptMailed(w http.ResponseWriter, r *http.Request, a attempt, page InvitePage, form login.SignUp) error {
	typed := r.PostForm.Get("password")
	form.Password = typed != "" && s.Passwords
	out, err := s.Login.AcceptMailed(r.Context(), s.from(r), &a.Login, param(r, "token"), login.Acceptance{
		SignUp: form, Typed: typed, Language: s.printer(r).Tag(), Least: s.Account.Least(), Site: s.Name,
	}, s.cookies.sessionToken(r))
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Field != "" {
		return s.inviteAgain(w, r, page, form, f)
	}
	return s.proven(w, r, a, out, err)
}

// inviteAgain shows the invite with what was wrong.
func (s *Server) inviteAgain(w http.ResponseWriter, r *http.Request, page InvitePage, form login.SignUp, f *fault.Fault) error {
	s.refused(r, f)
	setRetry(w, f)
	page.Typed, page.Name, page.Choose = form.Email, form.Name, form.Password
	page.Problems = s.signUpProblems(r, f)
	return s.render(w, r, statusOf(f), "invite.html", page)
}

// acceptAsMe gives what the invite gives to whoever is signed in.
func (s *Server) acceptAsMe(w http.ResponseWriter, r *http.Request) error {
	return s.signedIn(w, r, func(cur session.Current) error {
		if err := s.Login.AcceptSignedIn(r.Context(), s.from(r), cur.User.ID, param(r, "token")); err != nil {
			return err
		}
		return s.backTo(w, r, "/account", "invite.accepted", 0)
	})
}

// acceptAsKnown has somebody sign in who has an account, and remembers the invite
// meanwhile. A mailed one is for the account of its address.
func (s *Server) acceptAsKnown(w http.ResponseWriter, r *http.Request, v store.Invite) error {
	a := s.cookies.readLogin(r)
	a.AppLogin, a.Confirms, a.Notice = nil, "", "invite.sign_in"
	a.Joining = &login.Joining{Invite: v.ID}
	if v.Email == "" {
		if err := s.cookies.saveLogin(w, a); err != nil {
			return err
		}
		return s.redirect(w, r, "/signin?other=1")
	}
	a.Notice = ""
	if err := s.Login.SendLink(r.Context(), s.from(r), &a.Login, v.Email, s.printer(r).Tag()); err != nil {
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			return f.In("") // there is no field to say it beside
		}
		return err
	}
	if err := s.cookies.saveLogin(w, a); err != nil {
		return err
	}
	return s.redirect(w, r, "/signin/code")
}
