package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gatelodge/store"
)

// own are the promises about what makes an account one's own.
var own = map[string]func(*testing.T, *store.DB){
	"every address of a user leads to them, and to nobody else":  addresses,
	"a user without an address is found by none":                 noAddress,
	"a username belongs to one user and can be given up":         username,
	"a password that was changed meanwhile is not hashed anew":   rehash,
	"a browser is known to the users who signed in with it":      browsers,
	"history goes back page by page":                             history,
	"what opens an account is seen, and goes when it is claimed": claimed,
}

// leadsTo returns the id of whoever an address leads to, or "".
func leadsTo(t *testing.T, db *store.DB, norm string) string {
	t.Helper()
	var u store.User
	err := db.View(t.Context(), func(tx *store.Tx) (err error) {
		u, err = tx.UserByEmail(norm)
		return err
	})
	if err != nil {
		want(t, err, store.ErrNotFound)
	}
	return u.ID
}

func addresses(t *testing.T, db *store.DB) {
	mara, sam := User(t, db, "mara@home.example"), User(t, db, "sam@home.example")
	second := store.Email{Norm: "mara@work.example", Email: "Mara@Work.example", UserID: mara.ID, VerifiedAt: Now, CreatedAt: Now}
	Update(t, db, func(tx *store.Tx) error { return tx.AddEmail(second) })
	if got := leadsTo(t, db, second.Norm); got != mara.ID {
		t.Errorf("the second address leads to %q", got)
	}
	for name, e := range map[string]store.Email{
		"somebody's second address": {Norm: second.Norm, Email: second.Norm, UserID: sam.ID, CreatedAt: Now},
		"somebody's first":          {Norm: mara.EmailNorm, Email: mara.Email, UserID: sam.ID, CreatedAt: Now},
	} {
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.AddEmail(e) }); err == nil {
			t.Errorf("%s was given to another", name)
		} else {
			want(t, err, store.ErrConflict)
		}
	}
	taken := store.User{ID: "new", Email: second.Email, EmailNorm: second.Norm, CreatedAt: Now, UpdatedAt: Now}
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.AddUser(taken) }), store.ErrConflict)

	// What was refused leaves nothing behind, and the transaction goes on.
	Update(t, db, func(tx *store.Tx) error {
		want(t, tx.AddUser(taken), store.ErrConflict)
		want(t, tx.AddUser(mara), store.ErrConflict)
		want(t, tx.AddEmail(store.Email{Norm: second.Norm, Email: second.Norm, UserID: sam.ID, CreatedAt: Now}), store.ErrConflict)
		return tx.SetUsername(mara.ID, "Mara", "mara", Now)
	})
	err := db.View(t.Context(), func(tx *store.Tx) error {
		_, err := tx.UserByID(taken.ID)
		want(t, err, store.ErrNotFound)
		u, err := tx.UserByUsername("mara")
		if u.ID != mara.ID {
			t.Errorf("the username leads to %q", u.ID)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}

	// Only a verified address of one's own becomes the primary one.
	unproven := store.Email{Norm: "m@new.example", Email: "m@new.example", UserID: mara.ID, CreatedAt: Now}
	Update(t, db, func(tx *store.Tx) error { return tx.AddEmail(unproven) })
	for _, norm := range []string{unproven.Norm, sam.EmailNorm, "nobody@home.example"} {
		want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.SetPrimary(mara.ID, norm, Now) }), store.ErrNotFound)
	}
	Update(t, db, func(tx *store.Tx) error { return tx.SetPrimary(mara.ID, second.Norm, Now) })
	Update(t, db, func(tx *store.Tx) error {
		u, err := tx.UserByID(mara.ID)
		if u.Email != second.Email || u.EmailNorm != second.Norm || !u.EmailVerifiedAt.Equal(Now) {
			t.Errorf("the primary address is %q, verified %v", u.Email, u.EmailVerifiedAt)
		}
		return err
	})
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.RemoveEmail(mara.ID, second.Norm) }), store.ErrNotFound)
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.RemoveEmail(sam.ID, mara.EmailNorm) }), store.ErrNotFound)
	Update(t, db, func(tx *store.Tx) error { return tx.RemoveEmail(mara.ID, mara.EmailNorm) })
	if got := leadsTo(t, db, mara.EmailNorm); got != "" {
		t.Errorf("an address that was removed leads to %q", got)
	}
	Update(t, db, func(tx *store.Tx) error { return tx.VerifyEmail(sam.ID, unproven.Norm, Now) })
	Update(t, db, func(tx *store.Tx) error {
		list, err := tx.EmailsOf(mara.ID)
		if len(list) != 2 || list[0].Norm == unproven.Norm && !list[0].VerifiedAt.IsZero() {
			t.Errorf("mara has %+v", list)
		}
		return err
	})
}

func noAddress(t *testing.T, db *store.DB) {
	for i := range 2 {
		id := fmt.Sprintf("u%d", i)
		Update(t, db, func(tx *store.Tx) error {
			return tx.AddUser(store.User{ID: id, EmailNorm: store.NoEmail(id), Name: "Mara", CreatedAt: Now, UpdatedAt: Now})
		})
		for _, norm := range []string{"", store.NoEmail(id)} {
			if got := leadsTo(t, db, norm); got != "" {
				t.Errorf("%q leads to %s", norm, got)
			}
		}
	}
}

func username(t *testing.T, db *store.DB) {
	mara, sam := User(t, db, "mara@home.example"), User(t, db, "sam@home.example")
	set := func(u store.User, name, norm string) error {
		return db.Update(t.Context(), func(tx *store.Tx) error { return tx.SetUsername(u.ID, name, norm, Now) })
	}
	want(t, set(mara, "Mara", "mara"), nil)
	want(t, set(sam, "mara", "mara"), store.ErrConflict)
	want(t, set(mara, "", ""), nil)
	want(t, set(sam, "", ""), nil)
	want(t, set(sam, "mara", "mara"), nil)
	Update(t, db, func(tx *store.Tx) error {
		u, err := tx.UserByUsername("mara")
		if u.ID != sam.ID {
			t.Errorf("the name leads to %s", u.ID)
		}
		return err
	})
}

func rehash(t *testing.T, db *store.DB) {
	u := User(t, db, "mara@home.example")
	set := func(hash string) {
		Update(t, db, func(tx *store.Tx) error {
			return tx.SetPassword(store.Password{UserID: u.ID, Hash: hash, ChangedAt: Now})
		})
	}
	check := func(wanted string) {
		t.Helper()
		Update(t, db, func(tx *store.Tx) error {
			p, err := tx.PasswordOf(u.ID)
			if p.Hash != wanted || !p.ChangedAt.Equal(Now) {
				t.Errorf("got %+v, want %q", p, wanted)
			}
			return err
		})
	}
	set("old")
	Update(t, db, func(tx *store.Tx) error { return tx.RehashPassword(u.ID, "old", "new") })
	check("new")
	set("changed")
	Update(t, db, func(tx *store.Tx) error { return tx.RehashPassword(u.ID, "new", "newer") })
	check("changed")
	Update(t, db, func(tx *store.Tx) error { return tx.RemovePassword(u.ID) })
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.RemovePassword(u.ID) }), store.ErrNotFound)
	want(t, db.View(t.Context(), func(tx *store.Tx) error { _, err := tx.PasswordOf(u.ID); return err }), store.ErrNotFound)
}

func browsers(t *testing.T, db *store.DB) {
	mara, sam := User(t, db, "mara@home.example"), User(t, db, "sam@home.example")
	check := func(u store.User, browser string, known, any bool) {
		t.Helper()
		Update(t, db, func(tx *store.Tx) error {
			k, a, err := tx.KnowsBrowser(u.ID, Hash(browser))
			if k != known || a != any {
				t.Errorf("known %v, any %v, want %v, %v", k, a, known, any)
			}
			return err
		})
	}
	check(mara, "a", false, false)
	for range 2 {
		Update(t, db, func(tx *store.Tx) error { return tx.RememberBrowser(mara.ID, Hash("a"), "Firefox on Linux", Now) })
	}
	check(mara, "a", true, true)
	owns := func(u store.User, want bool) {
		t.Helper()
		Update(t, db, func(tx *store.Tx) error {
			got, err := tx.OwnsBrowser(u.ID, Hash("a"))
			if got != want {
				t.Errorf("owns the browser: %v, want %v", got, want)
			}
			return err
		})
	}
	owns(mara, false)
	Update(t, db, func(tx *store.Tx) error { return tx.OwnBrowser(sam.ID, Hash("a")) })
	owns(sam, false)
	Update(t, db, func(tx *store.Tx) error { return tx.OwnBrowser(mara.ID, Hash("a")) })
	Update(t, db, func(tx *store.Tx) error { return tx.RememberBrowser(mara.ID, Hash("a"), "Firefox on Linux", Now) })
	owns(mara, true)
	Update(t, db, func(tx *store.Tx) error {
		list, err := tx.BrowsersOf(mara.ID)
		if len(list) != 1 || list[0].Device != "Firefox on Linux" || !list[0].SeenAt.Equal(Now) || !list[0].CreatedAt.Equal(Now) {
			t.Errorf("got %+v", list)
		}
		return err
	})
	check(mara, "b", false, true)
	check(sam, "a", false, false)
	Update(t, db, func(tx *store.Tx) error { return tx.ForgetBrowser(mara.ID, Hash("a")) })
	check(mara, "a", false, false)
}

func claimed(t *testing.T, db *store.DB) {
	mara, sam := User(t, db, "mara@home.example"), User(t, db, "sam@home.example")
	opened := func(want bool) {
		t.Helper()
		Update(t, db, func(tx *store.Tx) error {
			got, err := tx.Opened(mara.ID)
			if got != want {
				t.Errorf("opened: %v, want %v", got, want)
			}
			other, err2 := tx.Opened(sam.ID)
			if other {
				t.Error("somebody else's account is opened")
			}
			return errors.Join(err, err2)
		})
	}
	opened(false)
	for _, add := range []func(*store.Tx) error{
		func(tx *store.Tx) error {
			return tx.SetPassword(store.Password{UserID: mara.ID, Hash: "x", ChangedAt: Now})
		},
		func(tx *store.Tx) error {
			return tx.AddPasskey(store.Passkey{CredentialID: []byte("c"), UserID: mara.ID, PublicKey: []byte("k"), CreatedAt: Now})
		},
		func(tx *store.Tx) error { return tx.AddAccount(account(mara, "1")) },
		func(tx *store.Tx) error {
			return tx.AddEmail(store.Email{Norm: "m@work.example", Email: "m@work.example", UserID: mara.ID, VerifiedAt: Now, CreatedAt: Now})
		},
	} {
		Update(t, db, add)
		opened(true)
		Update(t, db, func(tx *store.Tx) error { return tx.RevokeAll(mara.ID, Now) })
		opened(false)
	}
	s := Session(t, db, mara, "a")
	opened(true)
	typed := s
	typed.ID, typed.TokenHash, typed.AMR = store.NewID(Now), Hash("typed"), "pwd"
	Update(t, db, func(tx *store.Tx) error { return tx.AddSession(typed) })
	Update(t, db, func(tx *store.Tx) error {
		if err := tx.PutAppSession(store.AppSession{TokenHash: Hash("wiki"), App: "Wiki", SessionID: s.ID, CreatedAt: Now}); err != nil {
			return err
		}
		apps, err := tx.AppSessionsOf(mara.ID, Now)
		if len(apps) != 1 || apps[0].App != "Wiki" || apps[0].SessionID != s.ID {
			t.Errorf("got %+v", apps)
		}
		if is, err := tx.IsSignedIn(mara.ID, s.TokenHash, Now); is || err != nil {
			t.Errorf("a mailed link, which may have been forwarded, counts: %v", err)
		}
		for who, want := range map[string]bool{mara.ID: true, sam.ID: false} {
			if is, err := tx.IsSignedIn(who, typed.TokenHash, Now); is != want || err != nil {
				t.Errorf("signed in: %v, want %v, %v", is, want, err)
			}
		}
		return err
	})
	c := Challenge(t, db, "t", mara.ID, "b")
	Update(t, db, func(tx *store.Tx) error {
		if err := tx.RevokeAll(mara.ID, Now); err != nil {
			return err
		}
		if is, err := tx.IsSignedIn(mara.ID, typed.TokenHash, Now); is || err != nil {
			t.Errorf("still signed in, %v", err)
		}
		ended, err := tx.ChallengeByID(c.ID)
		if ended.EndedBy != "cancelled" {
			t.Errorf("the link was ended by %q", ended.EndedBy)
		}
		return err
	})
}

func history(t *testing.T, db *store.DB) {
	const all = 7
	Update(t, db, func(tx *store.Tx) error {
		for i := range all {
			at := Now.Add(time.Duration(i) * time.Minute)
			if err := tx.AddEvent(store.Event{ID: store.NewID(at), At: at, Kind: "k", UserID: "mara", Actor: "user"}); err != nil {
				return err
			}
		}
		return tx.AddEvent(store.Event{ID: store.NewID(Now), At: Now, Kind: "k", UserID: "sam", Actor: "user"})
	})
	var seen []string
	before := ""
	for range 10 {
		var page []store.Event
		Update(t, db, func(tx *store.Tx) (err error) {
			page, err = tx.EventsBefore("mara", before, Now.Add(time.Minute), 4)
			return err
		})
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if before != "" && e.ID >= before {
				t.Errorf("%s comes after %s", e.ID, before)
			}
			before = e.ID
			seen = append(seen, e.ID)
		}
	}
	if len(seen) != all-1 {
		t.Errorf("%d events, want those of the last %d moments", len(seen), all-1)
	}
}
