package web

import (
	"errors"
	"net/http"
	"net/url"

	"gatelodge/app/challenge"
	"gatelodge/app/factor"
	"gatelodge/app/fault"
	"gatelodge/app/links"
	"gatelodge/app/login"
	"gatelodge/app/people"
	"gatelodge/app/session"
)

// getSignIn shows the first page. Whoever is signed in goes on at once.
func (s *Server) getSignIn(w http.ResponseWriter, r *http.Request) error {
	a := s.cookies.readLogin(r)
	switch cur, err := s.current(w, r); {
	case err == nil && a.Confirms != cur.Session.ID:
		return s.redirect(w, r, home(a.Return))
	case err != nil && !errors.Is(err, session.ErrNone):
		return err
	}
	known, err := s.remembered(r)
	if err != nil {
		return err
	}
	page := s.signInPage(r, a, lastMeans(known))
	page.Notice = s.notice(r, &a)
	if r.URL.Query().Has("change") {
		page.Identifier = a.Identifier
	} else if !r.URL.Query().Has("other") {
		page.Known = known
	}
	if page.Notice != "" || a.Browser == "" {
		a.Begin() // see begun
		if err := s.cookies.saveLogin(w, a); err != nil {
			return err
		}
	}
	return s.render(w, r, http.StatusOK, "signin.html", page)
}

// lastMeans is how this browser was signed in last.
func lastMeans(known []Known) factor.Means {
	if len(known) == 0 {
		return ""
	}
	return known[0].Means
}

// signInPage is the first page for an attempt. last is how this browser was signed
// in last.
func (s *Server) signInPage(r *http.Request, a attempt, last factor.Means) SignInPage {
	return SignInPage{
		Layout: s.layout(r), Target: s.target(a.Return), Passwords: s.Passwords, Upstreams: s.upstreamButtons(last),
		SignsUp: s.signsUp(), ByInvite: s.Users.Policy.Mode == people.ByInvite,
	}
}

// home is where a sign-in without a target leads.
func home(target string) string {
	if target = links.Local(target); target == "/" {
		return "/account"
	}
	return target
}

// postSignIn mails a link to the typed address, when somebody has it, or goes on
// to the password.
func (s *Server) postSignIn(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	if err := s.keepsCookies(r); err != nil {
		return err
	}
	a := s.cookies.readLogin(r)
	a.AppLogin = nil // typed on our own page: for more than one App
	a.OnlySignIn()
	typed := r.PostForm.Get("identifier")
	var err error
	if r.PostForm.Get("method") == "password" && s.Passwords {
		err = a.Name(typed)
	} else {
		err = s.Login.SendLink(r.Context(), s.from(r), &a.Login, typed, s.printer(r).Tag())
	}
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Field != "" {
		s.refused(r, f)
		setRetry(w, f)
		page := s.signInPage(r, a, "")
		page.Identifier, page.Problem = typed, s.say(s.printer(r), f, "")
		return s.render(w, r, statusOf(f), "signin.html", page)
	}
	if err != nil {
		return err
	}
	a.Notice = ""
	if err := s.cookies.saveLogin(w, a); err != nil {
		return err
	}
	if r.PostForm.Get("method") == "password" && s.Passwords {
		return s.redirect(w, r, "/signin/password")
	}
	return s.redirect(w, r, "/signin/code")
}

// postKnown goes on with an account that this browser remembers, by the way that
// was chosen.
func (s *Server) postKnown(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	if err := s.keepsCookies(r); err != nil {
		return err
	}
	known, err := s.remembered(r)
	if err != nil {
		return err
	}
	for _, k := range known {
		if k.number() == r.PostForm.Get("account") && (k.Mail || k.Password && r.PostForm.Get("method") == "password") {
			r.PostForm.Set("identifier", k.Identifier)
			return s.postSignIn(w, r)
		}
	}
	return s.redirect(w, r, "/signin?other=1")
}

// badForm is a body that is too large or no form.
func badForm(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errTooLarge.Because(err)
	}
	return errBadForm.Because(err)
}

var errBadForm = fault.New(fault.Invalid, "error.bad_form")

// refused remembers a refusal that is shown beside a field.
func (s *Server) refused(r *http.Request, f *fault.Fault) { s.note(r, f, f) }

// getCode shows what happens next: a mail, if there is such an account.
func (s *Server) getCode(w http.ResponseWriter, r *http.Request) error {
	if taken, err := s.takeAsk(w, r); taken || err != nil {
		return err
	}
	a := s.cookies.readLogin(r)
	page, err := s.checkEmail(r, &a)
	if errors.Is(err, login.ErrStateLost) {
		return s.redirect(w, r, "/signin")
	}
	if err != nil {
		return err
	}
	if page.Notice != "" || page.Problem != "" {
		if err := s.cookies.saveLogin(w, a); err != nil {
			return err
		}
	}
	return s.render(w, r, http.StatusOK, "check-email.html", page)
}

// getDelivery is the part of that page which changes while somebody waits: the
// script asks for it.
func (s *Server) getDelivery(w http.ResponseWriter, r *http.Request) error {
	a := s.cookies.readLogin(r)
	a.Select(r.URL.Query().Get("attempt"))
	page, err := s.checkEmail(r, &a)
	if errors.Is(err, login.ErrStateLost) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "delivery", page)
}

// checkEmail is the page that waits for the code. It is the same for addresses
// nobody has.
func (s *Server) checkEmail(r *http.Request, a *attempt) (CheckEmailPage, error) {
	pending, err := s.Login.MailStatus(r.Context(), &a.Login)
	if err != nil {
		return CheckEmailPage{}, err
	}
	slow, err := s.Outbox.Slow(r.Context())
	if err != nil {
		return CheckEmailPage{}, err
	}
	last, err := s.Outbox.LastSent(r.Context())
	if err != nil {
		return CheckEmailPage{}, err
	}
	page := CheckEmailPage{
		Layout: s.layout(r), MailLastAt: last, Email: pending.Email, From: s.MailFrom, LinkUntil: pending.LinkUntil, CodeUntil: pending.CodeUntil,
		Problem: s.codeProblem(r, a), Notice: s.notice(r, a), Attempt: a.Attempt(), ResendIn: pending.ResendIn, MailSlow: slow, Captured: s.hasInbox(r),
		Sure: pending.Sure, Delivery: pending.Delivery,
	}
	if pending.Dead != nil {
		page.Dead = s.sayDead(r, pending.Dead)
	}
	return page, nil
}

// sayDead says why no code can be typed any more. What became of the link says
// it in two sentences, of which the second explains.
func (s *Server) sayDead(r *http.Request, f *fault.Fault) string {
	if s.Lang.Has(f.Text) {
		return s.say(s.printer(r), f, "")
	}
	return s.say(s.printer(r), f, ".text")
}

// postCode tries a typed code.
func (s *Server) postCode(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	a := s.cookies.readLogin(r)
	a.Select(r.PostForm.Get("attempt"))
	out, err := s.Login.EnterCode(r.Context(), s.from(r), &a.Login, r.PostForm.Get("code"), s.cookies.sessionToken(r))
	if errors.Is(err, login.ErrStateLost) || errors.Is(err, challenge.ErrUsed) {
		if ok, err := s.onward(w, r, a, nil); ok || err != nil {
			return err
		}
	}
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || f.Field == "" && f.Kind != fault.Gone || errors.Is(f, login.ErrStateLost) {
		return s.proven(w, r, a, out, err)
	}
	s.refused(r, f)
	if errors.Is(f, challenge.ErrCodeWrong) {
		return s.wrongCode(w, r, a, f, "/signin/code")
	}
	return s.checkEmailAgain(w, r, &a, f)
}

// wrongCode shows a page that asks for a code again, and how many tries are left. The
// answer is a redirect: a page that is loaded again spends no other try.
func (s *Server) wrongCode(w http.ResponseWriter, r *http.Request, a attempt, f *fault.Fault, page string) error {
	a.Begin()
	a.Notice = f.Text
	for i := 0; i+1 < len(f.Args); i += 2 {
		if n, ok := f.Args[i+1].(int); ok && f.Args[i] == "n" {
			a.Count = n
		}
	}
	if err := s.cookies.saveLogin(w, a); err != nil {
		return err
	}
	return s.redirect(w, r, page)
}

// codeProblem takes what wrongCode said out of the attempt. The caller saves it.
func (s *Server) codeProblem(r *http.Request, a *attempt) string {
	if a.Notice != challenge.ErrCodeWrong.Text {
		return ""
	}
	return s.notice(r, a)
}

// checkEmailAgain shows the page that waits for the code with what was wrong.
func (s *Server) checkEmailAgain(w http.ResponseWriter, r *http.Request, a *attempt, f *fault.Fault) error {
	page, err := s.checkEmail(r, a)
	if err != nil {
		return err
	}
	switch {
	case f.Kind == fault.Gone:
		page.Dead = s.sayDead(r, f)
	default:
		page.Problem = s.say(s.printer(r), f, "")
	}
	setRetry(w, f)
	return s.render(w, r, statusOf(f), "check-email.html", page)
}

// postResend mails again, or says how long to wait.
func (s *Server) postResend(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	a := s.cookies.readLogin(r)
	a.Select(r.PostForm.Get("attempt"))
	err := s.Login.Resend(r.Context(), s.from(r), &a.Login, s.printer(r).Tag())
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind == fault.Limited {
		s.refused(r, f)
		page, err := s.checkEmail(r, &a)
		if err != nil {
			return err
		}
		page.Notice = s.say(s.printer(r), f, "")
		setRetry(w, f)
		return s.render(w, r, statusOf(f), "check-email.html", page)
	}
	if err != nil {
		return err
	}
	a.Notice = "check.resent"
	if err := s.cookies.saveLogin(w, a); err != nil {
		return err
	}
	return s.redirect(w, r, "/signin/code")
}

// proven answers a proof: the session's cookie and the way on, or the error.
// The row of the session is on the disk before the browser hears of it.
func (s *Server) proven(w http.ResponseWriter, r *http.Request, a attempt, out login.Outcome, err error) error {
	if errors.Is(err, people.ErrPending) {
		s.refused(r, people.ErrPending)
		if err := s.cookies.saveLogin(w, attempt{Login: login.Login{Approval: a.Approval}}); err != nil {
			return err
		}
		return s.redirect(w, r, "/signup/waiting")
	}
	if err != nil {
		return err
	}
	if out.Need != "" {
		to, err := s.needed(w, s.own, a)
		if err != nil {
			return err
		}
		return s.finish(w, r, to, Target{})
	}
	if out.Code != "" {
		s.cookies.dropLogin(w)
		s.cookies.setDevice(w, out.Device)
		to := a.AppLogin.Origin + authBase + "callback/" + handOffID + "?code=" + url.QueryEscape(out.Code)
		return s.finish(w, r, to, Target{Name: a.AppLogin.App})
	}
	if out.Confirmed {
		s.cookies.setSession(w, out.Token, out.Session, s.Now())
		a.Confirms, a.For, a.Proofs, a.Claimed = "", "", nil, false // they counted for this once
		if a.At != "" {
			a.Notice = "reauth.again" // what they had sent was not done
		}
		if err := s.cookies.saveLogin(w, a); err != nil {
			return err
		}
		return s.finish(w, r, home(out.Return), Target{})
	}
	if err := s.signInHere(w, r, out); err != nil {
		return err
	}
	if a.PendingIdentity != "" {
		// They have proved an account: now what an upstream vouched for can be
		// connected to it.
		rest := attempt{Login: login.Login{Browser: a.Browser, PendingIdentity: a.PendingIdentity, Return: out.Return}}
		if err := s.cookies.saveLogin(w, rest); err != nil {
			return err
		}
		return s.redirect(w, r, "/account/connect")
	}
	if out.Notice == "" {
		s.cookies.dropLogin(w)
	} else if err := s.cookies.saveLogin(w, attempt{Notice: out.Notice, Warns: out.Warns}); err != nil {
		return err
	}
	return s.finish(w, r, home(out.Return), Target{})
}

// signInHere gives the browser everything that a session of our own comes with.
func (s *Server) signInHere(w http.ResponseWriter, r *http.Request, out login.Outcome) error {
	if !out.Session.Brief {
		if err := s.remember(w, r, out.User.ID, out.Session.AMR); err != nil {
			return err
		}
		s.cookies.setDevice(w, out.Device)
	}
	if out.User.Theme != s.cookies.theme(r) {
		s.cookies.setTheme(w, out.User.Theme)
	}
	if _, err := r.Cookie(s.cookies.plainName(zoneCookie)); err == nil || out.User.TimeZone != "" {
		s.cookies.setZone(w, out.User.TimeZone) // or forget that of who was here before
	}
	if out.User.Language != "" {
		s.cookies.setLanguage(w, out.User.Language)
	}
	s.cookies.setSession(w, out.Token, out.Session, s.Now())
	return nil
}
