package web

import (
	"errors"
	"net/http"
	"strings"

	"gatelodge/app/fault"
	"gatelodge/app/login"
	"gatelodge/app/people"
	"gatelodge/app/session"
)

// signsUp reports whether strangers may come by themselves.
func (s *Server) signsUp() bool {
	switch s.Users.Policy.Mode {
	case people.Open, people.ByDomain, people.ByApproval:
		return true
	}
	return false
}

// getSignUp shows the page that asks for an account, where strangers may come by
// themselves. Whoever is signed in has one.
func (s *Server) getSignUp(w http.ResponseWriter, r *http.Request) error {
	_, err := s.current(w, r)
	switch {
	case err == nil:
		return s.redirect(w, r, "/account")
	case !errors.Is(err, session.ErrNone):
		return err
	}
	if !s.signsUp() {
		return s.Users.Policy.Refusal()
	}
	// What was typed on the sign-in page need not be typed again (WCAG 2.2, 3.3.7).
	page := s.signUpPage(r)
	a, err := s.begun(w, r)
	if err != nil {
		return err
	}
	if strings.Contains(a.Identifier, "@") {
		page.Email = a.Identifier
	}
	return s.render(w, r, http.StatusOK, "signup.html", page)
}

func (s *Server) signUpPage(r *http.Request) SignUpPage {
	page := SignUpPage{Layout: s.layout(r), Passwords: s.Passwords, Waits: s.Users.Policy.Mode == people.ByApproval, Upstreams: s.upstreamButtons("")}
	for i := range page.Upstreams {
		page.Upstreams[i].Comes = true
	}
	if s.Users.Policy.Mode == people.ByDomain {
		page.Domains = strings.Join(s.Users.Policy.Domains(), ", ")
	}
	return page
}

// postSignUp mails what makes an account. An address that has one gets the same
// answer.
func (s *Server) postSignUp(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	if err := s.keepsCookies(r); err != nil {
		return err
	}
	a := s.cookies.readLogin(r)
	a.AppLogin, a.Joining, a.Confirms = nil, nil, ""
	form := readSignUp(r)
	err := s.Login.SignUp(r.Context(), s.from(r), &a.Login, form, s.printer(r).Tag())
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Field != "" {
		s.refused(r, f)
		setRetry(w, f)
		page := s.signUpPage(r)
		page.Email, page.Name, page.Password = form.Email, form.Name, form.Password
		page.Problems = s.signUpProblems(r, f)
		return s.render(w, r, statusOf(f), "signup.html", page)
	}
	if err != nil {
		return err
	}
	a.Notice = ""
	if err := s.cookies.saveLogin(w, a); err != nil {
		return err
	}
	return s.redirect(w, r, "/signin/code")
}

func readSignUp(r *http.Request) login.SignUp {
	return login.SignUp{Email: r.PostForm.Get("email"), Name: r.PostForm.Get("name"), Password: r.PostForm.Get("choose") != ""}
}

// signUpProblems puts what is wrong beside the field it is about.
func (s *Server) signUpProblems(r *http.Request, f *fault.Fault) SignUpProblems {
	said := s.say(s.printer(r), f, "")
	switch f.Field {
	case "name":
		return SignUpProblems{Name: said}
	case "password":
		return SignUpProblems{Password: said}
	}
	return SignUpProblems{Email: said}
}

// getWaiting shows people whose account is pending when an admin was asked. Any other
// browser is led to the sign-in page: nothing is pending that it asked for.
func (s *Server) getWaiting(w http.ResponseWriter, r *http.Request) error {
	p := s.printer(r)
	waits := s.cookies.readLogin(r).Approval
	if waits == nil {
		return s.redirect(w, r, "/signin")
	}
	said := []any{"operator", s.operator(p), "day", p.Date(waits.NotifiedAt), "upstream", waits.Upstream}
	text := p.Say("signup.waiting.decides", said...)
	if !waits.NotifiedAt.IsZero() {
		text = p.Say("signup.waiting.told", said...)
	}
	next := "signup.waiting.mailed"
	if waits.Upstream != "" {
		next = "signup.waiting.come_back"
	}
	text += " " + p.Say(next, said...)
	return s.render(w, r, http.StatusOK, "note.html", NotePage{
		Layout: s.layout(r), Heading: p.Say("signup.waiting.title"), Text: text, Other: Link{Text: p.Say("signin.title"), Href: "/signin"},
	})
}
