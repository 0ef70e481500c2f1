package outbox

import (
	"context"
	"errors"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/deliver"
	"gatelodge/store"
)

// ErrCaptured means that there is no server to try: mail stays here.
var ErrCaptured = errors.New("mail is captured, so there is no server to test")

// trialFor is how long a trial may take: somebody waits for its page.
const trialFor = 45 * time.Second

// Try sends a test mail to a normal address now, past the queue, and tells each
// step of the conversation to trace. It returns ErrCaptured where nothing is sent.
func (o *Outbox) Try(ctx context.Context, from audit.Origin, to, language string, trace func(deliver.Step)) (deliver.Result, error) {
	if o.Capture {
		return deliver.Result{}, ErrCaptured
	}
	now := o.Now()
	id := store.NewID(now)
	body, err := o.Composer.Write(compose.Head{To: to, Language: language, ID: id, Now: now}, compose.Test{})
	if err != nil {
		return deliver.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, trialFor)
	defer cancel()
	e := deliver.Envelope{From: o.Composer.From.Address, To: to, Body: body, NotAfter: now.Add(time.Hour), Attempt: 1}
	err = o.DB.Update(ctx, func(tx *store.Tx) error { return o.record(tx, from, "test", "") })
	if err != nil {
		return deliver.Result{}, err
	}
	return o.Send(ctx, e, func() error { return nil }, trace), nil
}
