package account

import (
	"errors"
	"net/url"
	"strings"

	"golang.org/x/text/unicode/norm"

	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/store"
)

// What a stranger can be told.
var (
	ErrNotInvited = fault.New(fault.Denied, "signup.not_invited")
	ErrElsewhere  = fault.New(fault.Conflict, "upstream.elsewhere") // the identity is another user's
)

// Stranger is somebody who has proved who they are and has no account here.
type Stranger struct {
	// Email is an address that was proven to be theirs, or "". What somebody only
	// says is theirs must not stand here: it would keep its owner out.
	Email    string
	Name     string
	Picture  string
	Language string
	// Welcome says that the operator gives an account to whoever comes by the way
	// that they came by.
	Welcome bool
}

// MayCome says why a stranger may not have an account here, or nil.
func (s *Users) MayCome(_ *store.Tx, n Stranger) error {
	if n.Welcome {
		return nil
	}
	return ErrNotInvited
}

// Admit makes a stranger a user, or says why they may not come. Nothing else
// makes users of people who come by themselves. store.ErrConflict when somebody
// has the address already.
func (s *Users) Admit(tx *store.Tx, from audit.From, n Stranger) (store.User, error) {
	if err := s.MayCome(tx, n); err != nil {
		return store.User{}, err
	}
	now := s.Now()
	u := store.User{ID: store.NewID(now), Language: n.Language, Image: picture(n.Picture), CreatedAt: now, UpdatedAt: now}
	u.EmailNorm = store.NoEmail(u.ID)
	// A name from elsewhere that is too long is no reason to keep somebody out.
	u.Name, _ = CleanName(n.Name)
	if n.Email != "" {
		address, err := NormalEmail(n.Email)
		if err != nil {
			return store.User{}, err
		}
		u.Email, u.EmailNorm, u.EmailVerifiedAt = strings.TrimSpace(norm.NFC.String(n.Email)), address, now
	}
	if err := tx.AddUser(u); err != nil {
		return store.User{}, err
	}
	return u, s.Audit.Record(tx, from, audit.UserAdded, audit.ByUser, u.ID, u.Email)
}

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
