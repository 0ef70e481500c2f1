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
)

// getConnect asks somebody whom an upstream vouches for, and nobody here is known
// by, whether they have an account. It is the same whether or not somebody has the
// address.
func (s *Server) getConnect(w http.ResponseWriter, r *http.Request) error {
	a := s.cookies.readLogin(r)
	if a.PendingIdentity == "" {
		return s.redirect(w, r, "/signin")
	}
	switch _, err := s.current(w, r); {
	case err == nil:
		return s.redirect(w, r, "/account/connect")
	case !errors.Is(err, session.ErrNone):
		return err
	}
	who, err := s.Upstreams.PendingIdentity(r.Context(), a.BrowserHash(), a.PendingIdentity)
	if err != nil {
		return s.lostHeld(w, r, a, err)
	}
	may, err := s.Login.MayJoin(r.Context(), &a.Login, who)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "connect.html", ConnectPage{
		Layout: s.layout(r), Upstream: s.Upstreams.NameOf(who.Upstream), Who: who.Called(), Email: who.Email, MayJoin: may, Comes: may && a.Joins(), Passwords: s.Passwords, Target: s.target(a.Return),
	})
}

// lostHeld forgets whom an upstream vouched for when it was too long ago.
func (s *Server) lostHeld(w http.ResponseWriter, r *http.Request, a attempt, err error) error {
	if !errors.Is(err, upstream.ErrLost) {
		return err
	}
	a.PendingIdentity, a.Notice = "", "upstream.held_lost"
	if err := s.cookies.saveLogin(w, a); err != nil {
		return err
	}
	return s.redirect(w, r, "/signin")
}

// postConnect makes an account for somebody who says that they have none, or forgets
// whom the upstream vouched for.
func (s *Server) postConnect(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	a := s.cookies.readLogin(r)
	if r.PostForm.Get("no") != "" {
		a.PendingIdentity = ""
		a.OnlySignIn()
		if err := s.cookies.saveLogin(w, a); err != nil {
			return err
		}
	}
	if a.PendingIdentity == "" {
		return s.redirect(w, r, "/signin")
	}
	a.AppLogin, a.Confirms = nil, ""
	out, who, err := s.Login.Join(r.Context(), s.from(r), &a.Login, s.printer(r).Tag(), s.cookies.sessionToken(r))
	if errors.Is(err, people.ErrPending) {
		return s.proven(w, r, a, out, err)
	}
	if err != nil {
		return s.lostHeld(w, r, a, err)
	}
	a.PendingIdentity = ""
	if who.Email != "" {
		// The address is theirs once they have opened the link. That none could be sent
		// is nothing that keeps them out: they can add it on their account page.
		if err := s.Account.AddEmail(r.Context(), s.from(r), out.User.ID, who.Email); err != nil {
			if _, ok := errors.AsType[*fault.Fault](err); !ok {
				return err
			}
		}
	}
	return s.proven(w, r, a, out, nil)
}

// getOwnConnect shows what is to be connected with what, to whoever has just proved
// the account.
func (s *Server) getOwnConnect(w http.ResponseWriter, r *http.Request) error {
	a := s.cookies.readLogin(r)
	if a.PendingIdentity == "" {
		return s.redirect(w, r, "/account")
	}
	return s.fresh(w, r, "/account/connect", func(cur session.Current) error {
		who, err := s.Upstreams.PendingIdentity(r.Context(), a.BrowserHash(), a.PendingIdentity)
		if err != nil {
			return s.lostHeld(w, r, a, err)
		}
		return s.render(w, r, http.StatusOK, "own-connect.html", OwnConnectPage{
			Layout: s.personal(r, cur.User), Upstream: s.Upstreams.NameOf(who.Upstream), Who: who.Called(), Account: cur.User.Called(),
		})
	})
}

func (s *Server) postOwnConnect(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	a := s.cookies.readLogin(r)
	if a.PendingIdentity == "" {
		return s.redirect(w, r, "/account")
	}
	return s.changing(w, r, "/account/connect", func(cur session.Current) error {
		notice := ""
		if r.PostForm.Get("yes") != "" {
			err := s.Account.ConnectPending(r.Context(), s.from(r), cur.User.ID, a.BrowserHash(), a.PendingIdentity)
			if errors.Is(err, upstream.ErrLost) {
				return s.lostHeld(w, r, a, err)
			}
			if err != nil {
				return err
			}
			notice = told(cur.User, "upstream.connected", "upstream.connected_untold")
		}
		back := home(a.Return)
		a.PendingIdentity, a.Return = "", ""
		if back == "/account" || back == "/account/connect" {
			back, a.Notice = "/account", notice
		}
		if err := s.cookies.saveLogin(w, a); err != nil {
			return err
		}
		return s.redirect(w, r, back)
	})
}

// postLinkUpstream sends somebody who is signed in to an upstream, to connect what
// they have there.
func (s *Server) postLinkUpstream(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	up := s.Upstreams.Named(r.PostForm.Get("upstream"))
	if up == nil {
		return errNotFound
	}
	return s.fresh(w, r, "/account", func(cur session.Current) error {
		e := upstream.AuthRequest{To: upstream.ToLink, Return: "/account", User: cur.User.ID, Session: cur.Session.ID}
		to, err := s.setOut(w, r, s.cookies.readLogin(r), up.ID, e, upstream.AuthParams{Prompt: "select_account"})
		if err != nil {
			return err
		}
		return s.finish(w, r, to, Target{Name: up.Name})
	})
}

func (s *Server) postUnlinkUpstream(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	return s.changing(w, r, "/account", func(cur session.Current) error {
		err := s.Account.Disconnect(r.Context(), s.from(r), audit.ByUser, cur.User.ID, r.PostForm.Get("account"), cur.Session.ID)
		if errors.Is(err, account.ErrLastMethod) {
			s.refused(r, fault.Of(err))
			return s.warnAtAccount(w, r, "ways.last")
		}
		if err != nil {
			return err
		}
		return s.backTo(w, r, "/account", told(cur.User, "upstream.disconnected", "upstream.disconnected_untold"), 0)
	})
}

// confirmWith sends somebody who is signed in to an upstream of theirs, to show
// that it is still them. only says that there is no other way.
func (s *Server) confirmWith(w http.ResponseWriter, r *http.Request, a attempt, cur session.Current, id string, only bool) error {
	up := s.Upstreams.Named(id)
	if up == nil {
		return errNotFound
	}
	e := upstream.AuthRequest{To: upstream.ToConfirm, Return: a.Return, User: cur.User.ID, Session: cur.Session.ID, Only: only}
	to, err := s.setOut(w, r, a, up.ID, e, upstream.AuthParams{LoginHint: cur.User.Email})
	if err != nil {
		return err
	}
	return s.finish(w, r, to, Target{Name: up.Name})
}
