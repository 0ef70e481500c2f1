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
	"gatelodge/web/shell"
)

func (s adminPages) getInvites(q *shell.Request) error {
	cur := q.Current
	page, err := s.invitesPage(q, cur)
	if err != nil {
		return err
	}
	if form, ok := q.Kept(); ok {
		page.fill(form)
	}
	if page.Notice, err = q.Taken(); err != nil {
		return err
	}
	return q.Render(http.StatusOK, "admin-invites.html", page)
}

func (s adminPages) invitesPage(q *shell.Request, cur session.Current) (InvitesPage, error) {
	page := InvitesPage{Layout: s.personal(q, cur.User), Days: 7, Uses: 1, MaxUses: people.MaxUses}
	list, err := s.Invites.All(q.Context())
	if err != nil {
		return InvitesPage{}, err
	}
	for _, v := range list {
		page.Invites = append(page.Invites, s.oneInvite(v))
	}
	groups, err := s.groupNames(q)
	page.Groups = withoutAdmins(groups)
	return page, err
}

func (s adminPages) oneInvite(v store.Sent) OneInvite {
	return OneInvite{
		ID: v.ID, Email: v.Email, State: s.Invites.State(v.Invite), UsesLeft: v.UsesLeft, Groups: v.Groups, Until: v.ExpiresAt, By: cmp.Or(s.inviterCalled(v.By), s.Name),
	}
}

// postInvites invites people by mail, or shows a link, this once.
func (s adminPages) postInvites(q *shell.Request) error {
	return s.addInvite(q, q.Current)
}

// maxInvited is how many people one form invites.
const maxInvited = 100

// addInvite makes the invites of a form. What could not be sent stays in the form, with
// what was wrong with the first of it; the others are on their way.
func (s adminPages) addInvite(q *shell.Request, cur session.Current) error {
	ask := people.Invitation{
		Groups: q.PostForm["group"], By: cur.User, Language: q.Printer().Tag(),
		Uses: number(q.PostForm.Get("uses")), For: time.Duration(number(q.PostForm.Get("days"))) * 24 * time.Hour,
	}
	emails := email.List(q.PostForm.Get("email"))
	if len(emails) > maxInvited {
		return shell.ErrTooLarge
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
		_, made, err := s.Invites.Add(q.Context(), q.From(), ask)
		f := shell.InField(err)
		switch {
		case err == nil:
			link = made
			sent++
			continue
		case f == nil:
			return err
		case wrong == nil:
			wrong = f
		}
		left = append(left, to)
	}
	if wrong == nil && link == "" {
		return q.BackTo("/admin/invites", "admin.invited", sent)
	}
	page, err := s.invitesPage(q, cur)
	if err != nil {
		return err
	}
	if wrong == nil {
		page.Link = link
		return q.Render(http.StatusOK, "admin-invites.html", page)
	}
	p := q.Printer()
	page.Problem = s.Say(p, wrong, "")
	if left[0] != "" && len(emails) > 1 {
		page.Problem = p.Say("admin.invite_failed", "email", left[0], "problem", page.Problem)
	}
	if sent > 0 {
		page.Notice = p.Say("admin.invited", "n", sent)
	}
	page.fill(q.PostForm)
	page.Emails = strings.Join(left, "\n")
	return q.Refuse(wrong, "admin-invites.html", page)
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

func (s adminPages) postRevoke(q *shell.Request) error {
	err := s.Invites.Revoke(q.Context(), q.From(), q.Param("id"))
	if errors.Is(err, people.ErrNoInvite) {
		err = nil // it has ended
	}
	return s.changed(q, "admin.revoked", err)
}

func (s adminPages) getGroups(q *shell.Request) error {
	cur := q.Current
	page, err := s.groupsPage(q, cur)
	if err != nil {
		return err
	}
	if form, ok := q.Kept(); ok {
		page.Name = form.Get("group")
	}
	if page.Notice, err = q.Taken(); err != nil {
		return err
	}
	return q.Render(http.StatusOK, "admin-groups.html", page)
}

func (s adminPages) groupsPage(q *shell.Request, cur session.Current) (GroupsPage, error) {
	list, err := s.Users.Groups(q.Context())
	page := GroupsPage{Layout: s.personal(q, cur.User)}
	for _, g := range list {
		page.Groups = append(page.Groups, OneGroup{Name: g.Name, Members: g.Members, Fixed: g.Name == store.Admins})
	}
	return page, err
}

func (s adminPages) postGroup(q *shell.Request) error {
	cur := q.Current
	_, err := s.Users.AddGroup(q.Context(), q.From(), q.PostForm.Get("group"))
	f := shell.InField(err)
	switch {
	case err == nil:
		return q.BackTo("/admin/groups", "admin.group_added", 0)
	case f == nil:
		return err
	}
	page, err := s.groupsPage(q, cur)
	if err != nil {
		return err
	}
	page.Name, page.Problem = q.PostForm.Get("group"), q.Say(f)
	return q.Refuse(f, "admin-groups.html", page)
}

// getRemoveGroup asks before a group is taken from those who are in it.
func (s adminPages) getRemoveGroup(q *shell.Request) error {
	cur := q.Current
	list, err := s.Users.Groups(q.Context())
	if err != nil {
		return err
	}
	name := q.Param("name")
	i := slices.IndexFunc(list, func(g store.Group) bool { return g.Name == name })
	if i < 0 || name == store.Admins {
		return shell.ErrNotFound
	}
	return q.Render(http.StatusOK, "admin-remove.html", RemovePage{
		Layout: s.personal(q, cur.User), Name: name, Text: q.Printer().Say("admin.remove_group", "n", list[i].Members),
		At: "/admin/groups/" + shell.Segment(name) + "/remove", Back: "/admin/groups", Group: true,
	})
}

func (s adminPages) postRemoveGroup(q *shell.Request) error {
	return s.changed(q, "admin.group_removed", s.Users.RemoveGroup(q.Context(), q.From(), q.Param("name")))
}
