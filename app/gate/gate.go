// Package gate decides whether a user may sign in, and whether a person may use an
// App. Sign-in, the session API, the
// hand-off to an App, the return from a provider, invitations and commands ask the
// same function, so that no two of them can disagree.
package gate

import (
	"slices"

	"gatelodge/app/apps"
	"gatelodge/app/email"
	"gatelodge/app/fault"
	"gatelodge/store"
)

// The refusals.
var (
	// ErrNotAllowed means that the person is known and may not use the App.
	ErrNotAllowed = fault.New(fault.Denied, "app.denied")
	ErrSuspended  = fault.New(fault.Denied, "error.disabled").For(fault.Disabled)
	// ErrClosing means that the user has closed the account and can still change
	// their mind.
	ErrClosing = fault.New(fault.Denied, "error.closing").For(fault.Disabled)
)

// MayEnter returns nil when a user who has signed in may have a session, else why
// not.
func MayEnter(u store.User) error {
	switch {
	case u.Disabled():
		return ErrSuspended
	case !u.RemovalAt.IsZero():
		return ErrClosing
	}
	return nil
}

// Person is a user with what a decision depends on.
type Person struct {
	User   store.User
	Groups []string
}

// PersonOf returns the user as a Person, with the groups they are in now.
func PersonOf(tx *store.Tx, u store.User) (Person, error) {
	groups, err := tx.GroupsOf(u.ID)
	return Person{u, groups}, err
}

// Decide returns nil when the person may use the App now, else the fault to show.
// Addresses, ids and groups are separate sets: an id that looks like an address is
// none. An address counts only when it is the person's own; see store.User.OwnsEmail.
func Decide(app *apps.App, p Person) error {
	if err := MayEnter(p.User); err != nil {
		return err
	}
	if !allows(app.Allow, p) {
		return ErrNotAllowed.With("app", app.Name)
	}
	return nil
}

func allows(a apps.Allow, p Person) bool {
	switch {
	case a.Everyone, a.IDs[p.User.ID]:
		return true
	case slices.ContainsFunc(a.Groups, func(group string) bool { return slices.Contains(p.Groups, group) }):
		return true
	case len(a.Addresses) == 0 || !p.User.OwnsEmail():
		return false
	}
	address, err := email.Normal(p.User.Email)
	return err == nil && a.Addresses[address]
}
