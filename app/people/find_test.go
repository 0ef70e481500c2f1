package people_test

import (
	"errors"
	"testing"

	"gatelodge/app/people"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

// Imported ids may look like anything. Addresses, ids and usernames are looked for in
// sets of their own, and a word that could mean two users finds none.
func TestNoIDIsTakenForAnAddressOrAUsername(t *testing.T) {
	s := users(t, people.Open)
	mara := storetest.User(t, s.DB, "mara@home.example")
	storetest.Update(t, s.DB, func(tx *store.Tx) error {
		for _, id := range []string{"mara@home.example", "boss@home.example", "mara", "sam"} {
			if err := tx.AddUser(store.User{ID: id, EmailNorm: store.NoEmail(id), CreatedAt: now(), UpdatedAt: now()}); err != nil {
				return err
			}
		}
		return errors.Join(tx.SetUsername(mara.ID, "Mara", "mara", now()), tx.SetUsername("sam", "Sam", "sam", now()))
	})
	for name, want := range map[string]struct {
		id  string
		err error
	}{
		"Mara@home.example": {id: mara.ID},
		"boss@home.example": {err: people.ErrUnknown},
		"mara":              {err: people.ErrAmbiguous},
		"sam":               {id: "sam"},
		"nobody":            {err: people.ErrUnknown},
		mara.ID:             {id: mara.ID},
	} {
		if u, err := s.Find(t.Context(), name); u.ID != want.id || !errors.Is(err, want.err) {
			t.Errorf("%s: got %q, %v; want %q, %v", name, u.ID, err, want.id, want.err)
		}
	}
}
