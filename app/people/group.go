package people

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/store"
)

// What can be said about groups.
var (
	ErrGroupMalformed = fault.New(fault.Invalid, "group.malformed")
	ErrGroupTaken     = fault.New(fault.Invalid, "group.taken")
	ErrNoGroup        = errors.New("there is no group of that name")
	ErrAdminsStay     = errors.New("the group " + store.Admins + " is who manages this server; it is always there")
)

// maxGroup is the most characters of a group's name.
const maxGroup = 40

// groupName returns the name of a group in its one form. Names travel in lists
// that are divided by commas and spaces, so they have neither.
func groupName(typed string) (string, error) {
	name := strings.ToLower(strings.TrimSpace(typed))
	if len(name) < 1 || len(name) > maxGroup || strings.Trim(name, "._-") != name {
		return "", ErrGroupMalformed
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r) {
			return "", ErrGroupMalformed
		}
	}
	return name, nil
}

// AddGroup makes a group.
func (s *Users) AddGroup(ctx context.Context, from audit.Origin, typed string) (store.Group, error) {
	name, err := groupName(typed)
	if err != nil {
		return store.Group{}, fault.Of(err).In("group")
	}
	if name == store.Admins {
		return store.Group{}, ErrGroupTaken.In("group")
	}
	now := s.Now()
	g := store.Group{ID: store.NewID(now), Name: name, CreatedAt: now}
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.AddGroup(g); err != nil {
			return err
		}
		return s.Audit.Record(tx, from, audit.GroupAdded, audit.ByAdmin, "", name)
	})
	if errors.Is(err, store.ErrConflict) {
		return store.Group{}, ErrGroupTaken.In("group")
	}
	return g, err
}

// RemoveGroup removes a group. Its members stay, without it.
func (s *Users) RemoveGroup(ctx context.Context, from audit.Origin, name string) error {
	if name == store.Admins {
		return ErrAdminsStay
	}
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.RemoveGroup(name); err != nil {
			return err
		}
		return s.Audit.Record(tx, from, audit.GroupRemoved, audit.ByAdmin, "", name)
	})
	if errors.Is(err, store.ErrNotFound) {
		return ErrNoGroup
	}
	return err
}

// Groups returns every group by name, with how many are in it.
func (s *Users) Groups(ctx context.Context) (list []store.Group, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Groups()
		return err
	})
	return list, err
}

// Group returns the group with that name and how many are in it.
func (s *Users) Group(ctx context.Context, name string) (g store.Group, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		if name == store.Admins {
			g = store.Group{Name: name}
		} else if g, err = tx.GroupByName(name); err != nil {
			return err
		}
		g.Members, err = tx.CountMembers(name)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return store.Group{}, ErrNoGroup
	}
	return g, err
}

// Members calls f for each user in a group, by address.
func (s *Users) Members(ctx context.Context, name string, f func(store.User) error) error {
	for after := ""; ; {
		var page []store.User
		err := s.DB.View(ctx, func(tx *store.Tx) (err error) {
			page, err = tx.MembersOf(name, after, pageOf)
			return err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		for _, u := range page {
			if err := f(u); err != nil {
				return err
			}
		}
		after = page[len(page)-1].EmailNorm
	}
}

// Join puts users into a group by an operator's word, all or none, and returns
// how many are new there. Who joins store.Admins may manage the server.
func (s *Users) Join(ctx context.Context, from audit.Origin, name string, users ...store.User) (n int, err error) {
	return s.move(ctx, name, users, func(tx *store.Tx, u store.User) (bool, error) {
		return s.join(tx, from, audit.ByAdmin, name, u)
	})
}

// Leave takes users out of a group, all or none, and returns how many were in it.
// The last admin with open access stays one.
func (s *Users) Leave(ctx context.Context, from audit.Origin, name string, users ...store.User) (n int, err error) {
	return s.move(ctx, name, users, func(tx *store.Tx, u store.User) (bool, error) {
		return s.leave(tx, from, name, u)
	})
}

func (s *Users) move(ctx context.Context, name string, users []store.User, move func(*store.Tx, store.User) (bool, error)) (n int, err error) {
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		n = 0
		for _, u := range users {
			did, err := move(tx, u)
			if err != nil {
				return fmt.Errorf("%s and %s: %w", name, u.Called(), err)
			}
			if did {
				n++
			}
		}
		return nil
	})
	return n, err
}

func (s *Users) join(tx *store.Tx, from audit.Origin, actor, name string, u store.User) (bool, error) {
	did := false
	if name == store.Admins {
		now, err := tx.UserByID(u.ID)
		if err != nil {
			return false, err
		}
		did = !now.Admin
		if err := tx.SetAdmin(u.ID, true, s.Now()); err != nil {
			return false, err
		}
	} else {
		g, err := groupNamed(tx, name)
		if err != nil {
			return false, err
		}
		if did, err = tx.JoinGroup(g.ID, u.ID, s.Now()); err != nil {
			return false, err
		}
	}
	if !did {
		return false, nil
	}
	return true, s.Audit.Record(tx, from, audit.GroupJoined, actor, u.ID, name)
}

func (s *Users) leave(tx *store.Tx, from audit.Origin, name string, u store.User) (bool, error) {
	did := false
	if name == store.Admins {
		now, err := tx.UserByID(u.ID)
		if err != nil {
			return false, err
		}
		if did = now.Admin; did {
			if err := KeepAnAdmin(tx, now); err != nil {
				return false, err
			}
			if err := tx.SetAdmin(u.ID, false, s.Now()); err != nil {
				return false, err
			}
		}
	} else {
		g, err := groupNamed(tx, name)
		if err != nil {
			return false, err
		}
		if did, err = tx.LeaveGroup(g.ID, u.ID); err != nil {
			return false, err
		}
	}
	if !did {
		return false, nil
	}
	return true, s.Audit.Record(tx, from, audit.GroupLeft, audit.ByAdmin, u.ID, name)
}

// groupNamed returns the group of that name, or ErrNoGroup.
func groupNamed(tx *store.Tx, name string) (store.Group, error) {
	g, err := tx.GroupByName(name)
	if errors.Is(err, store.ErrNotFound) {
		return g, ErrNoGroup
	}
	return g, err
}
