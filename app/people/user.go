// Package people keeps users, groups, invitations and requests for an account, and
// decides who may register: the first admin, users whom an admin adds, and everyone
// whom the sign-up policy or an invitation admits.
//
// It never signs a user in. Suspending a user ends their sessions in the same
// transaction, so no session outlives the suspension.
package people

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/email"
	"gatelodge/app/fault"
	"gatelodge/app/gate"
	"gatelodge/app/limit"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// The faults and errors about users.
var (
	ErrSetUpDone   = fault.New(fault.Gone, "setup.done")
	ErrSetUpCode   = fault.New(fault.Invalid, "setup.code_wrong")
	ErrLimited     = fault.New(fault.Limited, "error.limited")
	ErrNameNeeded  = fault.New(fault.Invalid, "name.needed")
	ErrNameTooLong = fault.New(fault.Invalid, "name.too_long")
	ErrUnknown     = errors.New("no user has that address, username or id")
	ErrAmbiguous   = errors.New("that is the id of one user and the username of another: name the user by email address")
	ErrTaken       = errors.New("a user has that address already")
	ErrLastAdmin   = errors.New("this is the last admin with open access")
)

// Users is the service.
type Users struct {
	DB     *store.DB
	Audit  *audit.Log
	Limits *limit.Limiter
	Now    func() time.Time
	Policy SignupPolicy
}

// SetUpCode returns the code that proves its holder reads this server's
// terminal, or ErrSetUpDone once there is an admin. It follows from the server's
// key, so it is the same at each start and nowhere stored.
func (s *Users) SetUpCode(ctx context.Context) (string, error) {
	open, err := s.SetUpOpen(ctx)
	if err != nil {
		return "", err
	}
	if !open {
		return "", ErrSetUpDone
	}
	return secret.Spoken(s.DB.Keyring().Derive("set-up code")), nil
}

// SetUpOpen reports whether the server still waits for its first admin.
func (s *Users) SetUpOpen(ctx context.Context) (bool, error) {
	any := false
	err := s.DB.View(ctx, func(tx *store.Tx) (err error) {
		any, err = tx.AnyAdmin()
		return err
	})
	return !any, err
}

// SetUp is the form of the set-up page.
type SetUp struct {
	Code, Email, Name, Language string
}

// perSetUp is how many wrong set-up codes are answered and written down.
var perSetUp = []limit.Rule{{Count: 10, Per: 10 * time.Minute}}

// SetUp makes the first admin. The address counts as verified: who
// reads the terminal decides. finish runs in the same transaction, so that the
// admin exists only when they are also signed in. claimed says that the account was
// there, and that what opened it was removed; see Claim.
func (s *Users) SetUp(ctx context.Context, from audit.Origin, form SetUp, finish func(tx *store.Tx, u store.User, claimed bool) error) error {
	want, err := s.SetUpCode(ctx)
	if err != nil {
		return err
	}
	code := form.Code
	if _, after, found := strings.Cut(code, "code="); found {
		code = after // the whole line of the terminal
	}
	// The right code is never refused: it has 80 bits, so that no number of tries finds
	// it, and a count of wrong ones would only let strangers keep its owner out.
	if !secret.Equal([]byte(secret.CleanSpoken(code)), []byte(want)) {
		if wait, _ := s.Limits.Take(limit.Networks("setup:", from.Network, perSetUp, nil)...); wait > 0 {
			return ErrLimited.After(wait)
		}
		s.Audit.Note(from, audit.SetUpRefused, audit.ByVisitor, "", "wrong code")
		return ErrSetUpCode.In("setup_code")
	}
	u, err := s.newUser(form.Email, form.Name, form.Language)
	if err != nil {
		return err
	}
	u.Admin, u.EmailVerifiedAt = true, u.CreatedAt
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		before, err := tx.UserByEmail(u.EmailNorm)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		prepared, err := MayBePreclaimed(tx, before, u.EmailNorm)
		if err != nil {
			return err
		}
		id, err := tx.AddFirstAdmin(u)
		if err != nil {
			return err
		}
		u := u
		u.ID = id
		if prepared {
			// Another person with those sign-in methods would be the admin.
			if err := s.ReclaimAccount(tx, from, u, u.EmailNorm); err != nil {
				return err
			}
		}
		if err := s.Audit.Record(tx, from, audit.SetUp, audit.ByVisitor, u.ID, u.EmailNorm); err != nil {
			return err
		}
		return finish(tx, u, prepared)
	})
	if errors.Is(err, store.ErrConflict) {
		return ErrSetUpDone
	}
	return err
}

func (s *Users) newUser(typed, name, language string) (store.User, error) {
	address, err := email.Read(typed)
	if err != nil {
		return store.User{}, fault.Of(err).In("email")
	}
	name, err = CleanName(name)
	if err != nil {
		return store.User{}, fault.Of(err).In("name")
	}
	now := s.Now()
	return store.User{
		ID: store.NewID(now), Email: address.Text, EmailNorm: address.Norm,
		Name: name, Language: language, CreatedAt: now, UpdatedAt: now,
	}, nil
}

// Add adds a user for an admin, and adds them to groups.
func (s *Users) Add(ctx context.Context, from audit.Origin, email, name string, admin bool, groups ...string) (store.User, error) {
	u, err := s.newUser(email, name, "")
	if err != nil {
		return store.User{}, err
	}
	u.Admin, u.AddedByAdmin = admin, true
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		for _, name := range groups {
			if err := requireGroup(tx, name); err != nil {
				return err
			}
		}
		return s.addUser(tx, from, audit.ByAdmin, u, admission{kind: audit.UserAdded, how: u.EmailNorm, groups: groups})
	})
	return u, err
}

// requireGroup returns ErrNoGroup with its name when there is no such group.
func requireGroup(tx *store.Tx, name string) error {
	if name == store.Admins {
		return nil
	}
	_, err := groupNamed(tx, name)
	if errors.Is(err, ErrNoGroup) {
		return fmt.Errorf("%w: %s", err, name)
	}
	return err
}

// Find returns the user with that address, id or username, or ErrUnknown. What reads
// as an address is no id. An id of one user that is the username of another is
// ErrAmbiguous.
func (s *Users) Find(ctx context.Context, name string) (store.User, error) {
	var u store.User
	err := s.DB.View(ctx, func(tx *store.Tx) (err error) {
		if address, bad := email.Normal(name); bad == nil {
			u, err = tx.UserByEmail(address)
			return err
		}
		u, err = tx.UserByID(name)
		username, bad := NormalUsername(name)
		if bad != nil || err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		called, byUsername := tx.UserByUsername(username)
		switch {
		case errors.Is(byUsername, store.ErrNotFound):
			return err
		case byUsername == nil && err == nil && called.ID != u.ID:
			return ErrAmbiguous
		}
		u = called
		return byUsername
	})
	if errors.Is(err, store.ErrNotFound) {
		return store.User{}, ErrUnknown
	}
	if err != nil {
		return store.User{}, err
	}
	return u, nil
}

// Unconfirmed reports whether name is an address of the user's that has not been
// confirmed; see UnconfirmedIn.
func (s *Users) Unconfirmed(ctx context.Context, u store.User, name string) (is bool, err error) {
	address, bad := email.Normal(name)
	if bad != nil {
		return false, nil
	}
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		is, err = UnconfirmedIn(tx, u, address)
		return err
	})
	return is, err
}

// UnconfirmedIn reports whether a normal address of the user's is one that has not been
// confirmed: the account was imported with it, and may be another person's until the
// owner of the address opens a mailed link.
func UnconfirmedIn(tx *store.Tx, u store.User, address string) (bool, error) {
	if u.AddedByAdmin {
		return false, nil
	}
	emails, err := tx.EmailsOf(u.ID)
	return slices.ContainsFunc(emails, func(e store.Email) bool { return e.Norm == address && e.VerifiedAt.IsZero() }), err
}

// ByID returns the user with that id, or ErrUnknown. An id from elsewhere may look
// like the address of another user.
func (s *Users) ByID(ctx context.Context, id string) (u store.User, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		u, err = tx.UserByID(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return store.User{}, ErrUnknown
	}
	return u, err
}

// All calls f for every user, by address.
func (s *Users) All(ctx context.Context, f func(store.User) error) error {
	after := ""
	for {
		var page []store.User
		err := s.DB.View(ctx, func(tx *store.Tx) (err error) {
			page, err = tx.Users(after, 500)
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

// Rename changes the user's name for the user.
func (s *Users) Rename(ctx context.Context, from audit.Origin, u store.User, name string) error {
	name, err := CleanName(name)
	if err != nil {
		return fault.Of(err).In("name")
	}
	if name == u.Name {
		return nil
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.SetName(u.ID, name, s.Now()); err != nil {
			return err
		}
		return s.Audit.Record(tx, from, audit.UserChanged, audit.ByUser, u.ID, "name")
	})
}

// Disable suspends a user and ends all their sessions.
func (s *Users) Disable(ctx context.Context, from audit.Origin, u store.User) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		if err := KeepAnAdmin(tx, u); err != nil {
			return err
		}
		now := s.Now()
		if err := tx.SetDisabled(u.ID, now, now); err != nil {
			return err
		}
		if _, err := tx.EndSessionsOf(u.ID, ""); err != nil {
			return err
		}
		return s.Audit.Record(tx, from, audit.UserDisabled, audit.ByAdmin, u.ID, "")
	})
}

// Enable reactivates a user, also one who had closed the account.
func (s *Users) Enable(ctx context.Context, from audit.Origin, u store.User) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.SetDisabled(u.ID, time.Time{}, s.Now()); err != nil {
			return err
		}
		if err := tx.SetRemoval(u.ID, time.Time{}, s.Now()); err != nil {
			return err
		}
		return s.Audit.Record(tx, from, audit.UserEnabled, audit.ByAdmin, u.ID, "")
	})
}

// Remove removes a user for good. The audit log keeps what they did.
func (s *Users) Remove(ctx context.Context, from audit.Origin, u store.User) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		if err := KeepAnAdmin(tx, u); err != nil {
			return err
		}
		if err := tx.RemoveUser(u.ID); err != nil {
			return err
		}
		return s.Audit.Record(tx, from, audit.UserRemoved, audit.ByAdmin, u.ID, u.EmailNorm)
	})
}

// KeepAnAdmin returns ErrLastAdmin when no other admin could sign in. It reads the user
// within the transaction: two admins who suspend each other must not both succeed.
func KeepAnAdmin(tx *store.Tx, u store.User) error {
	u, err := tx.UserByID(u.ID)
	if errors.Is(err, store.ErrNotFound) {
		return ErrUnknown
	}
	if err != nil {
		return err
	}
	if !u.Admin || gate.MayEnter(u) != nil {
		return nil
	}
	others, err := tx.OtherAdmins(u.ID)
	if err != nil {
		return err
	}
	if others == 0 {
		return ErrLastAdmin
	}
	return nil
}

// EraseDue removes the users who closed their accounts long enough ago, and
// returns how many.
func (s *Users) EraseDue(ctx context.Context, from audit.Origin) (n int, err error) {
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		n = 0
		due, err := tx.DueRemovals(s.Now(), eraseAtOnce)
		if err != nil {
			return err
		}
		for _, u := range due {
			err := KeepAnAdmin(tx, u)
			if errors.Is(err, ErrLastAdmin) {
				continue // the last admin stays
			}
			if err != nil {
				return err
			}
			if err := tx.RemoveUser(u.ID); err != nil {
				return err
			}
			if err := s.Audit.Record(tx, from, audit.Erased, audit.ByUser, u.ID, ""); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

// eraseAtOnce is how many accounts are erased in one transaction.
const eraseAtOnce = 20
