package web

import (
	"net/http"
	"slices"

	"gatelodge/app/login"
	"gatelodge/web/shell"
)

// getPassword asks for the password of the account that was named. Nobody is
// looked up for it.
func (s signInPages) getPassword(q *shell.Request) error {
	a := q.Attempt()
	if a.Identifier == "" || !s.Passwords {
		return q.Redirect("/signin")
	}
	return q.Render(http.StatusOK, "password.html", s.passwordPage(q, a))
}

func (s signInPages) passwordPage(q *shell.Request, a shell.Attempt) PasswordPage {
	return PasswordPage{Layout: q.Layout(), Identifier: a.Identifier, Target: s.target(a.Return), Keeps: s.KeepFor, Keep: !a.Ephemeral, Confirms: a.Confirms != ""}
}

// postPassword signs in with a password.
func (s signInPages) postPassword(q *shell.Request) error {
	a := q.Attempt()
	if a.Identifier == "" {
		return login.ErrStateLost
	}
	a.AppLogin = nil // typed on our own page: for more than one App
	// Before the box stands a "0": who posts without either is kept.
	keep := q.PostForm["keep"]
	a.Ephemeral = len(keep) > 0 && !slices.Contains(keep, "1")
	out, err := s.Login.WithPassword(q.Context(), q.From(), &a.Login, a.Identifier, q.PostForm.Get("password"), q.SessionToken())
	f := shell.InField(err)
	if f == nil {
		return s.proven(q, a, out, err)
	}
	page := s.passwordPage(q, a)
	page.Problem = q.Say(f)
	return q.Refuse(f, "password.html", page)
}
