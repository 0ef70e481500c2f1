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
)

// peopleRows is how many people a page lists.
const peopleRows = 50

func (s *Server) getPeople(w http.ResponseWriter, r *http.Request) error {
	return s.admin(w, r, func(cur session.Current) error {
		page, err := s.peoplePage(r, cur)
		if err != nil {
			return err
		}
		if page.Notice, err = s.taken(w, r); err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "admin-people.html", page)
	})
}

func (s *Server) peoplePage(r *http.Request, cur session.Current) (PeoplePage, error) {
	q := r.URL.Query()
	page := PeoplePage{Layout: s.personal(r, cur.User), Search: short(q.Get("q")), Status: q.Get("status")}
	if !slices.Contains(Statuses, page.Status) {
		page.Status = ""
	}
	after := short(q.Get("after"))
	first := after == ""
	var err error
	if first && (page.Status == "" || page.Status == "waiting") {
		if page.Waiting, err = s.waiting(r); err != nil {
			return PeoplePage{}, err
		}
	}
	if page.Total, err = s.Users.Count(r.Context()); err != nil {
		return PeoplePage{}, err
	}
	if first && (page.Status == "" || page.Status == "invited") {
		if page.Invited, err = s.invited(r, page.Search); err != nil {
			return PeoplePage{}, err
		}
	}
	var people []store.Person
	if page.Status != "waiting" && page.Status != "invited" {
		// One more than is shown tells whether there is more.
		people, err = s.Users.Page(r.Context(), store.PeopleFilter{Search: page.Search, Status: page.Status, After: after}, peopleRows+1)
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
	groups, err := s.groupNames(r)
	page.Groups = withoutAdmins(groups)
	return page, err
}

// waiting lists those who asked to be let in.
func (s *Server) waiting(r *http.Request) ([]Waiting, error) {
	list, err := s.Applicants.All(r.Context())
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
func (s *Server) invited(r *http.Request, search string) ([]OneInvite, error) {
	list, err := s.Invites.All(r.Context())
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

func (s *Server) groupNames(r *http.Request) ([]string, error) {
	list, err := s.Users.Groups(r.Context())
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
		one.Ways = append(one.Ways, "email")
	}
	if p.Password {
		one.Ways = append(one.Ways, "password")
	}
	if p.Passkeys > 0 {
		one.Ways = append(one.Ways, "passkey")
	}
	return one
}

// postApprove lets somebody in who waits.
func (s *Server) postApprove(w http.ResponseWriter, r *http.Request) error {
	const back = "/admin/people"
	return s.adminFresh(w, r, back, func(session.Current) error {
		var groups []string
		if g := r.PostForm.Get("group"); g != "" {
			groups = append(groups, g)
		}
		u, err := s.Applicants.Approve(r.Context(), s.from(r), r.PostForm.Get("who"), groups...)
		if err := decided(err); err != nil {
			return s.unchanged(w, r, back, err)
		}
		if u.ID != "" && !u.HasEmail() {
			return s.backTo(w, r, back, "admin.approved_unaddressed", 0)
		}
		return s.backTo(w, r, back, "admin.approved", 0)
	})
}

// postRefuse refuses somebody who waits.
func (s *Server) postRefuse(w http.ResponseWriter, r *http.Request) error {
	return s.change(w, r, "/admin/people", "admin.refused", func(session.Current) error {
		return decided(s.Applicants.Decline(r.Context(), s.from(r), r.PostForm.Get("who")))
	})
}

// decided takes it well that another admin was quicker.
func decided(err error) error {
	if errors.Is(err, people.ErrNoApplicant) {
		return nil
	}
	return err
}

func (s *Server) getPerson(w http.ResponseWriter, r *http.Request) error {
	return s.admin(w, r, func(cur session.Current) error {
		page, err := s.personPage(r, cur, param(r, "id"))
		if err != nil {
			return err
		}
		if page.Notice, err = s.taken(w, r); err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, "admin-person.html", page)
	})
}

func (s *Server) personPage(r *http.Request, cur session.Current, id string) (PersonPage, error) {
	p, emails, err := s.Users.Person(r.Context(), id)
	if errors.Is(err, people.ErrUnknown) {
		return PersonPage{}, errNotFound
	}
	if err != nil {
		return PersonPage{}, err
	}
	page := PersonPage{Layout: s.personal(r, cur.User), One: describePerson(p), Self: p.ID == cur.User.ID, Unconfirmed: p.HasEmail() && !p.User.OwnsEmail()}
	for _, e := range emails {
		page.Emails = append(page.Emails, OwnEmail{Norm: e.Norm, Email: e.Email, Primary: e.Norm == p.EmailNorm, Verified: !e.VerifiedAt.IsZero()})
	}
	rows, err := s.Sessions.Of(r.Context(), p.ID)
	if err != nil {
		return PersonPage{}, err
	}
	page.Devices = s.devices(rows, cur.Session, s.from(r))
	_, ways, err := s.Account.UserAndMethods(r.Context(), p.ID)
	if err != nil {
		return PersonPage{}, err
	}
	for _, way := range ways {
		page.Own = append(page.Own, ownWay(ways, way))
	}
	groups, err := s.groupNames(r)
	if err != nil {
		return PersonPage{}, err
	}
	// The admins come last: what is chosen by itself should not be they.
	for _, name := range append(withoutAdmins(groups), store.Admins) {
		if !slices.Contains(p.Groups, name) {
			page.Others = append(page.Others, name)
		}
	}
	events, err := s.Account.History(r.Context(), p.ID, "", 10)
	pr := s.printer(r)
	for _, e := range events {
		page.Events = append(page.Events, s.historyLine(pr, e))
	}
	return page, err
}

func personPath(id string) string { return "/admin/people/" + segment(id) }

// changePerson changes the person that the path names.
func (s *Server) changePerson(w http.ResponseWriter, r *http.Request, notice string, h func(store.User) error) error {
	return s.changePersonAs(w, r, notice, func(_ session.Current, u store.User) error { return h(u) })
}

// changePersonAs is changePerson for what tells who did it.
func (s *Server) changePersonAs(w http.ResponseWriter, r *http.Request, notice string, h func(session.Current, store.User) error) error {
	id := param(r, "id")
	return s.change(w, r, personPath(id), notice, func(cur session.Current) error {
		u, err := s.Users.ByID(r.Context(), id)
		if errors.Is(err, people.ErrUnknown) {
			return errNotFound
		}
		if err != nil {
			return err
		}
		if u.ID == cur.User.ID {
			return s.renewed(w, r, cur, func(cur session.Current) error { return h(cur, u) })
		}
		return h(cur, u)
	})
}

func (s *Server) postDisable(w http.ResponseWriter, r *http.Request) error {
	return s.changePerson(w, r, "admin.disabled", func(u store.User) error { return s.Users.Disable(r.Context(), s.from(r), u) })
}

func (s *Server) postEnable(w http.ResponseWriter, r *http.Request) error {
	return s.changePerson(w, r, "admin.enabled", func(u store.User) error { return s.Users.Enable(r.Context(), s.from(r), u) })
}

func (s *Server) postSignOutPerson(w http.ResponseWriter, r *http.Request) error {
	return s.changePerson(w, r, "admin.signed_out", func(u store.User) error {
		_, err := s.Sessions.EndAll(r.Context(), s.from(r), audit.ByAdmin, u.ID, "")
		return err
	})
}

func (s *Server) postJoin(w http.ResponseWriter, r *http.Request) error {
	return s.changePerson(w, r, "admin.joined", func(u store.User) error {
		_, err := s.Users.Join(r.Context(), s.from(r), r.PostForm.Get("group"), u)
		return err
	})
}

func (s *Server) postLeave(w http.ResponseWriter, r *http.Request) error {
	return s.changePerson(w, r, "admin.left", func(u store.User) error {
		_, err := s.Users.Leave(r.Context(), s.from(r), r.PostForm.Get("group"), u)
		return err
	})
}
