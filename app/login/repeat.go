package login

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"gatelodge/app/fault"
	"gatelodge/app/gate"
	"gatelodge/app/people"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// A double click sends a form twice. The browser gives up the first answer, and with
// it the session's cookie, and shows the second: which would say that the code, the
// link or the invitation is used. So the same secret, from the same browser, has the
// same outcome again for repeatFor: the same session, never another one, and none that
// has ended or got another token since.

// repeatFor is how long an outcome is kept.
const repeatFor = 30 * time.Second

// use is one secret that an attempt spends, in its browser. The zero value, of an
// attempt without a browser token, is never repeated.
type use struct {
	hash []byte // the store's key of the outcome
	key  []byte // opens the outcome; stored nowhere
}

// use returns the use of a secret, which may come in several parts. The browser token
// is part of both keys: without it an outcome can be neither found nor opened.
func (l *Login) use(parts ...string) use {
	if l.BrowserHash() == nil {
		return use{}
	}
	parts = append([]string{l.app(), l.Confirms}, parts...)
	return use{
		hash: secret.MAC([]byte("repeat"), append([]string{l.Browser}, parts...)...),
		key:  secret.MAC([]byte("repeat key"), append([]string{l.Browser}, parts...)...),
	}
}

// result is what is kept of an outcome.
type result struct {
	Outcome
	Approval *PendingApproval // instead: they wait to be let in
	Attempt  Login            // for what is still needed
}

// result is what to keep of an outcome, or of having to wait.
func (l *Login) result(out Outcome, waits error) result {
	if waits != nil {
		return result{Approval: l.Approval}
	}
	return result{Outcome: out, Attempt: *l}
}

// keepOutcome keeps what came of a use, in the transaction that spent the secret.
func (f *Flow) keepOutcome(tx *store.Tx, u use, r result) error {
	if u.hash == nil {
		return nil
	}
	r.User = store.User{ID: r.User.ID} // it is read anew
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("keeping an outcome: %w", err)
	}
	box, err := chacha20poly1305.NewX(u.key)
	if err != nil {
		return fmt.Errorf("keeping an outcome: %w", err)
	}
	nonce := secret.Random(box.NonceSize())
	return tx.AddLoginOutcome(store.LoginOutcome{UseHash: u.hash, Sealed: box.Seal(nonce, nonce, text, nil), ExpiresAt: f.Now().Add(repeatFor)})
}

// keptOutcome returns what keep keptOutcome, when it still holds. Without ok there is nothing.
func (f *Flow) keptOutcome(tx *store.Tx, l *Login, u use) (r result, ok bool, err error) {
	if u.hash == nil {
		return result{}, false, nil
	}
	sealed, err := tx.LoginOutcomeOf(u.hash, f.Now())
	if errors.Is(err, store.ErrNotFound) {
		return result{}, false, nil
	}
	if err != nil {
		return result{}, false, err
	}
	box, err := chacha20poly1305.NewX(u.key)
	if err != nil {
		return result{}, false, err
	}
	if len(sealed) < box.NonceSize() {
		return result{}, false, errors.New("an outcome that was kept is too short")
	}
	text, err := box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], nil)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return result{}, false, fmt.Errorf("reading an outcome that was kept: %w", err)
	}
	ok, err = f.stillHolds(tx, l, &r)
	return r, ok, err
}

// stillHolds reports whether an outcome is still what it was, and brings its user up to date.
func (f *Flow) stillHolds(tx *store.Tx, l *Login, r *result) (bool, error) {
	if r.Approval != nil {
		return true, nil
	}
	u, err := tx.UserByID(r.User.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && gate.MayEnter(u) != nil {
		return false, nil
	}
	if err != nil || r.Need != "" {
		return err == nil, err
	}
	r.User = u
	if hash, ours := secret.SessionHash(r.Token); ours {
		s, _, err := tx.SessionOf(r.Session.ID, f.Now())
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		return err == nil && s.UserID == u.ID && secret.Equal(hash, s.TokenHash), err
	}
	sessions, err := tx.SessionsOf(u.ID, f.Now())
	id := cmp.Or(r.Session.ID, l.Confirms)
	return slices.ContainsFunc(sessions, func(s store.Session) bool { return s.ID == id }), err
}

// repeat returns the outcome that the same use had moments ago, in place of the refusal
// that it meets now.
func (f *Flow) repeat(ctx context.Context, l *Login, u use, refused error) (Outcome, error) {
	if _, known := errors.AsType[*fault.Fault](refused); !known || u.hash == nil {
		return Outcome{}, refused
	}
	var r result
	var ok bool
	err := f.DB.View(ctx, func(tx *store.Tx) (err error) {
		r, ok, err = f.keptOutcome(tx, l, u)
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	if !ok {
		return Outcome{}, refused
	}
	return r.outcome(l)
}

// outcome puts the attempt where it was after the first use.
func (r result) outcome(l *Login) (Outcome, error) {
	if r.Approval != nil {
		l.Approval = r.Approval
		return Outcome{}, people.ErrPending
	}
	if r.Need != "" {
		r.Attempt.Device, r.Attempt.AppLogin = l.Device, l.AppLogin // of this request
		*l = r.Attempt
	}
	return r.Outcome, nil
}
