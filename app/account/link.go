package account

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/challenge"
	"gatelodge/app/fault"
	"gatelodge/app/links"
	"gatelodge/app/people"
	"gatelodge/store"
)

// purposes are those of the links that are opened at /mailed/.
var purposes = []string{
	challenge.Reset, challenge.ConfirmEmail, challenge.UndoEmail, challenge.NotMe, challenge.NotMePassword, challenge.Keep, challenge.Unlink,
}

// Link is what a link's page shows before it is used.
type Link struct {
	store.Challenge
	Account string // the address or name of the account it belongs to; of a Reset, the address that was mailed
	Email   string // the address it is about, as typed
}

// LookAt returns what is behind a link without spending it, or a fault of package
// challenge that says why it no longer opens. Of an account without an address only
// its own browsers take one: its creator could otherwise add another person's address,
// by which its owner would then sign in to the account of another. b is the browser
// that shows the link.
func (s *Service) LookAt(ctx context.Context, token string, b people.Browser) (Link, error) {
	var k Link
	err := s.DB.View(ctx, func(tx *store.Tx) (err error) {
		for _, purpose := range purposes {
			if k.Challenge, err = s.Challenges.Look(tx, purpose, token); !errors.Is(err, challenge.ErrUnknown) {
				break
			}
		}
		if err != nil {
			return err
		}
		u, err := tx.UserByID(k.UserID)
		if err != nil {
			return err
		}
		if k.Purpose == challenge.ConfirmEmail && (!u.HasEmail() || strings.HasSuffix(k.Detail, firstAddress)) {
			if own, err := b.BelongsTo(tx, u.ID, s.Now()); err != nil || !own {
				return cmp.Or[error](err, ErrEmailFirst)
			}
		}
		if k.Account = u.Called(); k.Purpose == challenge.Reset {
			if k.Account, err = people.MailedTo(tx, u.ID, k.EmailNorm); err != nil {
				return err
			}
		}
		k.Email, _, _ = strings.Cut(k.Detail, "\n")
		return err
	})
	return k, err
}

// Result is what came of a link.
type Result struct {
	Notice string // the key of a sentence
	Next   string // a path
	UserID string // whose account it changed
}

// Follow does what a link is for, but for a reset, which needs a password; see
// Reset.
func (s *Service) Follow(ctx context.Context, from audit.Origin, token string, b people.Browser) (Result, error) {
	k, err := s.LookAt(ctx, token, b)
	if err != nil {
		return Result{}, err
	}
	if k.Purpose == challenge.Reset {
		return Result{}, challenge.ErrUnknown
	}
	var done Result
	var refused *fault.Fault
	err = s.update(ctx, func(tx *store.Tx) error {
		done, refused = Result{Next: links.SignIn}, nil
		c, err := s.Challenges.Redeem(tx, k.Purpose, token)
		if err != nil {
			return err
		}
		u, err := tx.UserByID(c.UserID)
		if err != nil {
			return err
		}
		switch c.Purpose {
		case challenge.ConfirmEmail:
			done, err = Result{Notice: "emails.confirmed", Next: links.Emails}, s.confirmed(tx, from, u, c)
		case challenge.UndoEmail:
			done, err = s.secure(tx, from, u, c)
		case challenge.NotMe:
			// Who came in once may have come in again since.
			if err = tx.EndSession(u.ID, c.Detail); errors.Is(err, store.ErrNotFound) {
				err = nil // it has ended
			}
			if err == nil {
				err = tx.EndSessionsSince(u.ID, c.CreatedAt)
			}
			if err == nil {
				done, err = s.secure(tx, from, u, c)
			}
		case challenge.NotMePassword:
			if _, err = tx.EndSessionsOf(u.ID, ""); err == nil {
				done, err = s.secure(tx, from, u, c)
			}
		case challenge.Unlink:
			if err = s.unlinked(tx, from, audit.ByUser, u, withID(c.Detail)); err == nil {
				_, err = tx.EndSessionsOf(u.ID, "")
			}
			if err == nil {
				done, err = s.secure(tx, from, u, c)
			}
		case challenge.Keep:
			done.Notice, err = "closing.kept", s.reopen(tx, from, u)
		default:
			err = challenge.ErrUnknown
		}
		// What was spent stays so when the person is refused.
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			refused = f
			return nil
		}
		return err
	})
	if err != nil {
		return Result{}, err
	}
	if refused != nil {
		return Result{}, refused
	}
	done.UserID = k.UserID
	return done, nil
}

// secure is what follows when an owner says that something was not them. The
// password opens nothing from now on, whether or not they go on to choose another:
// the mail that brought them here is a way in. What was connected since is
// disconnected, addresses that came since are taken away and the primary one is what
// it was, no browser is known any more, and an account that was closed meanwhile is
// open again.
func (s *Service) secure(tx *store.Tx, from audit.Origin, u store.User, c store.Challenge) (Result, error) {
	since, _, err := s.notifiedOf(tx, c)
	if err != nil {
		return Result{}, err
	}
	if c.Purpose == challenge.UndoEmail {
		if err := s.undoEmail(tx, from, u, c); err != nil {
			return Result{}, err
		}
	} else {
		err := s.restoreAddress(tx, from, u, store.Email{Norm: c.EmailNorm, Email: c.EmailNorm}, c, false)
		if errors.Is(err, ErrEmailTaken) {
			// The address has gone over to another account. No access depends on it.
			err = s.dropSince(tx, from, u.ID, u.EmailNorm, c)
		}
		if err != nil {
			return Result{}, err
		}
	}
	// The change was made a moment before the message.
	before := since.Add(-time.Second)
	if err := s.unlinked(tx, from, audit.ByUser, u, func(a store.Account) bool { return !a.CreatedAt.Before(before) }); err != nil {
		return Result{}, err
	}
	err = tx.RemovePassword(u.ID)
	if err == nil {
		err = s.Audit.Record(tx, from, audit.PasswordRemoved, audit.ByUser, u.ID, c.Purpose)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Result{}, err
	}
	if err := tx.CancelChallenges(u.ID, challenge.Reset, "", s.Now()); err != nil {
		return Result{}, err
	}
	if !u.RemovalAt.IsZero() {
		if err := s.reopen(tx, from, u); err != nil {
			return Result{}, err
		}
	}
	if err := people.ForgetBrowsers(tx, u.ID, s.Now()); err != nil {
		return Result{}, err
	}
	if err := s.Audit.Record(tx, from, audit.NotMe, audit.ByUser, u.ID, c.Purpose); err != nil {
		return Result{}, err
	}
	if s.Passwords == nil {
		return Result{Notice: "notme.done", Next: links.SignIn}, nil
	}
	issued := s.Challenges.Issue(challenge.Ask{
		From: from, Purpose: challenge.Reset, EmailNorm: c.EmailNorm, UserID: u.ID, BrowserHash: c.BrowserHash, Sends: 1, For: resetFor,
	})
	if err := tx.AddChallenge(issued.Challenge); err != nil {
		return Result{}, err
	}
	return Result{Notice: "notme.done_reset", Next: strings.TrimPrefix(s.link(issued.Token), s.PublicURL)}, nil
}

// eraseAfter is how long a closed account can be opened again.
const eraseAfter = 7 * 24 * time.Hour
