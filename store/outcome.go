package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// LoginOutcome is the result of a sign-in, kept for a moment so that a form that is
// sent twice gets one answer.
type LoginOutcome struct {
	UseHash []byte // of the secret that was spent and the browser that spent it
	Sealed  []byte // with a key that only that browser has
	// ExpiresAt is when the outcome is no longer found.
	ExpiresAt time.Time
}

// AddLoginOutcome adds o, or replaces the outcome of the same use.
func (tx *Tx) AddLoginOutcome(o LoginOutcome) error {
	return tx.exec("adding an outcome", addLoginOutcomeQuery, o.UseHash, o.Sealed, ms(o.ExpiresAt))
}

const addLoginOutcomeQuery = `
	INSERT INTO login_outcomes (use_hash, outcome, expires_at)
	VALUES ($1, $2, $3)
	    ON CONFLICT (use_hash) DO UPDATE
	   SET outcome = excluded.outcome, expires_at = excluded.expires_at`

// LoginOutcomeOf returns what was sealed for the use, or ErrNotFound.
func (tx *Tx) LoginOutcomeOf(useHash []byte, now time.Time) (sealed []byte, err error) {
	err = tx.q.QueryRowContext(tx.ctx, loginOutcomeQuery, useHash, ms(now)).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("reading an outcome: %w", classify(err))
	}
	return sealed, nil
}

const loginOutcomeQuery = `
	SELECT outcome
	  FROM login_outcomes
	 WHERE use_hash = $1 AND expires_at > $2`
