package store

import (
	"database/sql"
	"fmt"
	"time"
)

// Email is an address that leads to a user.
type Email struct {
	Norm       string // as compared; unique
	Email      string // as typed
	UserID     string
	VerifiedAt time.Time // zero: nobody has proved to read mail there
	CreatedAt  time.Time
}

// AddEmail adds an address to a user. It returns ErrConflict when it leads to
// somebody already, be it the same user.
func (tx *Tx) AddEmail(e Email) error {
	err := tx.change(ErrConflict, "adding an address", addEmailQuery, e.Norm, e.Email, e.UserID, nullMs(e.VerifiedAt), ms(e.CreatedAt))
	if err != nil {
		return err
	}
	return tx.useUpPlainInvites(e.Norm)
}

const insertEmail = `INSERT INTO emails (norm, email, user_id, verified_at, created_at) VALUES ($1, $2, $3, $4, $5)`

// PostgreSQL undoes a whole transaction in which a constraint was met.
const addEmailQuery = insertEmail + `
	    ON CONFLICT (norm) DO NOTHING`

// claimEmailQuery adds an address or finds it to be the user's own.
const claimEmailQuery = insertEmail + `
	    ON CONFLICT (norm) DO UPDATE
	   SET verified_at = COALESCE(emails.verified_at, excluded.verified_at)
	 WHERE emails.user_id = excluded.user_id`

// EmailsOf returns the user's addresses, the oldest first.
func (tx *Tx) EmailsOf(userID string) ([]Email, error) {
	var list []Email
	err := tx.each("addresses", emailsOfQuery, []any{userID}, func(rows *sql.Rows) error {
		e := Email{UserID: userID}
		var verified sql.NullInt64
		var created int64
		if err := rows.Scan(&e.Norm, &e.Email, &verified, &created); err != nil {
			return err
		}
		e.VerifiedAt, e.CreatedAt = atNull(verified), at(created)
		list = append(list, e)
		return nil
	})
	return list, err
}

const emailsOfQuery = `SELECT norm, email, verified_at, created_at FROM emails WHERE user_id = $1 ORDER BY created_at, norm`

// HasEmail reports whether an address leads to the user, as their primary one or
// another.
func (tx *Tx) HasEmail(userID, norm string) (has bool, err error) {
	return tx.exists("an address", hasEmailQuery, userID, norm)
}

const hasEmailQuery = `SELECT EXISTS (SELECT 1 FROM emails WHERE norm = $2 AND user_id = $1)`

// VerifyEmail records that the user has proved to read mail to the address,
// unless that was known. An address that is not theirs any more changes nothing.
func (tx *Tx) VerifyEmail(userID, norm string, now time.Time) error {
	for _, query := range []string{verifyEmailQuery, verifyPrimaryQuery} {
		if _, err := tx.q.ExecContext(tx.ctx, query, userID, norm, ms(now)); err != nil {
			return fmt.Errorf("recording a verified address: %w", err)
		}
	}
	return nil
}

const verifyEmailQuery = `UPDATE emails SET verified_at = $3 WHERE norm = $2 AND user_id = $1 AND verified_at IS NULL`

const verifyPrimaryQuery = `UPDATE users SET email_verified_at = $3 WHERE id = $1 AND email_norm = $2 AND email_verified_at IS NULL`

// SetPrimary makes one of the user's verified addresses the one that mail goes
// to, or returns ErrNotFound when it is not one.
func (tx *Tx) SetPrimary(userID, norm string, now time.Time) error {
	return tx.change(ErrNotFound, "changing the primary address", setPrimaryQuery, userID, norm, ms(now))
}

const setPrimaryQuery = `
	UPDATE users
	   SET email = (SELECT email FROM emails WHERE norm = $2), email_norm = $2,
	       email_verified_at = (SELECT verified_at FROM emails WHERE norm = $2), updated_at = $3
	 WHERE id = $1
	   AND EXISTS (SELECT 1 FROM emails WHERE norm = $2 AND user_id = $1 AND verified_at IS NOT NULL)`

// RemoveEmail takes an address that is not the primary one from the user, or
// returns ErrNotFound.
func (tx *Tx) RemoveEmail(userID, norm string) error {
	return tx.change(ErrNotFound, "removing an address", removeEmailQuery, userID, norm)
}

const removeEmailQuery = `
	DELETE FROM emails
	 WHERE norm = $2 AND user_id = $1
	   AND NOT EXISTS (SELECT 1 FROM users WHERE id = $1 AND email_norm = $2)`
