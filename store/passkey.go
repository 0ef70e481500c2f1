package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Passkey is the public half of a key that a user's device holds. Nothing in
// it is secret.
type Passkey struct {
	CredentialID []byte // the authenticator's name for it; unique
	UserID       string
	PublicKey    []byte // COSE
	SignCount    int64
	Transports   string // space-separated: "internal hybrid"
	AAGUID       string // the authenticator's model, or ""
	MultiDevice  bool   // may be synced between devices
	BackedUp     bool   // is synced
	Name         string // as its owner calls it
	CreatedAt    time.Time
	UsedAt       time.Time // last sign-in; zero for never
}

const passkeyColumns = `credential_id, user_id, public_key, sign_count, transports, aaguid, multi_device, backed_up, name, created_at, used_at`

func scanPasskey(row interface{ Scan(...any) error }) (Passkey, error) {
	var p Passkey
	var created int64
	var used sql.NullInt64
	err := row.Scan(&p.CredentialID, &p.UserID, &p.PublicKey, &p.SignCount, &p.Transports, &p.AAGUID, &p.MultiDevice, &p.BackedUp,
		&p.Name, &created, &used)
	if errors.Is(err, sql.ErrNoRows) {
		return Passkey{}, ErrNotFound
	}
	if err != nil {
		return Passkey{}, fmt.Errorf("reading a passkey: %w", err)
	}
	p.CreatedAt, p.UsedAt = at(created), atNull(used)
	return p, nil
}

// AddPasskey adds p. It returns ErrConflict when the credential is known
// already, whoever's it is, and adds nothing then.
func (tx *Tx) AddPasskey(p Passkey) error {
	return tx.change(ErrConflict, "adding a passkey", addPasskeyQuery, p.CredentialID, p.UserID, p.PublicKey, p.SignCount, p.Transports, p.AAGUID,
		bit(p.MultiDevice), bit(p.BackedUp), p.Name, ms(p.CreatedAt), nullMs(p.UsedAt))
}

const addPasskeyQuery = `
	INSERT INTO passkeys (` + passkeyColumns + `)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
	    ON CONFLICT (credential_id) DO NOTHING`

// PasskeyByID returns the passkey with that credential id, or ErrNotFound.
func (tx *Tx) PasskeyByID(credentialID []byte) (Passkey, error) {
	return scanPasskey(tx.q.QueryRowContext(tx.ctx, passkeyByIDQuery, credentialID))
}

const passkeyByIDQuery = `SELECT ` + passkeyColumns + ` FROM passkeys WHERE credential_id = $1`

// PasskeysOf returns the user's passkeys, the oldest first.
func (tx *Tx) PasskeysOf(userID string) ([]Passkey, error) {
	var list []Passkey
	err := tx.each("passkeys", passkeysOfQuery, []any{userID}, func(rows *sql.Rows) error {
		p, err := scanPasskey(rows)
		if err != nil {
			return err
		}
		list = append(list, p)
		return nil
	})
	return list, err
}

const passkeysOfQuery = `SELECT ` + passkeyColumns + ` FROM passkeys WHERE user_id = $1 ORDER BY created_at, credential_id`
