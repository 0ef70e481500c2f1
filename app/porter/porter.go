// Package porter is what those do who decide who may come: invite somebody, let
// in who waits at the door, or refuse them.
//
// Who is invited or let in is told by mail, in the transaction that decides it.
// Who is refused is told nothing, unless they come and ask again.
package porter

import (
	"context"
	"errors"
	"time"

	"gatelodge/app/account"
	"gatelodge/app/apps"
	"gatelodge/app/audit"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/post"
	"gatelodge/app/mail/queue"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// ErrNobodyWaits means that nobody with the address waits to be let in.
var ErrNobodyWaits = errors.New("nobody with that address waits to be let in")

// Desk is the service.
type Desk struct {
	DB        *store.DB
	Audit     *audit.Log
	Users     *account.Users
	Apps      *apps.Apps
	Post      *post.Office
	Queue     *queue.Queue
	Now       func() time.Time
	PublicURL string // without a trailing slash
	Site      string // the instance's name
	Contact   string // the address of whoever runs this, or ""
}

// waitingShown is how many of those who wait are listed.
const waitingShown = 200

// Waiting returns those who wait to be let in, the longest first.
func (d *Desk) Waiting(ctx context.Context) (list []store.Applicant, err error) {
	err = d.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Applicants(waitingShown)
		return err
	})
	return list, err
}

// applicant finds who waits, or was refused, by their address as typed, or by
// what stands in its place for who has none.
func applicant(tx *store.Tx, typed string) (store.Applicant, error) {
	norm, err := account.NormalEmail(typed)
	if err != nil {
		norm = typed
	}
	a, err := tx.ApplicantByEmail(norm)
	if errors.Is(err, store.ErrNotFound) {
		return store.Applicant{}, ErrNobodyWaits
	}
	return a, err
}

// Approve lets somebody in who waits, also one who was refused before, and tells
// them. Of two admins one does.
func (d *Desk) Approve(ctx context.Context, from audit.From, typed string, groups ...string) (u store.User, err error) {
	err = d.update(ctx, func(tx *store.Tx) error {
		a, err := applicant(tx, typed)
		if err != nil {
			return err
		}
		u, err = d.Users.Admit(tx, from, a, groups)
		if errors.Is(err, store.ErrNotFound) {
			return ErrNobodyWaits
		}
		if err != nil {
			return err
		}
		if !u.HasEmail() {
			return nil
		}
		return d.Post.Add(tx, compose.Approved{Link: d.PublicURL + "/signin"}, post.Terms{
			To: account.MailAddress(u), Language: u.Language, Reference: from.Reference, NotAfter: d.Now().Add(lettersFor),
		})
	})
	return u, err
}

// lettersFor is how long it is tried to deliver what somebody waits for who does
// not sit there.
const lettersFor = 3 * 24 * time.Hour

// Refuse refuses somebody who waits. They can ask again after some months.
func (d *Desk) Refuse(ctx context.Context, from audit.From, typed string) error {
	return d.update(ctx, func(tx *store.Tx) error {
		a, err := applicant(tx, typed)
		if err != nil {
			return err
		}
		err = tx.RefuseApplicant(a.EmailNorm, d.Now())
		if errors.Is(err, store.ErrNotFound) {
			return ErrNobodyWaits
		}
		if err != nil {
			return err
		}
		return d.Audit.Record(tx, from, audit.ApplicantOut, audit.ByAdmin, "", a.EmailNorm)
	})
}

// update runs f in a transaction and wakes the queue for what it wrote.
func (d *Desk) update(ctx context.Context, f func(*store.Tx) error) error {
	err := d.DB.Update(ctx, f)
	if err == nil {
		d.Queue.Wake()
	}
	return err
}

// token returns a new token and its hash.
func token() (text string, hash []byte) {
	text = secret.Token()
	hash, _ = secret.Hash(text)
	return text, hash
}
