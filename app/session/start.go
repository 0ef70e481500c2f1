package session

import (
	"errors"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/factor"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// Starter begins sessions and hands them to Apps. New makes one, and package login has
// it: a session begins where an attempt is complete, and nowhere else.
type Starter struct{ s *Sessions }

// Begin is a session that is to start.
type Begin struct {
	UserID string
	Means  factor.List
	// AuthAt is when the person proved themselves; zero where that is not known.
	AuthAt time.Time
	// Replaces is the token of a session this browser had before, or "". It ends:
	// the cookie that held it is overwritten.
	Replaces  string
	Ephemeral bool // the computer is one that others use too
}

// Start begins a session within a transaction and returns the token for the cookie.
func (st *Starter) Start(tx *store.Tx, from audit.Origin, b Begin) (string, store.Session, error) {
	s := st.s
	if old, ok := secret.Hash(b.Replaces); ok {
		if err := tx.DropSession(old); err != nil && !errors.Is(err, store.ErrNotFound) {
			return "", store.Session{}, err
		}
	}
	now := s.now()
	token := secret.Token()
	hash, _ := secret.Hash(token)
	most := s.lifetime.Max
	if b.Ephemeral {
		most = min(most, EphemeralFor)
	}
	row := store.Session{
		ID: store.NewID(now), TokenHash: hash, UserID: b.UserID, AMR: b.Means.String(),
		AuthAt: b.AuthAt, CreatedAt: now, SeenAt: now,
		ExpiresAt: now.Add(min(s.lifetime.Rolling, most)), MaxExpiresAt: now.Add(most),
		IP: from.IP, Device: from.Device, Ephemeral: b.Ephemeral,
	}
	if row.AuthAt.IsZero() {
		row.AuthAt = time.UnixMilli(0)
	}
	if err := tx.AddSession(row); err != nil {
		return "", store.Session{}, err
	}
	return token, row, s.audit.Record(tx, from, audit.SignedIn, audit.ByUser, b.UserID, row.AMR)
}

// Confirm records that the person behind a session has proved themselves again, and
// returns the session with its new token: a copy of the cookie that was made before is
// not fresh, and opens nothing. token is the one that the browser shows, authAt when
// the person gave the proof. ErrNone when the token does not open that session of the
// user. The session has these means from then on, beside those that it
// had.
func (st *Starter) Confirm(tx *store.Tx, userID, id, token string, means factor.List, authAt time.Time) (string, store.Session, error) {
	s := st.s
	row, _, err := tx.SessionOf(id, s.now())
	if errors.Is(err, store.ErrNotFound) {
		return "", store.Session{}, ErrNone
	}
	if err != nil {
		return "", store.Session{}, err
	}
	if hash, ok := secret.SessionHash(token); !ok || row.UserID != userID || !secret.Equal(hash, row.TokenHash) {
		return "", store.Session{}, ErrNone
	}
	if authAt.After(row.AuthAt) {
		row.AuthAt = authAt
	}
	row.AMR = factor.Read(row.AMR).And(means).String()
	return s.renewToken(tx, row)
}

// HandOff returns a code that brings a session to an App's own address, once,
// within a minute, and only into the browser that asked for it there.
func (st *Starter) HandOff(tx *store.Tx, app, sessionID string, browserHash []byte) (code string, err error) {
	code = secret.Token()
	hash, _ := secret.Hash(code)
	return code, tx.AddHandoff(store.Handoff{
		CodeHash: hash, App: app, SessionID: sessionID, BrowserHash: browserHash, ExpiresAt: st.s.now().Add(handOffFor),
	})
}
