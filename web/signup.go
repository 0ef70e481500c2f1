package web

import (
	"errors"
	"net/http"
	"strings"

	"gatelodge/app/fault"
	"gatelodge/app/login"
	"gatelodge/app/people"
	"gatelodge/app/session"
	"gatelodge/web/shell"
)

// signsUp reports whether strangers may come by themselves.
func (s signInPages) signsUp() bool {
	switch s.Users.Policy.Mode {
	case people.Open, people.ByDomain, people.ByApproval:
		return true
	}
	return false
}

// getSignUp shows the page that asks for an account, where strangers may come by
// themselves. Whoever is signed in has one.
func (s signInPages) getSignUp(q *shell.Request) error {
	_, err := q.WhoIs()
	switch {
	case err == nil:
		return q.Redirect("/account")
	case !errors.Is(err, session.ErrNone):
		return err
	}
	if !s.signsUp() {
		return s.Users.Policy.Refusal()
	}
	// What was typed on the sign-in page need not be typed again (WCAG 2.2, 3.3.7).
	page := s.signUpPage(q)
	a, err := q.Begun()
	if err != nil {
		return err
	}
	if strings.Contains(a.Identifier, "@") {
		page.Email = a.Identifier
	}
	return q.Render(http.StatusOK, "signup.html", page)
}

func (s signInPages) signUpPage(q *shell.Request) SignUpPage {
	page := SignUpPage{Layout: q.Layout(), Passwords: s.Passwords, Waits: s.Users.Policy.Mode == people.ByApproval, Upstreams: s.upstreamButtons("")}
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
func (s signInPages) postSignUp(q *shell.Request) error {
	if err := q.KeepsCookies(); err != nil {
		return err
	}
	a := q.Attempt()
	a.AppLogin, a.Joining, a.Confirms = nil, nil, ""
	form := readSignUp(q)
	err := s.Login.SignUp(q.Context(), q.From(), &a.Login, form, q.Printer().Tag())
	if f := shell.InField(err); f != nil {
		page := s.signUpPage(q)
		page.Email, page.Name, page.Password = form.Email, form.Name, form.Password
		page.Problems = s.signUpProblems(q, f)
		return q.Refuse(f, "signup.html", page)
	}
	if err != nil {
		return err
	}
	a.Notice = ""
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect("/signin/code")
}

func readSignUp(q *shell.Request) login.SignUp {
	return login.SignUp{Email: q.PostForm.Get("email"), Name: q.PostForm.Get("name"), Password: q.PostForm.Get("choose") != ""}
}

// signUpProblems puts what is wrong beside the field it is about.
func (s signInPages) signUpProblems(q *shell.Request, f *fault.Fault) SignUpProblems {
	said := q.Say(f)
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
func (s signInPages) getWaiting(q *shell.Request) error {
	p := q.Printer()
	waits := q.Attempt().Approval
	if waits == nil {
		return q.Redirect("/signin")
	}
	said := []any{"operator", s.Operator(p), "day", p.Date(waits.NotifiedAt), "upstream", waits.Upstream}
	text := p.Say("signup.waiting.decides", said...)
	if !waits.NotifiedAt.IsZero() {
		text = p.Say("signup.waiting.told", said...)
	}
	next := "signup.waiting.mailed"
	if waits.Upstream != "" {
		next = "signup.waiting.come_back"
	}
	text += " " + p.Say(next, said...)
	return q.Render(http.StatusOK, "note.html", NotePage{
		Layout: q.Layout(), Heading: p.Say("signup.waiting.title"), Text: text, Other: Link{Text: p.Say("signin.title"), Href: "/signin"},
	})
}
