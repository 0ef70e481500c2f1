package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// AppSession is an App's share of a Session. It ends with the Session.
type AppSession struct {
	TokenHash []byte // SHA-256 of the token in the App's cookie
	App       string // the id
	SessionID string
	CreatedAt time.Time
}

// SessionByAppToken returns the live Session that an App's token stands for and
// its user, as SessionByToken does for our own. Another App's token is unknown.
func (db *DB) SessionByAppToken(ctx context.Context, app string, tokenHash []byte, now time.Time) (Session, User, error) {
	return db.lookUpSession(ctx, app, tokenHash, now)
}

const sessionByAppTokenQuery = `
	SELECT ` + sessionCheckColumns + `
	  FROM app_sessions a
	  JOIN sessions s ON s.id = a.session_id
	  JOIN users u ON u.id = s.user_id
	 WHERE a.token_hash = $1 AND a.app = $3 AND s.expires_at > $2 AND s.auth_at <= $2 + 300000 AND u.disabled_at IS NULL`

// PutAppSession gives the App its share of a Session. An earlier one of the
// same App and Session ends: there is one.
func (tx *Tx) PutAppSession(a AppSession) error {
	return tx.exec("adding an App's session", putAppSessionQuery, a.TokenHash, a.App, a.SessionID, ms(a.CreatedAt))
}

const putAppSessionQuery = `
	INSERT INTO app_sessions (token_hash, app, session_id, created_at)
	VALUES ($1, $2, $3, $4)
	    ON CONFLICT (session_id, app) DO UPDATE
	   SET token_hash = excluded.token_hash, created_at = excluded.created_at`

// AppSessionsOf returns the shares that Apps have of the user's live sessions, the
// newest first, without their tokens.
func (tx *Tx) AppSessionsOf(userID string, now time.Time) ([]AppSession, error) {
	var list []AppSession
	err := tx.each("Apps' sessions", appSessionsOfQuery, []any{userID, ms(now)}, func(rows *sql.Rows) error {
		var a AppSession
		var created int64
		if err := rows.Scan(&a.App, &a.SessionID, &created); err != nil {
			return err
		}
		a.CreatedAt = at(created)
		list = append(list, a)
		return nil
	})
	return list, err
}

const appSessionsOfQuery = `
	SELECT a.app, a.session_id, a.created_at
	  FROM sessions s
	  JOIN app_sessions a ON a.session_id = s.id
	 WHERE s.user_id = $1 AND s.expires_at > $2
	 ORDER BY a.created_at DESC, a.app`

// KnowsAppToken reports whether some App's session has that token hash.
func (tx *Tx) KnowsAppToken(tokenHash []byte) (bool, error) {
	return tx.exists("an App's session", knowsAppTokenQuery, tokenHash)
}

const knowsAppTokenQuery = `SELECT EXISTS (SELECT 1 FROM app_sessions WHERE token_hash = $1)`

// Handoff is a single-use code by which a Session reaches an App's own address.
type Handoff struct {
	CodeHash    []byte
	App         string // the id
	SessionID   string
	BrowserHash []byte // of what the browser that asked holds at the App's address
	ExpiresAt   time.Time
}

// AddHandoff adds h.
func (tx *Tx) AddHandoff(h Handoff) error {
	return tx.exec("adding a hand-off", addHandoffQuery, h.CodeHash, h.App, h.SessionID, h.BrowserHash, ms(h.ExpiresAt))
}

const addHandoffQuery = `
	INSERT INTO handoffs (code_hash, app, session_id, browser_hash, expires_at)
	VALUES ($1, $2, $3, $4, $5)`

// SpendHandoff takes the hand-off with that code and returns the live Session's
// id. ErrNotFound for a code that is unknown, spent or too old, for another App,
// or brought by another browser than the one that asked.
func (tx *Tx) SpendHandoff(codeHash []byte, app string, browserHash []byte, now time.Time) (sessionID string, err error) {
	err = tx.q.QueryRowContext(tx.ctx, spendHandoffQuery, codeHash, app, browserHash, ms(now)).Scan(&sessionID)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("spending a hand-off: %w", classify(err))
	}
	return sessionID, nil
}

const spendHandoffQuery = `
	DELETE FROM handoffs
	 WHERE code_hash = $1 AND app = $2 AND browser_hash = $3 AND expires_at > $4
	RETURNING session_id`

// SessionOf returns the live session with that id and its user,
// or ErrNotFound.
func (tx *Tx) SessionOf(id string, now time.Time) (Session, User, error) {
	return scanSession(tx.q.QueryRowContext(tx.ctx, sessionOfQuery, id, ms(now)))
}

const sessionOfQuery = `
	SELECT ` + sessionCheckColumns + `
	  FROM sessions s
	  JOIN users u ON u.id = s.user_id
	 WHERE s.id = $1 AND s.expires_at > $2 AND s.auth_at <= $2 + 300000 AND u.disabled_at IS NULL`
