package store

import (
	"fmt"
	"time"
)

// disownQueries remove what opens an account.
var disownQueries = []string{disownPasswordQuery, disownPasskeysQuery, disownAccountsQuery, disownBrowsersQuery, disownSessionsQuery, disownChallengesQuery, disownEmailsQuery}

const (
	disownPasswordQuery   = `DELETE FROM passwords WHERE user_id = $1`
	disownPasskeysQuery   = `DELETE FROM passkeys WHERE user_id = $1`
	disownAccountsQuery   = `DELETE FROM accounts WHERE user_id = $1`
	disownBrowsersQuery   = `DELETE FROM browsers WHERE user_id = $1`
	disownSessionsQuery   = `DELETE FROM sessions WHERE user_id = $1`
	disownChallengesQuery = `DELETE FROM challenges WHERE user_id = $1`
	disownEmailsQuery     = `
		DELETE FROM emails
		 WHERE user_id = $1
		   AND norm <> (SELECT email_norm FROM users WHERE id = $1)`
)

// Disown takes everything from the user that opens the account, but the primary
// address: for the one who turns out to be its owner, when others may have made
// the account before them.
func (tx *Tx) Disown(userID string) error {
	for _, query := range disownQueries {
		if _, err := tx.q.ExecContext(tx.ctx, query, userID); err != nil {
			return fmt.Errorf("taking an account from whoever made it: %w", err)
		}
	}
	return nil
}

// RemoveAccountsSince unlinks the user's accounts that were linked at or after a
// moment, and returns how many.
func (tx *Tx) RemoveAccountsSince(userID string, since time.Time) (int, error) {
	res, err := tx.q.ExecContext(tx.ctx, removeAccountsSinceQuery, userID, ms(since))
	if err != nil {
		return 0, fmt.Errorf("removing accounts: %w", err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}

const removeAccountsSinceQuery = `DELETE FROM accounts WHERE user_id = $1 AND created_at >= $2`
