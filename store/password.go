package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Password is what is kept of a user's password.
type Password struct {
	UserID    string
	Hash      string // "$argon2id$…" in PHC form, or "$2…" of bcrypt from elsewhere
	ChangedAt time.Time
}

// PasswordOf returns the user's password, or ErrNotFound when there is none.
func (tx *Tx) PasswordOf(userID string) (Password, error) {
	p := Password{UserID: userID}
	var changed int64
	err := tx.q.QueryRowContext(tx.ctx, passwordOfQuery, userID).Scan(&p.Hash, &changed)
	if errors.Is(err, sql.ErrNoRows) {
		return Password{}, ErrNotFound
	}
	if err != nil {
		return Password{}, fmt.Errorf("reading a password: %w", err)
	}
	p.ChangedAt = at(changed)
	return p, nil
}

const passwordOfQuery = `SELECT hash, changed_at FROM passwords WHERE user_id = $1`

// SetPassword gives the user a password in place of any before.
func (tx *Tx) SetPassword(p Password) error {
	return tx.exec("setting a password", setPasswordQuery, p.UserID, p.Hash, ms(p.ChangedAt))
}

const setPasswordQuery = `
	INSERT INTO passwords (user_id, hash, changed_at) VALUES ($1, $2, $3)
	    ON CONFLICT (user_id) DO UPDATE
	   SET hash = excluded.hash, changed_at = excluded.changed_at`

// RehashPassword keeps the same password under a newer hash, unless it has been
// changed or hashed anew meanwhile.
func (tx *Tx) RehashPassword(userID, old, hash string) error {
	return tx.exec("hashing a password anew", rehashPasswordQuery, userID, old, hash)
}

const rehashPasswordQuery = `UPDATE passwords SET hash = $3 WHERE user_id = $1 AND hash = $2`

// RemovePassword takes the user's password away, or returns ErrNotFound.
func (tx *Tx) RemovePassword(userID string) error {
	return tx.change(ErrNotFound, "removing a password", removePasswordQuery, userID)
}

const removePasswordQuery = `DELETE FROM passwords WHERE user_id = $1`

// PasswordsUnlike returns up to limit of the kept strings that do not begin with
// form: one of each bcrypt cost, and of
// each beginning otherwise.
func (tx *Tx) PasswordsUnlike(form string, limit int) ([]string, error) {
	var list []string
	err := tx.each("passwords of other forms", passwordsUnlikeQuery, []any{form, limit}, func(rows *sql.Rows) error {
		var kept string
		if err := rows.Scan(&kept); err != nil {
			return err
		}
		list = append(list, kept)
		return nil
	})
	return list, err
}

// Those of bcrypt differ in their first six characters; of argon2id, before the salt.
const passwordsUnlikeQuery = `
	SELECT MIN(hash)
	  FROM passwords
	 WHERE substr(hash, 1, length($1)) <> $1
	 GROUP BY CASE WHEN substr(hash, 1, 2) = '$2' THEN substr(hash, 1, 6) ELSE substr(hash, 1, 30) END
	 LIMIT $2`
