package web

import (
	"errors"
	"net/http"

	"gatelodge/app/account"
	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/app/people"
	"gatelodge/app/session"
	"gatelodge/app/upstream"
	"gatelodge/web/shell"
)

// getConnect asks somebody whom an upstream vouches for, and nobody here is known
// by, whether they have an account. It is the same whether or not somebody has the
// address.
func (s signInPages) getConnect(q *shell.Request) error {
	a := q.Attempt()
	if a.PendingIdentity == "" {
		return q.Redirect("/signin")
	}
	switch _, err := q.WhoIs(); {
	case err == nil:
		return q.Redirect("/account/connect")
	case !errors.Is(err, session.ErrNone):
		return err
	}
	who, err := s.Upstreams.PendingIdentity(q.Context(), a.BrowserHash(), a.PendingIdentity)
	if err != nil {
		return s.lostHeld(q, a, err)
	}
	may, err := s.Login.MayJoin(q.Context(), &a.Login, who)
	if err != nil {
		return err
	}
	return q.Render(http.StatusOK, "connect.html", ConnectPage{
		Layout: q.Layout(), Upstream: s.Upstreams.NameOf(who.Upstream), Who: who.Called(), Email: who.Email, MayJoin: may, Comes: may && a.Joins(), Passwords: s.Passwords, Target: s.target(a.Return),
	})
}

// lostHeld forgets whom an upstream vouched for when it was too long ago.
func (s signInPages) lostHeld(q *shell.Request, a shell.Attempt, err error) error {
	if !errors.Is(err, upstream.ErrLost) {
		return err
	}
	a.PendingIdentity, a.Notice = "", "upstream.held_lost"
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect("/signin")
}

// postConnect makes an account for somebody who says that they have none, or forgets
// whom the upstream vouched for.
func (s signInPages) postConnect(q *shell.Request) error {
	a := q.Attempt()
	if q.PostForm.Get("no") != "" {
		a.PendingIdentity = ""
		a.OnlySignIn()
		if err := q.SaveAttempt(a); err != nil {
			return err
		}
	}
	if a.PendingIdentity == "" {
		return q.Redirect("/signin")
	}
	a.AppLogin, a.Confirms = nil, ""
	out, who, err := s.Login.Join(q.Context(), q.From(), &a.Login, q.Printer().Tag(), q.SessionToken())
	if errors.Is(err, people.ErrPending) {
		return s.proven(q, a, out, err)
	}
	if err != nil {
		return s.lostHeld(q, a, err)
	}
	a.PendingIdentity = ""
	if who.Email != "" {
		// The address is theirs once they have opened the link. That none could be sent
		// is nothing that keeps them out: they can add it on their account page.
		if err := s.Account.AddEmail(q.Context(), q.From(), out.User.ID, who.Email); err != nil {
			if _, ok := errors.AsType[*fault.Fault](err); !ok {
				return err
			}
		}
	}
	return s.proven(q, a, out, nil)
}

// getOwnConnect shows what is to be connected with what, to whoever has just proved
// the account.
func (s accountPages) getOwnConnect(q *shell.Request) error {
	a := q.Attempt()
	if a.PendingIdentity == "" {
		return q.Redirect("/account")
	}
	cur := q.Current
	who, err := s.Upstreams.PendingIdentity(q.Context(), a.BrowserHash(), a.PendingIdentity)
	if err != nil {
		return s.lostHeld(q, a, err)
	}
	return q.Render(http.StatusOK, "own-connect.html", OwnConnectPage{
		Layout: s.personal(q, cur.User), Upstream: s.Upstreams.NameOf(who.Upstream), Who: who.Called(), Account: cur.User.Called(),
	})
}

func (s accountPages) postOwnConnect(q *shell.Request) error {
	a := q.Attempt()
	if a.PendingIdentity == "" {
		return q.Redirect("/account")
	}
	cur := q.Current
	notice := ""
	if q.PostForm.Get("yes") != "" {
		err := s.Account.ConnectPending(q.Context(), q.From(), cur.User.ID, a.BrowserHash(), a.PendingIdentity)
		if errors.Is(err, upstream.ErrLost) {
			return s.lostHeld(q, a, err)
		}
		if err != nil {
			return err
		}
		notice = notified(cur.User, "upstream.connected", "upstream.connected_untold")
	}
	back := shell.Home(a.Return)
	a.PendingIdentity, a.Return = "", ""
	if back == "/account" || back == "/account/connect" {
		back, a.Notice = "/account", notice
	}
	if err := q.SaveAttempt(a); err != nil {
		return err
	}
	return q.Redirect(back)
}

// postLinkUpstream sends somebody who is signed in to an upstream, to connect what
// they have there.
func (s accountPages) postLinkUpstream(q *shell.Request) error {
	up := s.Upstreams.Named(q.PostForm.Get("upstream"))
	if up == nil {
		return shell.ErrNotFound
	}
	cur := q.Current
	e := upstream.AuthRequest{To: upstream.ToLink, Return: "/account", User: cur.User.ID, Session: cur.Session.ID}
	to, err := s.setOut(q, q.Attempt(), up.ID, e, upstream.AuthParams{Prompt: "select_account"})
	if err != nil {
		return err
	}
	return q.Finish(to, Target{Name: up.Name})
}

func (s accountPages) postUnlinkUpstream(q *shell.Request) error {
	cur := q.Current
	err := s.Account.Disconnect(q.Context(), q.From(), audit.ByUser, cur.User.ID, q.PostForm.Get("account"), cur.Session.ID)
	if errors.Is(err, account.ErrLastMethod) {
		q.Refused(fault.Of(err))
		return s.warnAtAccount(q, "methods.last")
	}
	if err != nil {
		return err
	}
	return q.BackTo("/account", notified(cur.User, "upstream.disconnected", "upstream.disconnected_untold"), 0)
}

// confirmWith sends somebody who is signed in to an upstream of theirs, to show
// that it is still them. only says that there is no other way.
func (s accountPages) confirmWith(q *shell.Request, a shell.Attempt, cur session.Current, id string, only bool) error {
	up := s.Upstreams.Named(id)
	if up == nil {
		return shell.ErrNotFound
	}
	e := upstream.AuthRequest{To: upstream.ToConfirm, Return: a.Return, User: cur.User.ID, Session: cur.Session.ID, Only: only}
	to, err := s.setOut(q, a, up.ID, e, upstream.AuthParams{LoginHint: cur.User.Email})
	if err != nil {
		return err
	}
	return q.Finish(to, Target{Name: up.Name})
}
