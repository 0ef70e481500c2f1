package app

import (
	"context"
	"time"

	"gatelodge/store"
)

const (
	sweepEvery = 10 * time.Minute
	sweepRows  = 100
	sweepPause = 100 * time.Millisecond
	// A clock that is further ahead than this of where the last sweep left it has
	// jumped, or the server was off.
	sweepJump = 48 * time.Hour
	// Until then nobody can tell which, and nothing is removed.
	sweepHold = 24 * time.Hour
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

// sweepOnce removes some rows and returns how many, unless the clock may be
// wrong: one that is ten years ahead must not end every session for good.
func (a *App) sweepOnce(ctx context.Context) (int, error) {
	now := a.Now()
	held := false
	err := a.DB.Update(ctx, func(tx *store.Tx) error {
		last, err := tx.Moment("swept_at")
		if err != nil {
			return err
		}
		until, err := tx.Moment("sweep_held_until")
		if err != nil {
			return err
		}
		jumped := !last.IsZero() && now.Sub(last) > sweepJump
		if jumped {
			until = now.Add(sweepHold)
			if err := tx.SetMoment("sweep_held_until", until); err != nil {
				return err
			}
		}
		// Held until a moment of a clock that has been set back since means
		// nothing any more.
		held = now.Before(until) && until.Sub(now) <= sweepHold
		return tx.SetMoment("swept_at", now)
	})
	if err != nil {
		return 0, err
	}
	if held {
		a.Log.Warn("the clock is far ahead of the last run's; nothing is removed for a day", "now", now)
		return 0, nil
	}
	return a.DB.Sweep(ctx, now, sweepRows)
}
