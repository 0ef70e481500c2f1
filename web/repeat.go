package web

import (
	"errors"
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

// linkUsed answers a link that was used before: in the browser that has just done so as
// the first time, and for the user it signed in with the way on.
func (s *Server) linkUsed(q *Request, a attempt, token string, k login.Link, used error) error {
	if to, ok := s.belongs(&a, k, token); !ok {
		return q.Leave(to, Target{Name: challenge.AppOf(k.Challenge)})
	}
	out, err := s.Login.FollowedAgain(q.Context(), &a.Login, token, used)
	if errors.Is(err, used) {
		theirs := func(cur session.Current) (bool, error) {
			return cur.User.ID == k.UserID || sameAddress(cur.User.Email, k.EmailNorm), nil
		}
		if ok, err := q.Onward(a, theirs); ok || err != nil {
			return err
		}
	}
	return s.linkDone(q, a, token, out, err)
}

// inviteUsed answers an invite that opens no more: in the browser that has just
// accepted it as the first time, and for the user it was for with the way on.
func (s *Server) inviteUsed(q *Request, v store.Invite, used error) error {
	a := q.Attempt()
	a.AppLogin, a.Confirms = nil, ""
	out, err := s.Login.AcceptedAgain(q.Context(), &a.Login, q.Param("token"), used)
	if !errors.Is(err, used) {
		return s.proven(q, a, out, err)
	}
	if errors.Is(used, people.ErrInviteUsed) {
		accepted := func(cur session.Current) (bool, error) {
			if v.EmailNorm != "" {
				return s.Users.MayAccept(q.Context(), cur.User.ID, v)
			}
			lacks := func(group string) bool { return !slices.Contains(cur.User.Groups, group) }
			return len(v.Groups) > 0 && !slices.ContainsFunc(v.Groups, lacks), nil
		}
		if ok, err := q.Onward(a, accepted); ok || err != nil {
			return err
		}
	}
	return used
}

// errCookies means that the browser keeps none of our cookies.
var errCookies = fault.New(fault.Invalid, "error.cookies")

// KeepsCookies refuses a form that came back without any cookie, though the page it
// stands on has set one: what it asks for would be sent or spent in vain. A page that
// was open longer than the cookie lives says nothing.
func (q *Request) KeepsCookies() error {
	at, err := strconv.ParseInt(q.PostForm.Get("begun"), 10, 64)
	if err != nil || len(q.Header["Cookie"]) > 0 || q.shell.Now().Sub(time.Unix(at, 0)).Abs() > login.Lifetime {
		return nil
	}
	return errCookies
}
