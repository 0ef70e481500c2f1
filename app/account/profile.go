package account

import (
	"context"
	"errors"
	"strings"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/app/people"
	"gatelodge/store"
)

// historyFor is how far back people see what happened.
const historyFor = 90 * 24 * time.Hour

// Profile is the form of what people say of themselves.
type Profile struct {
	Name, Username, Language, Theme, TimeZone string
}

// User returns the user as they are now.
func (s *Service) User(ctx context.Context, id string) (store.User, error) { return s.user(ctx, id) }

// Lookup returns the user, and whether there is one.
func (s *Service) Lookup(ctx context.Context, id string) (store.User, bool, error) {
	u, err := s.user(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return store.User{}, false, nil
	}
	return u, err == nil, err
}

// SetProfile changes what the user says of themselves.
func (s *Service) SetProfile(ctx context.Context, from audit.Origin, userID string, p Profile) error {
	name, err := people.CleanName(p.Name)
	if err != nil {
		return fault.Of(err).In("name")
	}
	typed, username := strings.TrimSpace(p.Username), ""
	if typed != "" {
		if username, err = people.NormalUsername(typed); err != nil {
			return fault.Of(err).In("username")
		}
	}
	if p.Theme != "light" && p.Theme != "dark" {
		p.Theme = ""
	}
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		now := s.Now()
		if username == "" {
			if err := s.keepAName(tx, userID); err != nil {
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
		return s.Audit.Record(tx, from, audit.ProfileChanged, audit.ByUser, userID, "")
	})
	if errors.Is(err, store.ErrConflict) {
		return people.ErrUsernameTaken.In("username")
	}
	return err
}

// Browsers returns the browsers the user has signed in with, the last used first.
func (s *Service) Browsers(ctx context.Context, userID string) (list []store.Browser, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.BrowsersOf(userID)
		return err
	})
	return list, err
}

// keepAName refuses to take away the username without which nothing opens the account.
func (s *Service) keepAName(tx *store.Tx, userID string) error {
	u, err := tx.UserByID(userID)
	if err != nil || u.Username == "" {
		return err
	}
	u.Username = ""
	methods, err := s.SignInMethods(tx, u)
	if err != nil || Usable(methods) > 0 {
		return err
	}
	return ErrLastName.In("username")
}

// History returns up to n of what happened to the account in the last 90 days,
// the newest first, from before the event with the id before; "" is the start.
func (s *Service) History(ctx context.Context, userID, before string, n int) (list []store.Event, err error) {
	s.Audit.Flush()
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.EventsBefore(userID, before, s.Now().Add(-historyFor), n)
		return err
	})
	return list, err
}
