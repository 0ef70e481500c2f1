package people

import (
	"context"
	"errors"

	"gatelodge/store"
)

// pageOf is how many people are read at once.
const pageOf = 500

// People calls f for everybody who fits, by address.
func (s *Users) People(ctx context.Context, filter store.PeopleFilter, f func(store.Person) error) error {
	for {
		page, err := s.Page(ctx, filter, pageOf)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, p := range page {
			if err := f(p); err != nil {
				return err
			}
		}
		filter.After = page[len(page)-1].EmailNorm
	}
}

// Page returns up to limit people who fit, by address.
func (s *Users) Page(ctx context.Context, filter store.PeopleFilter, limit int) (list []store.Person, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.People(filter, limit)
		return err
	})
	return list, err
}

// Count returns how many users there are.
func (s *Users) Count(ctx context.Context) (n int, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		n, err = tx.CountPeople()
		return err
	})
	return n, err
}

// Person returns the user with that id as those see them who manage people, with
// their addresses, or ErrUnknown.
func (s *Users) Person(ctx context.Context, id string) (p store.Person, emails []store.Email, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		if p, err = tx.PersonByID(id); err != nil {
			return err
		}
		emails, err = tx.EmailsOf(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return store.Person{}, nil, ErrUnknown
	}
	return p, emails, err
}
