package web

import (
	"errors"
	"fmt"
	"net/http"

	"gatelodge/app/apps/authjs"
	"gatelodge/app/login"
	"gatelodge/web/shell"
)

// stepPath is where an attempt goes on that needs more.
const stepPath = "/signin/step"

// step asks for one thing that an attempt needs: by a page, and what it posts.
type step struct {
	get, post func(*shell.Request, shell.Attempt) error
}

// needed keeps an attempt that needs more, at whatever address it was made, and returns
// the address of the page that asks for it.
func (s *pages) needed(w http.ResponseWriter, st site, a shell.Attempt) (to string, err error) {
	a.Begin()
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
func (s sessionAPI) needsMore(w http.ResponseWriter, r *http.Request, st site, a shell.Attempt) error {
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
func (s signInPages) getStep(q *shell.Request) error {
	a := q.Attempt()
	page, need, err := s.stepOf(q, &a)
	switch {
	case errors.Is(err, login.ErrStateLost), need == login.NeedProof:
		return q.Redirect(firstProof(a))
	case err != nil:
		return err
	case need != "":
		return page.get(q, a)
	case !person(q.Request):
		return q.Redirect("/signin")
	}
	out, err := s.Login.Step(q.Context(), q.From(), &a.Login, "", nil, q.SessionToken())
	return s.proven(q, a, out, err)
}

// postStep takes what the page of getStep posts.
func (s signInPages) postStep(q *shell.Request) error {
	a := q.Attempt()
	page, need, err := s.stepOf(q, &a)
	switch {
	case errors.Is(err, login.ErrStateLost), need == login.NeedProof:
		return q.Redirect(firstProof(a))
	case err != nil:
		return err
	case need == "":
		return q.Redirect(stepPath)
	}
	return page.post(q, a)
}

// stepOf returns what the attempt needs, and the page that asks for it.
func (s signInPages) stepOf(q *shell.Request, a *shell.Attempt) (step, login.Need, error) {
	need, err := s.Login.Needs(q.Context(), &a.Login)
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
func firstProof(a shell.Attempt) string {
	if a.Confirms != "" {
		return "/account/confirm"
	}
	return "/signin"
}
