package store

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Attempts returns the moments kept under a key, oldest first; none for a key
// that is not known.
func (tx *Tx) Attempts(keyHash []byte) ([]time.Time, error) {
	var packed []byte
	err := tx.q.QueryRowContext(tx.ctx, attemptsQuery, keyHash).Scan(&packed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading attempts: %w", err)
	}
	times := make([]time.Time, 0, len(packed)/8)
	for ; len(packed) >= 8; packed = packed[8:] {
		times = append(times, at(int64(binary.BigEndian.Uint64(packed))))
	}
	return times, nil
}

const attemptsQuery = `SELECT times FROM limits WHERE key_hash = $1`

// SetAttempts keeps moments under a key, of which none counts after until.
func (tx *Tx) SetAttempts(keyHash []byte, times []time.Time, until time.Time) error {
	packed := make([]byte, 0, 8*len(times))
	for _, t := range times {
		packed = binary.BigEndian.AppendUint64(packed, uint64(ms(t)))
	}
	if _, err := tx.q.ExecContext(tx.ctx, setAttemptsQuery, keyHash, packed, ms(until)); err != nil {
		return fmt.Errorf("keeping attempts: %w", err)
	}
	return nil
}

const setAttemptsQuery = `
	INSERT INTO limits (key_hash, times, until_at) VALUES ($1, $2, $3)
	    ON CONFLICT (key_hash) DO UPDATE SET times = excluded.times, until_at = excluded.until_at`
