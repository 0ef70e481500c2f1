package login

import (
	"cmp"
	"context"
	"errors"

	"gatelodge/app/audit"
	"gatelodge/app/factor"
	"gatelodge/app/gate"
	"gatelodge/app/links"
	"gatelodge/app/session"
	"gatelodge/store"
)

// Need names what an attempt still lacks; "" is nothing.
type Need string

// NeedProof is the Need of an attempt in which nothing is proven, or not any more.
const NeedProof Need = "proof"

// Requirement says what a person needs beside what they have proven, or "". It may ask
// the store within the transaction, and changes nothing there.
type Requirement func(tx *store.Tx, a Asked) (Need, error)

// Asked is what a Requirement decides by.
type Asked struct {
	gate.Person
	App    string // that the session is to enter, or "" for our own pages
	Proven factor.List
}

// lacks returns what the attempt needs beside what the user has proven in it.
func (f *Flow) lacks(tx *store.Tx, l *Login, u store.User) (Need, error) {
	proven := l.means(u.ID, f.Now())
	if len(proven) == 0 {
		return NeedProof, nil
	}
	return f.required(tx, u, cmp.Or(l.app(), l.For), proven)
}

// required returns what the user needs beside these means, in the App or on our pages.
func (f *Flow) required(tx *store.Tx, u store.User, app string, proven factor.List) (Need, error) {
	if f.Require == nil {
		return "", nil
	}
	p, err := gate.PersonOf(tx, u)
	if err != nil {
		return "", err
	}
	return f.Require(tx, Asked{Person: p, App: app, Proven: proven})
}

// update runs do in a transaction, with the attempt as it is now: when do runs again, or
// its changes are undone, nothing of them stays in the attempt.
func (f *Flow) update(ctx context.Context, l *Login, do func(*store.Tx) error) error {
	began := *l
	err := f.DB.Update(ctx, func(tx *store.Tx) error {
		*l = began
		return do(tx)
	})
	if err != nil {
		*l = began
	}
	return err
}

// Finish completes an attempt, and nothing else does. An attempt that needs more is
// kept as it is, and the outcome says what it needs. Else it starts the session, or
// confirms the one it was begun for. For an App alone it gives the App its share and
// keeps our own token to itself. A user who may not enter is refused here, whatever they
// have proven.
func (f *Flow) Finish(tx *store.Tx, from audit.Origin, l *Login, u store.User, replaces string) (Outcome, error) {
	if err := gate.MayEnter(u); err != nil {
		return Outcome{}, err
	}
	need, err := f.lacks(tx, l, u)
	if err != nil || need != "" {
		return Outcome{Need: need, User: u}, err
	}
	notice, warns, err := f.acceptInvite(tx, from, l, u)
	if err != nil {
		return Outcome{}, err
	}
	if l.AppLogin != nil {
		return f.finishApp(tx, from, l, u)
	}
	if l.Claimed && notice == "" {
		notice, warns = "account.claimed", true
	}
	out, proven := Outcome{User: u, Return: links.Local(l.Return), Notice: notice, Warns: warns}, l.means(u.ID, f.Now())
	if l.Confirms != "" {
		out.Token, out.Session, err = f.starter.Confirm(tx, u.ID, l.Confirms, replaces, proven, l.authAt())
		if err == nil {
			out.Confirmed = true
			return out, f.Audit.Record(tx, from, audit.Confirmed, audit.ByUser, u.ID, proven.String())
		}
		if !errors.Is(err, session.ErrNone) {
			return Outcome{}, err
		}
	}
	if out.Token, out.Session, err = f.starter.Start(tx, from, session.Begin{UserID: u.ID, Means: proven, AuthAt: l.authAt(), Replaces: replaces, Ephemeral: l.Ephemeral}); err != nil {
		return Outcome{}, err
	}
	out.Device, err = f.rememberBrowser(tx, from, l, u, out.Session)
	return out, err
}

// Needs returns what the attempt lacks, without changing anything. ErrStateLost when
// nothing is proven in it any more.
func (f *Flow) Needs(ctx context.Context, l *Login) (need Need, err error) {
	err = f.DB.View(ctx, func(tx *store.Tx) error {
		u, err := f.provenUser(tx, l)
		if err != nil {
			return err
		}
		need, err = f.lacks(tx, l, u)
		return err
	})
	return need, err
}

// Step adds a proof to an attempt that needs more, and finishes it. verify checks the
// proof in the same transaction; its error is returned, and undoes everything. Without
// verify nothing is added: what the attempt lacked may not be asked for any more.
func (f *Flow) Step(ctx context.Context, from audit.Origin, l *Login, m factor.Means, verify func(*store.Tx, store.User) error, replaces string) (out Outcome, err error) {
	err = f.update(ctx, l, func(tx *store.Tx) error {
		u, err := f.provenUser(tx, l)
		if err != nil {
			return err
		}
		if verify != nil {
			if err := verify(tx, u); err != nil {
				return err
			}
			l.addProof(Proof{Means: m, UserID: u.ID, At: f.Now(), AuthAt: f.Now()})
		}
		out, err = f.Finish(tx, from, l, u, replaces)
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	f.Queue.Wake() // for mail about a new browser
	return out, nil
}

// provenUser returns the user who has proven something in the attempt.
func (f *Flow) provenUser(tx *store.Tx, l *Login) (store.User, error) {
	for _, p := range l.Proofs {
		if f.Now().Sub(p.At) < Lifetime {
			u, err := tx.UserByID(p.UserID)
			if errors.Is(err, store.ErrNotFound) {
				return store.User{}, ErrStateLost
			}
			return u, err
		}
	}
	return store.User{}, ErrStateLost
}
