package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"gatelodge/app/fault"
	"gatelodge/app/porter"
	"gatelodge/app/session"
	"gatelodge/store"
)

func (s *Server) getInvites(w http.ResponseWriter, r *http.Request) error {
	return s.admin(w, r, func(cur session.Current) error {
		page, err := s.invitesPage(r, cur)
		if err != nil {
			return err
		}
		if page.Notice, err = s.taken(w, r); err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "admin-invites.html", page)
	})
}

func (s *Server) invitesPage(r *http.Request, cur session.Current) (InvitesPage, error) {
	page := InvitesPage{Layout: s.personal(r, cur.User), Days: 7, Uses: 1, MaxUses: porter.MaxUses}
	list, err := s.Porter.Invites(r.Context())
	if err != nil {
		return InvitesPage{}, err
	}
	for _, v := range list {
		page.Invites = append(page.Invites, OneInvite{
			ID: v.ID, Email: v.Email, State: s.Porter.State(v), UsesLeft: v.UsesLeft, Groups: v.Groups, Until: v.ExpiresAt, By: s.inviter(r, v),
		})
	}
	groups, err := s.groupNames(r)
	page.Groups = withoutAdmins(groups)
	return page, err
}

// postInvites invites somebody by mail, or shows a link, this once.
func (s *Server) postInvites(w http.ResponseWriter, r *http.Request) error {
	return s.adminFresh(w, r, "/admin/invites", func(cur session.Current) error { return s.addInvite(w, r, cur) })
}

func (s *Server) addInvite(w http.ResponseWriter, r *http.Request, cur session.Current) error {
	ask := porter.Invitation{
		Email: r.PostForm.Get("email"), Groups: r.PostForm["group"], By: cur.User, Language: s.printer(r).Tag(),
		Uses: number(r.PostForm.Get("uses")), For: time.Duration(number(r.PostForm.Get("days"))) * 24 * time.Hour,
	}
	_, link, err := s.Porter.Invite(r.Context(), s.from(r), ask)
	f, ok := errors.AsType[*fault.Fault](err)
	if err != nil && (!ok || f.Field == "") {
		return err
	}
	if err == nil && link == "" {
		return s.backTo(w, r, "/admin/invites", "admin.invited", 0)
	}
	page, failed := s.invitesPage(r, cur)
	if failed != nil {
		return failed
	}
	if err == nil {
		page.Link = link
		return s.render(w, r, http.StatusOK, "admin-invites.html", page)
	}
	s.refused(r, f)
	page.Email, page.Chosen, page.Uses, page.Days = ask.Email, ask.Groups, number(r.PostForm.Get("uses")), number(r.PostForm.Get("days"))
	page.Problem = s.say(s.printer(r), f, "")
	return s.render(w, r, f.Kind.Status(), "admin-invites.html", page)
}

// number reads a small number; -1 is none, which is refused.
func number(typed string) int {
	n, err := strconv.Atoi(typed)
	if err != nil || n < 1 || n > 1_000_000 {
		return -1
	}
	return n
}

func (s *Server) postRevoke(w http.ResponseWriter, r *http.Request) error {
	return s.change(w, r, "/admin/invites", "admin.revoked", func(session.Current) error {
		err := s.Porter.Revoke(r.Context(), s.from(r), param(r, "id"))
		if errors.Is(err, porter.ErrNoInvite) {
			return nil // it has ended
		}
		return err
	})
}

func (s *Server) getGroups(w http.ResponseWriter, r *http.Request) error {
	return s.admin(w, r, func(cur session.Current) error {
		page, err := s.groupsPage(r, cur)
		if err != nil {
			return err
		}
		if page.Notice, err = s.taken(w, r); err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "admin-groups.html", page)
	})
}

func (s *Server) groupsPage(r *http.Request, cur session.Current) (GroupsPage, error) {
	list, err := s.Users.Groups(r.Context())
	page := GroupsPage{Layout: s.personal(r, cur.User)}
	for _, g := range list {
		page.Groups = append(page.Groups, OneGroup{Name: g.Name, Members: g.Members, Fixed: g.Name == store.Admins})
	}
	return page, err
}

func (s *Server) postGroup(w http.ResponseWriter, r *http.Request) error {
	return s.adminFresh(w, r, "/admin/groups", func(cur session.Current) error {
		_, err := s.Users.AddGroup(r.Context(), s.from(r), r.PostForm.Get("group"))
		f, ok := errors.AsType[*fault.Fault](err)
		switch {
		case err == nil:
			return s.backTo(w, r, "/admin/groups", "admin.group_added", 0)
		case !ok || f.Field == "":
			return err
		}
		s.refused(r, f)
		page, err := s.groupsPage(r, cur)
		if err != nil {
			return err
		}
		page.Name, page.Problem = r.PostForm.Get("group"), s.say(s.printer(r), f, "")
		return s.render(w, r, f.Kind.Status(), "admin-groups.html", page)
	})
}

func (s *Server) postRemoveGroup(w http.ResponseWriter, r *http.Request) error {
	return s.change(w, r, "/admin/groups", "admin.group_removed", func(session.Current) error {
		return s.Users.RemoveGroup(r.Context(), s.from(r), param(r, "name"))
	})
}
