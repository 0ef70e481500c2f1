package web

import (
	"errors"
	"net/http"

	"gatelodge/app/fault"
	"gatelodge/app/people"
)

// getSetUp shows the page that makes the first admin, while there is none.
func (s *Server) getSetUp(w http.ResponseWriter, r *http.Request) error {
	open, err := s.Users.SetUpOpen(r.Context())
	if err != nil {
		return err
	}
	if !open {
		if ok, err := s.onward(w, r, s.cookies.readLogin(r), nil); ok || err != nil {
			return err
		}
		return people.ErrSetUpDone
	}
	if _, err := s.begun(w, r); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "setup.html", SetupPage{Layout: s.layout(r), Code: r.URL.Query().Get("code")})
}

// postSetUp makes the first admin and signs them in.
func (s *Server) postSetUp(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	if err := s.keepsCookies(r); err != nil {
		return err
	}
	form := people.SetUp{
		Code: r.PostForm.Get("setup_code"), Email: r.PostForm.Get("email"), Name: r.PostForm.Get("name"),
		Language: s.cookies.language(r),
	}
	a := s.cookies.readLogin(r)
	out, err := s.Login.SetUp(r.Context(), s.from(r), &a.Login, form, s.cookies.sessionToken(r))
	if errors.Is(err, people.ErrSetUpDone) {
		if ok, err := s.onward(w, r, a, nil); ok || err != nil {
			return err
		}
	}
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || f.Field == "" {
		return s.proven(w, r, a, out, err)
	}
	s.refused(r, f)
	page := SetupPage{Layout: s.layout(r), Code: form.Code, Email: form.Email, Name: form.Name}
	said := s.say(s.printer(r), f, "")
	switch f.Field {
	case "setup_code":
		page.Problems.Code = said
	case "name":
		page.Problems.Name = said
	default:
		page.Problems.Email = said
	}
	return s.render(w, r, statusOf(f), "setup.html", page)
}
