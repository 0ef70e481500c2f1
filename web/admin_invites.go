package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatelodge/app/email"
	"gatelodge/app/fault"
	"gatelodge/app/people"
	"gatelodge/app/session"
	"gatelodge/store"
)

func (s *Server) getInvites(w http.ResponseWriter, r *http.Request) error {
	return s.admin(w, r, func(cur session.Current) error {
		page, err := s.invitesPage(r, cur)
		if err != nil {
			return err
		}
		if form, ok := s.kept(r, "/admin/invites"); ok {
			page.fill(form)
		}
		if page.Notice, err = s.taken(w, r); err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "admin-invites.html", page)
	})
}

func (s *Server) invitesPage(r *http.Request, cur session.Current) (InvitesPage, error) {
	page := InvitesPage{Layout: s.personal(r, cur.User), Days: 7, Uses: 1, MaxUses: people.MaxUses}
	list, err := s.Invites.All(r.Context())
	if err != nil {
		return InvitesPage{}, err
	}
	for _, v := range list {
		page.Invites = append(page.Invites, s.oneInvite(v))
	}
	groups, err := s.groupNames(r)
	page.Groups = withoutAdmins(groups)
	return page, err
}

func (s *Server) oneInvite(v store.Sent) OneInvite {
	return OneInvite{
		ID: v.ID, Email: v.Email, State: s.Invites.State(v.Invite), UsesLeft: v.UsesLeft, Groups: v.Groups, Until: v.ExpiresAt, By: cmp.Or(s.inviterCalled(v.By), s.Name),
	}
}

// postInvites invites people by mail, or shows a link, this once.
func (s *Server) postInvites(w http.ResponseWriter, r *http.Request) error {
	return s.adminFresh(w, r, "/admin/invites", func(cur session.Current) error { return s.addInvite(w, r, cur) })
}

// maxInvited is how many people one form invites.
const maxInvited = 100

// addInvite makes the invites of a form. What could not be sent stays in the form, with
// what was wrong with the first of it; the others are on their way.
func (s *Server) addInvite(w http.ResponseWriter, r *http.Request, cur session.Current) error {
	ask := people.Invitation{
		Groups: r.PostForm["group"], By: cur.User, Language: s.printer(r).Tag(),
		Uses: number(r.PostForm.Get("uses")), For: time.Duration(number(r.PostForm.Get("days"))) * 24 * time.Hour,
	}
	emails := email.List(r.PostForm.Get("email"))
	if len(emails) > maxInvited {
		return errTooLarge
	}
	emails = email.Distinct(emails)
	if len(emails) == 0 {
		emails = []string{""}
	}
	var left []string
	var wrong *fault.Fault
	sent, link := 0, ""
	for _, to := range emails {
		ask.Email = to
		_, made, err := s.Invites.Add(r.Context(), s.from(r), ask)
		f, ok := errors.AsType[*fault.Fault](err)
		switch {
		case err == nil:
			link = made
			sent++
			continue
		case !ok || f.Field == "":
			return err
		case wrong == nil:
			wrong = f
		}
		left = append(left, to)
	}
	if wrong == nil && link == "" {
		return s.backTo(w, r, "/admin/invites", "admin.invited", sent)
	}
	page, err := s.invitesPage(r, cur)
	if err != nil {
		return err
	}
	if wrong == nil {
		page.Link = link
		return s.render(w, r, http.StatusOK, "admin-invites.html", page)
	}
	s.refused(r, wrong)
	p := s.printer(r)
	page.Problem = s.say(p, wrong, "")
	if left[0] != "" && len(emails) > 1 {
		page.Problem = p.Say("admin.invite_failed", "email", left[0], "problem", page.Problem)
	}
	if sent > 0 {
		page.Notice = p.Say("admin.invited", "n", sent)
	}
	page.fill(r.PostForm)
	page.Emails = strings.Join(left, "\n")
	return s.render(w, r, statusOf(wrong), "admin-invites.html", page)
}

// fill puts what was sent into the form again.
func (p *InvitesPage) fill(form url.Values) {
	p.Emails, p.Chosen, p.Uses, p.Days = form.Get("email"), form["group"], number(form.Get("uses")), number(form.Get("days"))
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
		err := s.Invites.Revoke(r.Context(), s.from(r), param(r, "id"))
		if errors.Is(err, people.ErrNoInvite) {
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
		if form, ok := s.kept(r, "/admin/groups"); ok {
			page.Name = form.Get("group")
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
		return s.render(w, r, statusOf(f), "admin-groups.html", page)
	})
}

// getRemoveGroup asks before a group is taken from those who are in it.
func (s *Server) getRemoveGroup(w http.ResponseWriter, r *http.Request) error {
	return s.admin(w, r, func(cur session.Current) error {
		list, err := s.Users.Groups(r.Context())
		if err != nil {
			return err
		}
		name := param(r, "name")
		i := slices.IndexFunc(list, func(g store.Group) bool { return g.Name == name })
		if i < 0 || name == store.Admins {
			return errNotFound
		}
		return s.render(w, r, http.StatusOK, "admin-remove.html", RemovePage{
			Layout: s.personal(r, cur.User), Name: name, Text: s.printer(r).Say("admin.remove_group", "n", list[i].Members),
			At: "/admin/groups/" + segment(name) + "/remove", Back: "/admin/groups", Group: true,
		})
	})
}

func (s *Server) postRemoveGroup(w http.ResponseWriter, r *http.Request) error {
	return s.change(w, r, "/admin/groups", "admin.group_removed", func(session.Current) error {
		return s.Users.RemoveGroup(r.Context(), s.from(r), param(r, "name"))
	})
}
