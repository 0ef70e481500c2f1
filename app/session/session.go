// Package session keeps browsers signed in: starting, recognising, prolonging
// and ending.
//
// Recognising is one indexed lookup and writes nothing. That a session was used
// is remembered in memory and written for many at once; a session that ended in
// the meantime stays ended.
package session

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// ErrNone means the token opens nothing: unknown, ended and expired look alike.
var ErrNone = errors.New("no session")

const (
	// touchEvery is how precise "last used" is; more would be more writes.
	touchEvery = time.Minute
	// flushEvery is how long a touch may wait. Losing one in a crash is harmless.
	flushEvery = 5 * time.Second
	flushBatch = 500
)

// Sessions is the service. Make it with New.
type Sessions struct {
	db       *store.DB
	audit    *audit.Log
	now      func() time.Time
	log      *slog.Logger
	lifetime Lifetime

	// Live and None count checks: of tokens that open a session, and of others.
	Live, None atomic.Uint64

	mu      sync.Mutex
	touches map[[32]byte]store.Touch
}

// Lifetime says how long sessions live.
type Lifetime struct {
	Rolling time.Duration // after the last use
	Refresh time.Duration // how often a used session's expiry is moved
	Max     time.Duration // however much it is used
}

// EphemeralFor is how long a session lives on a computer that others use too, if
// nobody closes the browser.
const EphemeralFor = 12 * time.Hour

// New returns the service and what begins its sessions. Its Run must run for uses to be
// remembered.
func New(db *store.DB, log *audit.Log, now func() time.Time, logger *slog.Logger, l Lifetime) (*Sessions, *Starter) {
	s := &Sessions{db: db, audit: log, now: now, log: logger, lifetime: l, touches: make(map[[32]byte]store.Touch)}
	return s, &Starter{s}
}

// Renew gives a session a new token before its user changes a way to sign in, so that
// a copy of the cookie has no part in what follows. ErrNone when another request with
// the same token was first, or the session has ended.
func (s *Sessions) Renew(ctx context.Context, row store.Session) (token string, renewed store.Session, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		token, renewed, err = s.renewToken(tx, row)
		return err
	})
	return token, renewed, err
}

func (s *Sessions) renewToken(tx *store.Tx, row store.Session) (string, store.Session, error) {
	token, old := secret.Token(), row.TokenHash
	row.TokenHash, _ = secret.Hash(token)
	err := tx.RenewSession(row, old)
	if errors.Is(err, store.ErrNotFound) {
		return "", store.Session{}, ErrNone
	}
	return token, row, err
}

// Current is a recognised session with its user.
type Current struct {
	Session store.Session
	User    store.User
	// Renewed says that the expiry has moved and the browser should get it by
	// a new cookie with the same token.
	Renewed bool
}

// Resume returns the live session that the token opens, or ErrNone. The use is
// remembered; nothing is written here. ip says where it is used from, and is
// asked only when that is to be remembered.
func (s *Sessions) Resume(ctx context.Context, token string, ip func() string) (Current, error) {
	return s.resume(token, ip, func(hash []byte, now time.Time) (store.Session, store.User, error) {
		return s.db.SessionByToken(ctx, hash, now)
	})
}

func (s *Sessions) resume(token string, ip func() string, find func(hash []byte, now time.Time) (store.Session, store.User, error)) (Current, error) {
	hash, ok := secret.SessionHash(token)
	if !ok {
		s.None.Add(1)
		return Current{}, ErrNone
	}
	now := s.now()
	row, user, err := find(hash, now)
	if errors.Is(err, store.ErrNotFound) {
		s.None.Add(1)
		return Current{}, ErrNone
	}
	if err != nil {
		return Current{}, err
	}
	s.Live.Add(1)
	c := Current{Session: row, User: user}
	if expires := s.rolled(row, now); expires.Sub(row.ExpiresAt) >= s.lifetime.Refresh {
		c.Renewed, c.Session.ExpiresAt = true, expires
	}
	if c.Renewed || now.Sub(row.SeenAt) >= touchEvery {
		s.touch(c.Session, ip(), now)
	}
	return c, nil
}

// rolled returns the expiry that a use at now gives.
func (s *Sessions) rolled(row store.Session, now time.Time) time.Time {
	expires := now.Add(s.lifetime.Rolling)
	if expires.After(row.MaxExpiresAt) {
		return row.MaxExpiresAt
	}
	return expires
}

func (s *Sessions) touch(row store.Session, ip string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touches[[32]byte(row.TokenHash)] = store.Touch{TokenHash: row.TokenHash, SeenAt: now, ExpiresAt: row.ExpiresAt, IP: ip}
}

// Run writes the touches every few seconds until ctx ends, and then once more.
func (s *Sessions) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.Flush()
			return
		case <-tick.C:
			s.Flush()
		}
	}
}

// Flush writes the touches that wait now: for readers who want to see them.
func (s *Sessions) Flush() {
	s.mu.Lock()
	waiting := s.touches
	s.touches = make(map[[32]byte]store.Touch)
	s.mu.Unlock()

	batch := make([]store.Touch, 0, min(len(waiting), flushBatch))
	write := func() {
		err := s.db.Update(context.Background(), func(tx *store.Tx) error {
			for _, t := range batch {
				if err := tx.TouchSession(t); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			s.log.Error("last uses of sessions not written", "count", len(batch), "err", err)
		}
		batch = batch[:0]
	}
	for _, t := range waiting {
		if batch = append(batch, t); len(batch) == flushBatch {
			write()
		}
	}
	if len(batch) > 0 {
		write()
	}
}

// Of returns a user's live sessions, the last used first.
func (s *Sessions) Of(ctx context.Context, userID string) ([]store.Session, error) {
	var list []store.Session
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.SessionsOf(userID, s.now())
		return err
	})
	return list, err
}

// SignOut ends the session that the token opens. A token that opens nothing is
// no error: the person is out.
func (s *Sessions) SignOut(ctx context.Context, from audit.Origin, token string) error {
	hash, ok := secret.Hash(token)
	if !ok {
		return nil
	}
	row, _, err := s.db.SessionByToken(ctx, hash, s.now())
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.signOut(ctx, from, row)
}

func (s *Sessions) signOut(ctx context.Context, from audit.Origin, row store.Session) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		err := tx.EndSession(row.UserID, row.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.audit.Record(tx, from, audit.SignedOut, audit.ByUser, row.UserID, "")
	})
}

// End ends one of the user's sessions. That it has ended before is no error.
func (s *Sessions) End(ctx context.Context, from audit.Origin, actor, userID, id string) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		err := tx.EndSession(userID, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.audit.Record(tx, from, audit.SessionEnded, actor, userID, id)
	})
}

// EndAll ends the user's sessions but the one with the id keep ("" keeps none)
// and returns how many ended.
func (s *Sessions) EndAll(ctx context.Context, from audit.Origin, actor, userID, keep string) (int, error) {
	n := 0
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if n, err = tx.EndSessionsOf(userID, keep); err != nil || n == 0 {
			return err
		}
		return s.audit.Record(tx, from, audit.SessionsEnded, actor, userID, "")
	})
	return n, err
}
