package web

import (
	"errors"
	"net/http"
	"slices"

	"gatelodge/app/fault"
	"gatelodge/app/login"
)

// getPassword asks for the password of the account that was named. Nobody is
// looked up for it.
func (s *Server) getPassword(w http.ResponseWriter, r *http.Request) error {
	a := s.cookies.readLogin(r)
	if a.Identifier == "" || !s.Passwords {
		return s.redirect(w, r, "/signin")
	}
	return s.render(w, r, http.StatusOK, "password.html", s.passwordPage(r, a))
}

func (s *Server) passwordPage(r *http.Request, a attempt) PasswordPage {
	return PasswordPage{Layout: s.layout(r), Identifier: a.Identifier, Target: s.target(a.Return), Keeps: s.KeepFor, Keep: !a.Ephemeral, Confirms: a.Confirms != ""}
}

// postPassword signs in with a password.
func (s *Server) postPassword(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	a := s.cookies.readLogin(r)
	if a.Identifier == "" {
		return login.ErrStateLost
	}
	a.AppLogin = nil // typed on our own page: for more than one App
	// Before the box stands a "0": who posts without either is kept.
	keep := r.PostForm["keep"]
	a.Ephemeral = len(keep) > 0 && !slices.Contains(keep, "1")
	out, err := s.Login.WithPassword(r.Context(), s.from(r), &a.Login, a.Identifier, r.PostForm.Get("password"), s.cookies.sessionToken(r))
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || f.Field == "" {
		return s.proven(w, r, a, out, err)
	}
	s.refused(r, f)
	setRetry(w, f)
	page := s.passwordPage(r, a)
	page.Problem = s.say(s.printer(r), f, "")
	return s.render(w, r, statusOf(f), "password.html", page)
}
