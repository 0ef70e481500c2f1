package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// AuthRequest is a request to sign in at a provider, which awaits the browser's return.
type AuthRequest struct {
	StateHash   []byte
	Provider    string
	BrowserHash []byte // of the browser that made the request
	Payload     []byte // what is needed on return; sealed in the database
	CreatedAt   time.Time
	ExpiresAt   time.Time
}

// AddAuthRequest adds r.
func (tx *Tx) AddAuthRequest(r AuthRequest) error {
	return tx.exec("adding an auth request", addAuthRequestQuery, r.StateHash, r.Provider, r.BrowserHash,
		tx.db.ring.Seal(authRequestPlace(r.StateHash), r.Payload), ms(r.CreatedAt), ms(r.ExpiresAt))
}

func authRequestPlace(stateHash []byte) string {
	return fmt.Sprintf("auth_requests/payload/%x", stateHash)
}

const addAuthRequestQuery = `
	INSERT INTO auth_requests (state_hash, provider, browser_hash, payload, created_at, expires_at)
	VALUES ($1, $2, $3, $4, $5, $6)`

// AuthRequestOf returns the request that TakeAuthRequest would take, and keeps it.
func (tx *Tx) AuthRequestOf(stateHash []byte, provider string, browserHash []byte, now time.Time) (AuthRequest, error) {
	return tx.authRequest(authRequestOfQuery, stateHash, provider, browserHash, now)
}

const authRequestOfQuery = `
	SELECT payload, created_at, expires_at
	  FROM auth_requests
	 WHERE state_hash = $1 AND provider = $2 AND browser_hash = $3 AND expires_at > $4`

// TakeAuthRequest removes and returns the request that this browser made to the
// provider. Of many callers one gets it. ErrNotFound: unknown, expired, taken before,
// or made by another browser or to another provider.
func (tx *Tx) TakeAuthRequest(stateHash []byte, provider string, browserHash []byte, now time.Time) (AuthRequest, error) {
	return tx.authRequest(takeAuthRequestQuery, stateHash, provider, browserHash, now)
}

const takeAuthRequestQuery = `
	DELETE FROM auth_requests
	 WHERE state_hash = $1 AND provider = $2 AND browser_hash = $3 AND expires_at > $4
	RETURNING payload, created_at, expires_at`

func (tx *Tx) authRequest(query string, stateHash []byte, provider string, browserHash []byte, now time.Time) (AuthRequest, error) {
	r := AuthRequest{StateHash: stateHash, Provider: provider, BrowserHash: browserHash}
	var created, expires int64
	var box []byte
	err := tx.q.QueryRowContext(tx.ctx, query, stateHash, provider, browserHash, ms(now)).Scan(&box, &created, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return AuthRequest{}, ErrNotFound
	}
	if err != nil {
		return AuthRequest{}, fmt.Errorf("reading an auth request: %w", classify(err))
	}
	if r.Payload, err = tx.db.ring.Open(authRequestPlace(stateHash), box); err != nil {
		return AuthRequest{}, err
	}
	r.CreatedAt, r.ExpiresAt = at(created), at(expires)
	return r, nil
}
