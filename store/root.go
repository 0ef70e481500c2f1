package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
)

const (
	rootPlace    = "meta/value/root"
	addMetaQuery = `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`
)

// loadRoot reads what Keyring.Derive derives from, or makes it. It is sealed in
// the database and not in the key file, so that it outlives the sealing keys
// and who finds the file alone can derive nothing.
func (db *DB) loadRoot(ctx context.Context) error {
	read := func() (box []byte, err error) {
		err = db.View(ctx, func(tx *Tx) error {
			box, err = tx.meta("root")
			return err
		})
		return box, err
	}
	box, err := read()
	if errors.Is(err, ErrNotFound) {
		fresh := make([]byte, keySize)
		rand.Read(fresh)
		// Another process that shares the database may have been faster.
		if _, err = db.writers.ExecContext(ctx, addMetaQuery, "root", db.ring.Seal(rootPlace, fresh)); err == nil {
			box, err = read()
		}
	}
	if err != nil {
		return fmt.Errorf("reading the root key: %w", err)
	}
	plain, err := db.ring.Open(rootPlace, box)
	if err != nil {
		return err
	}
	copy(db.ring.root[:], plain)
	return nil
}
