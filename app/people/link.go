package people

import (
	"errors"
	"net/url"
	"slices"

	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/store"
)

// ErrElsewhere means that an identity elsewhere is another user's way in.
var ErrElsewhere = fault.New(fault.Conflict, "upstream.elsewhere").For(fault.Provider)

// picture returns an address of a picture that pages may show, or "".
func picture(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(address) > 1000 {
		return ""
	}
	return u.String()
}

// Link makes an identity elsewhere a way in to its user's account.
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

// ReclaimAccount gives an account to the owner of one of its addresses, who has just proved
// to be that for the first time. Whoever made the account or opened it before need
// not have been them: what opened it is removed, and everybody is signed out. The
// address is the primary one from now on, since the others go too.
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

// MayBePreclaimed reports whether somebody else may have made ways in to the account while
// nobody had proved the address: it came from another system with them. What is in
// an account that an operator added came by that operator's word alone.
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

// ConfirmAddress records that whoever reads mail at one of the user's addresses has shown it.
// The first who does so is the owner, and claims an account that somebody else may
// have prepared; unless they show it in a browser of their own, from which the
// account has been opened by its other ways: then those are theirs too.
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
