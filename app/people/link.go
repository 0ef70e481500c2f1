package people

import (
	"errors"
	"net/url"
	"slices"

	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/store"
)

// ErrElsewhere means that another user has connected this identity.
var ErrElsewhere = fault.New(fault.Conflict, "upstream.elsewhere").For(fault.Provider)

// picture returns an address of a picture that pages may show, or "".
func picture(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(address) > 1000 {
		return ""
	}
	return u.String()
}

// Link connects an identity at a provider to its user.
func (s *Users) Link(tx *store.Tx, from audit.Origin, a store.Account) error {
	err := tx.AddAccount(a)
	if errors.Is(err, store.ErrConflict) {
		return ErrElsewhere
	}
	if err != nil {
		return err
	}
	return s.Audit.Record(tx, from, audit.Linked, audit.ByUser, a.UserID, a.Provider)
}

// ReclaimAccount gives an account to the owner of one of its addresses, who has just
// confirmed it for the first time. The account may have been prepared by another person:
// everything that opens it is removed, and every session ends. The address becomes the
// primary one, since the others are removed too.
func (s *Users) ReclaimAccount(tx *store.Tx, from audit.Origin, u store.User, norm string) error {
	now := s.Now()
	if err := tx.VerifyEmail(u.ID, norm, now); err != nil {
		return err
	}
	if err := tx.SetPrimary(u.ID, norm, now); err != nil {
		return err
	}
	if err := tx.RevokeAll(u.ID, now); err != nil {
		return err
	}
	return s.Audit.Record(tx, from, audit.Claimed, audit.ByUser, u.ID, "")
}

// MayBePreclaimed reports whether another person may have added sign-in methods to the
// account before the address was confirmed: it was imported with them. An account that an
// admin added has only what the admin put there.
func MayBePreclaimed(tx *store.Tx, u store.User, norm string) (bool, error) {
	emails, err := tx.EmailsOf(u.ID)
	if err != nil || !slices.ContainsFunc(emails, func(e store.Email) bool { return e.Norm == norm && e.VerifiedAt.IsZero() }) {
		return false, err
	}
	if u.AddedByAdmin {
		return false, nil
	}
	return tx.Opened(u.ID)
}

// ConfirmAddress records that the reader of a mailed link owns one of the user's addresses.
// The first one to do so owns the account, and reclaims it when it may be preclaimed;
// unless own: the browser has signed in by the other methods, so they are the owner's.
func (s *Users) ConfirmAddress(tx *store.Tx, from audit.Origin, u store.User, norm string, own bool) (claimed bool, err error) {
	if !u.HasEmail() {
		return false, nil
	}
	if !own {
		if claimed, err = MayBePreclaimed(tx, u, norm); err != nil {
			return false, err
		}
	}
	if claimed {
		return true, s.ReclaimAccount(tx, from, u, norm)
	}
	return false, tx.VerifyEmail(u.ID, norm, s.Now())
}
