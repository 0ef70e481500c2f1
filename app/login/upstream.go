package login

import (
	"context"
	"errors"

	"gatelodge/app/audit"
	"gatelodge/app/challenge"
	"gatelodge/app/email"
	"gatelodge/app/factor"
	"gatelodge/app/fault"
	"gatelodge/app/gate"
	"gatelodge/app/links"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/post"
	"gatelodge/app/people"
	"gatelodge/app/upstream"
	"gatelodge/store"
)

// The refusals of a sign-in with an upstream.
var (
	ErrAnother  = fault.New(fault.Denied, "upstream.another").For(fault.Provider)
	ErrReissued = fault.New(fault.Denied, "upstream.reissued").For(fault.Provider)
)

// ErrUnconnected means that no user has that identity. Whether a user
// has its address is not revealed.
var ErrUnconnected = errors.New("no user has that identity")

// UpstreamReturn is the answer of an upstream.
type UpstreamReturn struct {
	Who      upstream.Identity
	Request  upstream.AuthRequest
	Language string // of the browser
	Replaces string // the token of a session that ends
	// Browser is the token of the browser for this journey alone, and State the state
	// that it came back with.
	Browser, State string
}

// use is that of the state.
func (a UpstreamReturn) use() use { return (&Login{Browser: a.Browser}).use("journey", a.State) }

// ReturnedAgain returns the outcome that this browser had moments ago when it came back
// from the same journey, or refused when there is none.
func (f *Flow) ReturnedAgain(ctx context.Context, l *Login, a UpstreamReturn, refused error) (Outcome, error) {
	return f.repeat(ctx, l, a.use(), refused)
}

// WithUpstream signs in whom an upstream vouches for: the user who has that
// identity. One that is new belongs to the user with its address only where the
// operator takes the upstream's word for it; else the person has to prove an account
// here first (ErrUnconnected).
func (f *Flow) WithUpstream(ctx context.Context, from audit.Origin, l *Login, a UpstreamReturn) (Outcome, error) {
	return f.byUpstream(ctx, from, l, &a, a.use(), func(tx *store.Tx) (store.User, error) {
		u, err := f.connectedUser(tx, a.Who)
		if !errors.Is(err, store.ErrNotFound) {
			return u, err
		}
		if a.Request.To == upstream.ToConfirm {
			return store.User{}, ErrAnother
		}
		if up := f.Upstreams.Named(a.Who.Upstream); up == nil || !a.Who.Verified || !up.TrustsEmail() {
			return store.User{}, ErrUnconnected
		}
		return f.byAddress(tx, from, l, a)
	})
}

// Join creates an account for a pending identity: its owner says that they have none.
func (f *Flow) Join(ctx context.Context, from audit.Origin, l *Login, language, replaces string) (Outcome, upstream.Identity, error) {
	a := UpstreamReturn{Language: language, Replaces: replaces}
	use := l.use("held", l.PendingIdentity)
	out, err := f.byUpstream(ctx, from, l, &a, use, func(tx *store.Tx) (u store.User, err error) {
		if a.Who, err = f.Upstreams.TakeIdentity(tx, l.BrowserHash(), l.PendingIdentity); err != nil {
			return store.User{}, err
		}
		l.PendingIdentity = ""
		if to := links.Local(l.Return); to == links.Home || to == links.Account {
			l.Return = links.Welcome
		}
		// The address is nothing that they have proven to us.
		return f.registerIdentity(tx, from, l, a, "")
	})
	if err != nil && !errors.Is(err, people.ErrPending) {
		out, err = f.repeat(ctx, l, use, err)
	}
	return out, a.Who, err
}

// MayJoin reports whether an account may be created for a pending identity.
func (f *Flow) MayJoin(ctx context.Context, l *Login, who upstream.Identity) (may bool, err error) {
	err = f.DB.View(ctx, func(tx *store.Tx) (err error) {
		may, err = f.Users.MayRegister(tx, f.registration(l, UpstreamReturn{Who: who}, ""))
		return err
	})
	return may, err
}

// byUpstream adds the proof of the user that find returns, and starts their session in
// the same transaction. A refusal changes nothing.
func (f *Flow) byUpstream(ctx context.Context, from audit.Origin, l *Login, a *UpstreamReturn, use use, find func(*store.Tx) (store.User, error)) (Outcome, error) {
	var out Outcome
	var met store.User
	var waits error
	try := func(tx *store.Tx) error {
		out, met, waits = Outcome{}, store.User{}, nil
		u, err := find(tx)
		if errors.Is(err, people.ErrPending) || errors.Is(err, people.ErrDeclined) {
			waits = err // that they asked is to be kept
			if errors.Is(err, people.ErrPending) {
				return f.keepOutcome(tx, use, l.result(Outcome{}, err))
			}
			return nil
		}
		if err != nil {
			return err
		}
		met = u
		if a.Request.To == upstream.ToConfirm && a.Request.User != u.ID {
			return ErrAnother
		}
		if err := gate.MayEnter(u); err != nil {
			return err
		}
		now := f.Now()
		p := Proof{Means: factor.Upstream(a.Who.Upstream), UserID: u.ID, At: now, AuthAt: a.Who.AuthAt}
		if p.AuthAt.IsZero() {
			// It may only know that a browser is signed in there.
			another, err := f.confirmsOtherwise(tx, u, a.Who.Upstream)
			if err != nil {
				return err
			}
			if !another {
				p.AuthAt = now
			}
		}
		l.addProof(p)
		if out, err = f.Finish(tx, from, l, u, a.Replaces); err != nil {
			return err
		}
		return f.keepOutcome(tx, use, l.result(out, nil))
	}
	err := f.update(ctx, l, try)
	if errors.Is(err, store.ErrConflict) || errors.Is(err, people.ErrTaken) || errors.Is(err, people.ErrElsewhere) {
		// Another request has created the user meanwhile.
		err = f.update(ctx, l, try)
	}
	if refused, ok := errors.AsType[*fault.Fault](err); ok {
		f.Audit.RefuseSignIn(from, audit.SignInRefusal{UserID: met.ID, Name: met.Called(), Means: factor.Upstream(a.Who.Upstream), Fault: refused})
	}
	if err != nil {
		return Outcome{}, err
	}
	f.Queue.Wake()
	return out, waits
}

// confirmsOtherwise reports whether the user can prove themselves again by anything
// but the upstream with that id: by mail, with a password, or with another upstream
// that asks people again.
func (f *Flow) confirmsOtherwise(tx *store.Tx, u store.User, id string) (bool, error) {
	if u.HasEmail() {
		return true, nil
	}
	if f.Passwords != nil && u.Username != "" {
		_, err := tx.PasswordOf(u.ID)
		if err == nil || !errors.Is(err, store.ErrNotFound) {
			return err == nil, err
		}
	}
	accounts, err := tx.AccountsOf(u.ID)
	for _, a := range accounts {
		if up := f.Upstreams.Named(a.Provider); up != nil && up.ID != id && up.AsksAgain() {
			return true, err
		}
	}
	return false, err
}

// connectedUser returns the user who has the identity, and keeps what the upstream reported
// this time, or store.ErrNotFound. What it tells of an address changes nothing here.
func (f *Flow) connectedUser(tx *store.Tx, who upstream.Identity) (store.User, error) {
	a, err := tx.AccountBySubject(who.Upstream, who.Subject)
	for _, former := range who.Formerly {
		if errors.Is(err, store.ErrNotFound) && former != "" {
			if a, err = tx.AccountBySubject(who.Upstream, former); err == nil && a.Issuer != "" {
				err = store.ErrNotFound // it is not one that was taken over
			}
		}
	}
	if err != nil {
		return store.User{}, err
	}
	if a.Issuer != "" && a.Issuer != who.Issuer {
		// The same subject at another server is another user.
		return store.User{}, f.withName(ErrReissued, who)
	}
	a.Subject, a.Issuer, a.Type, a.Email, a.Name, a.Tokens = who.Subject, who.Issuer, who.Type, who.Email, who.Name, who.Tokens
	if err := tx.UseAccount(a, f.Now()); err != nil {
		return store.User{}, err
	}
	return tx.UserByID(a.UserID)
}

func (f *Flow) withName(e *fault.Fault, who upstream.Identity) error {
	return e.With("upstream", f.Upstreams.NameOf(who.Upstream))
}

// byAddress connects the identity to the user with its address, which the upstream
// has verified and whose word is taken, or makes one.
func (f *Flow) byAddress(tx *store.Tx, from audit.Origin, l *Login, a UpstreamReturn) (store.User, error) {
	address, err := email.Normal(a.Who.Email)
	if err != nil {
		return store.User{}, ErrUnconnected
	}
	u, err := tx.UserByEmail(address)
	if errors.Is(err, store.ErrNotFound) {
		return f.registerIdentity(tx, from, l, a, a.Who.Email)
	}
	if err != nil {
		return store.User{}, err
	}
	if err := gate.MayEnter(u); err != nil {
		return store.User{}, err
	}
	emails, err := tx.EmailsOf(u.ID)
	if err != nil {
		return store.User{}, err
	}
	for _, e := range emails {
		if e.Norm == address && e.VerifiedAt.IsZero() {
			// Nobody has shown yet that the account is theirs: somebody else may have
			// made it, to be let in by its owner.
			if err := f.Users.ReclaimAccount(tx, from, u, e.Norm); err != nil {
				return store.User{}, err
			}
			if u, err = tx.UserByID(u.ID); err != nil {
				return store.User{}, err
			}
		}
	}
	linked := a.Who.Account(u.ID, f.Now())
	if err := f.Users.Link(tx, from, linked); err != nil {
		return store.User{}, err
	}
	// An earlier request may not be what the person wants now.
	if err := tx.CancelChallenges(u.ID, challenge.ConfirmEmail, "", f.Now()); err != nil {
		return store.User{}, err
	}
	return u, f.notifyLinked(tx, from, u, a.Who, linked.ID)
}

// registration is the input of people.Users.Register. proven is an address
// that was proven to be theirs.
func (f *Flow) registration(l *Login, a UpstreamReturn, proven string) people.Registration {
	up := f.Upstreams.Named(a.Who.Upstream)
	return people.Registration{
		Email: proven, Name: a.Who.Name, Picture: a.Who.Picture, Language: a.Language, Invite: l.invite(), Allowed: up != nil && up.SignsUp(),
	}
}

// registerIdentity creates a user for an unknown identity, if it may register.
func (f *Flow) registerIdentity(tx *store.Tx, from audit.Origin, l *Login, a UpstreamReturn, proven string) (store.User, error) {
	st := f.registration(l, a, proven)
	linked := a.Who.Account("", f.Now())
	st.Account = &linked
	return f.register(tx, from, l, st)
}

// notLinkedFor is how long "this was not me" works in the mail about an account
// that was connected.
const notLinkedFor = notMeFor

// notifyLinked tells the user that an identity was connected, with a link that
// disconnects it.
func (f *Flow) notifyLinked(tx *store.Tx, from audit.Origin, u store.User, who upstream.Identity, accountID string) error {
	if !u.HasEmail() {
		return nil
	}
	issued := f.Challenges.Issue(challenge.Ask{
		From: from, Purpose: challenge.Unlink, EmailNorm: u.EmailNorm, UserID: u.ID, BrowserHash: challenge.NoBrowser(), Sends: 1, Detail: accountID, For: notLinkedFor,
	})
	if err := tx.AddChallenge(issued.Challenge); err != nil {
		return err
	}
	return f.Post.Add(tx, compose.Linked{
		Upstream: f.Upstreams.NameOf(who.Upstream), Who: who.Called(), At: f.Now(), Device: from.Device, IP: from.IP, Link: f.PublicURL + links.Mailed(issued.Token),
	}, post.Terms{To: people.MailAddress(u), Language: u.Language, TimeZone: from.ZoneFor(u.TimeZone), Reference: from.Reference, ChallengeID: issued.ID, NotAfter: issued.ExpiresAt})
}
