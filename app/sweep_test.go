package app

import (
	"errors"
	"testing"
	"time"

	"gatelodge/app/config"
	"gatelodge/app/mail/queue"
	"gatelodge/app/mail/submission"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// A clock that jumps ten years ahead, as one without a battery may, ends every
// session for as long as it is wrong, and for no longer.
func TestAWrongClockRemovesNothingForGood(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	c := config.Default()
	c.DataDir = t.TempDir()
	steady := time.Duration(0)
	a, err := Open(t.Context(), &c, Options{Now: func() time.Time { return now }, Steady: func() time.Duration { return steady }})
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
		token, err = begin(tx, u, now)
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
	// Somebody signs in by the wrong time: that must not last for ten years.
	now = right.AddDate(10, 0, 0)
	wrong := ""
	if err := a.DB.Update(t.Context(), func(tx *store.Tx) (err error) {
		wrong, err = begin(tx, u, now)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for range 100 { // most of a day
		if n := sweep(); n > 0 {
			t.Fatalf("%d rows were removed by a clock that had just jumped", n)
		}
		now, steady = now.Add(10*time.Minute), steady+10*time.Minute
	}
	if signedIn() {
		t.Error("an expired session opens")
	}
	now = right.Add(steady)
	sweep()
	if !signedIn() {
		t.Error("with the clock right again the session is gone")
	}
	hash, _ := secret.Hash(wrong)
	if _, _, err := a.DB.SessionByToken(t.Context(), hash, now); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a session of ten years ahead is one now: %v", err)
	}
	// A clock that was right all along: after a day the sweeping goes on.
	now = now.AddDate(1, 0, 0)
	sweep()
	removed := 0
	for range 150 {
		now, steady = now.Add(10*time.Minute), steady+10*time.Minute
		removed += sweep()
	}
	if removed == 0 || signedIn() {
		t.Errorf("a year later %d rows are removed", removed)
	}
}

// A sender hears that its mail is late from the server, when no attempt does it.
func TestTheSweepReportsThatMailIsLate(t *testing.T) {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	passed := time.Duration(0)
	c := config.Default()
	c.DataDir = t.TempDir()
	a, err := Open(t.Context(), &c, Options{Now: func() time.Time { return start.Add(passed) }, Steady: func() time.Duration { return passed }})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	password, err := a.Relay.Add(t.Context(), store.SubmissionCredential{Name: "nas", Senders: "nas@home.example"})
	if err != nil {
		t.Fatal(err)
	}
	nas, err := a.Relay.Login(t.Context(), "127.0.0.1", true, "nas", password)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Relay.Send(t.Context(), nas, submission.Mail{From: "nas@home.example", To: []string{"mara@x.example"}, Text: "full"}); err != nil {
		t.Fatal(err)
	}
	reports := func() (n int) {
		t.Helper()
		if _, err := a.sweepOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := a.Outbox.List(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			if m.Class == queue.ClassReport {
				n++
			}
		}
		return n
	}
	passed = time.Hour
	if n := reports(); n != 0 {
		t.Errorf("after an hour there are %d reports", n)
	}
	passed = 5 * time.Hour
	reports()
	if n := reports(); n != 1 {
		t.Errorf("after five hours there are %d reports, want 1", n)
	}
}

// begin adds a session that begins now, and returns its token.
func begin(tx *store.Tx, u store.User, now time.Time) (string, error) {
	token := secret.Token()
	hash, _ := secret.Hash(token)
	return token, tx.AddSession(store.Session{
		ID: store.NewID(now), TokenHash: hash, UserID: u.ID, AMR: "email", AuthAt: now, CreatedAt: now, SeenAt: now,
		ExpiresAt: now.Add(30 * 24 * time.Hour), MaxExpiresAt: now.Add(180 * 24 * time.Hour),
	})
}
