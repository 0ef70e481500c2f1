package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Session is a browser that is signed in.
type Session struct {
	ID           string // the public handle
	TokenHash    []byte // SHA-256 of the token in the cookie
	UserID       string
	AMR          string // space-separated means of the sign-in: "email"
	AuthAt       time.Time
	CreatedAt    time.Time
	SeenAt       time.Time
	ExpiresAt    time.Time
	MaxExpiresAt time.Time
	IP           string
	Device       string
	// Ephemeral is a session that ends with the browser, on a computer others use too.
	Ephemeral bool
}

// SessionByToken returns the live session with that token hash and its user in
// at most one prepared lookup, and writes nothing. ErrNotFound for unknown and expired
// ones and for users whose access is closed. It reads what a check needs and no
// more: of the session not where it began, of the user not their
// normal address, but their groups.
func (db *DB) SessionByToken(ctx context.Context, tokenHash []byte, now time.Time) (Session, User, error) {
	return db.lookUpSession(ctx, "", tokenHash, now)
}

// lookUpSession finds the session of a token of our own, or of an App's.
func (db *DB) lookUpSession(ctx context.Context, app string, tokenHash []byte, now time.Time) (Session, User, error) {
	if db.engine.shared() {
		// Another process may have ended it a moment ago.
		return db.readSession(ctx, app, tokenHash, now)
	}
	e, ok, generation := db.cache.get(tokenHash)
	if ok && e.app == app && e.session.ExpiresAt.After(now) && !e.session.AuthAt.After(now.Add(skew)) {
		return e.session, e.user, nil
	}
	s, u, err := db.readSession(ctx, app, tokenHash, now)
	if err == nil {
		db.cache.put(tokenHash, cachedSession{generation, app, s, u})
	}
	return s, u, err
}

func (db *DB) readSession(ctx context.Context, app string, tokenHash []byte, now time.Time) (Session, User, error) {
	begun := time.Now()
	for {
		s, u, err := db.readSessionOnce(ctx, app, tokenHash, now)
		if err == nil || errors.Is(err, ErrNotFound) || !db.engine.again(ctx, err, begun) {
			return s, u, classify(err)
		}
	}
}

func (db *DB) readSessionOnce(ctx context.Context, app string, tokenHash []byte, now time.Time) (Session, User, error) {
	ctx, done := db.engine.within(ctx)
	defer done()
	if app == "" {
		return scanSession(db.hot.sessionByToken.QueryRowContext(ctx, tokenHash, ms(now)))
	}
	return scanSession(db.hot.sessionByAppToken.QueryRowContext(ctx, tokenHash, ms(now), app))
}

// skew is how far apart the clocks of several servers may be. A session that
// began later than that after now was made by a clock that was wrong, and would
// outlive every limit.
const skew = 5 * time.Minute // 300000 in the queries

// sessionCheckColumns are what a check reads of sessions s and users u.
const sessionCheckColumns = `s.token_hash, s.id, s.user_id, s.amr, s.auth_at, s.created_at, s.seen_at, s.expires_at, s.max_expires_at, s.brief,
	       u.email, u.email_verified_at, u.name, u.username, u.image, u.language, u.theme, u.time_zone, u.admin, u.added_by_admin, u.created_at,
	       (SELECT string_agg(g.name, ',' ORDER BY g.name)
	          FROM group_members m
	          JOIN groups g ON g.id = m.group_id
	         WHERE m.user_id = s.user_id)`

// scanSession reads sessionCheckColumns.
func scanSession(row *sql.Row) (Session, User, error) {
	var s Session
	var u User
	var verified sql.NullInt64
	var groups sql.NullString
	var auth, begun, seen, expires, maxExpires, created int64
	err := row.Scan(
		&s.TokenHash, &s.ID, &s.UserID, &s.AMR, &auth, &begun, &seen, &expires, &maxExpires, &s.Ephemeral,
		&u.Email, &verified, &u.Name, &u.Username, &u.Image, &u.Language, &u.Theme, &u.TimeZone, &u.Admin, &u.AddedByAdmin, &created, &groups)
	if errors.Is(err, sql.ErrNoRows) {
		return Session{}, User{}, ErrNotFound
	}
	if err != nil {
		return Session{}, User{}, fmt.Errorf("looking up a session: %w", classify(err))
	}
	s.AuthAt, s.CreatedAt, s.SeenAt, s.ExpiresAt, s.MaxExpiresAt = at(auth), at(begun), at(seen), at(expires), at(maxExpires)
	u.ID, u.EmailVerifiedAt, u.CreatedAt = s.UserID, atNull(verified), at(created)
	u.Groups = withAdmins(listOf(groups), u.Admin)
	return s, u, nil
}

const sessionByTokenQuery = `
	SELECT ` + sessionCheckColumns + `
	  FROM sessions s
	  JOIN users u ON u.id = s.user_id
	 WHERE s.token_hash = $1 AND s.expires_at > $2 AND s.auth_at <= $2 + 300000 AND u.disabled_at IS NULL`

// AddSession adds s.
func (tx *Tx) AddSession(s Session) error {
	return tx.exec("adding a session", addSessionQuery, s.TokenHash, s.ID, s.UserID, s.AMR,
		ms(s.AuthAt), ms(s.CreatedAt), ms(s.SeenAt), ms(s.ExpiresAt), ms(s.MaxExpiresAt), s.IP, s.Device, bit(s.Ephemeral))
}

const addSessionQuery = `
	INSERT INTO sessions (token_hash, id, user_id, amr, auth_at, created_at, seen_at, expires_at, max_expires_at, ip, device, brief)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`

// SessionsOf returns the user's live sessions, the last used first.
func (tx *Tx) SessionsOf(userID string, now time.Time) ([]Session, error) {
	var list []Session
	err := tx.each("sessions", sessionsOfQuery, []any{userID, ms(now)}, func(rows *sql.Rows) error {
		s := Session{UserID: userID}
		var auth, created, seen, expires, maxExpires int64
		if err := rows.Scan(&s.ID, &s.AMR, &auth, &created, &seen, &expires, &maxExpires, &s.IP, &s.Device); err != nil {
			return err
		}
		s.AuthAt, s.CreatedAt, s.SeenAt, s.ExpiresAt, s.MaxExpiresAt = at(auth), at(created), at(seen), at(expires), at(maxExpires)
		list = append(list, s)
		return nil
	})
	return list, err
}

const sessionsOfQuery = `
	SELECT id, amr, auth_at, created_at, seen_at, expires_at, max_expires_at, ip, device
	  FROM sessions
	 WHERE user_id = $1 AND expires_at > $2
	 ORDER BY seen_at DESC, id DESC`

// IsSignedIn reports whether the live session with that token hash is the user's, and
// was begun by something else than a mailed link.
func (tx *Tx) IsSignedIn(userID string, tokenHash []byte, now time.Time) (is bool, err error) {
	return tx.exists("a session", isSignedInQuery, userID, tokenHash, ms(now))
}

const isSignedInQuery = `SELECT EXISTS (SELECT 1 FROM sessions WHERE token_hash = $2 AND user_id = $1 AND expires_at > $3 AND amr <> 'email')`

// Touch is a use of a session, to be remembered.
type Touch struct {
	TokenHash []byte
	SeenAt    time.Time
	ExpiresAt time.Time
	IP        string
}

// TouchSession moves a session's last use and expiry forward. A session that
// has ended stays ended: there is no row left to move.
func (tx *Tx) TouchSession(t Touch) error {
	return tx.exec("touching a session", touchSessionQuery, t.TokenHash, ms(t.SeenAt), ms(t.ExpiresAt), t.IP)
}

const touchSessionQuery = `
	UPDATE sessions
	   SET seen_at = $2, ip = $4,
	       expires_at = CASE WHEN $3 > expires_at THEN $3 ELSE expires_at END
	 WHERE token_hash = $1 AND seen_at < $2`

// RenewSession replaces the token of a session, whose AppSessions stay, and what was
// proven for it. old is the hash of the token that it has now: of two callers with the
// same token, one succeeds. The other gets ErrNotFound.
func (tx *Tx) RenewSession(s Session, old []byte) error {
	return tx.change(ErrNotFound, "renewing a session", renewSessionQuery, s.ID, old, s.TokenHash, ms(s.AuthAt), s.AMR)
}

const renewSessionQuery = `UPDATE sessions SET token_hash = $3, auth_at = $4, amr = $5 WHERE id = $1 AND token_hash = $2`

// EndSession ends the user's session with that id, or returns ErrNotFound:
// another user's session looks like none.
func (tx *Tx) EndSession(userID, id string) error {
	return tx.change(ErrNotFound, "ending a session", endSessionQuery, userID, id)
}

const endSessionQuery = `DELETE FROM sessions WHERE user_id = $1 AND id = $2`

// DropSession ends the session with that token hash, or returns ErrNotFound.
func (tx *Tx) DropSession(tokenHash []byte) error {
	return tx.change(ErrNotFound, "ending a session", dropSessionQuery, tokenHash)
}

const dropSessionQuery = `DELETE FROM sessions WHERE token_hash = $1`

// EndSessionsOf ends all of the user's sessions but the one with the id keep
// ("" keeps none), and returns how many.
func (tx *Tx) EndSessionsOf(userID, keep string) (int, error) {
	return tx.count("ending sessions", endSessionsOfQuery, userID, keep)
}

const endSessionsOfQuery = `DELETE FROM sessions WHERE user_id = $1 AND id <> $2`

// EndSessionsSince ends the user's sessions that began then or later.
func (tx *Tx) EndSessionsSince(userID string, since time.Time) error {
	return tx.exec("ending sessions", endSessionsSinceQuery, userID, ms(since))
}

const endSessionsSinceQuery = `DELETE FROM sessions WHERE user_id = $1 AND created_at >= $2`
