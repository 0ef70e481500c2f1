package account

import (
	"errors"
	"net/url"

	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/store"
)

// ErrElsewhere means that an identity elsewhere is another user's way in.
var ErrElsewhere = fault.New(fault.Conflict, "upstream.elsewhere")

// picture returns an address of a picture that pages may show, or "".
func picture(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(address) > 1000 {
		return ""
	}
	return u.String()
}

// Link makes an identity elsewhere a way in to its user's account.
func (s *Users) Link(tx *store.Tx, from audit.From, a store.Account) error {
	err := tx.AddAccount(a)
	if errors.Is(err, store.ErrConflict) {
		return ErrElsewhere
	}
	if err != nil {
		return err
	}
	return s.Audit.Record(tx, from, audit.Linked, audit.ByUser, a.UserID, a.Provider)
}

// Claim gives an account to the owner of its address, who has just proved to be
// that for the first time. Whoever made the account or opened it before need not
// have been them: what opened it is removed, and everybody is signed out.
func (s *Users) Claim(tx *store.Tx, from audit.From, u store.User) error {
	now := s.Now()
	if err := tx.Disown(u.ID); err != nil {
		return err
	}
	if err := tx.VerifyEmail(u.ID, u.EmailNorm, now); err != nil {
		return err
	}
	return s.Audit.Record(tx, from, audit.Claimed, audit.ByUser, u.ID, "")
}
