package apps

import (
	"context"

	"gatelodge/store"
)

// namedKey begins the key of rows that an earlier version kept by an App's name. No id
// has a colon.
const namedKey = store.AppNamed

// Rekey gives the rows that an earlier version kept by the names of Apps their ids, and
// returns how many there were. Rows of Apps that are not in the set wait until they are.
func Rekey(ctx context.Context, db *store.DB, set *Set) (int, error) {
	n := 0
	err := db.Update(ctx, func(tx *store.Tx) error {
		n = 0
		for _, app := range set.list {
			changed, err := tx.RekeyApp(namedKey+app.Name, app.ID)
			if err != nil {
				return err
			}
			n += changed
		}
		return nil
	})
	return n, err
}
