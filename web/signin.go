package web

import (
	"errors"
	"net/http"
	"net/url"

	"gatelodge/app/challenge"
	"gatelodge/app/factor"
	"gatelodge/app/fault"
	"gatelodge/app/login"
	"gatelodge/app/people"
	"gatelodge/app/session"
	"gatelodge/web/shell"
)

// getSignIn shows the first page. Whoever is signed in goes on at once.
func (s signInPages) getSignIn(q *shell.Request) error {
	a := q.Attempt()
	switch cur, err := q.WhoIs(); {
	case err == nil && a.Confirms != cur.Session.ID:
		return q.Redirect(shell.Home(a.Return))
	case err != nil && !errors.Is(err, session.ErrNone):
		return err
	}
	known, err := s.remembered(q)
	if err != nil {
		return err
	}
	page := s.signInPage(q, a, lastMeans(known))
	page.Notice = q.Notice(&a)
	if q.URL.Query().Has("change") {
		page.Identifier = a.Identifier
	} else if !q.URL.Query().Has("other") {
		page.Known = known
	}
	if page.Notice != "" || a.Browser == "" {
		a.Begin() // see begun
		if err := q.SaveAttempt(a); err != nil {
			return err
		}
	}
	return q.Render(http.StatusOK, "signin.html", page)
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
func (s signInPages) signInPage(q *shell.Request, a shell.Attempt, last factor.Means) SignInPage {
	return SignInPage{
		Layout: q.Layout(), Target: s.target(a.Return), Passwords: s.Passwords, Upstreams: s.upstreamButtons(last),
		SignsUp: s.signsUp(), ByInvite: s.Users.Policy.Mode == people.ByInvite,
	}
}

// postSignIn mails a link to the typed address, when somebody has it, or goes on
// to the password.
func (s signInPages) postSignIn(q *shell.Request) error {
	if err := q.KeepsCookies(); err != nil {
		return err
	}
	a := q.Attempt()
	a.AppLogin = nil // typed on our own page: for more than one App
	a.OnlySignIn()
	typed := q.PostForm.Get("identifier")
	var err error
	if q.PostForm.Get("method") == "password" && s.Passwords {
		err = a.Name(typed)
	} else {
		err = s.Login.SendLink(q.Context(), q.From(), &a.Login, typed, q.Printer().Tag())
	}
	if f := shell.InField(err); f != nil {
		page := s.signInPage(q, a, "")
		page.Identifier, page.Problem = typed, q.Say(f)
		return q.Refuse(f, "signin.html", page)
	}
	if err != nil {
		return err
	}
	a.Notice = ""
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	if q.PostForm.Get("method") == "password" && s.Passwords {
		return q.Redirect("/signin/password")
	}
	return q.Redirect("/signin/code")
}

// postKnown goes on with an account that this browser remembers, by the way that
// was chosen.
func (s signInPages) postKnown(q *shell.Request) error {
	if err := q.KeepsCookies(); err != nil {
		return err
	}
	known, err := s.remembered(q)
	if err != nil {
		return err
	}
	for _, k := range known {
		if k.number() == q.PostForm.Get("account") && (k.Mail || k.Password && q.PostForm.Get("method") == "password") {
			q.PostForm.Set("identifier", k.Identifier)
			return s.postSignIn(q)
		}
	}
	return q.Redirect("/signin?other=1")
}

// getCode shows what happens next: a mail, if there is such an account.
func (s signInPages) getCode(q *shell.Request) error {
	a := q.Attempt()
	page, err := s.checkEmail(q, &a)
	if errors.Is(err, login.ErrStateLost) {
		return q.Redirect("/signin")
	}
	if err != nil {
		return err
	}
	if page.Notice != "" || page.Problem != "" {
		if err := q.SaveAttempt(a); err != nil {
			return err
		}
	}
	return q.Render(http.StatusOK, "check-email.html", page)
}

// getDelivery is the part of that page which changes while somebody waits: the
// script asks for it.
func (s signInPages) getDelivery(q *shell.Request) error {
	a := q.Attempt()
	a.Select(q.URL.Query().Get("attempt"))
	page, err := s.checkEmail(q, &a)
	if errors.Is(err, login.ErrStateLost) {
		q.W.WriteHeader(http.StatusNoContent)
		return nil
	}
	if err != nil {
		return err
	}
	return q.Render(http.StatusOK, "delivery", page)
}

// checkEmail is the page that waits for the code. It is the same for addresses
// nobody has.
func (s signInPages) checkEmail(q *shell.Request, a *shell.Attempt) (CheckEmailPage, error) {
	pending, err := s.Login.MailStatus(q.Context(), &a.Login)
	if err != nil {
		return CheckEmailPage{}, err
	}
	slow, err := s.Outbox.Slow(q.Context())
	if err != nil {
		return CheckEmailPage{}, err
	}
	last, err := s.Outbox.LastSent(q.Context())
	if err != nil {
		return CheckEmailPage{}, err
	}
	page := CheckEmailPage{
		Layout: q.Layout(), MailLastAt: last, Email: pending.Email, From: s.MailFrom, LinkUntil: pending.LinkUntil, CodeUntil: pending.CodeUntil,
		Problem: s.codeProblem(q, a), Notice: q.Notice(a), Attempt: a.Attempt(), ResendIn: pending.ResendIn, MailSlow: slow, Captured: s.HasInbox(q.Request), Unsent: s.unsent(q),
		Sure: pending.Sure, Delivery: pending.Delivery,
	}
	if pending.Dead != nil {
		page.Dead = s.sayDead(q, pending.Dead)
	}
	return page, nil
}

// sayDead says why no code can be typed any more. What became of the link says
// it in two sentences, of which the second explains.
func (s signInPages) sayDead(q *shell.Request, f *fault.Fault) string {
	if s.Lang.Has(f.Text) {
		return q.Say(f)
	}
	return s.Say(q.Printer(), f, ".text")
}

// postCode tries a typed code.
func (s signInPages) postCode(q *shell.Request) error {
	a := q.Attempt()
	a.Select(q.PostForm.Get("attempt"))
	out, err := s.Login.EnterCode(q.Context(), q.From(), &a.Login, q.PostForm.Get("code"), q.SessionToken())
	if errors.Is(err, login.ErrStateLost) || errors.Is(err, challenge.ErrUsed) {
		if ok, err := q.Onward(a, nil); ok || err != nil {
			return err
		}
	}
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || f.Field == "" && f.Kind != fault.Gone || errors.Is(f, login.ErrStateLost) {
		return s.proven(q, a, out, err)
	}
	if errors.Is(f, challenge.ErrCodeWrong) {
		return s.wrongCode(q, a, f, "/signin/code")
	}
	return s.checkEmailAgain(q, &a, f)
}

// wrongCode shows a page that asks for a code again, and how many tries are left. The
// answer is a redirect: a page that is loaded again spends no other try.
func (s signInPages) wrongCode(q *shell.Request, a shell.Attempt, f *fault.Fault, page string) error {
	q.Refused(f)
	a.Begin()
	a.Notice = f.Text
	for i := 0; i+1 < len(f.Args); i += 2 {
		if n, ok := f.Args[i+1].(int); ok && f.Args[i] == "n" {
			a.Count = n
		}
	}
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect(page)
}

// codeProblem takes what wrongCode said out of the attempt. The caller saves it.
func (s signInPages) codeProblem(q *shell.Request, a *shell.Attempt) string {
	if a.Notice != challenge.ErrCodeWrong.Text {
		return ""
	}
	return q.Notice(a)
}

// checkEmailAgain shows the page that waits for the code with what was wrong.
func (s signInPages) checkEmailAgain(q *shell.Request, a *shell.Attempt, f *fault.Fault) error {
	page, err := s.checkEmail(q, a)
	if err != nil {
		return err
	}
	switch {
	case f.Kind == fault.Gone:
		page.Dead = s.sayDead(q, f)
	default:
		page.Problem = q.Say(f)
	}
	return q.Refuse(f, "check-email.html", page)
}

// postResend mails again, or says how long to wait.
func (s signInPages) postResend(q *shell.Request) error {
	a := q.Attempt()
	a.Select(q.PostForm.Get("attempt"))
	err := s.Login.Resend(q.Context(), q.From(), &a.Login, q.Printer().Tag())
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind == fault.Limited {
		page, err := s.checkEmail(q, &a)
		if err != nil {
			return err
		}
		page.Notice = q.Say(f)
		return q.Refuse(f, "check-email.html", page)
	}
	if err != nil {
		return err
	}
	a.Notice = "check.resent"
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect("/signin/code")
}

// proven answers a proof: the session's cookie and the way on, or the error.
// The row of the session is on the disk before the browser hears of it.
func (s signInPages) proven(q *shell.Request, a shell.Attempt, out login.Outcome, err error) error {
	if errors.Is(err, people.ErrPending) {
		q.Refused(people.ErrPending)
		if err := q.SaveAttempt(shell.Attempt{Login: login.Login{Approval: a.Approval}}); err != nil {
			return err
		}
		return q.Redirect("/signup/waiting")
	}
	if err != nil {
		return err
	}
	if out.Need != "" {
		to, err := s.needed(q.W, s.own, a)
		if err != nil {
			return err
		}
		return q.Finish(to, Target{})
	}
	if out.Code != "" {
		q.DropAttempt()
		s.Cookies.SetDevice(q.W, out.Device)
		to := a.AppLogin.Origin + authBase + "callback/" + handOffID + "?code=" + url.QueryEscape(out.Code)
		return q.Finish(to, Target{Name: s.Apps.Snapshot().NameOf(a.AppLogin.App)})
	}
	if out.Confirmed {
		s.Cookies.SetSession(q.W, out.Token, out.Session, s.Now())
		a.Confirms, a.For, a.Proofs, a.Claimed = "", "", nil, false // they counted for this once
		if a.At != "" {
			a.Notice = "reauth.again" // what they had sent was not done
		}
		if err := q.SaveAttempt(a); err != nil {
			return err
		}
		return q.Finish(shell.Home(out.Return), Target{})
	}
	if err := s.signInHere(q.W, q.Request, out); err != nil {
		return err
	}
	if a.PendingIdentity != "" {
		// They have proved an account: now what an upstream vouched for can be
		// connected to it.
		rest := shell.Attempt{Login: login.Login{Browser: a.Browser, PendingIdentity: a.PendingIdentity, Return: out.Return}}
		if err := q.SaveAttempt(rest); err != nil {
			return err
		}
		return q.Redirect("/account/connect")
	}
	if out.Notice == "" {
		q.DropAttempt()
	} else if err := q.SaveAttempt(shell.Attempt{Notice: out.Notice, Warns: out.Warns}); err != nil {
		return err
	}
	return q.Finish(shell.Home(out.Return), Target{})
}

// signInHere gives the browser everything that a session of our own comes with.
func (s signInPages) signInHere(w http.ResponseWriter, r *http.Request, out login.Outcome) error {
	if !out.Session.Ephemeral {
		if err := s.remember(w, r, out.User.ID, out.Session.AMR); err != nil {
			return err
		}
		s.Cookies.SetDevice(w, out.Device)
	}
	if out.User.Theme != s.Cookies.Theme(r) {
		s.Cookies.SetTheme(w, out.User.Theme)
	}
	if _, err := r.Cookie(s.Cookies.PlainName(shell.ZoneCookie)); err == nil || out.User.TimeZone != "" {
		s.Cookies.SetZone(w, out.User.TimeZone) // or forget that of who was here before
	}
	if out.User.Language != "" {
		s.Cookies.SetLanguage(w, out.User.Language)
	}
	s.Cookies.SetSession(w, out.Token, out.Session, s.Now())
	return nil
}
