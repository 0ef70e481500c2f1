package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Suppression is an address whose server said that it takes no mail.
type Suppression struct {
	RcptHash  []byte
	Rcpt      string
	Domain    string
	Reason    string
	CreatedAt time.Time
	ExpiresAt time.Time
}

func suppressedPlace(hash []byte) string { return fmt.Sprintf("suppressions/rcpt/%x", hash) }

// Suppress keeps mail from an address until s.ExpiresAt.
func (tx *Tx) Suppress(s Suppression) error {
	return tx.exec("suppressing an address", suppressQuery, s.RcptHash, tx.db.ring.Seal(suppressedPlace(s.RcptHash), []byte(s.Rcpt)),
		s.Domain, s.Reason, ms(s.CreatedAt), ms(s.ExpiresAt))
}

const suppressQuery = `
	INSERT INTO suppressions (rcpt_hash, rcpt, domain, reason, created_at, expires_at, tried_at) VALUES ($1, $2, $3, $4, $5, $6, $5)
	    ON CONFLICT (rcpt_hash) DO UPDATE
	   SET rcpt = excluded.rcpt, reason = excluded.reason, created_at = excluded.created_at, expires_at = excluded.expires_at,
	       tried_at = excluded.tried_at`

// Suppression returns why an address gets no mail, or ErrNotFound when it does.
func (tx *Tx) Suppression(rcptHash []byte, now time.Time) (Suppression, error) {
	return tx.scanSuppression(tx.q.QueryRowContext(tx.ctx, suppressionQuery, rcptHash, ms(now)))
}

const suppressionQuery = `
	SELECT rcpt_hash, rcpt, domain, reason, created_at, expires_at
	  FROM suppressions
	 WHERE rcpt_hash = $1 AND expires_at > $2`

// TrySuppressed lets one message go to a suppressed address, when none has gone
// since the given time, and reports whether it may. A message that was asked for
// before the last one went is that one, which was put off: it keeps its try.
func (tx *Tx) TrySuppressed(rcptHash []byte, asked, since, now time.Time) (bool, error) {
	n, err := tx.changed(trySuppressedQuery, rcptHash, ms(since), ms(now), ms(asked))
	return n == 1, err
}

// The suppression itself counts as a try, which was nobody's.
const trySuppressedQuery = `
	UPDATE suppressions
	   SET tried_at = CASE WHEN tried_at <= $2 THEN $3 ELSE tried_at END
	 WHERE rcpt_hash = $1 AND (tried_at <= $2 OR tried_at > created_at AND tried_at >= $4)`

// EndSuppression lets mail to an address go again and reports whether it was
// suppressed.
func (tx *Tx) EndSuppression(rcptHash []byte) (bool, error) {
	n, err := tx.changed(endSuppressionQuery, rcptHash)
	return n > 0, err
}

const endSuppressionQuery = `DELETE FROM suppressions WHERE rcpt_hash = $1`

// Suppressions returns the addresses that get no mail, those that last longest
// first.
func (tx *Tx) Suppressions(now time.Time, limit int) ([]Suppression, error) {
	var list []Suppression
	err := tx.each("suppressed addresses", suppressionsQuery, []any{ms(now), limit}, func(rows *sql.Rows) error {
		s, err := tx.scanSuppression(rows)
		if err != nil {
			return err
		}
		list = append(list, s)
		return nil
	})
	return list, err
}

const suppressionsQuery = `
	SELECT rcpt_hash, rcpt, domain, reason, created_at, expires_at
	  FROM suppressions
	 WHERE expires_at > $1
	 ORDER BY expires_at DESC
	 LIMIT $2`

func (tx *Tx) scanSuppression(row interface{ Scan(...any) error }) (Suppression, error) {
	var s Suppression
	var rcpt []byte
	var created, expires int64
	err := row.Scan(&s.RcptHash, &rcpt, &s.Domain, &s.Reason, &created, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return Suppression{}, ErrNotFound
	}
	if err != nil {
		return Suppression{}, fmt.Errorf("reading a suppressed address: %w", err)
	}
	plain, err := tx.db.ring.Open(suppressedPlace(s.RcptHash), rcpt)
	if err != nil {
		return Suppression{}, err
	}
	s.Rcpt, s.CreatedAt, s.ExpiresAt = string(plain), at(created), at(expires)
	return s, nil
}
