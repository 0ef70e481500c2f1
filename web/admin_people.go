package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gatelodge/app/audit"
	"gatelodge/app/people"
	"gatelodge/app/session"
	"gatelodge/store"
	"gatelodge/web/shell"
)

// peopleRows is how many people a page lists.
const peopleRows = 50

func (s adminPages) getPeople(q *shell.Request) error {
	cur := q.Current
	page, err := s.peoplePage(q, cur)
	if err != nil {
		return err
	}
	if page.Notice, err = q.Taken(); err != nil {
		return err
	}
	return q.Render(http.StatusOK, "admin-people.html", page)
}

func (s adminPages) peoplePage(q *shell.Request, cur session.Current) (PeoplePage, error) {
	query := q.URL.Query()
	page := PeoplePage{Layout: s.personal(q, cur.User), Search: short(query.Get("q")), Status: query.Get("status")}
	if !slices.Contains(Statuses, page.Status) {
		page.Status = ""
	}
	after := short(query.Get("after"))
	first := after == ""
	var err error
	if first && (page.Status == "" || page.Status == "waiting") {
		if page.Waiting, err = s.waiting(q); err != nil {
			return PeoplePage{}, err
		}
	}
	if page.Total, err = s.Users.Count(q.Context()); err != nil {
		return PeoplePage{}, err
	}
	if first && (page.Status == "" || page.Status == "invited") {
		if page.Invited, err = s.invited(q, page.Search); err != nil {
			return PeoplePage{}, err
		}
	}
	var people []store.Person
	if page.Status != "waiting" && page.Status != "invited" {
		// One more than is shown tells whether there is more.
		people, err = s.Users.Page(q.Context(), store.PeopleFilter{Search: page.Search, Status: page.Status, After: after}, peopleRows+1)
	}
	if err != nil {
		return PeoplePage{}, err
	}
	if len(people) > peopleRows {
		people = people[:peopleRows]
		page.Next = "/admin/people?" + url.Values{"q": {page.Search}, "status": {page.Status}, "after": {people[peopleRows-1].EmailNorm}}.Encode()
	}
	for _, p := range people {
		page.People = append(page.People, describePerson(p))
	}
	groups, err := s.groupNames(q)
	page.Groups = withoutAdmins(groups)
	return page, err
}

// waiting lists those who asked to be let in.
func (s adminPages) waiting(q *shell.Request) ([]Waiting, error) {
	list, err := s.Applicants.All(q.Context())
	var shown []Waiting
	for _, a := range list {
		shown = append(shown, Waiting{
			Key: a.EmailNorm, Person: Person{Name: a.Name, Email: cmp.Or(a.Email, a.Claimed, a.Subject)}, Proven: a.Email, Claimed: a.Claimed,
			At: a.CreatedAt, Where: a.Device + ", " + a.IP, Upstream: s.Upstreams.NameOf(a.Provider),
		})
	}
	return shown, err
}

// invited lists those who were invited by mail and have not come yet.
func (s adminPages) invited(q *shell.Request, search string) ([]OneInvite, error) {
	list, err := s.Invites.All(q.Context())
	var open []OneInvite
	for _, v := range list {
		state := s.Invites.State(v.Invite)
		if v.Email != "" && (state == "open" || state == "returned") && strings.Contains(v.EmailNorm, strings.ToLower(search)) {
			open = append(open, s.oneInvite(v))
		}
	}
	return open, err
}

// withoutAdmins leaves out the group that nobody should be put into by a slip.
func withoutAdmins(names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return name == store.Admins })
}

// short cuts what was typed to what can be looked for.
func short(typed string) string {
	if len(typed) > 320 {
		return ""
	}
	return typed
}

func (s adminPages) groupNames(q *shell.Request) ([]string, error) {
	list, err := s.Users.Groups(q.Context())
	names := make([]string, 0, len(list))
	for _, g := range list {
		names = append(names, g.Name)
	}
	return names, err
}

func describePerson(p store.Person) OnePerson {
	one := OnePerson{
		ID: p.ID, Person: Person{Name: p.Name, Email: p.Called()}, Groups: p.Groups, Status: p.Status(), SeenAt: p.SeenAt, Since: p.CreatedAt,
		Username: p.Username, Email: p.Email, Upstreams: p.Upstreams,
	}
	if p.HasEmail() {
		one.Methods = append(one.Methods, "email")
	}
	if p.Password {
		one.Methods = append(one.Methods, "password")
	}
	if p.Passkeys > 0 {
		one.Methods = append(one.Methods, "passkey")
	}
	return one
}

// postApprove lets somebody in who waits.
func (s adminPages) postApprove(q *shell.Request) error {
	const back = "/admin/people"
	var groups []string
	if g := q.PostForm.Get("group"); g != "" {
		groups = append(groups, g)
	}
	u, err := s.Applicants.Approve(q.Context(), q.From(), q.PostForm.Get("who"), groups...)
	if err := decided(err); err != nil {
		return s.unchanged(q, back, err)
	}
	if u.ID != "" && !u.HasEmail() {
		return q.BackTo(back, "admin.approved_unaddressed", 0)
	}
	return q.BackTo(back, "admin.approved", 0)
}

// postRefuse refuses somebody who waits.
func (s adminPages) postRefuse(q *shell.Request) error {
	return s.changed(q, "admin.refused", decided(s.Applicants.Decline(q.Context(), q.From(), q.PostForm.Get("who"))))
}

// decided takes it well that another admin was quicker.
func decided(err error) error {
	if errors.Is(err, people.ErrNoApplicant) {
		return nil
	}
	return err
}

func (s adminPages) getPerson(q *shell.Request) error {
	cur := q.Current
	page, err := s.personPage(q, cur, q.Param("id"))
	if err != nil {
		return err
	}
	if page.Notice, err = q.Taken(); err != nil {
		return err
	}
	return q.Render(http.StatusOK, "admin-person.html", page)
}

func (s adminPages) personPage(q *shell.Request, cur session.Current, id string) (PersonPage, error) {
	p, emails, err := s.Users.Person(q.Context(), id)
	if errors.Is(err, people.ErrUnknown) {
		return PersonPage{}, shell.ErrNotFound
	}
	if err != nil {
		return PersonPage{}, err
	}
	page := PersonPage{Layout: s.personal(q, cur.User), One: describePerson(p), Self: p.ID == cur.User.ID, Unconfirmed: p.HasEmail() && !p.User.OwnsEmail()}
	for _, e := range emails {
		page.Emails = append(page.Emails, OwnEmail{Norm: e.Norm, Email: e.Email, Primary: e.Norm == p.EmailNorm, Verified: !e.VerifiedAt.IsZero()})
	}
	rows, err := s.Sessions.Of(q.Context(), p.ID)
	if err != nil {
		return PersonPage{}, err
	}
	page.Devices = s.devices(rows, cur.Session, q.From())
	_, methods, err := s.Account.UserAndMethods(q.Context(), p.ID)
	if err != nil {
		return PersonPage{}, err
	}
	for _, way := range methods {
		page.Own = append(page.Own, ownMethod(methods, way))
	}
	groups, err := s.groupNames(q)
	if err != nil {
		return PersonPage{}, err
	}
	// The admins come last: what is chosen by itself should not be they.
	for _, name := range append(withoutAdmins(groups), store.Admins) {
		if !slices.Contains(p.Groups, name) {
			page.Others = append(page.Others, name)
		}
	}
	events, err := s.Account.History(q.Context(), p.ID, "", 10)
	pr := q.Printer()
	for _, e := range events {
		page.Events = append(page.Events, s.historyLine(pr, e))
	}
	return page, err
}

func personPath(id string) string { return "/admin/people/" + shell.Segment(id) }

// changePerson changes the person that the path names, and leads back to their page,
// which also shows what was wrong.
func (s adminPages) changePerson(q *shell.Request, notice string, h func(store.User) error) error {
	u, err := s.Users.ByID(q.Context(), q.Param("id"))
	if errors.Is(err, people.ErrUnknown) {
		return shell.ErrNotFound
	}
	if err != nil {
		return err
	}
	if u.ID == q.Current.User.ID {
		if err := q.Renew(); err != nil {
			return err
		}
	}
	return s.changed(q, notice, h(u))
}

func (s adminPages) postDisable(q *shell.Request) error {
	return s.changePerson(q, "admin.disabled", func(u store.User) error { return s.Users.Disable(q.Context(), q.From(), u) })
}

func (s adminPages) postEnable(q *shell.Request) error {
	return s.changePerson(q, "admin.enabled", func(u store.User) error { return s.Users.Enable(q.Context(), q.From(), u) })
}

func (s adminPages) postSignOutPerson(q *shell.Request) error {
	return s.changePerson(q, "admin.signed_out", func(u store.User) error {
		_, err := s.Sessions.EndAll(q.Context(), q.From(), audit.ByAdmin, u.ID, "")
		return err
	})
}

func (s adminPages) postJoin(q *shell.Request) error {
	return s.changePerson(q, "admin.joined", func(u store.User) error {
		_, err := s.Users.Join(q.Context(), q.From(), q.PostForm.Get("group"), u)
		return err
	})
}

func (s adminPages) postLeave(q *shell.Request) error {
	return s.changePerson(q, "admin.left", func(u store.User) error {
		_, err := s.Users.Leave(q.Context(), q.From(), q.PostForm.Get("group"), u)
		return err
	})
}
