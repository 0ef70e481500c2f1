package store

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Attempts returns the moments kept under a key, oldest first; none for a key
// that is not known.
func (tx *Tx) Attempts(keyHash []byte) ([]time.Time, error) {
	var text string
	err := tx.q.QueryRowContext(tx.ctx, attemptsQuery, keyHash).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading attempts: %w", err)
	}
	var times []time.Time
	for field := range strings.FieldsSeq(text) {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading attempts: %w", err)
		}
		times = append(times, at(n))
	}
	return times, nil
}

const attemptsQuery = `SELECT times FROM limits WHERE key_hash = $1`

// SetAttempts keeps moments under a key, of which none counts after until.
func (tx *Tx) SetAttempts(keyHash []byte, times []time.Time, until time.Time) error {
	var text []byte
	for _, t := range times {
		text = append(strconv.AppendInt(text, ms(t), 10), ' ')
	}
	return tx.exec("keeping attempts", setAttemptsQuery, keyHash, string(text), ms(until))
}

const setAttemptsQuery = `
	INSERT INTO limits (key_hash, times, until_at) VALUES ($1, $2, $3)
	    ON CONFLICT (key_hash) DO UPDATE SET times = excluded.times, until_at = excluded.until_at`
