package app

import (
	"context"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/clock"
	"gatelodge/app/login"
	"gatelodge/app/secret"
	"gatelodge/store"
)

const (
	sweepEvery = 10 * time.Minute
	sweepRows  = 100
	sweepPause = 100 * time.Millisecond
)

// sweep removes what has expired long ago, until ctx ends.
func (a *App) sweep(ctx context.Context) {
	wait := sweepEvery
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		n, err := a.sweepOnce(ctx)
		wait = sweepEvery
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.Log.Error("sweeping", "err", err)
		case n > 0:
			wait = sweepPause
		}
	}
}

// sweepOnce keeps the time, tells senders that their mail is late, and removes some
// rows. It returns how much it did. While the clock may be wrong it does nothing of
// it: one that is ten years ahead must not end every session for good.
func (a *App) sweepOnce(ctx context.Context) (int, error) {
	err := a.DB.Update(ctx, func(tx *store.Tx) error { return tx.SetMoment(clockMark, a.Clock.Mark()) })
	if err != nil {
		return 0, err
	}
	if late := a.Clock.Behind(); late > 0 {
		a.Log.Warn("the clock is behind the time that was kept; set it right", "by", late.Round(time.Second))
	}
	if a.Clock.Doubtful() {
		a.Log.Warn("the clock is far ahead of the last run's; nothing is removed for a day", "now", a.Now())
		return 0, nil
	}
	erased, err := a.Users.EraseDue(ctx, audit.Origin{IP: login.OperatorIP, Network: login.OperatorIP, Device: "schedule", Reference: secret.Reference()})
	if err != nil {
		return erased, err
	}
	notified, err := a.Relay.TellLate(ctx)
	if err != nil {
		return erased + notified, err
	}
	swept, err := a.DB.Sweep(ctx, a.Now(), sweepRows)
	return erased + notified + swept, err
}

// clockMark is the name of the trusted time in the store.
const clockMark = "clock_mark"

// clockOf returns the server's clock, which continues from the time of the last run.
func clockOf(ctx context.Context, db *store.DB, o Options) (*clock.Clock, error) {
	var mark time.Time
	err := db.View(ctx, func(tx *store.Tx) (err error) {
		mark, err = tx.Moment(clockMark)
		return err
	})
	if err != nil {
		return nil, err
	}
	c := clock.New(o.Now, o.Steady, mark)
	if late := c.Behind(); late > 0 {
		o.Log.Warn("the clock is behind the time that was kept; until it is right the server continues from that time", "by", late.Round(time.Second))
	}
	return c, nil
}
