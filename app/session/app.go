package session

import (
	"context"
	"errors"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// handOffFor is how long the way from our address to an App's may take.
const handOffFor = time.Minute

// StartApp gives an App its share of a session, within the transaction, and
// returns the token for the App's cookie. The one it had ends.
func (st *Starter) StartApp(tx *store.Tx, app, sessionID string) (string, error) {
	return st.s.startApp(tx, app, sessionID)
}

func (s *Sessions) startApp(tx *store.Tx, app, sessionID string) (string, error) {
	token := secret.Token()
	hash, _ := secret.Hash(token)
	return token, tx.PutAppSession(store.AppSession{TokenHash: hash, App: app, SessionID: sessionID, CreatedAt: s.now()})
}

// ResumeApp is Resume for the token in an App's cookie.
func (s *Sessions) ResumeApp(ctx context.Context, app, token string, ip func() string) (Current, error) {
	return s.resume(token, ip, func(hash []byte, now time.Time) (store.Session, store.User, error) {
		return s.db.SessionByAppToken(ctx, app, hash, now)
	})
}

// Arrive spends the code of a hand-off at the App's address, in the browser that
// holds the token it was asked for with, and gives the App its share of the
// session. ErrNone when the code opens nothing there.
func (s *Sessions) Arrive(ctx context.Context, app, code, browser string) (token string, c Current, err error) {
	codeHash, ok := secret.Hash(code)
	browserHash, known := secret.Hash(browser)
	if !ok || !known {
		return "", Current{}, ErrNone
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		id, err := tx.SpendHandoff(codeHash, app, browserHash, s.now())
		if err != nil {
			return err
		}
		if c.Session, c.User, err = tx.SessionOf(id, s.now()); err != nil {
			return err
		}
		token, err = s.startApp(tx, app, id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return "", Current{}, ErrNone
	}
	return token, c, err
}

// SignOutApp ends the whole session that an App's token stands for: there is one
// sign-out. A token that opens nothing is no error.
func (s *Sessions) SignOutApp(ctx context.Context, from audit.Origin, app, token string) error {
	hash, ok := secret.SessionHash(token)
	if !ok {
		return nil
	}
	row, _, err := s.db.SessionByAppToken(ctx, app, hash, s.now())
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.signOut(ctx, from, row)
}
