package web

import (
	"cmp"
	"errors"
	"net/http"

	"gatelodge/app/audit"
	"gatelodge/app/people"
	"gatelodge/store"
	"gatelodge/web/shell"
)

// postEndOne signs somebody out of one session.
func (s adminPages) postEndOne(q *shell.Request) error {
	return s.changePerson(q, "admin.ended", func(u store.User) error {
		return s.Sessions.End(q.Context(), q.From(), audit.ByAdmin, u.ID, q.PostForm.Get("session"))
	})
}

// postMailLink mails somebody a link to sign in. It is not shown: nobody signs in as
// somebody else.
func (s adminPages) postMailLink(q *shell.Request) error {
	return s.changePerson(q, "admin.link_sent", func(u store.User) error {
		return s.Login.MailLink(q.Context(), q.From(), u, cmp.Or(q.Current.User.Name, q.Current.User.Called()))
	})
}

func (s adminPages) postDisconnectPerson(q *shell.Request) error {
	return s.changePerson(q, "admin.disconnected", func(u store.User) error {
		return s.Account.Disconnect(q.Context(), q.From(), audit.ByAdmin, u.ID, q.PostForm.Get("account"), "")
	})
}

func (s adminPages) postRemovePasswordOf(q *shell.Request) error {
	return s.changePerson(q, "admin.password_removed", func(u store.User) error {
		return s.Account.RemovePassword(q.Context(), q.From(), audit.ByAdmin, u.ID, "")
	})
}

// getRemovePerson asks before somebody is removed for good.
func (s adminPages) getRemovePerson(q *shell.Request) error {
	cur := q.Current
	u, err := s.Users.ByID(q.Context(), q.Param("id"))
	if errors.Is(err, people.ErrUnknown) {
		return shell.ErrNotFound
	}
	if err != nil {
		return err
	}
	at := personPath(u.ID)
	return q.Render(http.StatusOK, "admin-remove.html", RemovePage{
		Layout: s.personal(q, cur.User), Name: cmp.Or(u.Name, u.Called()), Text: q.Printer().Say("admin.remove_text"),
		Self: u.ID == cur.User.ID, At: at + "/remove", Back: at,
	})
}

func (s adminPages) postRemovePerson(q *shell.Request) error {
	at := personPath(q.Param("id"))
	u, err := s.Users.ByID(q.Context(), q.Param("id"))
	if err == nil {
		err = s.Users.Remove(q.Context(), q.From(), u)
	}
	switch {
	case errors.Is(err, people.ErrUnknown): // somebody was quicker
	case err != nil:
		return s.unchanged(q, at, err)
	}
	return q.BackTo("/admin/people", "admin.removed", 0)
}
