package app

import (
	"testing"
	"time"

	"gatelodge/app/config"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// A clock that jumps ten years ahead, as one without a battery may, ends every
// session for as long as it is wrong, and for no longer.
func TestAWrongClockRemovesNothingForGood(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	c := config.Default()
	c.DataDir = t.TempDir()
	a, err := Open(t.Context(), &c, Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	u, err := a.Users.Add(t.Context(), Operator(), "mara@home.example", "", false)
	if err != nil {
		t.Fatal(err)
	}
	token := ""
	if err := a.DB.Update(t.Context(), func(tx *store.Tx) (err error) {
		token, _, err = a.Sessions.Start(tx, Operator(), u.ID, "email", "")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	sweep := func() int {
		t.Helper()
		n, err := a.sweepOnce(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	signedIn := func() bool {
		hash, _ := secret.Hash(token)
		_, _, err := a.DB.SessionByToken(t.Context(), hash, now)
		return err == nil
	}
	right := now
	sweep()
	now = right.AddDate(10, 0, 0)
	for range 100 { // most of a day
		if n := sweep(); n > 0 {
			t.Fatalf("%d rows were removed by a clock that had just jumped", n)
		}
		now = now.Add(10 * time.Minute)
	}
	if signedIn() {
		t.Error("an expired session opens")
	}
	now = right.Add(17 * time.Hour)
	sweep()
	if !signedIn() {
		t.Error("with the clock right again the session is gone")
	}
	// A clock that was right all along: after a day the sweeping goes on.
	now = right.AddDate(1, 0, 0)
	sweep()
	removed := 0
	for range 150 {
		now = now.Add(10 * time.Minute)
		removed += sweep()
	}
	if removed == 0 || signedIn() {
		t.Errorf("a year later %d rows are removed", removed)
	}
}
