package web

import "time"

// Statuses are those that people can be listed by: those of store.User.Status, and of
// who is no user yet.
var Statuses = []string{"active", "new", "invited", "waiting", "disabled", "closing"}

// PeoplePage is admin-people.html. It posts who and group to /admin/waiting/approve,
// and who to /admin/waiting/refuse.
type PeoplePage struct {
	Layout
	Total   int // users there are
	People  []OnePerson
	Waiting []Waiting
	Invited []OneInvite // by mail, and not come yet
	Groups  []string    // all of them
	Search  string
	Status  string
	Next    string // the address of the next page, or ""
	Notice  string
}

// Statuses returns those that people can be listed by.
func (PeoplePage) Statuses() []string { return Statuses }

// OnePerson is somebody as those see them who manage people.
type OnePerson struct {
	ID        string
	Person    Person
	Email     string // the primary address, or ""
	Username  string
	Methods   []string // "email", "password", "passkey"
	Upstreams []string
	Groups    []string
	Status    string
	SeenAt    time.Time // zero: never
	Since     time.Time
}

// Waiting is somebody who waits to be let in.
type Waiting struct {
	Key      string // by which they are found again
	Person   Person // as they or their upstream call them
	Proven   string // an address that is theirs, or ""
	Upstream string // the name of the one by which they came, or ""
	Claimed  string // an address that it tells
	At       time.Time
	Where    string
}

// PersonPage is admin-person.html. It posts to /admin/people/ID/disable, enable,
// sign-out, link and remove-password, and there group to join and leave, session to end
// and account to disconnect.
type PersonPage struct {
	Layout
	One  OnePerson
	Self bool // it is the reader
	// Unconfirmed says that the address is not confirmed; see account.OwnsAddress.
	Unconfirmed bool
	Own         []OwnMethod
	Emails      []OwnEmail
	Devices     []Device
	Others      []string // groups they are not in
	Events      []HistoryLine
	Notice      string
}

// RemovePage is admin-remove.html, before a person or a group with people in it is
// removed. It posts to its own path.
type RemovePage struct {
	Layout
	Name  string // of who or what is removed
	Text  string // a sentence: what goes with it
	Self  bool   // it is the reader
	At    string // its own path
	Back  string // the path of those who keep it
	Group bool
}

// InvitesPage is admin-invites.html. It posts email, uses, days and group to
// /admin/invites, and to /admin/invites/ID/revoke.
type InvitesPage struct {
	Layout
	Invites []OneInvite
	Groups  []string // that an invite can give
	Link    string   // of one that was just made
	Emails  string   // one on each line
	Chosen  []string
	Uses    int
	MaxUses int
	Days    int
	Problem string
	Notice  string
}

// Has reports whether a group was chosen.
func (p InvitesPage) Has(name string) bool {
	for _, chosen := range p.Chosen {
		if chosen == name {
			return true
		}
	}
	return false
}

// OneInvite is an invite as those see it who invite.
type OneInvite struct {
	ID       string
	Email    string // "" for a link
	State    string // "open", "returned", "used", "expired" or "revoked"
	UsesLeft int
	Groups   []string
	Until    time.Time
	By       string
}

// GroupsPage is admin-groups.html. It posts group to /admin/groups, and to
// /admin/groups/NAME/remove.
type GroupsPage struct {
	Layout
	Groups  []OneGroup
	Name    string
	Problem string
	Notice  string
}

// OneGroup is a group with how many are in it.
type OneGroup struct {
	Name    string
	Members int
	Fixed   bool // it cannot be removed
}
