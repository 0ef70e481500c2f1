package web

import (
	"errors"
	"net/http"
	"strings"

	"gatelodge/app/challenge"
	"gatelodge/app/fault"
	"gatelodge/app/people"
	"gatelodge/app/session"
	"gatelodge/web/shell"
)

// getMailed shows what a mailed link is for. Only its form does it: mail scanners
// open links.
func (s accountPages) getMailed(q *shell.Request) error {
	page, err := s.mailed(q)
	if err != nil {
		return s.mailedDead(q, err)
	}
	if page.Notice, err = q.Taken(); err != nil {
		return err
	}
	return q.Render(http.StatusOK, "mailed.html", page)
}

func (s accountPages) mailed(q *shell.Request) (MailedPage, error) {
	k, err := s.Account.LookAt(q.Context(), q.Param("token"), s.browserOf(q))
	return MailedPage{Layout: q.Layout(), Tick: s.ConfirmCode, Purpose: strings.ReplaceAll(k.Purpose, "-", "_"), Account: k.Account, Email: k.Email, Least: s.Account.Least()}, err
}

// postMailed does what a mailed link is for.
func (s accountPages) postMailed(q *shell.Request) error {
	token := q.Param("token")
	page, err := s.mailed(q)
	if err != nil {
		return s.mailedDead(q, err)
	}
	if page.Purpose == challenge.Reset {
		return s.reset(q, token, page)
	}
	if page.Tick && q.PostForm.Get("sure") == "" {
		p := q.Printer()
		page.Problem = p.Say("mailed.tick")
		return q.Render(http.StatusUnprocessableEntity, "mailed.html", page)
	}
	done, err := s.Account.Follow(q.Context(), q.From(), token, s.browserOf(q))
	if err != nil {
		return s.mailedDead(q, err)
	}
	q.Current, err = q.WhoIs()
	if err == nil && q.Current.User.ID == done.UserID {
		err = q.Renew()
	}
	if err != nil && !errors.Is(err, session.ErrNone) {
		return err
	}
	return q.BackTo(done.Next, done.Notice, 0)
}

// browserOf returns what the browser shows of itself.
func (s accountPages) browserOf(q *shell.Request) people.Browser {
	return people.BrowserOf(q.SessionToken(), q.Attempt().Device)
}

// reset sets the password that was chosen. It signs nobody in.
func (s accountPages) reset(q *shell.Request, token string, page MailedPage) error {
	err := s.Account.Reset(q.Context(), q.From(), token, q.PostForm.Get("password"), s.browserOf(q))
	f := shell.InField(err)
	switch {
	case err == nil:
		s.Cookies.DropSession(q.W)
		return q.BackTo("/signin", "password.reset_done", 0)
	case f == nil:
		return s.mailedDead(q, err)
	}
	page.Problem = q.Say(f)
	return q.Refuse(f, "mailed.html", page)
}

// mailedDead says what became of a link that no longer opens.
func (s accountPages) mailedDead(q *shell.Request, err error) error {
	f, ok := errors.AsType[*fault.Fault](err)
	kind := deadLink(err)
	if !ok || kind == "" {
		return err
	}
	return q.Refuse(f, "dead-mailed.html", DeadLinkPage{Layout: q.Layout(), Kind: kind, Ref: q.Ref(f)})
}
