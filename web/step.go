package web

import (
	"errors"
	"fmt"
	"net/http"

	"gatelodge/app/apps/authjs"
	"gatelodge/app/login"
)

// stepPath is where an attempt goes on that needs more.
const stepPath = "/signin/step"

// step asks for one thing that an attempt needs: by a page, and what it posts.
type step struct {
	get, post func(http.ResponseWriter, *http.Request, attempt) error
}

// needed keeps an attempt that needs more, at whatever address it was made, and returns
// the address of the page that asks for it.
func (s *Server) needed(w http.ResponseWriter, st site, a attempt) (to string, err error) {
	if err := s.saveAttempt(w, st, a); err != nil {
		return "", err
	}
	if st.app != nil {
		return s.ours(st, a, stepPath, "")
	}
	return stepPath, nil
}

// needsMore tells a client of the session API that an attempt needs more. The address
// leads to our page, and has the error for clients that stay where they are.
func (s *Server) needsMore(w http.ResponseWriter, r *http.Request, st site, a attempt) error {
	to, err := s.needed(w, st, a)
	if err != nil {
		return err
	}
	if st.app == nil {
		to = st.origin + to + "?"
	} else {
		to += "&"
	}
	const code = "totp_required"
	answer := st.dialect.Answers[authjs.NeedsMore]
	to += answer.Query(st.provider, code)
	if ofProgram(r) && !wantsJSON(r) {
		return s.authJSON(w, st, authjs.Programs[authjs.NeedsMore], addressJSON{URL: to, Error: authjs.V5.Answers[authjs.NeedsMore].Word(code)})
	}
	return s.lead(w, r, st, answer.Status, to)
}

// getStep shows the page of what the attempt needs. An attempt that needs nothing any
// more is finished.
func (s *Server) getStep(w http.ResponseWriter, r *http.Request) error {
	if taken, err := s.takeAsk(w, r); taken || err != nil {
		return err
	}
	a := s.cookies.readLogin(r)
	page, need, err := s.stepOf(r, &a)
	switch {
	case errors.Is(err, login.ErrStateLost), need == login.NeedProof:
		return s.redirect(w, r, a.firstProof())
	case err != nil:
		return err
	case need != "":
		return page.get(w, r, a)
	case !person(r):
		return s.redirect(w, r, "/signin")
	}
	out, err := s.Login.Step(r.Context(), s.from(r), &a.Login, "", nil, s.cookies.sessionToken(r))
	return s.proven(w, r, a, out, err)
}

// postStep takes what the page of getStep posts.
func (s *Server) postStep(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	a := s.cookies.readLogin(r)
	page, need, err := s.stepOf(r, &a)
	switch {
	case errors.Is(err, login.ErrStateLost), need == login.NeedProof:
		return s.redirect(w, r, a.firstProof())
	case err != nil:
		return err
	case need == "":
		return s.redirect(w, r, stepPath)
	}
	return page.post(w, r, a)
}

// stepOf returns what the attempt needs, and the page that asks for it.
func (s *Server) stepOf(r *http.Request, a *attempt) (step, login.Need, error) {
	need, err := s.Login.Needs(r.Context(), &a.Login)
	if err != nil || need == "" || need == login.NeedProof {
		return step{}, need, err
	}
	page, ok := s.steps[need]
	if !ok {
		return step{}, need, fmt.Errorf("no page asks for %q", need)
	}
	return page, need, nil
}

// firstProof is where an attempt begins in which nothing is proven.
func (a attempt) firstProof() string {
	if a.Confirms != "" {
		return "/account/confirm"
	}
	return "/signin"
}
