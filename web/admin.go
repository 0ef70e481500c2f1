package web

import (
	"errors"

	"gatelodge/app/account"
	"gatelodge/app/login"
	"gatelodge/app/people"
	"gatelodge/web/shell"
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
func (s adminPages) unchanged(q *shell.Request, back string, err error) error {
	for _, known := range refusals {
		if errors.Is(err, known.err) {
			return q.BackTo(back, known.key, 0)
		}
	}
	return err
}

// changed answers a form that changed something, or could not: both on the page that it
// is on.
func (s adminPages) changed(q *shell.Request, notice string, err error) error {
	if err != nil {
		return s.unchanged(q, q.Back(), err)
	}
	return q.BackTo(q.Back(), notice, 0)
}

// getAdmin leads to the first of the admin pages.
func (s adminPages) getAdmin(q *shell.Request) error {
	return q.Redirect("/admin/people")
}
