package store

import (
	"context"
	"fmt"
	"time"
)

// sweeps are the statements that remove what nobody needs any more, at most $2
// rows each, that ended before $1. A hundred rows hold the writer for some 26 ms
// in a table of a million; a thousand for 130.
var sweeps = []struct {
	query string
	after time.Duration // kept this long after its end
}{
	// A day's grace, so that a clock that jumped ahead does not end everything.
	{`DELETE FROM sessions WHERE token_hash IN (SELECT token_hash FROM sessions WHERE expires_at < $1 LIMIT $2)`, 24 * time.Hour},
	{`DELETE FROM handoffs WHERE code_hash IN (SELECT code_hash FROM handoffs WHERE expires_at < $1 LIMIT $2)`, time.Hour},
	// Kept for a week so that an old link can say what became of it.
	{`DELETE FROM challenges WHERE id IN (SELECT id FROM challenges WHERE expires_at < $1 LIMIT $2)`, 7 * 24 * time.Hour},
	{`DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE done_at IS NOT NULL AND done_at < $1 LIMIT $2)`, 7 * 24 * time.Hour},
	// Older than any of its messages can wait, and than a day's count.
	{`DELETE FROM submissions WHERE id IN (SELECT id FROM submissions s WHERE created_at < $1
	      AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.submission_id = s.id AND m.submission_id <> '') LIMIT $2)`, 7 * 24 * time.Hour},
	{`DELETE FROM auth_requests WHERE state_hash IN (SELECT state_hash FROM auth_requests WHERE expires_at < $1 LIMIT $2)`, time.Hour},
	{`DELETE FROM login_outcomes WHERE use_hash IN (SELECT use_hash FROM login_outcomes WHERE expires_at < $1 LIMIT $2)`, time.Minute},
	// Kept so that an old invite can say what became of it.
	{`DELETE FROM invites WHERE id IN (SELECT id FROM invites WHERE expires_at < $1 LIMIT $2)`, 30 * 24 * time.Hour},
	// Who was refused may ask again after this; who waited so long too.
	{`DELETE FROM applicants WHERE id IN (SELECT id FROM applicants WHERE created_at < $1 LIMIT $2)`, 90 * 24 * time.Hour},
	// A browser that has been away longer than its cookie lives.
	{`DELETE FROM browsers WHERE (browser_hash, user_id) IN (SELECT browser_hash, user_id FROM browsers WHERE seen_at < $1 LIMIT $2)`, 400 * 24 * time.Hour},
	{`DELETE FROM limits WHERE key_hash IN (SELECT key_hash FROM limits WHERE until_at < $1 LIMIT $2)`, 0},
	{`DELETE FROM suppressions WHERE rcpt_hash IN (SELECT rcpt_hash FROM suppressions WHERE expires_at < $1 LIMIT $2)`, 24 * time.Hour},
	{`DELETE FROM tls_results WHERE day IN (SELECT day FROM tls_results WHERE day < $1 LIMIT $2)`, 60 * 24 * time.Hour},
	// Long enough that a domain that is written to twice a year keeps its TLS.
	{`DELETE FROM mail_domains WHERE domain IN (SELECT domain FROM mail_domains WHERE updated_at < $1 LIMIT $2)`, 400 * 24 * time.Hour},
	{`DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < $1 LIMIT $2)`, 400 * 24 * time.Hour},
}

// Sweep removes at most limit rows of each kind that ended long enough before
// now, each kind in a transaction of its own, and returns how many rows went.
// Call it again, after a pause, while it returns more than none.
func (db *DB) Sweep(ctx context.Context, now time.Time, limit int) (int, error) {
	total := 0
	for _, s := range sweeps {
		var n int64
		err := db.Update(ctx, func(tx *Tx) error {
			res, err := tx.q.ExecContext(tx.ctx, s.query, ms(now.Add(-s.after)), limit)
			if err != nil {
				return fmt.Errorf("sweeping: %w", err)
			}
			n, err = res.RowsAffected()
			return err
		})
		if err != nil {
			return total, err
		}
		total += int(n)
	}
	return total, nil
}
