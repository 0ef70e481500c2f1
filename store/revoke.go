package store

import (
	"fmt"
	"time"
)

// disownQueries remove what opens an account.
var disownQueries = []string{disownPasswordQuery, disownPasskeysQuery, disownAccountsQuery, disownBrowsersQuery, disownSessionsQuery, disownEmailsQuery}

const (
	disownPasswordQuery = `DELETE FROM passwords WHERE user_id = $1`
	disownPasskeysQuery = `DELETE FROM passkeys WHERE user_id = $1`
	disownAccountsQuery = `DELETE FROM accounts WHERE user_id = $1`
	disownBrowsersQuery = `DELETE FROM browsers WHERE user_id = $1`
	disownSessionsQuery = `DELETE FROM sessions WHERE user_id = $1`
	disownEmailsQuery   = `
		DELETE FROM emails
		 WHERE user_id = $1
		   AND norm <> (SELECT email_norm FROM users WHERE id = $1)`
)

// RevokeAll takes everything from the user that opens the account, but the primary
// address: for the one who turns out to be its owner, when others may have made
// the account before them. Links that wait are cancelled.
func (tx *Tx) RevokeAll(userID string, now time.Time) error {
	for _, query := range disownQueries {
		if _, err := tx.q.ExecContext(tx.ctx, query, userID); err != nil {
			return fmt.Errorf("taking an account from whoever made it: %w", err)
		}
	}
	return tx.CancelChallenges(userID, "", "", now)
}

// Opened reports whether anything but the user's primary address opens the account,
// or has opened it for somebody who is still in.
func (tx *Tx) Opened(userID string) (opened bool, err error) {
	return tx.exists("what opens an account", openedQuery, userID)
}

const openedQuery = `
	SELECT EXISTS (SELECT 1 FROM passwords WHERE user_id = $1)
	    OR EXISTS (SELECT 1 FROM passkeys WHERE user_id = $1)
	    OR EXISTS (SELECT 1 FROM accounts WHERE user_id = $1)
	    OR EXISTS (SELECT 1 FROM sessions WHERE user_id = $1)
	    OR EXISTS (SELECT 1 FROM emails WHERE user_id = $1 AND norm <> (SELECT email_norm FROM users WHERE id = $1))`
