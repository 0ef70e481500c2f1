package app

import (
	"context"
	"time"

	"gatelodge/store"
)

const (
	// formatsEvery is how often the server looks which formats of hashes are kept:
	// an import adds some, and each sign-in with one replaces it.
	formatsEvery = 10 * time.Minute
	// manyForms is more than there are.
	manyForms = 500
)

// watchForms keeps the time of a refused password that of the dearest kept form,
// until ctx ends.
func (a *App) watchForms(ctx context.Context) {
	for {
		if err := a.ExpectForms(ctx); err != nil && ctx.Err() == nil {
			a.Log.Error("looking at the forms of passwords", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(formatsEvery):
		}
	}
}

// ExpectForms looks which forms of passwords are kept besides our own.
func (a *App) ExpectForms(ctx context.Context) error {
	if a.Passwords == nil {
		return nil
	}
	var kept []string
	err := a.DB.View(ctx, func(tx *store.Tx) (err error) {
		kept, err = tx.PasswordsUnlike(a.Passwords.Form(), manyForms)
		return err
	})
	if err == nil {
		a.Passwords.Expect(kept)
	}
	return err
}
