package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"gatelodge/app/challenge"
	"gatelodge/app/fault"
	"gatelodge/app/login"
	"gatelodge/app/people"
	"gatelodge/app/session"
	"gatelodge/store"
)

// begun returns the attempt this browser is in, and begins one where there is none. The
// pages whose forms spend something do so: by the attempt the server tells a form that
// is sent twice from one that two browsers send.
func (s *Server) begun(w http.ResponseWriter, r *http.Request) (attempt, error) {
	a := s.cookies.readLogin(r)
	if a.Browser != "" {
		return a, nil
	}
	a.Begin()
	return a, s.cookies.saveLogin(w, a)
}

// onward leads the signed-in user on to where they wanted to go, when a form or link
// says nothing new: it was sent again after it had done its work. Without ok nothing
// was written. mine says whether that work was theirs; nil accepts any user.
func (s *Server) onward(w http.ResponseWriter, r *http.Request, a attempt, mine func(session.Current) (bool, error)) (ok bool, err error) {
	cur, err := s.current(w, r)
	if errors.Is(err, session.ErrNone) {
		return false, nil
	}
	if err == nil && mine != nil {
		ok, err = mine(cur)
		if err != nil || !ok {
			return false, err
		}
	}
	if err != nil {
		return false, err
	}
	return true, s.redirect(w, r, home(a.Return))
}

// linkUsed answers a link that was used before: in the browser that has just done so as
// the first time, and for the user it signed in with the way on.
func (s *Server) linkUsed(w http.ResponseWriter, r *http.Request, a attempt, token string, k login.Link, used error) error {
	if to, ok := s.belongs(&a, k, token); !ok {
		return s.leave(w, r, to, Target{Name: challenge.AppOf(k.Challenge)})
	}
	out, err := s.Login.FollowedAgain(r.Context(), &a.Login, token, used)
	if errors.Is(err, used) {
		theirs := func(cur session.Current) (bool, error) {
			return cur.User.ID == k.UserID || sameAddress(cur.User.Email, k.EmailNorm), nil
		}
		if ok, err := s.onward(w, r, a, theirs); ok || err != nil {
			return err
		}
	}
	return s.linkDone(w, r, a, token, out, err)
}

// inviteUsed answers an invite that opens no more: in the browser that has just
// accepted it as the first time, and for the user it was for with the way on.
func (s *Server) inviteUsed(w http.ResponseWriter, r *http.Request, v store.Invite, used error) error {
	a := s.cookies.readLogin(r)
	a.AppLogin, a.Confirms = nil, ""
	out, err := s.Login.AcceptedAgain(r.Context(), &a.Login, param(r, "token"), used)
	if !errors.Is(err, used) {
		return s.proven(w, r, a, out, err)
	}
	if errors.Is(used, people.ErrInviteUsed) {
		accepted := func(cur session.Current) (bool, error) {
			if v.EmailNorm != "" {
				return s.Users.MayAccept(r.Context(), cur.User.ID, v)
			}
			lacks := func(group string) bool { return !slices.Contains(cur.User.Groups, group) }
			return len(v.Groups) > 0 && !slices.ContainsFunc(v.Groups, lacks), nil
		}
		if ok, err := s.onward(w, r, a, accepted); ok || err != nil {
			return err
		}
	}
	return used
}

// errCookies means that the browser keeps none of our cookies.
var errCookies = fault.New(fault.Invalid, "error.cookies")

// keepsCookies refuses a form that came back without any cookie, though the page it
// stands on has set one: what it asks for would be sent or spent in vain. A page that
// was open longer than the cookie lives says nothing.
func (s *Server) keepsCookies(r *http.Request) error {
	at, err := strconv.ParseInt(r.PostForm.Get("begun"), 10, 64)
	if err != nil || len(r.Header["Cookie"]) > 0 || s.Now().Sub(time.Unix(at, 0)).Abs() > login.Lifetime {
		return nil
	}
	return errCookies
}
