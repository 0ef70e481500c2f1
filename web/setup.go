package web

import (
	"errors"
	"net/http"

	"gatelodge/app/people"
	"gatelodge/web/shell"
)

// getSetUp shows the page that makes the first admin, while there is none.
func (s signInPages) getSetUp(q *shell.Request) error {
	open, err := s.Users.SetUpOpen(q.Context())
	if err != nil {
		return err
	}
	if !open {
		if ok, err := q.Onward(q.Attempt(), nil); ok || err != nil {
			return err
		}
		return people.ErrSetUpDone
	}
	if _, err := q.Begun(); err != nil {
		return err
	}
	return q.Render(http.StatusOK, "setup.html", SetupPage{Layout: q.Layout(), Code: q.URL.Query().Get("code")})
}

// postSetUp makes the first admin and signs them in.
func (s signInPages) postSetUp(q *shell.Request) error {
	if err := q.KeepsCookies(); err != nil {
		return err
	}
	form := people.SetUp{
		Code: q.PostForm.Get("setup_code"), Email: q.PostForm.Get("email"), Name: q.PostForm.Get("name"),
		Language: s.Cookies.Language(q.Request),
	}
	a := q.Attempt()
	out, err := s.Login.SetUp(q.Context(), q.From(), &a.Login, form, q.SessionToken())
	if errors.Is(err, people.ErrSetUpDone) {
		if ok, err := q.Onward(a, nil); ok || err != nil {
			return err
		}
	}
	f := shell.InField(err)
	if f == nil {
		return s.proven(q, a, out, err)
	}
	page := SetupPage{Layout: q.Layout(), Code: form.Code, Email: form.Email, Name: form.Name}
	said := q.Say(f)
	switch f.Field {
	case "setup_code":
		page.Problems.Code = said
	case "name":
		page.Problems.Name = said
	default:
		page.Problems.Email = said
	}
	return q.Refuse(f, "setup.html", page)
}
