package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/store"
)

// Run holds an engine to the suite. open gives a new store each time.
func Run(t *testing.T, open func(testing.TB) *store.DB) {
	for _, promises := range []map[string]func(*testing.T, *store.DB){{
		"an address belongs to one user":                        oneAddress,
		"of twenty visitors one becomes the first admin":        firstAdmin,
		"removing a user leaves nothing but the log":            removeUser,
		"who was added by an admin is known wherever a user is": addedByAdmin,
		"a session is found until it expires":                   findSession,
		"a session of a user without access is not found":       disabledUser,
		"a touch prolongs a session and never revives one":      touchSession,
		"nobody ends somebody else's session":                   endSession,
		"an App's session opens that App and ends with its own": appSession,
		"an App has one session of a Session":                   oneAppSession,
		"a hand-off is for one App, one browser, once":          handoff,
		"what an App holds by its name goes to its id":          rekeyApp,
		"of fifty who spend a challenge one succeeds":           spendChallenge,
		"a challenge that is nobody's or too old is not spent":  deadChallenge,
		"of fifty who try a code five get to":                   tryCode,
		"another browser's request supersedes nothing":          supersede,
		"messages are claimed by class, the longest due first":  claimOrder,
		"of twenty workers none claims a message twice":         claimOnce,
		"a lost lease can neither send the dot nor report":      lostLease,
		"a crash after the dot is counted as ambiguous":         ambiguous,
		"a message that is done keeps neither body nor address": purge,
		"cancelling spares what is past the dot":                cancel,
		"mail for nobody is in no list":                         unaddressed,
		"events are found by reference and by user":             events,
		"sweeping takes what is old, a part at a time":          sweep,
		"an error undoes its own write alone":                   groupError,
		"a panic undoes its own write alone":                    groupPanic,
		"two hundred writers all get through":                   groupMany,
		"a value does not open in another row":                  sealed,
	}, own, people, relay} {
		for name, test := range promises {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, open(t))
			})
		}
	}
	for name, test := range mail {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
	for name, test := range passkeys {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func want(t *testing.T, err, wanted error) {
	t.Helper()
	if !errors.Is(err, wanted) {
		t.Errorf("got %v, want %v", err, wanted)
	}
}

// race calls f from n goroutines and returns how many calls gave no error; the
// others must give otherwise.
func race(t *testing.T, n int, otherwise error, f func(i int) error) int {
	t.Helper()
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			err := f(i)
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, otherwise):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return int(won.Load())
}

func oneAddress(t *testing.T, db *store.DB) {
	u := User(t, db, "mara@home.example")
	u.ID = "another"
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.AddUser(u) }), store.ErrConflict)
}

func firstAdmin(t *testing.T, db *store.DB) {
	won := race(t, 20, store.ErrConflict, func(i int) error {
		return db.Update(t.Context(), func(tx *store.Tx) error {
			email := fmt.Sprintf("u%d@home.example", i)
			_, err := tx.AddFirstAdmin(store.User{ID: store.NewID(Now), Email: email, EmailNorm: email, Admin: true, CreatedAt: Now, UpdatedAt: Now})
			return err
		})
	})
	if won != 1 {
		t.Errorf("%d became the first admin", won)
	}
}

func addedByAdmin(t *testing.T, db *store.DB) {
	for email, added := range map[string]bool{"mara@home.example": true, "sam@home.example": false} {
		u := store.User{ID: email + " id", Email: email, EmailNorm: email, AddedByAdmin: added, CreatedAt: Now, UpdatedAt: Now}
		Update(t, db, func(tx *store.Tx) error { return tx.AddUser(u) })
		Session(t, db, u, email)
		_, signedIn, err := db.SessionByToken(t.Context(), Hash(email), Now)
		if err != nil || signedIn.AddedByAdmin != added {
			t.Errorf("%s, signed in: %v, %v", email, signedIn.AddedByAdmin, err)
		}
		Update(t, db, func(tx *store.Tx) error {
			got, err := tx.UserByID(u.ID)
			if got.AddedByAdmin != added {
				t.Errorf("%s: %v", email, got.AddedByAdmin)
			}
			return err
		})
	}
}

func removeUser(t *testing.T, db *store.DB) {
	u := User(t, db, "mara@home.example")
	Session(t, db, u, "a")
	Challenge(t, db, "c", u.ID, "browser")
	Update(t, db, func(tx *store.Tx) error {
		return tx.AddEvent(store.Event{ID: "e", At: Now, Kind: "k", UserID: u.ID, Reference: "GL-0"})
	})
	Update(t, db, func(tx *store.Tx) error { return tx.RemoveUser(u.ID) })
	_, _, err := db.SessionByToken(t.Context(), Hash("a"), Now)
	want(t, err, store.ErrNotFound)
	want(t, db.View(t.Context(), func(tx *store.Tx) error { _, err := tx.ChallengeByToken(Hash("c")); return err }), store.ErrNotFound)
	Update(t, db, func(tx *store.Tx) error {
		list, err := tx.EventsOf(u.ID, 10)
		if len(list) != 1 {
			t.Errorf("the log has %d events", len(list))
		}
		return err
	})
}

func findSession(t *testing.T, db *store.DB) {
	u := User(t, db, "mara@home.example")
	s := Session(t, db, u, "a")
	got, user, err := db.SessionByToken(t.Context(), Hash("a"), s.ExpiresAt.Add(-time.Millisecond))
	if err != nil || got.ID != s.ID || user.ID != u.ID || user.Email != u.Email || !got.ExpiresAt.Equal(s.ExpiresAt) || got.Ephemeral {
		t.Errorf("got %+v, %+v, %v", got, user, err)
	}
	brief := s
	brief.ID, brief.TokenHash, brief.Ephemeral = store.NewID(Now), Hash("brief"), true
	Update(t, db, func(tx *store.Tx) error { return tx.AddSession(brief) })
	if got, _, err := db.SessionByToken(t.Context(), Hash("brief"), Now); err != nil || !got.Ephemeral {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, tt := range map[string]struct {
		token string
		at    time.Time
	}{"on its expiry": {"a", s.ExpiresAt}, "unknown": {"b", Now}} {
		if _, _, err := db.SessionByToken(t.Context(), Hash(tt.token), tt.at); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func disabledUser(t *testing.T, db *store.DB) {
	u := User(t, db, "mara@home.example")
	Session(t, db, u, "a")
	Update(t, db, func(tx *store.Tx) error { return tx.SetDisabled(u.ID, Now, Now) })
	_, _, err := db.SessionByToken(t.Context(), Hash("a"), Now)
	want(t, err, store.ErrNotFound)
}

func touchSession(t *testing.T, db *store.DB) {
	u := User(t, db, "mara@home.example")
	s := Session(t, db, u, "a")
	touch := func(seen, expires time.Time) {
		Update(t, db, func(tx *store.Tx) error {
			return tx.TouchSession(store.Touch{TokenHash: s.TokenHash, SeenAt: seen, ExpiresAt: expires, IP: "::1"})
		})
	}
	touch(Now.Add(time.Minute), s.ExpiresAt.Add(time.Minute))
	touch(Now.Add(2*time.Minute), s.ExpiresAt.Add(-time.Minute)) // never back
	touch(Now, s.ExpiresAt.Add(time.Hour))                       // an older use
	got, _, err := db.SessionByToken(t.Context(), s.TokenHash, Now)
	if err != nil || !got.ExpiresAt.Equal(s.ExpiresAt.Add(time.Minute)) || !got.SeenAt.Equal(Now.Add(2*time.Minute)) {
		t.Errorf("got %+v, %v", got, err)
	}
	Update(t, db, func(tx *store.Tx) error { return tx.EndSession(u.ID, s.ID) })
	touch(Now.Add(time.Hour), s.ExpiresAt.Add(time.Hour))
	_, _, err = db.SessionByToken(t.Context(), s.TokenHash, Now)
	want(t, err, store.ErrNotFound)
}

func endSession(t *testing.T, db *store.DB) {
	mara, eve := User(t, db, "mara@home.example"), User(t, db, "eve@home.example")
	a, b := Session(t, db, mara, "a"), Session(t, db, mara, "b")
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.EndSession(eve.ID, a.ID) }), store.ErrNotFound)
	Session(t, db, eve, "e")
	Update(t, db, func(tx *store.Tx) error {
		n, err := tx.EndSessionsOf(mara.ID, b.ID)
		if n != 1 {
			t.Errorf("%d ended, want 1", n)
		}
		return err
	})
	for token, wanted := range map[string]error{"a": store.ErrNotFound, "b": nil, "e": nil} {
		_, _, err := db.SessionByToken(t.Context(), Hash(token), Now)
		want(t, err, wanted)
	}
}

func spendChallenge(t *testing.T, db *store.DB) {
	u := User(t, db, "mara@home.example")
	Challenge(t, db, "c", u.ID, "browser")
	won := race(t, 50, store.ErrNotFound, func(int) error {
		return db.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.SpendChallenge(Hash("c"), "signin", Now); return err })
	})
	if won != 1 {
		t.Errorf("%d spent it", won)
	}
}

func deadChallenge(t *testing.T, db *store.DB) {
	u := User(t, db, "mara@home.example")
	c := Challenge(t, db, "old", u.ID, "browser")
	Challenge(t, db, "nobody", "", "browser")
	for token, at := range map[string]time.Time{"old": c.ExpiresAt, "nobody": Now, "unknown": Now} {
		want(t, db.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.SpendChallenge(Hash(token), "signin", at); return err }), store.ErrNotFound)
	}
}

func tryCode(t *testing.T, db *store.DB) {
	u := User(t, db, "mara@home.example")
	c := Challenge(t, db, "c", u.ID, "browser")
	try := func(browser string, at time.Time) error {
		return db.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.TryCode(c.ID, Hash(browser), 5, at); return err })
	}
	want(t, try("another", Now), store.ErrNotFound)
	want(t, try("browser", c.CodeExpiresAt), store.ErrNotFound)
	if won := race(t, 50, store.ErrNotFound, func(int) error { return try("browser", Now) }); won != 5 {
		t.Errorf("%d tries, want 5", won)
	}
}

func supersede(t *testing.T, db *store.DB) {
	u := User(t, db, "mara@home.example")
	mine, theirs, unsent := Challenge(t, db, "mine", u.ID, "browser"), Challenge(t, db, "theirs", u.ID, "other"), Challenge(t, db, "unsent", u.ID, "third")
	Update(t, db, func(tx *store.Tx) error {
		return tx.AddMessage(store.Message{
			ID: "m", Purpose: "signin", ChallengeID: unsent.ID, Addressed: true, RcptHash: Hash("mara"), Rcpt: "m", DueAt: Now, NotAfter: Now, MessageID: "m", CreatedAt: Now,
		}, nil)
	})
	Update(t, db, func(tx *store.Tx) error {
		if _, err := tx.CancelMessages(Hash("mara"), "signin", Now); err != nil {
			return err
		}
		return tx.SupersedeChallenges("mara@home.example", "signin", Hash("browser"), Now)
	})
	for _, tt := range []struct {
		c     store.Challenge
		ended string
	}{{mine, "superseded"}, {theirs, ""}, {unsent, "superseded"}} {
		Update(t, db, func(tx *store.Tx) error {
			got, err := tx.ChallengeByID(tt.c.ID)
			if got.EndedBy != tt.ended {
				t.Errorf("%s is ended by %q, want %q", tt.c.ID, got.EndedBy, tt.ended)
			}
			return err
		})
	}
}

func claim(t *testing.T, db *store.DB, class int, at time.Time) (store.Work, error) {
	t.Helper()
	var w store.Work
	err := db.Update(t.Context(), func(tx *store.Tx) (err error) {
		w, err = tx.ClaimMessage(class, "worker", nil, at, at.Add(time.Minute), func(store.Message) time.Time { return at.Add(time.Hour) })
		return err
	})
	return w, err
}

func claimOrder(t *testing.T, db *store.DB) {
	Message(t, db, "later", 0, Now.Add(-time.Minute))
	Message(t, db, "first", 0, Now.Add(-time.Hour))
	Message(t, db, "not yet", 0, Now.Add(time.Second))
	Message(t, db, "other class", 1, Now.Add(-2*time.Hour))
	for _, id := range []string{"first", "later"} {
		w, err := claim(t, db, 0, Now)
		if err != nil || w.ID != id || string(w.Body) != "the body of "+id || w.Rcpt != "mara@home.example" || w.Attempts != 1 || w.State != "leased" {
			t.Errorf("got %+v, %v, want %s", w, err, id)
		}
	}
	_, err := claim(t, db, 0, Now)
	want(t, err, store.ErrNotFound)
}

func claimOnce(t *testing.T, db *store.DB) {
	for i := range 10 {
		Message(t, db, fmt.Sprint(i), 0, Now)
	}
	if won := race(t, 20, store.ErrNotFound, func(int) error { _, err := claim(t, db, 0, Now); return err }); won != 10 {
		t.Errorf("%d claims of 10 messages", won)
	}
}

func lostLease(t *testing.T, db *store.DB) {
	Message(t, db, "m", 0, Now)
	old, err := claim(t, db, 0, Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claim(t, db, 0, Now.Add(2*time.Minute)); err != nil {
		t.Fatalf("a lease that ended is not given again: %v", err)
	}
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.MarkDot("m", old.Gen, Now) }), store.ErrNotFound)
	want(t, db.Update(t.Context(), func(tx *store.Tx) error {
		return tx.FinishMessage("m", old.Gen, store.Report{State: "sent"}, Now)
	}), store.ErrNotFound)
}

func ambiguous(t *testing.T, db *store.DB) {
	Message(t, db, "m", 0, Now)
	for n := range 3 {
		w, err := claim(t, db, 0, Now.Add(time.Duration(n)*time.Hour))
		if err != nil || w.Ambiguous != n {
			t.Fatalf("claim %d: got ambiguous %d, %v", n+1, w.Ambiguous, err)
		}
		Update(t, db, func(tx *store.Tx) error { return tx.MarkDot("m", w.Gen, Now.Add(time.Duration(n)*time.Hour)) })
	}
	Update(t, db, func(tx *store.Tx) error {
		n, err := tx.FreeLeases(Now)
		if n != 1 {
			t.Errorf("%d leases freed", n)
		}
		return err
	})
}

func message(t *testing.T, db *store.DB, id string) store.Work {
	t.Helper()
	var w store.Work
	if err := db.View(t.Context(), func(tx *store.Tx) (err error) { w, err = tx.MessageByID(id); return err }); err != nil {
		t.Fatal(err)
	}
	return w
}

func purge(t *testing.T, db *store.DB) {
	for state, kept := range map[string]bool{"sent": false, "failed": false, "expired": false, "captured": true, "queued": true} {
		Message(t, db, state, 0, Now)
		w, err := claim(t, db, 0, Now)
		if err != nil {
			t.Fatal(err)
		}
		Update(t, db, func(tx *store.Tx) error {
			return tx.FinishMessage(w.ID, w.Gen, store.Report{State: state, DueAt: Now.Add(time.Hour)}, Now)
		})
		got := message(t, db, state)
		if (len(got.Body) > 0) != kept || (got.Rcpt != "") != kept || got.DoneAt.IsZero() != (state == "queued") {
			t.Errorf("%s: body %q, recipient %q, done %v", state, got.Body, got.Rcpt, got.DoneAt)
		}
	}
}

func cancel(t *testing.T, db *store.DB) {
	Message(t, db, "past", 0, Now)
	w, err := claim(t, db, 0, Now)
	if err != nil {
		t.Fatal(err)
	}
	Update(t, db, func(tx *store.Tx) error { return tx.MarkDot("past", w.Gen, Now.Add(time.Minute)) })
	Message(t, db, "leased", 0, Now)
	if _, err := claim(t, db, 0, Now); err != nil {
		t.Fatal(err)
	}
	Message(t, db, "queued", 0, Now)
	Update(t, db, func(tx *store.Tx) error {
		n, err := tx.CancelMessages(Hash("mara"), "signin", Now)
		if n != 2 {
			t.Errorf("%d cancelled, want 2", n)
		}
		return err
	})
	for id, state := range map[string]string{"past": "leased", "leased": "cancelled", "queued": "cancelled"} {
		if got := message(t, db, id); got.State != state {
			t.Errorf("%s is %s, want %s", id, got.State, state)
		}
	}
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.CancelMessage("past", Now) }), store.ErrNotFound)
}

func unaddressed(t *testing.T, db *store.DB) {
	Update(t, db, func(tx *store.Tx) error {
		return tx.AddMessage(store.Message{ID: "ghost", Purpose: "signin", RcptHash: Hash("x"), Rcpt: "x", DueAt: Now, NotAfter: Now, MessageID: "g", CreatedAt: Now}, nil)
	})
	Update(t, db, func(tx *store.Tx) error {
		for _, waiting := range []bool{true, false} {
			list, err := tx.Messages(waiting, 10)
			if err != nil || len(list) != 0 {
				t.Errorf("got %v, %v", list, err)
			}
		}
		h, err := tx.MailHealth(Now, Now)
		if h.Waiting != 0 || !h.OldestAt.IsZero() {
			t.Errorf("got %+v", h)
		}
		return err
	})
}

func events(t *testing.T, db *store.DB) {
	Update(t, db, func(tx *store.Tx) error {
		for i, e := range []store.Event{{UserID: "u", Reference: "GL-1"}, {UserID: "u", Reference: "GL-2"}, {UserID: "v", Reference: "GL-1"}} {
			e.ID, e.At, e.Kind = fmt.Sprint(i), Now.Add(time.Duration(i)*time.Second), "k"
			if err := tx.AddEvent(e); err != nil {
				return err
			}
		}
		return nil
	})
	Update(t, db, func(tx *store.Tx) error {
		byRef, err := tx.EventsByReference("GL-1")
		if err != nil || len(byRef) != 2 || byRef[0].UserID != "u" {
			t.Errorf("got %v, %v", byRef, err)
		}
		byUser, err := tx.EventsOf("u", 1)
		if err != nil || len(byUser) != 1 || byUser[0].Reference != "GL-2" || !byUser[0].At.Equal(Now.Add(time.Second)) {
			t.Errorf("got %v, %v", byUser, err)
		}
		return nil
	})
}

func sweep(t *testing.T, db *store.DB) {
	u := User(t, db, "mara@home.example")
	for i := range 5 {
		Session(t, db, u, fmt.Sprint(i))
	}
	fresh := Session(t, db, u, "fresh")
	Update(t, db, func(tx *store.Tx) error {
		return tx.TouchSession(store.Touch{TokenHash: fresh.TokenHash, SeenAt: Now.Add(time.Second), ExpiresAt: Now.Add(48 * time.Hour)})
	})
	swept := func(at time.Time) int {
		n, err := db.Sweep(t.Context(), at, 3)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, tt := range []struct {
		at   time.Time
		want int
	}{{Now.Add(24 * time.Hour), 0}, {Now.Add(26 * time.Hour), 3}, {Now.Add(26 * time.Hour), 2}, {Now.Add(26 * time.Hour), 0}} {
		if got := swept(tt.at); got != tt.want {
			t.Errorf("got %d rows, want %d", got, tt.want)
		}
	}
}

var errOwn = errors.New("own error")

func groupError(t *testing.T, db *store.DB) {
	won := race(t, 40, errOwn, func(i int) error {
		return db.Update(t.Context(), func(tx *store.Tx) error {
			if err := tx.AddEvent(store.Event{ID: fmt.Sprint(i), At: Now, UserID: "u"}); err != nil {
				return err
			}
			if i%2 == 1 {
				return errOwn
			}
			return nil
		})
	})
	counted(t, db, "u", won, 20)
}

func counted(t *testing.T, db *store.DB, user string, won, wanted int) {
	t.Helper()
	Update(t, db, func(tx *store.Tx) error {
		list, err := tx.EventsOf(user, 1000)
		if len(list) != wanted || won != wanted {
			t.Errorf("got %d rows and %d acknowledged, want %d", len(list), won, wanted)
		}
		return err
	})
}

func groupPanic(t *testing.T, db *store.DB) {
	var panicked atomic.Int32
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				if err := tx.AddEvent(store.Event{ID: fmt.Sprint(i), At: Now, UserID: "u"}); err != nil {
					return err
				}
				if i%2 == 1 {
					panic("boom")
				}
				return nil
			})
			if err != nil {
				panicked.Add(1)
			}
		})
	}
	wg.Wait()
	counted(t, db, "u", 20-int(panicked.Load()), 10)
}

func groupMany(t *testing.T, db *store.DB) {
	won := race(t, 200, nil, func(i int) error {
		return db.Update(t.Context(), func(tx *store.Tx) error { return tx.AddEvent(store.Event{ID: fmt.Sprint(i), At: Now, UserID: "u"}) })
	})
	counted(t, db, "u", won, 200)
}

func sealed(t *testing.T, db *store.DB) {
	ring := db.Keyring()
	box := ring.Seal("messages/body/a", []byte("secret"))
	if plain, err := ring.Open("messages/body/a", box); err != nil || string(plain) != "secret" {
		t.Errorf("got %q, %v", plain, err)
	}
	for name, f := range map[string]func() ([]byte, error){
		"another row": func() ([]byte, error) { return ring.Open("messages/body/b", box) },
		"a changed bit": func() ([]byte, error) {
			b := append([]byte{}, box...)
			b[len(b)-1] ^= 1
			return ring.Open("messages/body/a", b)
		},
		"a cut end": func() ([]byte, error) { return ring.Open("messages/body/a", box[:20]) },
		"nothing":   func() ([]byte, error) { return ring.Open("messages/body/a", nil) },
	} {
		if plain, err := f(); err == nil {
			t.Errorf("%s opens as %q", name, plain)
		}
	}
}
