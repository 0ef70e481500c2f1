package web

import (
	"errors"

	"gatelodge/app/account"
	"gatelodge/app/login"
	"gatelodge/app/people"
)

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
func (s *Server) unchanged(q *Request, back string, err error) error {
	for _, known := range refusals {
		if errors.Is(err, known.err) {
			return q.BackTo(back, known.key, 0)
		}
	}
	return err
}

// changed answers a form that changed something, or could not: both on the page that it
// is on.
func (s *Server) changed(q *Request, notice string, err error) error {
	if err != nil {
		return s.unchanged(q, q.back(), err)
	}
	return q.BackTo(q.back(), notice, 0)
}

// getAdmin leads to the first of the admin pages.
func (s *Server) getAdmin(q *Request) error {
	return q.Redirect("/admin/people")
}
