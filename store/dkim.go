package store

import (
	"database/sql"
	"time"
)

// DKIMKey is a key that signs mail, or did, or will.
type DKIMKey struct {
	Selector  string
	Domain    string
	Algorithm string // "rsa" or "ed25519"
	Private   []byte // PKCS #8
	CreatedAt time.Time
	SignsAt   time.Time // zero: only published so far
	RetiredAt time.Time // zero: not retired
}

// Name returns where DNS has the public half of the key.
func (k DKIMKey) Name() string { return k.Selector + "._domainkey." + k.Domain }

func dkimPlace(name string) string { return "dkim_keys/private_key/" + name }

// AddDKIMKey keeps a key, sealed, or returns ErrConflict when the domain has
// one with its selector.
func (tx *Tx) AddDKIMKey(k DKIMKey) error {
	return tx.exec("adding a DKIM key", addDKIMKeyQuery, k.Name(), k.Selector, k.Domain, k.Algorithm,
		tx.db.ring.Seal(dkimPlace(k.Name()), k.Private), ms(k.CreatedAt), nullMs(k.SignsAt))
}

const addDKIMKeyQuery = `
	INSERT INTO dkim_keys (name, selector, domain, algorithm, private_key, created_at, signs_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7)`

// DKIMKeys returns the keys of a domain, oldest first.
func (tx *Tx) DKIMKeys(domain string) ([]DKIMKey, error) {
	var list []DKIMKey
	err := tx.each("the DKIM keys", dkimKeysQuery, []any{domain}, func(rows *sql.Rows) error {
		k := DKIMKey{Domain: domain}
		var box []byte
		var created int64
		var signs, retired sql.NullInt64
		if err := rows.Scan(&k.Selector, &k.Algorithm, &box, &created, &signs, &retired); err != nil {
			return err
		}
		var err error
		if k.Private, err = tx.db.ring.Open(dkimPlace(k.Name()), box); err != nil {
			return err
		}
		k.CreatedAt, k.SignsAt, k.RetiredAt = at(created), atNull(signs), atNull(retired)
		list = append(list, k)
		return nil
	})
	return list, err
}

const dkimKeysQuery = `
	SELECT selector, algorithm, private_key, created_at, signs_at, retired_at
	  FROM dkim_keys
	 WHERE domain = $1
	 ORDER BY created_at, selector`

// SwitchDKIMKeys retires the keys of a domain that sign and lets those sign
// that were only published. It returns how many took over.
func (tx *Tx) SwitchDKIMKeys(domain string, now time.Time) (int, error) {
	if _, err := tx.changed(retireDKIMKeysQuery, domain, ms(now)); err != nil {
		return 0, err
	}
	return tx.changed(startDKIMKeysQuery, domain, ms(now))
}

const (
	retireDKIMKeysQuery = `UPDATE dkim_keys SET retired_at = $2 WHERE domain = $1 AND signs_at IS NOT NULL AND retired_at IS NULL`
	startDKIMKeysQuery  = `UPDATE dkim_keys SET signs_at = $2 WHERE domain = $1 AND signs_at IS NULL AND retired_at IS NULL`
)

// RemoveDKIMKeys removes the keys of a domain that were retired before then,
// and returns how many.
func (tx *Tx) RemoveDKIMKeys(domain string, before time.Time) (int, error) {
	return tx.changed(removeDKIMKeysQuery, domain, ms(before))
}

const removeDKIMKeysQuery = `DELETE FROM dkim_keys WHERE domain = $1 AND retired_at < $2`
