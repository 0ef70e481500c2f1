package web

import (
	"cmp"
	"errors"
	"net/http"

	"gatelodge/app/audit"
	"gatelodge/app/people"
	"gatelodge/app/session"
	"gatelodge/store"
)

// postEndOne signs somebody out of one session.
func (s *Server) postEndOne(w http.ResponseWriter, r *http.Request) error {
	return s.changePerson(w, r, "admin.ended", func(u store.User) error {
		return s.Sessions.End(r.Context(), s.from(r), audit.ByAdmin, u.ID, r.PostForm.Get("session"))
	})
}

// postMailLink mails somebody a link to sign in. It is not shown: nobody signs in as
// somebody else.
func (s *Server) postMailLink(w http.ResponseWriter, r *http.Request) error {
	return s.changePersonAs(w, r, "admin.link_sent", func(cur session.Current, u store.User) error {
		return s.Login.MailLink(r.Context(), s.from(r), u, cmp.Or(cur.User.Name, cur.User.Called()))
	})
}

func (s *Server) postDisconnectPerson(w http.ResponseWriter, r *http.Request) error {
	return s.changePerson(w, r, "admin.disconnected", func(u store.User) error {
		return s.Account.Disconnect(r.Context(), s.from(r), audit.ByAdmin, u.ID, r.PostForm.Get("account"), "")
	})
}

func (s *Server) postRemovePasswordOf(w http.ResponseWriter, r *http.Request) error {
	return s.changePerson(w, r, "admin.password_removed", func(u store.User) error {
		return s.Account.RemovePassword(r.Context(), s.from(r), audit.ByAdmin, u.ID, "")
	})
}

// getRemovePerson asks before somebody is removed for good.
func (s *Server) getRemovePerson(w http.ResponseWriter, r *http.Request) error {
	return s.admin(w, r, func(cur session.Current) error {
		u, err := s.Users.ByID(r.Context(), param(r, "id"))
		if errors.Is(err, people.ErrUnknown) {
			return errNotFound
		}
		if err != nil {
			return err
		}
		at := personPath(u.ID)
		return s.render(w, r, http.StatusOK, "admin-remove.html", RemovePage{
			Layout: s.personal(r, cur.User), Name: cmp.Or(u.Name, u.Called()), Text: s.printer(r).Say("admin.remove_text"),
			Self: u.ID == cur.User.ID, At: at + "/remove", Back: at,
		})
	})
}

func (s *Server) postRemovePerson(w http.ResponseWriter, r *http.Request) error {
	at := personPath(param(r, "id"))
	return s.adminFresh(w, r, at+"/remove", func(session.Current) error {
		u, err := s.Users.ByID(r.Context(), param(r, "id"))
		if err == nil {
			err = s.Users.Remove(r.Context(), s.from(r), u)
		}
		switch {
		case errors.Is(err, people.ErrUnknown): // somebody was quicker
		case err != nil:
			return s.unchanged(w, r, at, err)
		}
		return s.backTo(w, r, "/admin/people", "admin.removed", 0)
	})
}
