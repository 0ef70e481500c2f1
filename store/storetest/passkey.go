package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/store"
)

// passkeys are the promises about passkeys.
var passkeys = map[string]func(*testing.T, *store.DB){
	"a passkey comes back as it was":         passkeyComesBack,
	"a credential belongs to one user":       onePasskey,
	"removing a user removes their passkeys": removePasskeys,
}

func passkey(u store.User, id string) store.Passkey {
	return store.Passkey{
		CredentialID: []byte(id), UserID: u.ID, PublicKey: []byte{0xa5, 0x01, 0x02}, SignCount: 1 << 31, Transports: "internal hybrid",
		AAGUID: "adce0002-35bc-c60a-648b-0b25f1f05503", MultiDevice: true, Name: "Phone", CreatedAt: Now, UsedAt: Now.Add(time.Minute),
	}
}

func passkeysOf(t *testing.T, db *store.DB, u store.User) []store.Passkey {
	t.Helper()
	var list []store.Passkey
	if err := db.View(t.Context(), func(tx *store.Tx) (err error) { list, err = tx.PasskeysOf(u.ID); return err }); err != nil {
		t.Fatal(err)
	}
	return list
}

func passkeyComesBack(t *testing.T, db *store.DB) {
	mara := User(t, db, "mara@home.example")
	first, second := passkey(mara, "\x00\xff1"), passkey(mara, "2")
	second.CreatedAt, second.UsedAt, second.BackedUp = Now.Add(time.Second), time.Time{}, true
	Update(t, db, func(tx *store.Tx) error { return tx.AddPasskey(second) })
	Update(t, db, func(tx *store.Tx) error { return tx.AddPasskey(first) })
	if diff := cmp.Diff([]store.Passkey{first, second}, passkeysOf(t, db, mara)); diff != "" {
		t.Error(diff)
	}
	err := db.View(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.PasskeyByID([]byte("3")); err != nil {
			want(t, err, store.ErrNotFound)
		}
		got, err := tx.PasskeyByID(first.CredentialID)
		if diff := cmp.Diff(first, got); diff != "" {
			t.Error(diff)
		}
		return err
	})
	want(t, err, nil)
}

func onePasskey(t *testing.T, db *store.DB) {
	mara, eve := User(t, db, "mara@home.example"), User(t, db, "eve@home.example")
	Update(t, db, func(tx *store.Tx) error { return tx.AddPasskey(passkey(mara, "1")) })
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.AddPasskey(passkey(eve, "1")) }), store.ErrConflict)
	if got := passkeysOf(t, db, eve); len(got) > 0 {
		t.Errorf("eve has %v", got)
	}
}

func removePasskeys(t *testing.T, db *store.DB) {
	mara := User(t, db, "mara@home.example")
	Update(t, db, func(tx *store.Tx) error { return tx.AddPasskey(passkey(mara, "1")) })
	Update(t, db, func(tx *store.Tx) error { return tx.RemoveUser(mara.ID) })
	if got := passkeysOf(t, db, mara); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
}
