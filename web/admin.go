package web

import (
	"context"
	"errors"
	"net/http"

	"gatelodge/app/account"
	"gatelodge/app/fault"
	"gatelodge/app/login"
	"gatelodge/app/people"
	"gatelodge/app/session"
)

var errAdmins = fault.New(fault.Denied, "admin.only")

// admin calls h for whoever may manage the server. Others who are signed in are
// told that they may not, and strangers sign in first.
func (s *Server) admin(w http.ResponseWriter, r *http.Request, h func(session.Current) error) error {
	return s.signedIn(w, r, func(cur session.Current) error {
		if !cur.User.Admin {
			return errAdmins
		}
		// In place, so that whatever h does with r is written down as theirs.
		*r = *r.WithContext(context.WithValue(r.Context(), adminKey{}, cur.User.ID))
		return h(cur)
	})
}

// adminKey is where the context of a request to an admin page has the admin's id.
type adminKey struct{}

// adminOf returns the id of the admin whose page a request is for, or "".
func adminOf(r *http.Request) string {
	id, _ := r.Context().Value(adminKey{}).(string)
	return id
}

// adminFresh is admin for what changes something: for those who have proved
// themselves minutes ago. back is the page to return to.
func (s *Server) adminFresh(w http.ResponseWriter, r *http.Request, back string, h func(session.Current) error) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	return s.admin(w, r, func(session.Current) error { return s.fresh(w, r, back, h) })
}

// change is adminFresh for what leads back to that page, which also shows what was
// wrong. notice is said when h returns nil.
func (s *Server) change(w http.ResponseWriter, r *http.Request, back, notice string, h func(session.Current) error) error {
	return s.adminFresh(w, r, back, func(cur session.Current) error {
		if err := h(cur); err != nil {
			return s.unchanged(w, r, back, err)
		}
		return s.backTo(w, r, back, notice, 0)
	})
}

// refusals are the errors of those who manage people, with what pages say.
var refusals = []struct {
	err error
	key string
}{
	{people.ErrLastAdmin, "admin.last_admin"},
	{people.ErrNoGroup, "invites.no_group"},
	{people.ErrTaken, "admin.taken"},
	{people.ErrAdminsStay, "admin.admins_stay"},
	{account.ErrLastMethod, "admin.last_way"},
	{login.ErrNoAddress, "admin.link_nowhere"},
}

// unchanged leads back to the page with what was wrong, where that is something an
// admin can mend.
func (s *Server) unchanged(w http.ResponseWriter, r *http.Request, back string, err error) error {
	for _, known := range refusals {
		if errors.Is(err, known.err) {
			return s.backTo(w, r, back, known.key, 0)
		}
	}
	return err
}

// getAdmin is the front door of the admin pages.
func (s *Server) getAdmin(w http.ResponseWriter, r *http.Request) error {
	return s.admin(w, r, func(session.Current) error { return s.redirect(w, r, "/admin/people") })
}
