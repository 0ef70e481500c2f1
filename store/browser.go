package store

import (
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

// RememberBrowser records that the user has signed in with a browser.
func (tx *Tx) RememberBrowser(userID string, hash []byte, now time.Time) error {
	_, err := tx.q.ExecContext(tx.ctx, rememberBrowserQuery, userID, hash, ms(now))
	if err != nil {
		return fmt.Errorf("remembering a browser: %w", classify(err))
	}
	return nil
}

const rememberBrowserQuery = `
	INSERT INTO browsers (user_id, browser_hash, created_at, seen_at) VALUES ($1, $2, $3, $3)
	    ON CONFLICT (browser_hash, user_id) DO UPDATE
	   SET seen_at = excluded.seen_at`

// RenewBrowser puts a new hash in the place of a browser's, for everybody who
// signed in with it.
func (tx *Tx) RenewBrowser(old, hash []byte) error {
	if _, err := tx.q.ExecContext(tx.ctx, renewBrowserQuery, old, hash); err != nil {
		return fmt.Errorf("renewing a browser: %w", classify(err))
	}
	return nil
}

const renewBrowserQuery = `UPDATE browsers SET browser_hash = $2 WHERE browser_hash = $1`

// ForgetBrowser makes a browser a stranger to the user.
func (tx *Tx) ForgetBrowser(userID string, hash []byte) error {
	_, err := tx.q.ExecContext(tx.ctx, forgetBrowserQuery, userID, hash)
	if err != nil {
		return fmt.Errorf("forgetting a browser: %w", err)
	}
	return nil
}

const forgetBrowserQuery = `DELETE FROM browsers WHERE user_id = $1 AND browser_hash = $2`

// ForgetBrowsers makes every browser a stranger to the user.
func (tx *Tx) ForgetBrowsers(userID string) error {
	if _, err := tx.q.ExecContext(tx.ctx, forgetBrowsersQuery, userID); err != nil {
		return fmt.Errorf("forgetting browsers: %w", err)
	}
	return nil
}

const forgetBrowsersQuery = `DELETE FROM browsers WHERE user_id = $1`
