package store

import (
	"fmt"
	"strconv"

	"golang.org/x/crypto/chacha20poly1305"
)

// sealedColumn is a column that holds what Keyring.Seal made, for the place
// "table/name/key of the row". An empty value is none.
type sealedColumn struct {
	table string
	name  string
	key   string // the unique column that ends the place
	bytes bool   // the key is a BLOB, which stands in the place in hexadecimal
	mixed bool   // the column also holds values that are not sealed
}

// sealedColumns lists them all: a rotation of the keys reseals these and no
// others. A BLOB that is neither here nor named as a hash fails a test.
var sealedColumns = []sealedColumn{
	{table: "meta", name: "value", key: "name", mixed: true},
	{table: "accounts", name: "access_token", key: "id"},
	{table: "accounts", name: "refresh_token", key: "id"},
	{table: "accounts", name: "id_token", key: "id"},
	{table: "auth_requests", name: "payload", key: "state_hash", bytes: true},
	{table: "messages", name: "rcpt", key: "id"},
	{table: "messages", name: "body", key: "id"},
	{table: "suppressions", name: "rcpt", key: "rcpt_hash", bytes: true},
	{table: "dkim_keys", name: "private_key", key: "name"},
	{table: "submissions", name: "body", key: "id"},
}

// place returns where the value in a row is sealed for.
func (c sealedColumn) place(key any) string {
	if c.bytes {
		return fmt.Sprintf("%s/%s/%x", c.table, c.name, key)
	}
	return fmt.Sprintf("%s/%s/%s", c.table, c.name, key)
}

// before is a key that no row's is smaller than.
func (c sealedColumn) before() any {
	if c.bytes {
		return []byte{}
	}
	return ""
}

// sealedLeast is the length of a sealed nothing; what is shorter is not sealed.
var sealedLeast = strconv.Itoa(sealHead + chacha20poly1305.Overhead)

// The queries of a column. A value begins with its version and its key's id, so
// that the engine can tell who sealed it.

// oldQuery finds what another key than $1 has sealed, in the rows behind $2. It
// looks at every row, a part at a time.
func (c sealedColumn) oldQuery() string {
	return `
	SELECT ` + c.key + `, ` + c.name + `
	  FROM ` + c.table + `
	 WHERE ` + c.key + ` > $2 AND LENGTH(` + c.name + `) >= ` + sealedLeast + ` AND SUBSTR(` + c.name + `, 1, 5) <> $1
	 ORDER BY ` + c.key + `
	 LIMIT $3`
}

// resealQuery replaces a value that nobody has changed meanwhile.
func (c sealedColumn) resealQuery() string {
	return `UPDATE ` + c.table + ` SET ` + c.name + ` = $1 WHERE ` + c.key + ` = $2 AND ` + c.name + ` = $3`
}

// countQuery counts what each key has sealed.
func (c sealedColumn) countQuery() string {
	return `
	SELECT SUBSTR(` + c.name + `, 1, 5), COUNT(*)
	  FROM ` + c.table + `
	 WHERE LENGTH(` + c.name + `) >= ` + sealedLeast + `
	 GROUP BY SUBSTR(` + c.name + `, 1, 5)`
}
