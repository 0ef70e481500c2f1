package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

const (
	metaQuery    = `SELECT value FROM meta WHERE name = $1`
	setMetaQuery = `
		INSERT INTO meta (name, value) VALUES ($1, $2)
		    ON CONFLICT (name) DO UPDATE SET value = excluded.value`

	canaryPlace = "meta/value/canary"
	canaryText  = "the key fits"
)

func (tx *Tx) meta(name string) ([]byte, error) {
	var value []byte
	err := tx.q.QueryRowContext(tx.ctx, metaQuery, name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return value, nil
}

func (tx *Tx) setMeta(name string, value []byte) error {
	if _, err := tx.q.ExecContext(tx.ctx, setMetaQuery, name, value); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// Moment returns a moment that was kept under a name, or the zero time.
func (tx *Tx) Moment(name string) (time.Time, error) {
	value, err := tx.meta(name)
	if errors.Is(err, ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading %s: %w", name, err)
	}
	return at(n), nil
}

// SetMoment keeps a moment under a name.
func (tx *Tx) SetMoment(name string, t time.Time) error {
	return tx.setMeta(name, strconv.AppendInt(nil, ms(t), 10))
}

// checkKey opens the sealed canary, so that a wrong key is found at the start and
// not at the first sealed value.
func (db *DB) checkKey(ctx context.Context) error {
	return db.View(ctx, func(tx *Tx) error { return checkCanary(tx, db.ring, db.dir) })
}

func checkCanary(tx *Tx, ring *Keyring, dir string) error {
	box, err := tx.meta("canary")
	if err != nil {
		return fmt.Errorf("reading the canary: %w", err)
	}
	if plain, err := ring.Open(canaryPlace, box); err != nil || string(plain) != canaryText {
		return &Problem{
			kind: ErrKey, text: "the key file " + dir + "/" + keyName + " belongs to another database",
			hint: "put back the secret.key that belongs to this database; several servers over one database have copies of one file",
		}
	}
	return nil
}
