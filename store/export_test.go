package store

import "database/sql"

// Writers is the pool that writes, for tests outside the package.
func (db *DB) Writers() *sql.DB { return db.writers }

// Statements are the queries of this package, those that every request or claim
// runs being hot.
func Statements() map[string]struct {
	Query string
	Hot   bool
} {
	list := make(map[string]struct {
		Query string
		Hot   bool
	})
	for name, s := range statements() {
		list[name] = struct {
			Query string
			Hot   bool
		}{s.query, s.hot}
	}
	return list
}

// For TestMain, which stands in the other package.
var (
	RotateForever  = rotateForever
	MigrateAndWait = migrateAndWait
)
