package store

import (
	"database/sql"
	"errors"
	"fmt"
)

// ImportedID returns the id of the user that a user of another database became
// here, or ErrNotFound.
func (tx *Tx) ImportedID(source, sourceID string) (userID string, err error) {
	err = tx.q.QueryRowContext(tx.ctx, importedIDQuery, source, sourceID).Scan(&userID)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("looking up an imported id: %w", err)
	}
	return userID, nil
}

const importedIDQuery = `SELECT user_id FROM imported_ids WHERE source = $1 AND source_id = $2`

// SetImportedID records which user a user of another database became here.
func (tx *Tx) SetImportedID(source, sourceID, userID string) error {
	return tx.exec("recording an imported id", setImportedIDQuery, source, sourceID, userID)
}

const setImportedIDQuery = `
	INSERT INTO imported_ids (source, source_id, user_id) VALUES ($1, $2, $3)
	    ON CONFLICT (source, source_id) DO UPDATE SET user_id = excluded.user_id`
