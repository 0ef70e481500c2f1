package login

import (
	"context"
	"errors"
	"strings"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/challenge"
	"gatelodge/app/config"
	"gatelodge/app/email"
	"gatelodge/app/factor"
	"gatelodge/app/factor/password"
	"gatelodge/app/fault"
	"gatelodge/app/gate"
	"gatelodge/app/limit"
	"gatelodge/app/links"
	"gatelodge/app/mail/compose"
	"gatelodge/app/people"
	"gatelodge/store"
)

// The refusals of a sign-in with a password. That there is no such account, that it
// has no password and that the password is wrong are one.
var (
	ErrCredentials = fault.New(fault.Invalid, "signin.mismatch").For(fault.Password)
	ErrTries       = fault.New(fault.Limited, "signin.tries").For(fault.Limit)
	ErrNoPasswords = fault.New(fault.NotFound, "error.not_found")
	ErrIdentifier  = fault.New(fault.Invalid, "signin.identifier_empty")
)

// The rules for guessing passwords. The more there were, the longer the next has
// to wait. Only wrong passwords count in the end. A browser that the owner signed in
// with before counts by itself and asks nothing of the others, so that a stranger can
// keep out other strangers and nobody else. A network is a company as often as an
// attacker.
//
// What is typed to name an account is counted as it stands, known or not: that two
// names lead to one account must not show in a wait. What they lead to has a bound of
// its own, behind which every password from a stranger is wrong.
var (
	perName    = []limit.Rule{{Count: 5, Per: time.Minute}, {Count: 10, Per: 15 * time.Minute}, {Count: 20, Per: 3 * time.Hour}, {Count: 50, Per: 24 * time.Hour}}
	perAccount = []limit.Rule{{Count: 100, Per: 24 * time.Hour}}
	perBrowser = []limit.Rule{{Count: 10, Per: time.Minute}, {Count: 40, Per: time.Hour}, {Count: 100, Per: 24 * time.Hour}}
	perGuesses = []limit.Rule{{Count: 100, Per: 10 * time.Minute}, {Count: 1000, Per: 24 * time.Hour}}
)

// busyFor is when those of the same network who hash now may well be done.
const busyFor = 2 * time.Second

// candidate is whom an identifier names, as far as that is known.
type candidate struct {
	user  store.User
	known bool
	kept  store.Password // zero for none
	own   bool           // they have signed in with this browser
	key   string         // the name as it is compared, known or not
	name  string         // for the log; "" for an unknown user
}

// WithPassword signs in with a password. identifier is any address of the user, or
// the username. Unknown and known users take the same time.
func (f *Flow) WithPassword(ctx context.Context, from audit.Origin, l *Login, identifier, typed, replaces string) (Outcome, error) {
	if f.Passwords == nil {
		return Outcome{}, ErrNoPasswords
	}
	if strings.TrimSpace(identifier) == "" {
		return Outcome{}, ErrIdentifier.In("identifier")
	}
	if typed == "" {
		return Outcome{}, password.ErrEmpty.In("password")
	}
	w, err := f.candidateNamed(ctx, l, identifier)
	if err != nil {
		return Outcome{}, err
	}
	counted, err := f.mayTry(from, l, &w)
	if err != nil {
		return Outcome{}, err
	}
	clear, err := password.Read(typed)
	if err != nil {
		// Nothing that was ever accepted: as wrong as any other.
		return Outcome{}, f.mismatch(from, w)
	}
	if !w.own {
		leave, ok := f.hashing.Enter(limit.Shares(from.Network, config.PasswordQueue)...)
		if !ok {
			f.Limits.Give(counted...)
			return Outcome{}, password.ErrBusy.After(busyFor)
		}
		defer leave()
	}
	fits, renewed, err := f.Passwords.Check(ctx, w.kept.Hash, clear)
	switch {
	case errors.Is(err, password.ErrUnreadable), errors.Is(err, password.ErrTooCostly):
		// No password fits it. Only the log reports it, for the operator to fix.
		f.Log.ErrorContext(ctx, "a password cannot be checked", "user", w.user.ID, "err", err, "ref", from.Reference)
	case err != nil:
		f.Limits.Give(counted...)
		return Outcome{}, err
	}
	if !fits {
		return Outcome{}, f.mismatch(from, w)
	}
	f.Limits.Give(counted...)
	return f.finishPassword(ctx, from, l, w, l.use("password", w.user.ID, typed), renewed, replaces)
}

// candidateNamed finds whom an identifier names. The same is looked up for a name that leads
// nowhere.
func (f *Flow) candidateNamed(ctx context.Context, l *Login, identifier string) (candidate, error) {
	address, notEmail := email.Normal(identifier)
	username, notName := people.NormalUsername(identifier)
	device, _ := l.deviceHash()
	w := candidate{key: strings.ToLower(strings.TrimSpace(identifier))}
	err := f.DB.View(ctx, func(tx *store.Tx) (err error) {
		switch {
		case notEmail == nil:
			w.key = address
			w.user, err = tx.UserByEmail(address)
		case notName == nil:
			w.key = username
			w.user, err = tx.UserByUsername(username)
		default:
			err = store.ErrNotFound
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		w.known = err == nil
		if w.kept, err = tx.PasswordOf(w.user.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		w.own, _, err = tx.KnowsBrowser(w.user.ID, device)
		return err
	})
	switch {
	case w.known && w.user.HasEmail():
		w.name = w.user.EmailNorm
	case w.known:
		w.name = w.user.Username
	}
	return w, err
}

// mayTry counts a try and returns what it was counted by, or says how long to wait.
// What a stranger may not try at an account any more is taken for wrong without
// being looked at, after as much work as always.
func (f *Flow) mayTry(from audit.Origin, l *Login, w *candidate) (counted []limit.Ask, err error) {
	if w.own {
		counted = []limit.Ask{{Key: "password browser:" + w.user.ID + " " + l.Device, Rules: perBrowser}}
	} else {
		counted = append([]limit.Ask{{Key: "password:" + w.key, Rules: perName}}, limit.Networks("guesses:", from.Network, perGuesses, nil)...)
	}
	wait, at := f.Limits.Take(counted...)
	if wait > 0 {
		reason := "network"
		if at == 0 {
			reason = "account"
		}
		f.Audit.Note(from, audit.PasswordLimited, audit.ByVisitor, w.user.ID, reason)
		f.Audit.AuthFail(from, w.name, fault.Limit)
		if at == 0 {
			return nil, ErrTries.After(wait).In("password")
		}
		return nil, ErrLimitNetwork.After(wait).In("password")
	}
	if w.own {
		return counted, nil
	}
	all := limit.Ask{Key: "password account:" + w.user.ID, Rules: perAccount}
	if !w.known {
		all.Key += w.key
	}
	if wait, _ := f.Limits.Take(all); wait > 0 {
		w.kept = store.Password{}
		return counted, nil
	}
	return append(counted, all), nil
}

func (f *Flow) mismatch(from audit.Origin, w candidate) error {
	f.Audit.RefuseSignIn(from, audit.SignInRefusal{UserID: w.user.ID, Name: w.name, Means: factor.Password, Fault: ErrCredentials})
	return ErrCredentials.In("password")
}

// finishPassword adds the proof of a password that fitted, unless it has been
// changed since it was read.
func (f *Flow) finishPassword(ctx context.Context, from audit.Origin, l *Login, w candidate, use use, renewed, replaces string) (Outcome, error) {
	var out Outcome
	var refused error
	err := f.update(ctx, l, func(tx *store.Tx) error {
		out, refused = Outcome{}, nil
		if r, ok, err := f.keptOutcome(tx, l, use); ok || err != nil {
			if err == nil {
				out, err = r.outcome(l)
			}
			return err
		}
		u, err := tx.UserByID(w.user.ID)
		if errors.Is(err, store.ErrNotFound) {
			refused = ErrCredentials.In("password")
			return nil
		}
		if err != nil {
			return err
		}
		p, err := tx.PasswordOf(u.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		switch {
		case !p.ChangedAt.Equal(w.kept.ChangedAt):
			refused = ErrCredentials.In("password")
			return nil
		case gate.MayEnter(u) != nil:
			// Visible only to a person who has the password.
			refused = gate.MayEnter(u)
			return nil
		case renewed != "":
			if err := tx.RehashPassword(u.ID, w.kept.Hash, renewed); err != nil {
				return err
			}
		}
		now := f.Now()
		l.addProof(Proof{Means: factor.Password, UserID: u.ID, At: now, AuthAt: now})
		if out, err = f.Finish(tx, from, l, u, replaces); err != nil {
			return err
		}
		return f.keepOutcome(tx, use, l.result(out, nil))
	})
	if err != nil {
		return Outcome{}, err
	}
	if refused != nil {
		f.Audit.RefuseSignIn(from, audit.SignInRefusal{UserID: w.user.ID, Name: w.name, Means: factor.Password, Fault: fault.Of(refused)})
		return Outcome{}, refused
	}
	f.Queue.Wake() // for the notice about a new browser
	return out, nil
}

// SendReset mails a link to choose a new password with, when a user has the
// address. As with SendLink, nothing tells whether they do.
func (f *Flow) SendReset(ctx context.Context, from audit.Origin, l *Login, typed, language string) error {
	if f.Passwords == nil {
		return ErrNoPasswords
	}
	address, err := email.Normal(typed)
	if _, bad := people.NormalUsername(typed); err != nil && bad == nil {
		return ErrEmailNeeded.In("identifier")
	}
	if err != nil {
		return fault.Of(err).In("identifier")
	}
	if err := l.Name(typed); err != nil {
		return err
	}
	last, err := f.lastAsk(ctx, l, address, challenge.Reset)
	if err != nil || last.ID != "" && last.EndedBy == "" && f.resendIn(last) > 0 {
		return err // the mail is on its way
	}
	to, err := f.recipient(ctx, from, l, wanted{address, language, true})
	if err != nil {
		return err
	}
	issued := f.Challenges.Issue(challenge.Ask{
		From: from, Purpose: challenge.Reset, EmailNorm: address, UserID: to.user.ID, BrowserHash: l.browserHash(), Sends: last.Sends + 1,
	})
	mail, err := f.mail(from, issued, to, compose.Reset{Link: f.PublicURL + links.Mailed(issued.Token), Device: from.Device, Until: issued.ExpiresAt})
	if err != nil {
		return err
	}
	_, err = f.enqueueOnce(ctx, from, audit.ResetAsked, issued.Challenge, mail)
	return err
}
