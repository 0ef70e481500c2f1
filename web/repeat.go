package web

import (
	"errors"
	"slices"

	"gatelodge/app/challenge"
	"gatelodge/app/login"
	"gatelodge/app/people"
	"gatelodge/app/session"
	"gatelodge/store"
	"gatelodge/web/shell"
)

// linkUsed answers a link that was used before: in the browser that has just done so as
// the first time, and for the user it signed in with the way on.
func (s signInPages) linkUsed(q *shell.Request, a shell.Attempt, token string, k login.Link, used error) error {
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
func (s signInPages) inviteUsed(q *shell.Request, v store.Invite, used error) error {
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
