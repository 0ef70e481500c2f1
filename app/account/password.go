package account

import (
	"context"
	"errors"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/challenge"
	"gatelodge/app/factor/password"
	"gatelodge/app/fault"
	"gatelodge/app/gate"
	"gatelodge/app/mail/compose"
	"gatelodge/app/people"
	"gatelodge/store"
)

// ErrPasswordsOff is for operators: the configuration turns passwords off.
var ErrPasswordsOff = errors.New("password.enabled is false in the configuration")

// NewPassword is the form of a new password.
type NewPassword struct {
	Typed string
	// Keep is the session that stays; "" ends all of them.
	Keep string
	// KeepOthers leaves everybody signed in.
	KeepOthers bool
}

// Least is the least number of characters of a password here.
func (s *Service) Least() int { return password.MinAlone }

// SetPassword gives the user a password, or another one.
func (s *Service) SetPassword(ctx context.Context, from audit.Origin, actor, userID string, n NewPassword) error {
	u, hash, err := s.hash(ctx, userID, n.Typed, "changes")
	if err != nil {
		return err
	}
	return s.update(ctx, func(tx *store.Tx) error {
		if n.Keep != "" {
			// The hash took its time, in which the session may have ended.
			if _, _, err := tx.SessionOf(n.Keep, s.Now()); errors.Is(err, store.ErrNotFound) {
				return ErrEnded
			} else if err != nil {
				return err
			}
		}
		return s.keep(tx, from, actor, u, hash, n)
	})
}

// hash judges a chosen password and returns what to keep of it. counted is what it is
// limited with: changes by a thief do not keep the owner from a reset.
func (s *Service) hash(ctx context.Context, userID, typed, counted string) (store.User, string, error) {
	if s.Passwords == nil {
		return store.User{}, "", ErrNotFound
	}
	u, err := s.user(ctx, userID)
	if err != nil {
		return store.User{}, "", err
	}
	clear, err := password.Read(typed)
	if err == nil {
		err = clear.Acceptable(s.Least(), u.Email, u.Name, u.Username, s.Site)
	}
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return store.User{}, "", f.In("password")
	}
	if err != nil {
		return store.User{}, "", err
	}
	if err := s.mayOften(counted, u.ID); err != nil {
		return store.User{}, "", err
	}
	hash, err := s.Passwords.Hash(ctx, clear)
	return u, hash, err
}

// keep stores a new password with what follows from it.
func (s *Service) keep(tx *store.Tx, from audit.Origin, actor string, u store.User, hash string, n NewPassword) error {
	if err := tx.SetPassword(store.Password{UserID: u.ID, Hash: hash, ChangedAt: s.Now()}); err != nil {
		return err
	}
	if !n.KeepOthers {
		if _, err := tx.EndSessionsOf(u.ID, n.Keep); err != nil {
			return err
		}
	}
	// An older link would undo the change.
	if err := tx.CancelChallenges(u.ID, challenge.Reset, "", s.Now()); err != nil {
		return err
	}
	if err := s.dropPending(tx, u.ID); err != nil {
		return err
	}
	if err := s.Audit.Record(tx, from, audit.PasswordSet, actor, u.ID, ""); err != nil {
		return err
	}
	return s.passwordLetter(tx, from, u, false)
}

// RemovePassword takes the password away, unless it is the last way in.
func (s *Service) RemovePassword(ctx context.Context, from audit.Origin, actor, userID string, keep string) error {
	return s.update(ctx, func(tx *store.Tx) error {
		u, err := tx.UserByID(userID)
		if err != nil {
			return err
		}
		if err := s.keepOneMethod(tx, u, "password"); err != nil {
			return err
		}
		err = tx.RemovePassword(u.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil // gone before
		}
		if err != nil {
			return err
		}
		if _, err := tx.EndSessionsOf(u.ID, keep); err != nil {
			return err
		}
		if err := s.dropPending(tx, u.ID); err != nil {
			return err
		}
		if err := s.Audit.Record(tx, from, audit.PasswordRemoved, actor, u.ID, ""); err != nil {
			return err
		}
		return s.passwordLetter(tx, from, u, true)
	})
}

// keepOneMethod refuses to remove the last way in. id is the one that is to go.
func (s *Service) keepOneMethod(tx *store.Tx, u store.User, id string) error {
	methods, err := s.SignInMethods(tx, u)
	if err != nil {
		return err
	}
	if IsLast(methods, id) {
		return ErrLastMethod
	}
	return nil
}

func (s *Service) passwordLetter(tx *store.Tx, from audit.Origin, u store.User, removed bool) error {
	ask := challenge.Ask{Purpose: challenge.NotMePassword, For: undoFor}
	return s.letter(tx, from, u, ask, func(link string, _ time.Time) compose.Letter {
		return compose.PasswordChanged{Removed: removed, At: s.Now(), Device: from.Device, IP: from.IP, Link: link}
	})
}

// Reset spends a reset link and sets the password that was chosen. It ends all sessions
// and starts none, so that a second step is still required. b is the browser that shows
// the link.
func (s *Service) Reset(ctx context.Context, from audit.Origin, token, typed string, b people.Browser) error {
	var c store.Challenge
	err := s.DB.View(ctx, func(tx *store.Tx) (err error) {
		c, err = s.Challenges.Look(tx, challenge.Reset, token)
		return err
	})
	if err != nil {
		return err
	}
	u, hash, err := s.hash(ctx, c.UserID, typed, "resets")
	if err != nil {
		return err
	}
	return s.update(ctx, func(tx *store.Tx) error {
		if _, err := s.Challenges.Redeem(tx, challenge.Reset, token); err != nil {
			return err
		}
		// The hash took its time.
		if u, err = tx.UserByID(u.ID); err != nil {
			return err
		}
		if u.Disabled() {
			return gate.ErrSuspended
		}
		own, err := b.BelongsTo(tx, u.ID, s.Now())
		if err != nil {
			return err
		}
		if _, err := s.Users.ConfirmAddress(tx, from, u, c.EmailNorm, own); err != nil {
			return err
		}
		if u, err = tx.UserByID(u.ID); err != nil {
			return err
		}
		return s.keep(tx, from, audit.ByUser, u, hash, NewPassword{})
	})
}

// ResetLink makes a link for a user to choose a password with, by an operator's
// word and without mail.
func (s *Service) ResetLink(ctx context.Context, from audit.Origin, u store.User) (link string, until time.Time, err error) {
	if s.Passwords == nil {
		return "", time.Time{}, ErrPasswordsOff
	}
	if err := gate.MayEnter(u); err != nil {
		return "", time.Time{}, err
	}
	// It was not mailed, so using it proves no address.
	issued := s.Challenges.Issue(challenge.Ask{From: from, Purpose: challenge.Reset, EmailNorm: store.NoEmail(u.ID), UserID: u.ID, BrowserHash: challenge.NoBrowser(), Sends: 1})
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.AddChallenge(issued.Challenge); err != nil {
			return err
		}
		return s.Audit.Record(tx, from, audit.ResetAsked, audit.ByAdmin, u.ID, "")
	})
	return s.link(issued.Token), issued.ExpiresAt, err
}
