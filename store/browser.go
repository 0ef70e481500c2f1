package store

import (
	"database/sql"
	"fmt"
	"time"
)

// KnowsBrowser reports whether the user has signed in with a browser, by the hash
// of its cookie, and whether they have with any.
func (tx *Tx) KnowsBrowser(userID string, hash []byte) (known, any bool, err error) {
	err = tx.q.QueryRowContext(tx.ctx, knowsBrowserQuery, userID, hash).Scan(&known, &any)
	if err != nil {
		return false, false, fmt.Errorf("looking for a browser: %w", err)
	}
	return known, any, nil
}

const knowsBrowserQuery = `
	SELECT EXISTS (SELECT 1 FROM browsers WHERE user_id = $1 AND browser_hash = $2),
	       EXISTS (SELECT 1 FROM browsers WHERE user_id = $1)`

// Browser is one that a user has signed in with.
type Browser struct {
	Hash      []byte // of its cookie
	Device    string // "Firefox on Linux"; "" for one that is nobody's, or was last used before that was kept
	CreatedAt time.Time
	SeenAt    time.Time // the last sign-in
}

// BrowsersOf returns the browsers the user has signed in with, the last used first.
func (tx *Tx) BrowsersOf(userID string) ([]Browser, error) {
	var list []Browser
	err := tx.each("browsers", browsersOfQuery, []any{userID}, func(rows *sql.Rows) error {
		var b Browser
		var created, seen int64
		if err := rows.Scan(&b.Hash, &b.Device, &created, &seen); err != nil {
			return err
		}
		b.CreatedAt, b.SeenAt = at(created), at(seen)
		list = append(list, b)
		return nil
	})
	return list, err
}

const browsersOfQuery = `
	SELECT browser_hash, device, created_at, seen_at
	  FROM browsers
	 WHERE user_id = $1
	 ORDER BY seen_at DESC, browser_hash`

// RememberBrowser records that the user has signed in with a browser, and what it is.
func (tx *Tx) RememberBrowser(userID string, hash []byte, device string, now time.Time) error {
	return tx.exec("remembering a browser", rememberBrowserQuery, userID, hash, ms(now), device)
}

const rememberBrowserQuery = `
	INSERT INTO browsers (user_id, browser_hash, created_at, seen_at, device) VALUES ($1, $2, $3, $3, $4)
	    ON CONFLICT (browser_hash, user_id) DO UPDATE
	   SET seen_at = excluded.seen_at, device = excluded.device`

// OwnBrowser records that a browser the user has signed in with is theirs: they signed in
// by something else than a mailed link.
func (tx *Tx) OwnBrowser(userID string, hash []byte) error {
	return tx.exec("owning a browser", ownBrowserQuery, userID, hash)
}

const ownBrowserQuery = `UPDATE browsers SET owns = 1 WHERE user_id = $1 AND browser_hash = $2`

// OwnsBrowser reports whether OwnBrowser has recorded that.
func (tx *Tx) OwnsBrowser(userID string, hash []byte) (bool, error) {
	return tx.exists("a browser", ownsBrowserQuery, userID, hash)
}

const ownsBrowserQuery = `SELECT EXISTS (SELECT 1 FROM browsers WHERE user_id = $1 AND browser_hash = $2 AND owns = 1)`

// RenewBrowser puts a new hash in the place of a browser's, for everybody who
// signed in with it.
func (tx *Tx) RenewBrowser(old, hash []byte) error {
	return tx.exec("renewing a browser", renewBrowserQuery, old, hash)
}

const renewBrowserQuery = `UPDATE browsers SET browser_hash = $2 WHERE browser_hash = $1`

// ForgetBrowser makes a browser a stranger to the user.
func (tx *Tx) ForgetBrowser(userID string, hash []byte) error {
	return tx.exec("forgetting a browser", forgetBrowserQuery, userID, hash)
}

const forgetBrowserQuery = `DELETE FROM browsers WHERE user_id = $1 AND browser_hash = $2`

// ForgetBrowsers makes every browser a stranger to the user.
func (tx *Tx) ForgetBrowsers(userID string) error {
	return tx.exec("forgetting browsers", forgetBrowsersQuery, userID)
}

const forgetBrowsersQuery = `DELETE FROM browsers WHERE user_id = $1`
