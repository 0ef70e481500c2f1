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
	Email           string // the primary address as typed; "" for none
	EmailNorm       string // as compared, unique; NoEmail(ID) for none
	EmailVerifiedAt time.Time
	Name            string
	Username        string // as typed; "" for none
	Image           string // the address of a picture, or ""
	Language        string // BCP 47, or "" for "as the browser says"
	Theme           string // "light", "dark", or "" for "as the browser says"
	TimeZone        string // "Europe/Berlin", or "" for UTC
	Admin           bool
	// AddedByAdmin says that an admin added the user: the address they were added
	// with is theirs by the admin's word, confirmed or not.
	AddedByAdmin bool
	DisabledAt   time.Time // zero: may sign in
	RemovalAt    time.Time // closed by its owner, to be erased then; zero: not closed
	Groups       []string  // names, sorted; filled by SessionByToken alone, shared: not to be changed
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Disabled reports whether the user's access is closed.
func (u User) Disabled() bool { return !u.DisabledAt.IsZero() }

// NoEmail is the email_norm of a user without an address, for whom Email is "".
// It is unique, and no address is ever compared equal to it.
func NoEmail(id string) string { return "!" + id }

// HasEmail reports whether the user has an address at all.
func (u User) HasEmail() bool { return u.Email != "" }

// OwnsEmail reports whether the primary address is the user's: they have confirmed
// it, or an admin added them with it. Any other address, of an account that was
// imported, may belong to another person.
func (u User) OwnsEmail() bool {
	return u.HasEmail() && (!u.EmailVerifiedAt.IsZero() || u.AddedByAdmin)
}

// Called returns what names the user to themselves and to others: the address, or
// for who has none the username, the name, or the id.
func (u User) Called() string {
	for _, name := range []string{u.Email, u.Username, u.Name} {
		if name != "" {
			return name
		}
	}
	return u.ID
}

const userColumns = `id, email, email_norm, email_verified_at, name, username, image, language, theme, time_zone,
	admin, added_by_admin, disabled_at, removal_at, created_at, updated_at`

// scanUser reads userColumns.
func scanUser(row interface{ Scan(...any) error }) (User, error) {
	var u User
	var verified, disabled, removal sql.NullInt64
	var created, updated int64
	err := row.Scan(&u.ID, &u.Email, &u.EmailNorm, &verified, &u.Name, &u.Username, &u.Image, &u.Language, &u.Theme, &u.TimeZone,
		&u.Admin, &u.AddedByAdmin, &disabled, &removal, &created, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, ErrNotFound
	}
	if err != nil {
		return User{}, fmt.Errorf("reading a user: %w", err)
	}
	u.EmailVerifiedAt, u.DisabledAt, u.RemovalAt = atNull(verified), atNull(disabled), atNull(removal)
	u.CreatedAt, u.UpdatedAt = at(created), at(updated)
	return u, nil
}

// UserByID returns the user, or ErrNotFound.
func (tx *Tx) UserByID(id string) (User, error) {
	return scanUser(tx.q.QueryRowContext(tx.ctx, userByIDQuery, id))
}

const userByIDQuery = `SELECT ` + userColumns + ` FROM users WHERE id = $1`

// UserByEmail returns the user to whom the normalised address leads, primary or
// not, or ErrNotFound.
func (tx *Tx) UserByEmail(norm string) (User, error) {
	return scanUser(tx.q.QueryRowContext(tx.ctx, userByEmailQuery, norm))
}

const userByEmailQuery = `SELECT ` + userColumns + ` FROM users WHERE id = (SELECT user_id FROM emails WHERE norm = $1)`

// UserByUsername returns the user with that normalised username, or ErrNotFound.
func (tx *Tx) UserByUsername(norm string) (User, error) {
	return scanUser(tx.q.QueryRowContext(tx.ctx, userByUsernameQuery, norm))
}

const userByUsernameQuery = `SELECT ` + userColumns + ` FROM users WHERE username_norm = $1`

// Users returns up to limit users whose normalised address sorts after after.
func (tx *Tx) Users(after string, limit int) ([]User, error) {
	return tx.users(usersQuery, after, limit)
}

func (tx *Tx) users(query string, args ...any) ([]User, error) {
	var users []User
	err := tx.each("users", query, args, func(rows *sql.Rows) error {
		u, err := scanUser(rows)
		if err != nil {
			return err
		}
		users = append(users, u)
		return nil
	})
	return users, err
}

const usersQuery = `SELECT ` + userColumns + ` FROM users WHERE email_norm > $1 ORDER BY email_norm LIMIT $2`

// AnyAdmin reports whether there is an admin at all.
func (tx *Tx) AnyAdmin() (bool, error) {
	return tx.exists("an admin", anyAdminQuery)
}

const anyAdminQuery = `SELECT EXISTS (SELECT 1 FROM users WHERE admin = 1)`

// AddUser adds u, with its address when it has one. It returns ErrConflict when
// the address leads to somebody already. A username is given by SetUsername.
func (tx *Tx) AddUser(u User) error {
	if err := tx.change(ErrConflict, "adding a user", addUserQuery, u.values()...); err != nil || !u.HasEmail() {
		return err
	}
	return tx.AddEmail(u.primary())
}

// Nobody is added to whom the address does not lead.
const addUserQuery = `
	INSERT INTO users (id, email, email_norm, email_verified_at, name, image, language, admin, added_by_admin, disabled_at, created_at, updated_at)
	SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
	 WHERE NOT EXISTS (SELECT 1 FROM emails WHERE norm = $3)
	    ON CONFLICT DO NOTHING`

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
	e := u.primary()
	e.UserID = id
	res, err := tx.q.ExecContext(tx.ctx, claimEmailQuery, e.Norm, e.Email, e.UserID, nullMs(e.VerifiedAt), ms(e.CreatedAt))
	if err != nil {
		return "", fmt.Errorf("adding the first admin's address: %w", classify(err))
	}
	if err := wantRow(res, ErrConflict); err != nil {
		return "", err
	}
	return id, tx.useUpPlainInvites(e.Norm)
}

const addFirstAdminQuery = `
	INSERT INTO users (id, email, email_norm, email_verified_at, name, image, language, admin, added_by_admin, disabled_at, created_at, updated_at)
	SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
	 WHERE NOT EXISTS (SELECT 1 FROM users WHERE admin = 1)
	    ON CONFLICT (email_norm) DO UPDATE
	   SET admin = 1, email_verified_at = excluded.email_verified_at, disabled_at = NULL, updated_at = excluded.updated_at,
	       name = CASE WHEN excluded.name = '' THEN users.name ELSE excluded.name END
	RETURNING id`

func (u User) values() []any {
	return []any{
		u.ID, u.Email, u.EmailNorm, nullMs(u.EmailVerifiedAt), u.Name, u.Image, u.Language,
		bit(u.Admin), bit(u.AddedByAdmin), nullMs(u.DisabledAt), ms(u.CreatedAt), ms(u.UpdatedAt),
	}
}

func (u User) primary() Email {
	return Email{Norm: u.EmailNorm, Email: u.Email, UserID: u.ID, VerifiedAt: u.EmailVerifiedAt, CreatedAt: u.CreatedAt}
}

// Profile is what people say of themselves.
type Profile struct{ Name, Language, Theme, TimeZone string }

// SetProfile changes what the user says of themselves, or returns ErrNotFound.
func (tx *Tx) SetProfile(id string, p Profile, now time.Time) error {
	return tx.change(ErrNotFound, "changing a profile", setProfileQuery, id, p.Name, p.Language, p.Theme, p.TimeZone, ms(now))
}

const setProfileQuery = `
	UPDATE users
	   SET name = $2, language = $3, theme = $4, time_zone = $5, updated_at = $6
	 WHERE id = $1`

// SetUsername gives the user a username, or takes it away when it is "". It
// returns ErrConflict when somebody else has it.
func (tx *Tx) SetUsername(id, username, norm string, now time.Time) error {
	compared := sql.NullString{String: norm, Valid: username != ""}
	return tx.change(ErrNotFound, "changing a username", setUsernameQuery, id, username, compared, ms(now))
}

const setUsernameQuery = `UPDATE users SET username = $2, username_norm = $3, updated_at = $4 WHERE id = $1`

// SetRemoval books the day on which the user is erased, or calls it off when on
// is zero. It does not end sessions.
func (tx *Tx) SetRemoval(id string, on, now time.Time) error {
	return tx.change(ErrNotFound, "booking the removal of a user", setRemovalQuery, id, nullMs(on), ms(now))
}

const setRemovalQuery = `UPDATE users SET removal_at = $2, updated_at = $3 WHERE id = $1`

// DueRemovals returns up to limit users whose day has come.
func (tx *Tx) DueRemovals(now time.Time, limit int) ([]User, error) {
	return tx.users(dueRemovalsQuery, ms(now), limit)
}

const dueRemovalsQuery = `SELECT ` + userColumns + ` FROM users WHERE removal_at IS NOT NULL AND removal_at <= $1 ORDER BY removal_at LIMIT $2`

// SetDisabled closes a user's access, or opens it again when since is zero.
// It does not end sessions.
func (tx *Tx) SetDisabled(id string, since, now time.Time) error {
	return tx.change(ErrNotFound, "changing a user's access", setDisabledQuery, id, nullMs(since), ms(now))
}

const setDisabledQuery = `UPDATE users SET disabled_at = $2, updated_at = $3 WHERE id = $1`

// SetName changes what the user is called. ErrNotFound when there is no such
// user.
func (tx *Tx) SetName(id, name string, now time.Time) error {
	return tx.change(ErrNotFound, "changing a user's name", setNameQuery, id, name, ms(now))
}

const setNameQuery = `UPDATE users SET name = $2, updated_at = $3 WHERE id = $1`

// RemoveUser removes the user with everything that is theirs but the audit log.
func (tx *Tx) RemoveUser(id string) error {
	return tx.change(ErrNotFound, "removing a user", removeUserQuery, id)
}

const removeUserQuery = `DELETE FROM users WHERE id = $1`

// OtherAdmins counts the admins with open access besides id, those who are about
// to be erased not among them: the last one must not lock everybody out.
func (tx *Tx) OtherAdmins(id string) (int, error) {
	var n int
	if err := tx.q.QueryRowContext(tx.ctx, otherAdminsQuery, id).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting admins: %w", err)
	}
	return n, nil
}

const otherAdminsQuery = `SELECT COUNT(*) FROM users WHERE admin = 1 AND disabled_at IS NULL AND removal_at IS NULL AND id <> $1`

// SetAdmin lets the user manage the server, or no more.
func (tx *Tx) SetAdmin(id string, admin bool, now time.Time) error {
	return tx.change(ErrNotFound, "changing who is an admin", setAdminQuery, id, bit(admin), ms(now))
}

const setAdminQuery = `UPDATE users SET admin = $2, updated_at = $3 WHERE id = $1`

// OpenAdmins returns up to limit admins whose access is open, by address.
func (tx *Tx) OpenAdmins(limit int) ([]User, error) { return tx.users(openAdminsQuery, limit) }

const openAdminsQuery = `
	SELECT ` + userColumns + `
	  FROM users
	 WHERE admin = 1 AND disabled_at IS NULL AND removal_at IS NULL
	 ORDER BY email_norm
	 LIMIT $1`

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
