package account

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/challenge"
	"gatelodge/app/email"
	"gatelodge/app/fault"
	"gatelodge/app/limit"
	"gatelodge/app/mail/compose"
	"gatelodge/app/people"
	"gatelodge/store"
)

// What can be said about addresses.
var (
	ErrEmailOwn   = fault.New(fault.Invalid, "emails.own")
	ErrEmailTaken = fault.New(fault.Conflict, "error.email_taken")
	// ErrEmailFirst is said to who reads mail at what is to be the first address of an
	// account and is a stranger to the account.
	ErrEmailFirst = fault.New(fault.Denied, "error.email_first")
	ErrEmailMany  = fault.New(fault.Invalid, "emails.many")
)

// maxEmails is how many addresses one account has at most.
const maxEmails = 10

// Mail to an added address is mail that a stranger may cause.
var (
	addsPerUser    = []limit.Rule{{Count: 5, Per: time.Hour}, {Count: 20, Per: 24 * time.Hour}}
	addsPerAddress = []limit.Rule{{Count: 3, Per: time.Hour}, {Count: 6, Per: 24 * time.Hour}}
)

// firstAddress ends the Detail of a challenge that was made while the account had no
// address. Such a link opens in browsers of the account alone, whatever addresses it
// has been given since: the mail names no account that its reader could know.
const firstAddress = "\nfirst"

// typedIn returns the address of a ConfirmEmail challenge as it was typed.
func typedIn(c store.Challenge) string { return strings.TrimSuffix(c.Detail, firstAddress) }

// Addresses are a user's, and those that wait to be confirmed.
type Addresses struct {
	Emails  []store.Email
	Pending []string // as typed
}

// Addresses returns the user's addresses.
func (s *Service) Addresses(ctx context.Context, userID string) (a Addresses, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		a = Addresses{}
		if a.Emails, err = tx.EmailsOf(userID); err != nil {
			return err
		}
		waiting, err := tx.ChallengesOf(userID, challenge.ConfirmEmail, s.Now())
		for _, c := range waiting {
			a.Pending = append(a.Pending, typedIn(c))
		}
		return err
	})
	return a, err
}

// AddEmail mails a link to an address that the user wants to add. That it leads to
// another user is visible only to people who read mail there.
func (s *Service) AddEmail(ctx context.Context, from audit.Origin, userID, typed string) error {
	read, err := email.Read(typed)
	if err != nil {
		return fault.Of(err).In("email")
	}
	address := read.Norm
	u, err := s.user(ctx, userID)
	if err != nil {
		return err
	}
	have, err := s.Addresses(ctx, userID)
	if err != nil {
		return err
	}
	if len(have.Emails) >= maxEmails {
		return ErrEmailMany.With("n", maxEmails).In("email")
	}
	for _, e := range have.Emails {
		if e.Norm == address {
			return ErrEmailOwn.In("email")
		}
	}
	if wait, _ := s.Limits.Take(limit.Ask{Key: "adds:" + userID, Rules: addsPerUser}, limit.Ask{Key: "added:" + email.MailboxKey(address), Rules: addsPerAddress}); wait > 0 {
		return ErrAddresses.After(wait).In("email")
	}
	ask := challenge.Ask{Purpose: challenge.ConfirmEmail, EmailNorm: address, Detail: read.Text}
	if !u.HasEmail() {
		ask.Detail += firstAddress
	}
	to := read.Mailbox()
	return s.update(ctx, func(tx *store.Tx) error {
		if err := tx.CancelChallenges(u.ID, challenge.ConfirmEmail, address, s.Now()); err != nil {
			return err
		}
		if err := s.Audit.Record(tx, from, audit.EmailAsked, audit.ByUser, u.ID, address); err != nil {
			return err
		}
		return s.letterTo(tx, from, u, to, ask, func(link string, until time.Time) compose.Letter {
			// Who has no address is called what they like, and might like to be called as
			// the one who reads this.
			return compose.ConfirmEmail{Account: u.Email, Link: link, Until: until}
		})
	})
}

// confirmed adds the address of a challenge that was redeemed.
func (s *Service) confirmed(tx *store.Tx, from audit.Origin, u store.User, c store.Challenge) error {
	now := s.Now()
	emails, err := tx.EmailsOf(u.ID)
	if err != nil {
		return err
	}
	if len(emails) >= maxEmails {
		return ErrEmailMany.With("n", maxEmails)
	}
	err = tx.AddEmail(store.Email{Norm: c.EmailNorm, Email: typedIn(c), UserID: u.ID, VerifiedAt: now, CreatedAt: now})
	if errors.Is(err, store.ErrConflict) {
		return ErrEmailTaken
	}
	if err != nil {
		return err
	}
	if err := s.Audit.Record(tx, from, audit.EmailAdded, audit.ByUser, u.ID, c.EmailNorm); err != nil {
		return err
	}
	if !u.HasEmail() {
		return tx.SetPrimary(u.ID, c.EmailNorm, now)
	}
	undo := challenge.Ask{Purpose: challenge.UndoEmail, For: undoFor, Detail: change{old: u.Email, by: c.EmailNorm, unproven: u.EmailVerifiedAt.IsZero()}.String()}
	return s.letter(tx, from, u, undo, func(link string, until time.Time) compose.Letter {
		return compose.EmailAdded{NewEmail: typedIn(c), At: now, Device: from.Device, Link: link, Until: until}
	})
}

// SetPrimary makes one of the user's addresses the one that mail goes to. The
// previous address is notified, and can undo it.
func (s *Service) SetPrimary(ctx context.Context, from audit.Origin, userID, address, keep string) error {
	if err := s.mayChange(userID); err != nil {
		return err
	}
	return s.update(ctx, func(tx *store.Tx) error {
		u, err := tx.UserByID(userID)
		if err != nil || u.EmailNorm == address {
			return err
		}
		err = tx.SetPrimary(u.ID, address, s.Now())
		if errors.Is(err, store.ErrNotFound) {
			return ErrNotFound
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
		if err := s.Audit.Record(tx, from, audit.EmailPrimary, audit.ByUser, u.ID, address); err != nil {
			return err
		}
		return s.changedLetter(tx, from, u, store.Email{Email: u.Email, Norm: u.EmailNorm, UserID: u.ID, VerifiedAt: u.EmailVerifiedAt}, address, address)
	})
}

// RemoveEmail takes an address that is not the primary one from the user. It is
// notified, and can undo it.
func (s *Service) RemoveEmail(ctx context.Context, from audit.Origin, userID, address, keep string) error {
	if err := s.mayChange(userID); err != nil {
		return err
	}
	return s.update(ctx, func(tx *store.Tx) error {
		u, err := tx.UserByID(userID)
		if err != nil {
			return err
		}
		emails, err := tx.EmailsOf(userID)
		if err != nil {
			return err
		}
		for _, e := range emails {
			if e.Norm != address || e.Norm == u.EmailNorm {
				continue
			}
			if err := tx.RemoveEmail(u.ID, e.Norm); err != nil {
				return err
			}
			if err := s.leaveMailbox(tx, u.ID, e.Norm); err != nil {
				return err
			}
			if _, err := tx.EndSessionsOf(u.ID, keep); err != nil {
				return err
			}
			if err := s.Audit.Record(tx, from, audit.EmailRemoved, audit.ByUser, u.ID, e.Norm); err != nil {
				return err
			}
			return s.changedLetter(tx, from, u, e, u.EmailNorm, "")
		}
		return ErrNotFound
	})
}

// CancelEmail cancels an address that waits for confirmation.
func (s *Service) CancelEmail(ctx context.Context, from audit.Origin, userID, typed string) error {
	address, err := email.Normal(typed)
	if err != nil {
		return ErrNotFound
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.CancelChallenges(userID, challenge.ConfirmEmail, address, s.Now()); err != nil {
			return err
		}
		return s.Audit.Record(tx, from, audit.EmailCancelled, audit.ByUser, userID, address)
	})
}

// dropPending ends every address that waits for confirmation. A user who changes a
// sign-in method may do so because a thief asked for the address.
func (s *Service) dropPending(tx *store.Tx, userID string) error {
	return tx.CancelChallenges(userID, challenge.ConfirmEmail, "", s.Now())
}

// change is what the link in a mail about a change of address undoes.
type change struct {
	old, by  string // the address as typed, and the normal form of what came
	unproven bool   // the old one was not confirmed
}

// String returns the change as the challenge of the link keeps it.
func (c change) String() string {
	text := c.old + "\n" + c.by
	if c.unproven {
		text += "\nunproven"
	}
	return text
}

func readChange(detail string) change {
	parts := strings.Split(detail+"\n\n", "\n")
	return change{parts[0], parts[1], parts[2] != ""}
}

// changedLetter tells an address that another is the primary one now. by is the one
// that came in its place, and goes when this is taken back; "" for one that was there.
func (s *Service) changedLetter(tx *store.Tx, from audit.Origin, u store.User, old store.Email, primary, by string) error {
	undo := challenge.Ask{Purpose: challenge.UndoEmail, For: undoFor, EmailNorm: old.Norm, Detail: change{old.Email, by, old.VerifiedAt.IsZero()}.String()}
	return s.letterTo(tx, from, u, people.MailAddressOf(old), undo, func(link string, until time.Time) compose.Letter {
		return compose.EmailChanged{NewEmail: primary, At: s.Now(), Device: from.Device, Link: link, Until: until}
	})
}

// leaveMailbox ends what waits in a mailbox that is not the user's any more and
// would still open the account. What takes a change back stays: the mailbox was
// theirs.
func (s *Service) leaveMailbox(tx *store.Tx, userID, norm string) error {
	for _, purpose := range []string{challenge.SignIn, challenge.Reset} {
		if err := tx.CancelChallenges(userID, purpose, norm, s.Now()); err != nil {
			return err
		}
	}
	return nil
}

// undoEmail takes a change of address back, with all that came since the first change
// that the address was notified of, and ends all sessions.
func (s *Service) undoEmail(tx *store.Tx, from audit.Origin, u store.User, c store.Challenge) error {
	was := readChange(c.Detail)
	if err := s.restoreAddress(tx, from, u, store.Email{Norm: c.EmailNorm, Email: was.old}, c, was.unproven); err != nil {
		return err
	}
	if _, err := tx.EndSessionsOf(u.ID, ""); err != nil {
		return err
	}
	return s.Audit.Record(tx, from, audit.EmailUndone, audit.ByUser, u.ID, c.EmailNorm)
}

// restoreAddress makes an address the primary one again that was it before, and takes away
// those that came in its place and all that were added since. Addresses that wait
// to be confirmed end, and so does every link that was made since: a thief who took the
// account over was notified of their own changes, with links that would undo this one
// back. The one that was the primary until now and stays is notified, and can undo this
// back. If the address was not confirmed before, its owner claims the account by this.
func (s *Service) restoreAddress(tx *store.Tx, from audit.Origin, u store.User, back store.Email, c store.Challenge, unproven bool) error {
	now := s.Now()
	claims := unproven && !u.AddedByAdmin
	if !claims {
		var err error
		if claims, err = people.MayBePreclaimed(tx, u, back.Norm); err != nil {
			return err
		}
	}
	switch has, err := tx.UserByEmail(back.Norm); {
	case errors.Is(err, store.ErrNotFound):
		if err := tx.AddEmail(store.Email{Norm: back.Norm, Email: back.Email, UserID: u.ID, VerifiedAt: now, CreatedAt: now}); err != nil {
			return err
		}
	case err != nil:
		return err
	case has.ID != u.ID:
		return ErrEmailTaken
	}
	if err := tx.VerifyEmail(u.ID, back.Norm, now); err != nil {
		return err
	}
	if err := tx.SetPrimary(u.ID, back.Norm, now); err != nil {
		return err
	}
	if err := s.dropSince(tx, from, u.ID, back.Norm, c); err != nil {
		return err
	}
	if claims {
		return s.Users.ReclaimAccount(tx, from, u, back.Norm)
	}
	stays, err := tx.HasEmail(u.ID, u.EmailNorm)
	if err != nil || !stays || u.EmailNorm == back.Norm {
		return err
	}
	return s.changedLetter(tx, from, u, store.Email{Email: u.Email, Norm: u.EmailNorm, UserID: u.ID, VerifiedAt: u.EmailVerifiedAt}, back.Norm, back.Norm)
}

// dropSince takes away the addresses that came in the place of a challenge's and
// those that were added since, but the primary one, and ends what waits to be
// confirmed and every link made since.
func (s *Service) dropSince(tx *store.Tx, from audit.Origin, userID, primary string, c store.Challenge) error {
	now := s.Now()
	since, by, err := s.notifiedOf(tx, c)
	if err != nil {
		return err
	}
	emails, err := tx.EmailsOf(userID)
	if err != nil {
		return err
	}
	for _, e := range emails {
		if e.Norm == primary || !slices.Contains(by, e.Norm) && e.CreatedAt.Before(since) {
			continue
		}
		if err := tx.RemoveEmail(userID, e.Norm); err != nil {
			return err
		}
		if err := s.Audit.Record(tx, from, audit.EmailRemoved, audit.ByUser, userID, e.Norm); err != nil {
			return err
		}
		if err := tx.CancelChallenges(userID, "", e.Norm, now); err != nil {
			return err
		}
	}
	if err := tx.CancelChallengesSince(userID, since, now); err != nil {
		return err
	}
	return s.dropPending(tx, userID)
}

// notifiedOf returns since when the mailbox of a challenge was notifiedOf of what can still be
// taken back, and which addresses came in the place of its own: a thief makes several
// changes, and one link undoes all.
func (s *Service) notifiedOf(tx *store.Tx, c store.Challenge) (since time.Time, by []string, err error) {
	since = c.CreatedAt
	list := []store.Challenge{c}
	for _, purpose := range []string{challenge.UndoEmail, challenge.NotMePassword, challenge.Unlink} {
		live, err := tx.ChallengesOf(c.UserID, purpose, s.Now())
		if err != nil {
			return time.Time{}, nil, err
		}
		list = append(list, live...)
	}
	for _, other := range list {
		if other.EmailNorm != c.EmailNorm {
			continue
		}
		if other.CreatedAt.Before(since) {
			since = other.CreatedAt
		}
		if other.Purpose == challenge.UndoEmail {
			by = append(by, readChange(other.Detail).by)
		}
	}
	return since, by, nil
}
