package people

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"gatelodge/app/audit"
	"gatelodge/app/email"
	"gatelodge/app/fault"
	"gatelodge/store"
)

// The refusals of a registration. People get them only after they have confirmed an
// address or opened an invitation: before that all addresses look alike.
var (
	ErrClosed      = fault.New(fault.Denied, "signup.closed")
	ErrNotInvited  = fault.New(fault.Denied, "signup.not_invited")
	ErrPending     = fault.New(fault.Denied, "signup.waiting")
	ErrDeclined    = fault.New(fault.Denied, "signup.refused")
	ErrOtherDomain = fault.New(fault.Invalid, "signup.other_domain")
)

// The modes of the sign-up policy, as the configuration names them.
const (
	Closed     = "closed"
	ByInvite   = "invite"
	ByDomain   = "domain"
	ByApproval = "approve"
	Open       = "open"
)

// SignupPolicy decides who may register without an invitation. An invitation works with
// every policy.
type SignupPolicy struct {
	Mode    string
	domains []string // in their normal form
}

// NewSignupPolicy returns the policy of a configuration that has been checked.
func NewSignupPolicy(mode string, domains []string) SignupPolicy {
	d := SignupPolicy{Mode: mode}
	for _, typed := range domains {
		if domain, ok := email.Domain(typed); ok {
			d.domains = append(d.domains, domain)
		}
	}
	return d
}

// Domains returns those whose addresses may register, where the mode is ByDomain.
func (d SignupPolicy) Domains() []string { return d.domains }

// Refusal returns the fault for a person who may not register.
func (d SignupPolicy) Refusal() error {
	if d.Mode == Closed {
		return ErrClosed
	}
	return ErrNotInvited
}

// Decision is the policy's answer about a person without an invitation.
type Decision int

// The answers.
const (
	Denied        Decision = iota
	NeedsApproval          // of an admin
	Allowed
)

// Decide answers for an address in its normal form, or "" for none. A domain is compared
// whole: a subdomain, or a name that only ends alike, is another one.
func (d SignupPolicy) Decide(address string) Decision {
	switch d.Mode {
	case Open:
		return Allowed
	case ByApproval:
		return NeedsApproval
	case ByDomain:
		if strings.Contains(address, "@") && slices.Contains(d.domains, email.DomainOf(address)) {
			return Allowed
		}
	}
	return Denied
}

// Registration is a person who is not known here, with what they have shown.
type Registration struct {
	// Email is a confirmed address, as typed, or "". An unconfirmed one must not stand
	// here: it would keep its owner out.
	Email    string
	Name     string
	Picture  string
	Language string
	// Allowed says that the operator gives an account to all who sign in the way
	// that they came by.
	Allowed bool
	Invite  string         // the id of an invite whose token they have shown, or ""
	Account *store.Account // the upstream identity they come with, or nil
}

// Registered is the result of a registration: a user, or a request.
type Registered struct {
	User    store.User
	Pending store.Applicant // with ErrWaiting: who waits
	New     bool            // the request is new: admins are to be notified
	// InviteEnded means that the invitation no longer works, and that the policy admitted
	// the person, or made a request, without it.
	InviteEnded bool
}

// MayRegister reports whether Register would add a user or a request.
func (s *Users) MayRegister(tx *store.Tx, st Registration) (bool, error) {
	address, err := email.Normal(st.Email)
	if err != nil {
		address = ""
	}
	if st.Allowed {
		return true, nil
	}
	return s.AddressMayRegister(tx, address, st.Invite)
}

// AddressMayRegister reports whether the owner of the address could register, so that mail
// to it makes sense. It decides as Register does.
func (s *Users) AddressMayRegister(tx *store.Tx, address, invite string) (bool, error) {
	invited, err := s.InviteAdmits(tx, address, invite)
	return invited || s.Policy.Decide(address) != Denied, err
}

// InviteAdmits reports whether an invitation, by its id, admits the owner of the address.
// "" admits no one.
func (s *Users) InviteAdmits(tx *store.Tx, address, invite string) (bool, error) {
	if invite == "" {
		return false, nil
	}
	v, err := tx.InviteByID(invite)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && s.InviteState(v) == nil && (v.EmailNorm == "" || address == "" || v.EmailNorm == address), err
}

// Register adds a user or a request for an account, or refuses. Nothing else does,
// whatever people sign in with. An invitation is spent in the same transaction. With
// ErrPending and ErrDeclined the transaction has to commit.
func (s *Users) Register(tx *store.Tx, from audit.Origin, st Registration) (Registered, error) {
	if st.Invite != "" {
		arrived, err := s.registerInvited(tx, from, st)
		if !inviteEnded(err) || st.Email == "" && st.Account == nil {
			return arrived, err // without the invite they have shown nothing
		}
		st.Invite = ""
		arrived, uninvited := s.Register(tx, from, st)
		if errors.Is(uninvited, s.Policy.Refusal()) {
			return Registered{}, err
		}
		arrived.InviteEnded = true
		return arrived, uninvited
	}
	if st.Account != nil {
		// A name from elsewhere that is too long is no reason to refuse the person.
		st.Name, _ = ShortName(st.Name)
	}
	u, err := s.userOf(st)
	if err != nil {
		return Registered{}, err
	}
	address := u.EmailNorm
	if !u.HasEmail() {
		address = ""
	}
	answer := s.Policy.Decide(address)
	if st.Allowed {
		answer = Allowed
	}
	switch answer {
	case Allowed:
		return Registered{User: u}, s.addUser(tx, from, audit.ByVisitor, u, admission{kind: audit.UserCame, how: s.Policy.Mode, account: st.Account})
	case NeedsApproval:
		return s.addApplicant(tx, from, u, st)
	}
	return Registered{}, s.Policy.Refusal()
}

// inviteEnded reports whether an invitation was refused because it no longer works.
func inviteEnded(err error) bool {
	for _, dead := range []error{ErrInviteUsed, ErrInviteExpired, ErrInviteRevoked, ErrInviteUnknown} {
		if errors.Is(err, dead) {
			return true
		}
	}
	return false
}

func (s *Users) registerInvited(tx *store.Tx, from audit.Origin, st Registration) (Registered, error) {
	v, err := s.spendInvite(tx, st.Invite)
	if err != nil {
		return Registered{}, err
	}
	if v.EmailNorm != "" {
		// It was mailed there, and its token has been shown: that is their address,
		// whatever an upstream calls them.
		st.Email = v.Email
	}
	if st.Account != nil {
		st.Name, _ = ShortName(st.Name)
	}
	u, err := s.userOf(st)
	if err != nil {
		return Registered{}, err
	}
	err = s.addUser(tx, from, audit.ByVisitor, u, admission{kind: audit.UserCame, how: "invite " + v.ID, groups: v.Groups, account: st.Account})
	if errors.Is(err, ErrTaken) {
		return Registered{}, ErrInviteKnown
	}
	return Registered{User: u}, err
}

// userOf returns the user that a registration makes.
func (s *Users) userOf(st Registration) (store.User, error) {
	if st.Email != "" {
		u, err := s.newUser(st.Email, st.Name, st.Language)
		u.EmailVerifiedAt, u.Image = u.CreatedAt, picture(st.Picture)
		return u, err
	}
	name, err := CleanName(st.Name)
	now := s.Now()
	id := store.NewID(now)
	return store.User{
		ID: id, EmailNorm: store.NoEmail(id), Name: name, Language: st.Language, Image: picture(st.Picture), CreatedAt: now, UpdatedAt: now,
	}, err
}

// admission is what addUser adds beside the user.
type admission struct {
	kind    string // of the event
	how     string
	groups  []string // names; one that has been removed meanwhile is left out
	account *store.Account
}

// errNoSignInMethod means that a user was to be added without an address and without an
// account at a provider. It is a defect of this program.
var errNoSignInMethod = errors.New("nothing would open that account")

// addUser adds the user with groups and account. ErrTaken when a user has the address.
func (s *Users) addUser(tx *store.Tx, from audit.Origin, actor string, u store.User, a admission) error {
	if !u.HasEmail() && a.account == nil {
		return errNoSignInMethod
	}
	err := tx.AddUser(u)
	if errors.Is(err, store.ErrConflict) {
		return ErrTaken
	}
	if err != nil {
		return err
	}
	if _, err := tx.TakeApplicant(u.EmailNorm); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if actor == audit.ByVisitor {
		if err := tx.UseUpInvites(u.EmailNorm); err != nil {
			return err
		}
	}
	if err := s.Audit.Record(tx, from, a.kind, actor, u.ID, a.how); err != nil {
		return err
	}
	for _, name := range a.groups {
		if _, err := s.join(tx, from, actor, name, u); err != nil && !errors.Is(err, ErrNoGroup) {
			return err
		}
	}
	if a.account == nil {
		return nil
	}
	linked := *a.account
	linked.UserID = u.ID
	return s.Link(tx, from, linked)
}

// Admit makes the user of a request that an admin has approved.
func (s *Users) Admit(tx *store.Tx, from audit.Origin, a store.Applicant, groups []string) (store.User, error) {
	for _, name := range groups {
		if err := requireGroup(tx, name); err != nil {
			return store.User{}, err
		}
	}
	if _, err := tx.TakeApplicant(a.EmailNorm); err != nil {
		return store.User{}, err
	}
	st := Registration{Email: a.Email, Name: a.Name, Language: a.Language}
	if a.Provider != "" {
		now := s.Now()
		st.Account = &store.Account{
			ID: store.NewID(now), Provider: a.Provider, Subject: a.Subject, Issuer: a.Issuer, Type: a.Type,
			Email: cmp.Or(a.Claimed, a.Email), Name: a.Name, CreatedAt: now,
		}
	}
	u, err := s.userOf(st)
	if err != nil {
		return store.User{}, err
	}
	return u, s.addUser(tx, from, audit.ByAdmin, u, admission{kind: audit.UserApproved, how: u.EmailNorm, groups: groups, account: st.Account})
}

// addApplicant adds a request for an account, or finds the one there is. It always returns
// an error: ErrPending or ErrDeclined.
func (s *Users) addApplicant(tx *store.Tx, from audit.Origin, u store.User, st Registration) (Registered, error) {
	a := store.Applicant{
		ID: u.ID, Email: u.Email, EmailNorm: u.EmailNorm, Name: u.Name, Language: u.Language, IP: from.IP, Device: from.Device, CreatedAt: u.CreatedAt,
	}
	if st.Account != nil {
		a.Provider, a.Subject, a.Issuer, a.Type = st.Account.Provider, st.Account.Subject, st.Account.Issuer, st.Account.Type
		a.Claimed = short(st.Account.Email)
		if !u.HasEmail() {
			// No address: the identity is what they are known by, also next time.
			a.EmailNorm = "!" + a.Provider + " " + a.Subject
		}
	}
	isNew, err := tx.AddApplicant(a)
	if err != nil {
		return Registered{}, err
	}
	if isNew {
		if err := s.Audit.Record(tx, from, audit.Applied, audit.ByVisitor, "", a.EmailNorm); err != nil {
			return Registered{}, err
		}
		return Registered{Pending: a, New: true}, ErrPending
	}
	before, err := tx.ApplicantByEmail(a.EmailNorm)
	if err != nil {
		return Registered{}, err
	}
	if !before.RefusedAt.IsZero() {
		return Registered{}, ErrDeclined
	}
	return Registered{Pending: before}, ErrPending
}

// short makes an address from a provider one line that pages can show.
func short(claimed string) string {
	clean, err := CleanName(claimed)
	if err != nil {
		return ""
	}
	return clean
}
