package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"gatelodge/store"
)

// relay are the promises about mail that other apps hand over.
var relay = map[string]func(*testing.T, *store.DB){
	"a credential's name is taken once":                       oneCredential,
	"a body that recipients share goes with the last of them": sharedBody,
	"what a removed credential would send is not kept":        removedCredential,
	"recipients are counted by hour and day":                  submitted,
	"a held message waits for its own retry":                  held,
	"a delay is reported once":                                delayReported,
	"captured mail that is emptied leaves no body behind":     emptiedBody,
	"mail is counted as it ended":                             countsOfMail,
}

func credential(t *testing.T, db *store.DB, name string) store.SubmissionCredential {
	t.Helper()
	c := store.SubmissionCredential{
		ID: store.NewID(Now), Name: name, SecretHash: []byte("hash"), Senders: "nas@home.example", Recipients: "*",
		PerHour: 10, PerDay: 20, MaxBytes: 1 << 20, CreatedAt: Now,
	}
	Update(t, db, func(tx *store.Tx) error { return tx.AddSubmissionCredential(c) })
	return c
}

func oneCredential(t *testing.T, db *store.DB) {
	c := credential(t, db, "nas")
	other := c
	other.ID = store.NewID(Now)
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.AddSubmissionCredential(other) }), store.ErrConflict)
	Update(t, db, func(tx *store.Tx) error {
		got, err := tx.SubmissionCredentialByName("nas")
		if err == nil && (got.ID != c.ID || got.Senders != c.Senders || got.PerDay != 20 || !got.UsedAt.IsZero()) {
			t.Errorf("got %+v, want %+v", got, c)
		}
		return err
	})
	Update(t, db, func(tx *store.Tx) error { return tx.RemoveSubmissionCredential("nas") })
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.RemoveSubmissionCredential("nas") }), store.ErrNotFound)
}

// submit hands over a mail for n recipients and returns its messages' ids.
func submit(t *testing.T, db *store.DB, c store.SubmissionCredential, n int) (string, []string) {
	t.Helper()
	s := store.Submission{ID: store.NewID(Now), CredentialID: c.ID, Recipients: n, CreatedAt: Now}
	var ids []string
	Update(t, db, func(tx *store.Tx) error {
		if err := tx.AddSubmission(s, []byte("the body")); err != nil {
			return err
		}
		for range n {
			id := store.NewID(Now)
			ids = append(ids, id)
			m := store.Message{
				ID: id, Class: 2, Purpose: "relayed", Addressed: true, Domain: "x.example", RcptHash: []byte(id), Rcpt: "a@x.example",
				DueAt: Now, NotAfter: Now.Add(48 * time.Hour), MessageID: id, CreatedAt: Now, SubmissionID: s.ID,
			}
			if err := tx.AddMessage(m, nil); err != nil {
				return err
			}
		}
		return nil
	})
	return s.ID, ids
}

func bodyOf(t *testing.T, db *store.DB, submission string) string {
	t.Helper()
	var body []byte
	Update(t, db, func(tx *store.Tx) (err error) {
		_, body, err = tx.SubmissionByID(submission)
		return err
	})
	return string(body)
}

func sharedBody(t *testing.T, db *store.DB) {
	id, messages := submit(t, db, credential(t, db, "nas"), 3)
	for range 2 {
		Update(t, db, func(tx *store.Tx) error {
			w, err := tx.ClaimMessage(2, "me", nil, Now, Now.Add(time.Minute), func(store.Message) time.Time { return Now.Add(time.Hour) })
			if err != nil {
				return err
			}
			if string(w.Body) != "the body" {
				t.Errorf("a claim got the body %q", w.Body)
			}
			return tx.FinishMessage(w.ID, w.Gen, store.Report{State: "sent"}, Now)
		})
		if got := bodyOf(t, db, id); got != "the body" {
			t.Fatalf("the body is %q while a recipient waits for it", got)
		}
	}
	Update(t, db, func(tx *store.Tx) error {
		for _, m := range messages {
			if err := tx.CancelMessage(m, Now); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	if got := bodyOf(t, db, id); got != "" {
		t.Errorf("the body is still there: %q", got)
	}
}

func removedCredential(t *testing.T, db *store.DB) {
	c := credential(t, db, "nas")
	Update(t, db, func(tx *store.Tx) error { return tx.RemoveSubmissionCredential("nas") })
	s := store.Submission{ID: store.NewID(Now), CredentialID: c.ID, Recipients: 1, CreatedAt: Now}
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.AddSubmission(s, []byte("x")) }), store.ErrNotFound)
}

func submitted(t *testing.T, db *store.DB) {
	c := credential(t, db, "nas")
	submit(t, db, c, 3)
	submit(t, db, c, 4)
	Update(t, db, func(tx *store.Tx) error {
		hour, day, err := tx.SubmittedSince(c.ID, Now.Add(-time.Hour), Now.Add(-24*time.Hour))
		if hour != 7 || day != 7 {
			t.Errorf("got %d in an hour and %d in a day, want 7 and 7", hour, day)
		}
		if err != nil {
			return err
		}
		hour, day, err = tx.SubmittedSince(c.ID, Now, Now.Add(-time.Minute))
		if hour != 0 || day != 7 {
			t.Errorf("got %d since now and %d since before, want 0 and 7", hour, day)
		}
		if err != nil {
			return err
		}
		n, err := tx.WaitingOf(2, 5)
		if n != 5 {
			t.Errorf("got %d waiting of at most 5", n)
		}
		return err
	})
}

func held(t *testing.T, db *store.DB) {
	_, ids := submit(t, db, credential(t, db, "nas"), 1)
	Update(t, db, func(tx *store.Tx) error { return tx.HoldMessage(ids[0]) })
	retried := func(id string) (n int) {
		Update(t, db, func(tx *store.Tx) (err error) { n, err = tx.RetryMessages(id, Now); return err })
		return n
	}
	if n := retried(""); n != 0 {
		t.Errorf("a retry of everything sent a held message")
	}
	if n := retried(ids[0]); n != 1 {
		t.Errorf("its own retry did not send it")
	}
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.HoldMessage("none") }), store.ErrNotFound)
}

func delayReported(t *testing.T, db *store.DB) {
	_, ids := submit(t, db, credential(t, db, "nas"), 1)
	for _, wanted := range []bool{true, false} {
		Update(t, db, func(tx *store.Tx) error {
			got, err := tx.TellDelay(ids[0], Now)
			if got != wanted {
				t.Errorf("got %v, want %v", got, wanted)
			}
			return err
		})
	}
}

func emptiedBody(t *testing.T, db *store.DB) {
	id, _ := submit(t, db, credential(t, db, "nas"), 2)
	capture := func() {
		Update(t, db, func(tx *store.Tx) error {
			w, err := tx.ClaimMessage(2, "me", nil, Now, Now.Add(time.Minute), func(store.Message) time.Time { return Now.Add(time.Hour) })
			if err != nil {
				return err
			}
			return tx.FinishMessage(w.ID, w.Gen, store.Report{State: "captured"}, Now)
		})
	}
	empty := func() {
		Update(t, db, func(tx *store.Tx) error {
			n, err := tx.EmptyCaptured()
			if n != 1 {
				t.Errorf("%d messages went, want 1", n)
			}
			return err
		})
	}
	capture()
	empty()
	if got := bodyOf(t, db, id); got != "the body" {
		t.Fatalf("the body is %q while a recipient waits for it", got)
	}
	capture()
	empty()
	if got := bodyOf(t, db, id); got != "" {
		t.Errorf("the body is still there: %q", got)
	}
}

func countsOfMail(t *testing.T, db *store.DB) {
	end := func(id, state string, took time.Duration) {
		Message(t, db, id, 0, Now)
		done := Now.Add(took)
		Update(t, db, func(tx *store.Tx) error {
			w, err := tx.ClaimMessage(0, "me", nil, done, done.Add(time.Minute), func(store.Message) time.Time { return done })
			if err != nil {
				return err
			}
			return tx.FinishMessage(w.ID, w.Gen, store.Report{State: state}, done)
		})
	}
	end("fast", "sent", time.Second)
	end("usual", "sent", 3*time.Second)
	end("slow", "sent", time.Minute)
	end("back", "failed", 2*time.Minute)
	end("night", "sent", 13*time.Hour)
	Message(t, db, "waits", 0, Now)
	today := Now.UTC().Truncate(24 * time.Hour)
	Update(t, db, func(tx *store.Tx) error {
		days, err := tx.MailDays(today)
		if err != nil {
			return err
		}
		want := []store.MailDay{{Day: today, Sent: 3, Returned: 1}, {Day: today.AddDate(0, 0, 1), Sent: 1}}
		if !slices.Equal(days, want) {
			t.Errorf("by day: got %+v, want %+v", days, want)
		}
		sent, returned, err := tx.MailEnded(Now.Add(30 * time.Second))
		if err != nil || sent != 2 || returned != 1 {
			t.Errorf("since then: got %d sent, %d returned, %v", sent, returned, err)
		}
		took, err := tx.MailTook(Now)
		if err != nil || took != time.Minute {
			t.Errorf("half took %v, %v, want a minute", took, err)
		}
		if took, err = tx.MailTook(Now.AddDate(0, 0, 2)); err != nil || took != 0 {
			t.Errorf("half of none took %v, %v", took, err)
		}
		depths, err := tx.QueueDepths()
		if err != nil {
			return err
		}
		if len(depths) != 1 || depths[0].State != "queued" || depths[0].Messages != 1 || !depths[0].OldestAt.Equal(Now) {
			t.Errorf("waiting: got %+v", depths)
		}
		done, err := tx.DoneMessages(2)
		if err != nil || len(done) != 2 || done[0].ID != "night" || done[1].ID != "back" {
			t.Errorf("done: got %+v, %v", done, err)
		}
		h, err := tx.MailHealth(Now, Now.Add(time.Second))
		if h.Sent != 4 || h.Failed != 1 || h.Waiting != 1 || h.Late != 1 {
			t.Errorf("health: got %+v", h)
		}
		return err
	})
}
