package web

import (
	"errors"
	"net/http"
	"strings"

	"gatelodge/app/challenge"
	"gatelodge/app/fault"
	"gatelodge/app/people"
	"gatelodge/app/session"
)

// getMailed shows what a mailed link is for. Only its form does it: mail scanners
// open links.
func (s *Server) getMailed(w http.ResponseWriter, r *http.Request) error {
	page, err := s.mailed(r)
	if err != nil {
		return s.mailedDead(w, r, err)
	}
	if page.Notice, err = s.taken(w, r); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "mailed.html", page)
}

func (s *Server) mailed(r *http.Request) (MailedPage, error) {
	k, err := s.Account.LookAt(r.Context(), param(r, "token"), s.browserOf(r))
	return MailedPage{Layout: s.layout(r), Tick: s.ConfirmCode, Purpose: strings.ReplaceAll(k.Purpose, "-", "_"), Account: k.Account, Email: k.Email, Least: s.Account.Least()}, err
}

// postMailed does what a mailed link is for.
func (s *Server) postMailed(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	token := param(r, "token")
	page, err := s.mailed(r)
	if err != nil {
		return s.mailedDead(w, r, err)
	}
	if page.Purpose == challenge.Reset {
		return s.reset(w, r, token, page)
	}
	if page.Tick && r.PostForm.Get("sure") == "" {
		p := s.printer(r)
		page.Problem = p.Say("mailed.tick")
		return s.render(w, r, http.StatusUnprocessableEntity, "mailed.html", page)
	}
	done, err := s.Account.Follow(r.Context(), s.from(r), token, s.browserOf(r))
	if err != nil {
		return s.mailedDead(w, r, err)
	}
	answer := func(session.Current) error { return s.backTo(w, r, done.Next, done.Notice, 0) }
	cur, err := s.current(w, r)
	switch {
	case err == nil && cur.User.ID == done.UserID:
		return s.renewed(w, r, cur, answer)
	case err == nil || errors.Is(err, session.ErrNone):
		return answer(cur)
	}
	return err
}

// browserOf returns what the browser shows of itself.
func (s *Server) browserOf(r *http.Request) people.Browser {
	return people.BrowserOf(s.cookies.sessionToken(r), s.cookies.readLogin(r).Device)
}

// reset sets the password that was chosen. It signs nobody in.
func (s *Server) reset(w http.ResponseWriter, r *http.Request, token string, page MailedPage) error {
	err := s.Account.Reset(r.Context(), s.from(r), token, r.PostForm.Get("password"), s.browserOf(r))
	f, ok := errors.AsType[*fault.Fault](err)
	switch {
	case err == nil:
		s.cookies.dropSession(w)
		return s.backTo(w, r, "/signin", "password.reset_done", 0)
	case !ok || f.Field == "":
		return s.mailedDead(w, r, err)
	}
	s.refused(r, f)
	page.Problem = s.say(s.printer(r), f, "")
	return s.render(w, r, statusOf(f), "mailed.html", page)
}

// mailedDead says what became of a link that no longer opens.
func (s *Server) mailedDead(w http.ResponseWriter, r *http.Request, err error) error {
	f, ok := errors.AsType[*fault.Fault](err)
	kind := deadLink(err)
	if !ok || kind == "" {
		return err
	}
	s.refused(r, f)
	return s.render(w, r, statusOf(f), "dead-mailed.html", DeadLinkPage{Layout: s.layout(r), Kind: kind, Ref: s.ref(r, f)})
}
