// Package outbox is the mail as operators see it: what waits, what became of
// the rest, and, while mail is captured, the messages themselves.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/queue"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// ErrUnknown means no message has that id, or it is not captured any more.
var ErrUnknown = fault.New(fault.NotFound, "error.not_found")

// ErrNotWaiting means a message cannot be retried or cancelled any more.
var ErrNotWaiting = errors.New("no message with that id is waiting")

const (
	// shown is how many messages a list holds.
	shown = 100
)

// Outbox is the service. What an admin does here, on a page or by a command, is in the
// audit log.
type Outbox struct {
	DB      *store.DB
	Audit   *audit.Log
	Queue   *queue.Queue
	Now     func() time.Time
	Key     []byte // of the recipient's hash
	Capture bool   // mail is kept here instead of being sent
	// Composer and Send are for trials.
	Composer *compose.Composer
	Send     func(ctx context.Context, e deliver.Envelope, beforeDot func() error, trace func(deliver.Step)) deliver.Result
}

// Captured returns the newest captured messages, opened.
func (o *Outbox) Captured(ctx context.Context) ([]Message, error) {
	var list []Message
	err := o.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.CapturedMessages(shown)
		if err != nil {
			return err
		}
		for _, row := range rows {
			m, err := Open(row)
			if err != nil {
				return err
			}
			list = append(list, m)
		}
		return nil
	})
	return list, err
}

// Message returns one captured message, opened, or ErrUnknown.
func (o *Outbox) Message(ctx context.Context, id string) (Message, error) {
	var work store.Work
	err := o.DB.View(ctx, func(tx *store.Tx) (err error) {
		work, err = tx.MessageByID(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && work.State != "captured" {
		return Message{}, ErrUnknown
	}
	if err != nil {
		return Message{}, err
	}
	return Open(work)
}

// Empty removes the captured messages and returns how many there were.
func (o *Outbox) Empty(ctx context.Context) (n int, err error) {
	err = o.DB.Update(ctx, func(tx *store.Tx) (err error) {
		n, err = tx.EmptyCaptured()
		return err
	})
	return n, err
}

// List returns the messages that wait, or with all the newest of every kind.
func (o *Outbox) List(ctx context.Context, all bool) (list []store.Message, err error) {
	err = o.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Messages(!all, shown)
		return err
	})
	return list, err
}

// Retry makes waiting mail due now, the one with that id or all when id is "",
// and forgets that the way out, or its domain, was down. It returns how many messages wait.
func (o *Outbox) Retry(ctx context.Context, from audit.Origin, id string) (n int, err error) {
	err = o.DB.Update(ctx, func(tx *store.Tx) (err error) {
		domain := ""
		if id != "" {
			w, err := tx.MessageByID(id)
			if errors.Is(err, store.ErrNotFound) {
				return nil // none is retried, which is reported below
			}
			if err != nil {
				return err
			}
			domain = w.Domain
		}
		if _, err = tx.EndBackOff(domain); err != nil {
			return err
		}
		if n, err = tx.RetryMessages(id, o.Now()); err != nil || n == 0 {
			return err
		}
		return o.record(tx, from, "retry", id)
	})
	if err == nil && n == 0 && id != "" {
		err = ErrNotWaiting
	}
	o.Queue.Resume()
	return n, err
}

// Hold keeps a waiting message until it is retried by its id, or returns
// ErrNotWaiting.
func (o *Outbox) Hold(ctx context.Context, from audit.Origin, id string) error {
	err := o.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.HoldMessage(id); err != nil {
			return err
		}
		return o.record(tx, from, "hold", id)
	})
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: %s", ErrNotWaiting, id)
	}
	return err
}

// ErrNotSuppressed means that mail to the address goes anyway.
var ErrNotSuppressed = errors.New("no mail is kept from that address")

// Suppressed returns the addresses that get no mail: all, or the one given as a
// normal address.
func (o *Outbox) Suppressed(ctx context.Context, address string) (list []store.Suppression, err error) {
	err = o.DB.View(ctx, func(tx *store.Tx) error {
		if address == "" {
			list, err = tx.Suppressions(o.Now(), shown)
			return err
		}
		one, err := tx.Suppression(secret.MAC(o.Key, address), o.Now())
		if err == nil {
			list = append(list, one)
		}
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	return list, err
}

// Unsuppress lets mail to a normal address go again, or returns
// ErrNotSuppressed.
func (o *Outbox) Unsuppress(ctx context.Context, from audit.Origin, address string) error {
	return o.DB.Update(ctx, func(tx *store.Tx) error {
		was, err := tx.EndSuppression(secret.MAC(o.Key, address))
		if err == nil && !was {
			err = ErrNotSuppressed
		}
		if err != nil {
			return err
		}
		return o.record(tx, from, "unsuppress", address)
	})
}

func (o *Outbox) record(tx *store.Tx, from audit.Origin, what, which string) error {
	return o.Audit.Record(tx, from, audit.MailChanged, audit.ByAdmin, "", strings.TrimSpace(what+" "+which))
}

// Cancel takes a waiting message back, or returns ErrNotWaiting.
func (o *Outbox) Cancel(ctx context.Context, from audit.Origin, id string) error {
	err := o.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.CancelMessage(id, o.Now()); err != nil {
			return err
		}
		return o.record(tx, from, "cancel", id)
	})
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: %s", ErrNotWaiting, id)
	}
	return err
}
