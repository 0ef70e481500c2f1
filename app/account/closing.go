package account

import (
	"context"
	"errors"
	"strings"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/challenge"
	"gatelodge/app/email"
	"gatelodge/app/fault"
	"gatelodge/app/mail/compose"
	"gatelodge/app/people"
	"gatelodge/store"
)

// What can be said to somebody who closes their account.
var (
	ErrNotTyped  = fault.New(fault.Invalid, "closing.not_typed")
	ErrLastAdmin = fault.New(fault.Invalid, "closing.last_admin")
)

// Close closes the user's account at once, ends every session, and books the day
// on which it is erased. typed has to be their address, or their name here.
func (s *Service) Close(ctx context.Context, from audit.Origin, userID, typed string) (erasedAt time.Time, err error) {
	erasedAt = s.Now().Add(eraseAfter)
	err = s.update(ctx, func(tx *store.Tx) error {
		u, err := tx.UserByID(userID)
		if err != nil {
			return err
		}
		if a, err := email.Read(typed); !strings.EqualFold(email.Visible(typed), u.Called()) && (err != nil || a.Norm != u.EmailNorm) {
			return ErrNotTyped.With("name", u.Called()).In("confirm")
		}
		err = people.KeepAnAdmin(tx, u)
		if errors.Is(err, people.ErrLastAdmin) {
			return ErrLastAdmin.In("confirm")
		}
		if err != nil {
			return err
		}
		if err := tx.SetRemoval(u.ID, erasedAt, s.Now()); err != nil {
			return err
		}
		if _, err := tx.EndSessionsOf(u.ID, ""); err != nil {
			return err
		}
		if err := s.Audit.Record(tx, from, audit.Closed, audit.ByUser, u.ID, ""); err != nil {
			return err
		}
		return s.letter(tx, from, u, challenge.Ask{Purpose: challenge.Keep, For: eraseAfter}, func(link string, _ time.Time) compose.Letter {
			return compose.Closing{EraseAt: erasedAt, Link: link}
		})
	})
	return erasedAt, err
}

// reopen calls the removal off.
func (s *Service) reopen(tx *store.Tx, from audit.Origin, u store.User) error {
	if err := tx.SetRemoval(u.ID, time.Time{}, s.Now()); err != nil {
		return err
	}
	return s.Audit.Record(tx, from, audit.Reopened, audit.ByUser, u.ID, "")
}

// EraseAt returns the day on which an account that is closed now is erased.
func (s *Service) EraseAt() time.Time { return s.Now().Add(eraseAfter) }
