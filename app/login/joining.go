package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/email"
	"gatelodge/app/factor"
	"gatelodge/app/factor/password"
	"gatelodge/app/fault"
	"gatelodge/app/links"
	"gatelodge/app/people"
	"gatelodge/store"
)

// Joining is what a person entered to create an account.
type Joining struct {
	Name string `json:"n,omitempty"`
	// Invite is the id of one whose token this browser has shown.
	Invite string `json:"i,omitempty"`
	// Password says that they choose one once they are in. Not before: whoever
	// types an address first would else know the password of its owner.
	Password bool `json:"p,omitempty"`
	// SignsUp says that they asked for an account, rather than to sign in.
	SignsUp bool `json:"s,omitempty"`
}

// PendingApproval is what an applicant sees while an admin has not decided.
type PendingApproval struct {
	NotifiedAt time.Time `json:"t,omitzero"`  // when admins were mailed; zero for never
	Upstream   string    `json:"u,omitempty"` // the name of the one they came by, where they have proven no address
}

// typed returns the address as it was typed. What was typed last may be another
// account's name.
func (l *Login) typed(address string) string {
	if proven, err := email.Read(l.Identifier); err == nil && proven.Norm == address {
		return proven.Text
	}
	return address
}

// OnlySignIn says that the attempt is to sign in now, whatever it was before. An
// invite that was shown stays.
func (l *Login) OnlySignIn() {
	if l.Joining != nil {
		l.Joining = &Joining{Invite: l.Joining.Invite}
	}
}

func (l *Login) invite() string {
	if l.Joining == nil {
		return ""
	}
	return l.Joining.Invite
}

// Joins reports whether the attempt is to create an account: with an invite,
// or because they asked for one.
func (l *Login) Joins() bool { return l.signsUp() || l.invite() != "" }

// RequestAccount says that the attempt is to have an account made. An invite that was
// shown stays.
func (l *Login) RequestAccount() { l.Joining = &Joining{Invite: l.invite(), SignsUp: true} }

func (l *Login) signsUp() bool { return l.Joining != nil && l.Joining.SignsUp }

// detail is what a challenge keeps of a stranger until they have proven their
// address, or of an invite that a known user accepts.
type detail struct {
	Email    string `json:"e,omitempty"` // as typed
	Language string `json:"l,omitempty"`
	Joining
}

// challengeDetail returns the Detail of a challenge. For a stranger who may not come it is
// "", and it cannot be redeemed.
func (l *Login) challengeDetail(to recipient) (string, error) {
	var d detail
	switch {
	case to.registers:
		d.Email, d.Language = to.typed, to.language
	case to.user.ID == "" || l.invite() == "":
		return "", nil
	}
	if l.Joining != nil {
		d.Joining = *l.Joining
	}
	text, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("encoding the registration: %w", err)
	}
	return string(text), nil
}

// readDetail returns what a challenge kept; nothing for one that keeps nothing.
func readDetail(c store.Challenge) detail {
	var d detail
	if c.Detail == "" || json.Unmarshal([]byte(c.Detail), &d) != nil {
		return detail{}
	}
	return d
}

// challengeUser returns the user whose challenge was redeemed, who may be a person who
// comes by it.
func (f *Flow) challengeUser(tx *store.Tx, from audit.Origin, l *Login, c store.Challenge) (store.User, error) {
	d := readDetail(c)
	if d.Invite != "" {
		// One that was mailed elsewhere is not what this mail was asked for with.
		v, err := tx.InviteByID(d.Invite)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return store.User{}, err
		}
		if err == nil && v.EmailNorm != "" && v.EmailNorm != c.EmailNorm {
			d.Invite, l.Joining = "", nil
		}
	}
	if d.Invite != "" || d.Password {
		l.Joining = &Joining{Invite: d.Invite} // it may have been asked for in another browser
	}
	if c.UserID != "" {
		return tx.UserByID(c.UserID)
	}
	// A user may have been given the address meanwhile. It is theirs: it has just
	// been proven.
	u, err := tx.UserByEmail(c.EmailNorm)
	if !errors.Is(err, store.ErrNotFound) {
		return u, err
	}
	if proven, err := email.Normal(d.Email); err != nil || proven != c.EmailNorm {
		d.Email = c.EmailNorm // nothing but the address that the mail went to was proven
	}
	switch {
	case d.Password && f.Passwords != nil:
		l.Return = links.NewPassword
	case links.Local(l.Return) == links.Home:
		l.Return = links.Welcome
	}
	return f.register(tx, from, l, people.Registration{Email: d.Email, Name: d.Name, Language: d.Language, Invite: d.Invite})
}

// checkReleased returns ErrLeft when the stranger's address was taken off an account lately.
// A thief who took an account over does so, and its owner would get a new account here,
// with which the old one could not be taken back any more. A live invite for it stands.
func (f *Flow) checkReleased(tx *store.Tx, st people.Registration) error {
	address, bad := email.Normal(st.Email)
	if bad != nil {
		return nil
	}
	left, err := f.Challenges.TakesBack(tx, address)
	if err != nil || !left {
		return err
	}
	invited, err := f.Users.InviteAdmits(tx, address, st.Invite)
	if err != nil || invited {
		return err
	}
	return ErrLeft
}

// register lets a stranger in within a transaction, or refuses them by a fault. Admins
// are notified of applicants.
func (f *Flow) register(tx *store.Tx, from audit.Origin, l *Login, st people.Registration) (store.User, error) {
	if err := f.checkReleased(tx, st); err != nil {
		return store.User{}, err
	}
	arrived, err := f.Users.Register(tx, from, st)
	if !arrived.InviteEnded {
		l.Joining = nil
	}
	waits := arrived.Pending
	if arrived.New {
		sent, err := f.Applicants.Notify(tx, from, waits, f.Upstreams.NameOf(waits.Provider))
		if err != nil {
			return store.User{}, err
		}
		if sent {
			waits.NotifiedAt = f.Now()
		}
	}
	if errors.Is(err, people.ErrPending) {
		l.Approval = &PendingApproval{NotifiedAt: waits.NotifiedAt}
		if waits.Email == "" {
			l.Approval.Upstream = f.Upstreams.NameOf(waits.Provider)
		}
	}
	return arrived.User, err
}

// acceptInvite gives a user the groups of the invite that their attempt carries. An
// invite that gives nothing any more keeps no known user out: it is
// said, and that is all.
func (f *Flow) acceptInvite(tx *store.Tx, from audit.Origin, l *Login, u store.User) (notice string, warns bool, err error) {
	if l.invite() == "" || l.AppLogin != nil {
		return "", false, nil
	}
	err = f.Users.Accept(tx, from, u, l.invite())
	if dead, ok := errors.AsType[*fault.Fault](err); ok {
		return refusedInvite(dead), true, nil
	}
	return "invite.accepted", false, err
}

// refusedInvite returns the notice for an invitation that gives nothing.
func refusedInvite(err error) (notice string) {
	switch {
	case errors.Is(err, people.ErrInviteUsed):
		return "invite.refused_used"
	case errors.Is(err, people.ErrInviteExpired):
		return "invite.refused_expired"
	case errors.Is(err, people.ErrInviteRevoked):
		return "invite.refused_revoked"
	case errors.Is(err, people.ErrInviteOther):
		return "invite.refused_other"
	}
	return "invite.refused_unknown"
}

// SignUp is the form of who asks for an account.
type SignUp struct {
	Email, Name string
	Password    bool // they want to choose one
}

// SignUp mails a link and a code that make an account, to an address that may have
// one here. Where a user has the address already the mail says so, and nothing
// else tells: the answer, the writes and the work are the same.
func (f *Flow) SignUp(ctx context.Context, from audit.Origin, l *Login, form SignUp, language string) error {
	address, err := email.Normal(form.Email)
	if err != nil {
		return fault.Of(err).In("email")
	}
	name, err := people.CleanName(form.Name)
	if err != nil {
		return fault.Of(err).In("name")
	}
	if l.invite() == "" && f.Users.Policy.Decide(address) == people.Denied {
		// Decided by the domain alone, whether or not the address has an account.
		if f.Users.Policy.Mode == people.ByDomain {
			return people.ErrOtherDomain.With("domains", strings.Join(f.Users.Policy.Domains(), ", ")).In("email")
		}
		return f.Users.Policy.Refusal()
	}
	l.Joining = &Joining{Name: name, Invite: l.invite(), Password: form.Password && f.Passwords != nil, SignsUp: true}
	err = f.SendLink(ctx, from, l, form.Email, language)
	if wrong, ok := errors.AsType[*fault.Fault](err); ok && wrong.Field != "" {
		return wrong.In("email")
	}
	return err
}

// Acceptance is the form of who accepts an invite.
type Acceptance struct {
	SignUp
	Typed    string // the password, where the invite was mailed
	Language string
	Least    int    // characters of a password
	Site     string // the instance's name, which is no password
}

// AcceptMailed makes an account by an invite that was mailed, and signs this
// browser in. Its token proves the address as a mailed link would; it is spent by
// a form of ours alone, since mail scanners open links.
func (f *Flow) AcceptMailed(ctx context.Context, from audit.Origin, l *Login, token string, form Acceptance, replaces string) (Outcome, error) {
	use := l.use("invite", token)
	v, known, err := f.Users.Invited(ctx, token)
	if err != nil {
		return f.repeat(ctx, l, use, err)
	}
	if known || v.EmailNorm == "" {
		return Outcome{}, people.ErrInviteKnown
	}
	name, err := people.CleanName(form.Name)
	if err != nil {
		return Outcome{}, fault.Of(err).In("name")
	}
	hash := ""
	if form.Password {
		if hash, err = f.newPassword(ctx, form, v.Email, name); err != nil {
			return Outcome{}, err
		}
	}
	var out Outcome
	err = f.update(ctx, l, func(tx *store.Tx) error {
		u, err := f.register(tx, from, l, people.Registration{Name: name, Language: form.Language, Invite: v.ID})
		if err != nil {
			return err
		}
		if hash != "" {
			if err := tx.SetPassword(store.Password{UserID: u.ID, Hash: hash, ChangedAt: f.Now()}); err != nil {
				return err
			}
			if err := f.Audit.Record(tx, from, audit.PasswordSet, audit.ByUser, u.ID, ""); err != nil {
				return err
			}
		}
		l.addProof(Proof{Means: factor.Email, UserID: u.ID, At: f.Now(), AuthAt: f.Now()})
		if links.Local(l.Return) == links.Home {
			l.Return = links.Welcome
		}
		if out, err = f.Finish(tx, from, l, u, replaces); err != nil {
			return err
		}
		return f.keepOutcome(tx, use, l.result(out, nil))
	})
	if err != nil {
		return f.repeat(ctx, l, use, err)
	}
	return out, nil
}

// AcceptedAgain returns the outcome that this browser had by the invite moments ago, or
// refused when there is none.
func (f *Flow) AcceptedAgain(ctx context.Context, l *Login, token string, refused error) (Outcome, error) {
	return f.repeat(ctx, l, l.use("invite", token), refused)
}

// newPassword judges a password and returns what to keep of it.
func (f *Flow) newPassword(ctx context.Context, form Acceptance, personal ...string) (string, error) {
	if f.Passwords == nil {
		return "", ErrNoPasswords
	}
	clear, err := password.Read(form.Typed)
	if err == nil {
		err = clear.Acceptable(form.Least, append(personal, form.Site)...)
	}
	if wrong, ok := errors.AsType[*fault.Fault](err); ok {
		return "", wrong.In("password")
	}
	if err != nil {
		return "", err
	}
	return f.Passwords.Hash(ctx, clear)
}

// AcceptSignedIn gives the groups of an invite to a signed-in user.
func (f *Flow) AcceptSignedIn(ctx context.Context, from audit.Origin, userID, token string) error {
	v, _, err := f.Users.Invited(ctx, token)
	if err != nil {
		return err
	}
	return f.DB.Update(ctx, func(tx *store.Tx) error {
		u, err := tx.UserByID(userID)
		if err != nil {
			return err
		}
		return f.Users.Accept(tx, from, u, v.ID)
	})
}
