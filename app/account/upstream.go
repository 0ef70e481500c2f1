package account

import (
	"context"
	"errors"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/challenge"
	"gatelodge/app/fault"
	"gatelodge/app/mail/compose"
	"gatelodge/app/upstream"
	"gatelodge/store"
)

// ErrOwnAlready means that the identity is connected to this account already.
var ErrOwnAlready = fault.New(fault.Conflict, "upstream.own_already").For(fault.Provider)

func upstreamMethod(up *upstream.Upstream, a store.Account) SignInMethod {
	w := SignInMethod{Kind: "upstream", ID: a.ID, Name: up.Name, Detail: a.Email, Upstream: up.ID, At: a.CreatedAt, UsedAt: a.UsedAt, Broken: !a.BrokenAt.IsZero()}
	if w.Detail == "" {
		w.Detail = a.Name
	}
	return w
}

// Connect makes an identity elsewhere a way in to the user's account. They have
// proved themselves minutes ago. Their address is notified, and can undo it.
func (s *Service) Connect(ctx context.Context, from audit.Origin, userID string, who upstream.Identity) error {
	return s.update(ctx, func(tx *store.Tx) error { return s.connect(tx, from, userID, who) })
}

// ConnectPending is Connect for a person who was held until they had proved the
// account. The token is spent.
func (s *Service) ConnectPending(ctx context.Context, from audit.Origin, userID string, browserHash []byte, token string) error {
	return s.update(ctx, func(tx *store.Tx) error {
		who, err := s.Upstreams.TakeIdentity(tx, browserHash, token)
		if err != nil {
			return err
		}
		return s.connect(tx, from, userID, who)
	})
}

func (s *Service) connect(tx *store.Tx, from audit.Origin, userID string, who upstream.Identity) error {
	up := s.Upstreams.Named(who.Upstream)
	if up == nil {
		return ErrNotFound
	}
	u, err := tx.UserByID(userID)
	if err != nil {
		return err
	}
	if old, err := tx.AccountBySubject(who.Upstream, who.Subject); err == nil && old.UserID == u.ID {
		return ErrOwnAlready.With("upstream", up.Name)
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	a := who.Account(u.ID, s.Now())
	if err := s.Users.Link(tx, from, a); err != nil {
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			return f.With("upstream", up.Name)
		}
		return err
	}
	if err := s.dropPending(tx, u.ID); err != nil {
		return err
	}
	return s.linkedLetter(tx, from, u, up.Name, who.Called(), a.ID, false)
}

// Disconnect takes one of the user's identities elsewhere away, unless it is the
// last way in, and signs out every session but the one to keep.
func (s *Service) Disconnect(ctx context.Context, from audit.Origin, actor, userID, accountID, keep string) error {
	return s.update(ctx, func(tx *store.Tx) error {
		u, err := tx.UserByID(userID)
		if err != nil {
			return err
		}
		if err := s.keepOneMethod(tx, u, accountID); err != nil {
			return err
		}
		methods, err := s.SignInMethods(tx, u)
		if err != nil {
			return err
		}
		for _, method := range methods {
			if method.Kind != "upstream" || method.ID != accountID {
				continue
			}
			if err := s.unlinked(tx, from, actor, u, withID(accountID)); err != nil {
				return err
			}
			if _, err := tx.EndSessionsOf(u.ID, keep); err != nil {
				return err
			}
			if err := s.dropPending(tx, u.ID); err != nil {
				return err
			}
			return s.linkedLetter(tx, from, u, method.Name, method.Detail, "", true)
		}
		return ErrNotFound
	})
}

// unlinked removes those accounts of the user's. That there is none is no error.
func (s *Service) unlinked(tx *store.Tx, from audit.Origin, actor string, u store.User, which func(store.Account) bool) error {
	accounts, err := tx.AccountsOf(u.ID)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if !which(a) {
			continue
		}
		if err := tx.RemoveAccount(u.ID, a.ID); err != nil {
			return err
		}
		if err := s.Audit.Record(tx, from, audit.Unlinked, actor, u.ID, a.Provider); err != nil {
			return err
		}
	}
	return nil
}

// withID tells the account with that id.
func withID(id string) func(store.Account) bool {
	return func(a store.Account) bool { return a.ID == id }
}

func (s *Service) linkedLetter(tx *store.Tx, from audit.Origin, u store.User, name, who, accountID string, removed bool) error {
	ask := challenge.Ask{Purpose: challenge.Unlink, For: undoFor, Detail: accountID}
	if removed {
		ask.Purpose, ask.Detail = challenge.NotMePassword, ""
	}
	return s.letter(tx, from, u, ask, func(link string, _ time.Time) compose.Letter {
		return compose.Linked{Removed: removed, Upstream: name, Who: who, At: s.Now(), Device: from.Device, IP: from.IP, Link: link}
	})
}
