package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// User is a person known here.
type User struct {
	ID              string
	Email           string // as typed
	EmailNorm       string // as compared; unique
	EmailVerifiedAt time.Time
	Name            string
	Language        string // BCP 47, or "" for "as the browser says"
	Admin           bool
	DisabledAt      time.Time // zero: may sign in
	Groups          []string  // names, sorted; filled by SessionByToken alone, shared: not to be changed
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// Disabled reports whether the user's access is closed.
func (u User) Disabled() bool { return !u.DisabledAt.IsZero() }

const userColumns = `id, email, email_norm, email_verified_at, name, language, admin, disabled_at, created_at, updated_at`

// scanUser reads userColumns.
func scanUser(row interface{ Scan(...any) error }) (User, error) {
	var u User
	var verified, disabled sql.NullInt64
	var created, updated int64
	err := row.Scan(&u.ID, &u.Email, &u.EmailNorm, &verified, &u.Name, &u.Language, &u.Admin, &disabled, &created, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, ErrNotFound
	}
	if err != nil {
		return User{}, fmt.Errorf("reading a user: %w", err)
	}
	u.EmailVerifiedAt, u.DisabledAt = atNull(verified), atNull(disabled)
	u.CreatedAt, u.UpdatedAt = at(created), at(updated)
	return u, nil
}

// UserByID returns the user, or ErrNotFound.
func (tx *Tx) UserByID(id string) (User, error) {
	return scanUser(tx.q.QueryRowContext(tx.ctx, userByIDQuery, id))
}

const userByIDQuery = `SELECT ` + userColumns + ` FROM users WHERE id = $1`

// UserByEmail returns the user whose normalised address is norm, or ErrNotFound.
func (tx *Tx) UserByEmail(norm string) (User, error) {
	return scanUser(tx.q.QueryRowContext(tx.ctx, userByEmailQuery, norm))
}

const userByEmailQuery = `SELECT ` + userColumns + ` FROM users WHERE email_norm = $1`

// Users returns up to limit users whose normalised address sorts after after.
func (tx *Tx) Users(after string, limit int) ([]User, error) {
	rows, err := tx.q.QueryContext(tx.ctx, usersQuery, after, limit)
	if err != nil {
		return nil, fmt.Errorf("listing users: %w", err)
	}
	defer rows.Close()
	var users []User
	for rows.Next() {
		u, err := scanUser(rows)
		if err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return users, rows.Err()
}

const usersQuery = `SELECT ` + userColumns + ` FROM users WHERE email_norm > $1 ORDER BY email_norm LIMIT $2`

// AnyAdmin reports whether there is an admin at all.
func (tx *Tx) AnyAdmin() (bool, error) {
	var any bool
	if err := tx.q.QueryRowContext(tx.ctx, anyAdminQuery).Scan(&any); err != nil {
		return false, fmt.Errorf("looking for an admin: %w", err)
	}
	return any, nil
}

const anyAdminQuery = `SELECT EXISTS (SELECT 1 FROM users WHERE admin = 1)`

// AddUser adds u. It returns ErrConflict when the address is taken.
func (tx *Tx) AddUser(u User) error {
	_, err := tx.q.ExecContext(tx.ctx, addUserQuery, u.values()...)
	if err != nil {
		return fmt.Errorf("adding a user: %w", classify(err))
	}
	return nil
}

const addUserQuery = `INSERT INTO users (` + userColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

// AddFirstAdmin adds u, an admin, when there is no admin yet, in one statement:
// of two visitors with the set-up code, one succeeds and the other gets
// ErrConflict. A user who has the address already becomes the admin; the id
// that counts is returned.
func (tx *Tx) AddFirstAdmin(u User) (id string, err error) {
	err = tx.q.QueryRowContext(tx.ctx, addFirstAdminQuery, u.values()...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrConflict
	}
	if err != nil {
		return "", fmt.Errorf("adding the first admin: %w", classify(err))
	}
	return id, nil
}

const addFirstAdminQuery = `
	INSERT INTO users (` + userColumns + `)
	SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
	 WHERE NOT EXISTS (SELECT 1 FROM users WHERE admin = 1)
	    ON CONFLICT (email_norm) DO UPDATE
	   SET admin = 1, email_verified_at = excluded.email_verified_at, disabled_at = NULL, updated_at = excluded.updated_at,
	       name = CASE WHEN excluded.name = '' THEN users.name ELSE excluded.name END
	RETURNING id`

func (u User) values() []any {
	return []any{
		u.ID, u.Email, u.EmailNorm, nullMs(u.EmailVerifiedAt), u.Name, u.Language,
		bit(u.Admin), nullMs(u.DisabledAt), ms(u.CreatedAt), ms(u.UpdatedAt),
	}
}

// VerifyEmail records that the user has proved to read mail to their address,
// unless that was known. ErrNotFound when there is no such user.
func (tx *Tx) VerifyEmail(id string, now time.Time) error {
	res, err := tx.q.ExecContext(tx.ctx, verifyEmailQuery, id, ms(now))
	if err != nil {
		return fmt.Errorf("recording a verified address: %w", err)
	}
	return wantRow(res, ErrNotFound)
}

const verifyEmailQuery = `UPDATE users SET email_verified_at = COALESCE(email_verified_at, $2) WHERE id = $1`

// SetDisabled closes a user's access, or opens it again when since is zero.
// It does not end sessions.
func (tx *Tx) SetDisabled(id string, since, now time.Time) error {
	res, err := tx.q.ExecContext(tx.ctx, setDisabledQuery, id, nullMs(since), ms(now))
	if err != nil {
		return fmt.Errorf("changing a user's access: %w", err)
	}
	return wantRow(res, ErrNotFound)
}

const setDisabledQuery = `UPDATE users SET disabled_at = $2, updated_at = $3 WHERE id = $1`

// RemoveUser removes the user with everything that is theirs but the audit log.
func (tx *Tx) RemoveUser(id string) error {
	res, err := tx.q.ExecContext(tx.ctx, removeUserQuery, id)
	if err != nil {
		return fmt.Errorf("removing a user: %w", err)
	}
	return wantRow(res, ErrNotFound)
}

const removeUserQuery = `DELETE FROM users WHERE id = $1`

// OtherAdmins counts the admins with open access besides id: the last one must
// not lock everybody out.
func (tx *Tx) OtherAdmins(id string) (int, error) {
	var n int
	if err := tx.q.QueryRowContext(tx.ctx, otherAdminsQuery, id).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting admins: %w", err)
	}
	return n, nil
}

const otherAdminsQuery = `SELECT COUNT(*) FROM users WHERE admin = 1 AND disabled_at IS NULL AND id <> $1`

// wantRow returns otherwise when a statement changed nothing.
func wantRow(res sql.Result, otherwise error) error {
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	if n == 0 {
		return otherwise
	}
	return nil
}
