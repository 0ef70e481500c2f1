package people

import (
	"context"
	"errors"
	"slices"

	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// What became of an invite. Who has its token may know which.
var (
	ErrInviteUnknown = fault.New(fault.Gone, "invite.unknown")
	ErrInviteUsed    = fault.New(fault.Gone, "invite.used")
	ErrInviteExpired = fault.New(fault.Gone, "invite.expired")
	ErrInviteRevoked = fault.New(fault.Gone, "invite.revoked")
	ErrInviteKnown   = fault.New(fault.Conflict, "invite.known")
	ErrInviteOther   = fault.New(fault.Denied, "invite.other")
)

// InviteState returns why an invite cannot be accepted any more, or nil.
func (s *Users) InviteState(v store.Invite) error {
	switch {
	case !v.RevokedAt.IsZero():
		return ErrInviteRevoked
	case v.UsesLeft == 0:
		return ErrInviteUsed
	case !s.Now().Before(v.ExpiresAt):
		return ErrInviteExpired
	}
	return nil
}

// Invited returns the invite with that token without spending it, and with it one
// of the faults above when it cannot be accepted any more. known says that a mailed
// one is for an address that a user has already.
func (s *Users) Invited(ctx context.Context, token string) (v store.Invite, known bool, err error) {
	hash, ok := secret.Hash(token)
	if !ok {
		return store.Invite{}, false, ErrInviteUnknown
	}
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		known = false
		if v, err = tx.InviteByToken(hash); err != nil || v.EmailNorm == "" {
			return err
		}
		_, err = tx.UserByEmail(v.EmailNorm)
		known = err == nil
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return store.Invite{}, false, ErrInviteUnknown
	}
	if err != nil {
		return store.Invite{}, false, err
	}
	return v, known, s.InviteState(v)
}

// spendInvite takes one of the uses of the invite with that id, or says what
// became of it.
func (s *Users) spendInvite(tx *store.Tx, id string) (store.Invite, error) {
	v, err := tx.SpendInvite(id, s.Now())
	if !errors.Is(err, store.ErrNotFound) {
		return v, err
	}
	v, err = tx.InviteByID(id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Invite{}, ErrInviteUnknown
	}
	if err != nil {
		return store.Invite{}, err
	}
	if dead := s.InviteState(v); dead != nil {
		return store.Invite{}, dead
	}
	return store.Invite{}, ErrInviteUsed // the last use went this moment
}

// Accept adds a known user to the groups of an invite whose
// token they have shown. One that was mailed is for who has that address. It is
// spent only when it gives them something.
func (s *Users) Accept(tx *store.Tx, from audit.Origin, u store.User, id string) error {
	v, err := tx.InviteByID(id)
	if errors.Is(err, store.ErrNotFound) {
		return ErrInviteUnknown
	}
	if err != nil {
		return err
	}
	if v.EmailNorm != "" {
		owner, err := tx.UserByEmail(v.EmailNorm)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if owner.ID != u.ID {
			return ErrInviteOther
		}
	}
	have, err := tx.GroupsOf(u.ID)
	if err != nil {
		return err
	}
	gives := false
	for _, name := range v.Groups {
		gives = gives || !slices.Contains(have, name)
	}
	if !gives {
		return s.InviteState(v)
	}
	if v, err = s.spendInvite(tx, id); err != nil {
		return err
	}
	if err := s.Audit.Record(tx, from, audit.InviteAccepted, audit.ByUser, u.ID, "invite "+v.ID); err != nil {
		return err
	}
	for _, name := range v.Groups {
		if _, err := s.join(tx, from, audit.ByUser, name, u); err != nil && !errors.Is(err, ErrNoGroup) {
			return err
		}
	}
	return nil
}

// MayAccept reports whether a known user may accept an invite: a mailed one is only for
// the user with that address.
func (s *Users) MayAccept(ctx context.Context, userID string, v store.Invite) (may bool, err error) {
	if v.EmailNorm == "" {
		return true, nil
	}
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		owner, err := tx.UserByEmail(v.EmailNorm)
		may = err == nil && owner.ID == userID
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	return may, err
}
