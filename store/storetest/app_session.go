package storetest

import (
	"testing"
	"time"

	"gatelodge/store"
)

func appSession(t *testing.T, db *store.DB) {
	u := User(t, db, "mara@home.example")
	s := Session(t, db, u, "own")
	Update(t, db, func(tx *store.Tx) error {
		return tx.PutAppSession(store.AppSession{TokenHash: Hash("wiki"), App: "Wiki", SessionID: s.ID, CreatedAt: Now})
	})
	find := func(app, token string, at time.Time) error {
		_, _, err := db.SessionByAppToken(t.Context(), app, Hash(token), at)
		return err
	}
	got, user, err := db.SessionByAppToken(t.Context(), "Wiki", Hash("wiki"), Now)
	if err != nil || got.ID != s.ID || string(got.TokenHash) != string(s.TokenHash) || user.ID != u.ID || user.Email != u.Email {
		t.Errorf("got %+v, %+v, %v", got, user, err)
	}
	for range 2 { // the second time from memory
		want(t, find("Wiki", "wiki", Now), nil)
		want(t, find("Else", "wiki", Now), store.ErrNotFound)
		want(t, find("", "wiki", Now), store.ErrNotFound)
		want(t, find("Wiki", "own", Now), store.ErrNotFound)
		want(t, find("Wiki", "wiki", s.ExpiresAt), store.ErrNotFound)
		_, _, err = db.SessionByToken(t.Context(), Hash("wiki"), Now)
		want(t, err, store.ErrNotFound)
		_, _, err = db.SessionByToken(t.Context(), Hash("own"), Now)
		want(t, err, nil)
	}
	Update(t, db, func(tx *store.Tx) error { return tx.EndSession(u.ID, s.ID) })
	want(t, find("Wiki", "wiki", Now), store.ErrNotFound)

	s = Session(t, db, u, "again")
	Update(t, db, func(tx *store.Tx) error {
		return tx.PutAppSession(store.AppSession{TokenHash: Hash("wiki"), App: "Wiki", SessionID: s.ID, CreatedAt: Now})
	})
	want(t, find("Wiki", "wiki", Now), nil)
	Update(t, db, func(tx *store.Tx) error { return tx.SetDisabled(u.ID, Now, Now) })
	want(t, find("Wiki", "wiki", Now), store.ErrNotFound)
}

func oneAppSession(t *testing.T, db *store.DB) {
	u := User(t, db, "mara@home.example")
	s, other := Session(t, db, u, "a"), Session(t, db, u, "b")
	put := func(token, app, session string) {
		Update(t, db, func(tx *store.Tx) error {
			return tx.PutAppSession(store.AppSession{TokenHash: Hash(token), App: app, SessionID: session, CreatedAt: Now})
		})
	}
	put("1", "Wiki", s.ID)
	put("2", "Wiki", s.ID)
	put("3", "Else", s.ID)
	put("4", "Wiki", other.ID)
	for token, tt := range map[string]struct {
		app  string
		want error
	}{"1": {"Wiki", store.ErrNotFound}, "2": {"Wiki", nil}, "3": {"Else", nil}, "4": {"Wiki", nil}} {
		_, _, err := db.SessionByAppToken(t.Context(), tt.app, Hash(token), Now)
		want(t, err, tt.want)
	}
}

func handoff(t *testing.T, db *store.DB) {
	u := User(t, db, "mara@home.example")
	s := Session(t, db, u, "a")
	add := func(code string) {
		Update(t, db, func(tx *store.Tx) error {
			return tx.AddHandoff(store.Handoff{CodeHash: Hash(code), App: "Wiki", SessionID: s.ID, BrowserHash: Hash("browser"), ExpiresAt: Now.Add(time.Minute)})
		})
	}
	spend := func(code, app, browser string, at time.Time) error {
		return db.Update(t.Context(), func(tx *store.Tx) error {
			id, err := tx.SpendHandoff(Hash(code), app, Hash(browser), at)
			if err == nil && id != s.ID {
				t.Errorf("got the session %q", id)
			}
			return err
		})
	}
	add("code")
	want(t, spend("other", "Wiki", "browser", Now), store.ErrNotFound)
	want(t, spend("code", "Else", "browser", Now), store.ErrNotFound)
	want(t, spend("code", "Wiki", "another", Now), store.ErrNotFound)
	want(t, spend("code", "Wiki", "browser", Now.Add(time.Minute)), store.ErrNotFound)
	if won := race(t, 20, store.ErrNotFound, func(int) error { return spend("code", "Wiki", "browser", Now) }); won != 1 {
		t.Errorf("%d spent the code", won)
	}
	add("late")
	Update(t, db, func(tx *store.Tx) error { return tx.EndSession(u.ID, s.ID) })
	want(t, spend("late", "Wiki", "browser", Now), store.ErrNotFound)
}

// What is kept by an App's name goes to its id; of two shares of one Session the one
// under the id stays.
func rekeyApp(t *testing.T, db *store.DB) {
	u := User(t, db, "mara@home.example")
	s, other := Session(t, db, u, "a"), Session(t, db, u, "b")
	put := func(token, app, session string) {
		Update(t, db, func(tx *store.Tx) error {
			return tx.PutAppSession(store.AppSession{TokenHash: Hash(token), App: app, SessionID: session, CreatedAt: Now})
		})
	}
	put("old", store.AppNamed+"Wiki", s.ID)
	put("double", store.AppNamed+"Wiki", other.ID)
	put("new", "wiki", other.ID)
	put("else", store.AppNamed+"Else", s.ID)
	for _, n := range []int{1, 0} {
		Update(t, db, func(tx *store.Tx) error {
			if got, err := tx.RekeyApp(store.AppNamed+"Wiki", "wiki"); err != nil || got != n {
				t.Errorf("changed %d rows, want %d, %v", got, n, err)
			}
			return nil
		})
	}
	for token, found := range map[string]error{"old": nil, "new": nil, "double": store.ErrNotFound, "else": store.ErrNotFound} {
		_, _, err := db.SessionByAppToken(t.Context(), "wiki", Hash(token), Now)
		want(t, err, found)
	}
}
