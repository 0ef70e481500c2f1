package owner

import (
	"context"
	"errors"
	"strings"
	"time"

	"gatelodge/app/account"
	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/store"
)

// historyFor is how far back people see what happened.
const historyFor = 90 * 24 * time.Hour

// Profile is the form of what people say of themselves.
type Profile struct {
	Name, Username, Language, Theme, TimeZone string
}

// User returns the user as they are now.
func (d *Desk) User(ctx context.Context, id string) (store.User, error) { return d.user(ctx, id) }

// Lookup returns the user, and whether there is one.
func (d *Desk) Lookup(ctx context.Context, id string) (store.User, bool, error) {
	u, err := d.user(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return store.User{}, false, nil
	}
	return u, err == nil, err
}

// SetProfile changes what the user says of themselves.
func (d *Desk) SetProfile(ctx context.Context, from audit.From, userID string, p Profile) error {
	name, err := account.CleanName(p.Name)
	if err != nil {
		return fault.Of(err).In("name")
	}
	typed, username := strings.TrimSpace(p.Username), ""
	if typed != "" {
		if username, err = account.NormalUsername(typed); err != nil {
			return fault.Of(err).In("username")
		}
	}
	if p.Theme != "light" && p.Theme != "dark" {
		p.Theme = ""
	}
	err = d.DB.Update(ctx, func(tx *store.Tx) error {
		now := d.Now()
		if username == "" {
			if err := d.keepAName(tx, userID); err != nil {
				return err
			}
		}
		if err := tx.SetUsername(userID, typed, username, now); err != nil {
			return err
		}
		said := store.Profile{Name: name, Language: p.Language, Theme: p.Theme, TimeZone: p.TimeZone}
		if err := tx.SetProfile(userID, said, now); err != nil {
			return err
		}
		return d.Audit.Record(tx, from, audit.ProfileChanged, audit.ByUser, userID, "")
	})
	if errors.Is(err, store.ErrConflict) {
		return account.ErrUsernameTaken.In("username")
	}
	return err
}

// Browsers returns the browsers the user has signed in with, the last used first.
func (d *Desk) Browsers(ctx context.Context, userID string) (list []store.Browser, err error) {
	err = d.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.BrowsersOf(userID)
		return err
	})
	return list, err
}

// keepAName refuses to take away the username without which nothing opens the account.
func (d *Desk) keepAName(tx *store.Tx, userID string) error {
	u, err := tx.UserByID(userID)
	if err != nil || u.Username == "" {
		return err
	}
	u.Username = ""
	ways, err := d.Ways(tx, u)
	if err != nil || Usable(ways) > 0 {
		return err
	}
	return ErrLastName.In("username")
}

// History returns up to n of what happened to the account in the last 90 days,
// the newest first, from before the event with the id before; "" is the start.
func (d *Desk) History(ctx context.Context, userID, before string, n int) (list []store.Event, err error) {
	d.Audit.Flush()
	err = d.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.EventsBefore(userID, before, d.Now().Add(-historyFor), n)
		return err
	})
	return list, err
}
