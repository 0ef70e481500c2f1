package queue_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/queue"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

// server is a queue with its store, in a bubble where time jumps.
type testServer struct {
	*queue.Queue
	t  *testing.T
	db *store.DB
	mu sync.Mutex
	// sent are the bodies the server took, with when.
	sent []string
	at   []time.Duration
	// answer is what the server does with the nth attempt, from 1.
	answer   func(n int, e deliver.Envelope) deliver.Result
	attempts int
	start    time.Time
	// off is how far the queue's clock is from the right time, and doubtful
	// whether the server doubts it.
	off      time.Duration
	doubtful bool
}

func (h *testServer) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Add(h.off)
}

func (h *testServer) doubts() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.doubtful
}

// set sets the queue's clock.
func (h *testServer) set(off time.Duration, doubtful bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.off, h.doubtful = off, doubtful
}

// pass lets time pass in which there is nothing to do.
func (h *testServer) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.off += d
}

// run calls f in a bubble with a queue that runs until f returns.
func run(t *testing.T, answer func(n int, e deliver.Envelope) deliver.Result, f func(*testServer)) {
	runWay(t, queue.Transport{Name: "test"}, answer, f)
}

// runWay does so with another kind of transport.
func runWay(t *testing.T, way queue.Transport, answer func(n int, e deliver.Envelope) deliver.Result, f func(*testServer)) {
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(t.Context(), store.Options{Dir: storetest.Dir(t)})
		if err != nil {
			t.Fatal(err)
		}
		h := &testServer{t: t, db: db, answer: answer, start: time.Now()}
		way.Deliver = h.deliver
		h.Queue = queue.New(queue.Config{
			DB: db, Now: h.now, Log: slog.New(slog.DiscardHandler), From: "login@home.example",
			Transport: way, Doubtful: h.doubts,
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.Run(ctx)
		}()
		f(h)
		stop()
		<-done
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (h *testServer) deliver(ctx context.Context, e deliver.Envelope, beforeDot func() error) deliver.Result {
	h.mu.Lock()
	h.attempts++
	n := h.attempts
	h.at = append(h.at, time.Since(h.start))
	h.mu.Unlock()
	r := h.answer(n, e)
	if r.Class == deliver.Sent || r.Class == deliver.Ambiguous {
		if err := beforeDot(); err != nil {
			return deliver.Result{Class: deliver.Temporary, Stage: deliver.AtData, Err: err}
		}
		h.mu.Lock()
		h.sent = append(h.sent, string(e.Body))
		h.mu.Unlock()
	}
	return r
}

func (h *testServer) add(id string, class int, lifetime time.Duration) {
	h.t.Helper()
	h.addTo("mara@else.example", id, class, lifetime)
}

func (h *testServer) addTo(to, id string, class int, lifetime time.Duration) {
	h.t.Helper()
	err := h.db.Update(h.t.Context(), func(tx *store.Tx) error {
		return h.Add(tx, queue.Mail{
			ID: id, Class: class, Purpose: "signin", To: to, RcptHash: []byte(to), Addressed: true,
			Body: []byte(bodyOf(id)), NotAfter: h.now().Add(lifetime), Reference: "GL-0000-0000",
		})
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.Wake()
}

func bodyOf(id string) string { return "body of " + id }

func (h *testServer) message(id string) store.Work {
	h.t.Helper()
	var w store.Work
	err := h.db.View(h.t.Context(), func(tx *store.Tx) (err error) {
		w, err = tx.MessageByID(id)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return w
}

func (h *testServer) want(id, state string) {
	h.t.Helper()
	if w := h.message(id); w.State != state {
		h.t.Errorf("%s is %s (%s), want %s", id, w.State, w.LastText, state)
	}
}

func (h *testServer) copies(id string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, body := range h.sent {
		if body == "body of "+id {
			n++
		}
	}
	return n
}

// tries returns how often the server was asked.
func (h *testServer) tries() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.attempts
}

func temporary(stage string, code int) deliver.Result {
	return deliver.Result{Class: deliver.Temporary, Stage: stage, Code: code, Text: "later"}
}

var sent = deliver.Result{Class: deliver.Sent, Code: 250, Stage: deliver.AtDot}

func TestSentMailLeavesNothingBehind(t *testing.T) {
	run(t, func(int, deliver.Envelope) deliver.Result { return sent }, func(h *testServer) {
		h.add("a", queue.ClassSignIn, time.Hour)
		time.Sleep(time.Second)
		h.want("a", "sent")
		if w := h.message("a"); len(w.Body) != 0 || w.Rcpt != "" {
			t.Errorf("body %q and recipient %q are still there", w.Body, w.Rcpt)
		}
	})
}

// Row 1 of the fault table: a greylisting server wants five minutes.
func TestAGreylistedMailIsTriedUntilItIsTaken(t *testing.T) {
	taken := func(n int, _ deliver.Envelope) deliver.Result {
		if n < 4 {
			return temporary(deliver.AtTo, 451)
		}
		return sent
	}
	run(t, taken, func(h *testServer) {
		h.add("a", queue.ClassSignIn, 2*time.Hour)
		time.Sleep(7 * time.Minute)
		h.want("a", "sent")
		bounds := [][2]time.Duration{{0, time.Second}, {30 * time.Second, 34 * time.Second}, {120 * time.Second, 133 * time.Second}, {315 * time.Second, 348 * time.Second}}
		for i, b := range bounds {
			if h.at[i] < b[0] || h.at[i] > b[1] {
				t.Errorf("attempt %d came after %v, want between %v and %v", i+1, h.at[i], b[0], b[1])
			}
		}
	})
}

// A clock that leaps ten years ahead makes mail neither too late nor due at
// once for ever: when it is right again the mail goes, once.
func TestAClockThatLeapsDropsNoMail(t *testing.T) {
	down := true
	answer := func(int, deliver.Envelope) deliver.Result {
		if down {
			return temporary(deliver.AtTo, 451)
		}
		return sent
	}
	run(t, answer, func(h *testServer) {
		h.add("a", queue.ClassSignIn, 2*time.Hour)
		time.Sleep(time.Second)
		h.set(10*365*24*time.Hour, true)
		time.Sleep(20 * time.Minute)
		h.want("a", "queued")
		if n := h.tries(); n != 1 {
			t.Errorf("%d attempts while the clock was wrong, want the one before", n)
		}
		down = false
		h.set(0, false)
		time.Sleep(2 * time.Minute)
		h.want("a", "sent")
		if n := h.copies("a"); n != 1 {
			t.Errorf("%d copies, want 1", n)
		}
	})
}

// Row 3: what is refused for good is not tried again.
func TestARefusedMailIsNotTriedAgain(t *testing.T) {
	run(t, func(int, deliver.Envelope) deliver.Result {
		return deliver.Result{Class: deliver.Permanent, Stage: deliver.AtTo, Code: 550, Text: "unknown"}
	}, func(h *testServer) {
		h.add("a", queue.ClassSignIn, 2*time.Hour)
		time.Sleep(time.Hour)
		h.want("a", "failed")
		if h.tries() != 1 || len(h.message("a").Body) != 0 {
			t.Errorf("got %d attempts and a body of %d bytes", h.tries(), len(h.message("a").Body))
		}
	})
}

// Row 7: after the final dot nobody answered.
func TestAnAmbiguousMailIsSentOnceMoreAndNeverAgain(t *testing.T) {
	run(t, func(int, deliver.Envelope) deliver.Result {
		return deliver.Result{Class: deliver.Ambiguous, Stage: deliver.AtDot}
	}, func(h *testServer) {
		h.add("a", queue.ClassSignIn, 2*time.Hour)
		time.Sleep(2 * time.Hour)
		h.want("a", "failed")
		if n := h.copies("a"); n != 2 {
			t.Errorf("got %d copies, want 2", n)
		}
	})
}

// Row 29: the smarthost refuses our login. Nothing is lost, nothing hammers.
func TestARefusedLoginPausesTheWayAndKeepsTheMail(t *testing.T) {
	var fixed atomic.Bool
	run(t, func(int, deliver.Envelope) deliver.Result {
		if fixed.Load() {
			return sent
		}
		return deliver.Result{Class: deliver.Paused, Stage: deliver.AtAuth, Code: 535, Text: "bad credentials"}
	}, func(h *testServer) {
		for _, id := range []string{"a", "b", "c"} {
			h.add(id, queue.ClassSignIn, 2*time.Hour)
		}
		time.Sleep(14 * time.Minute)
		if h.tries() > 3 {
			t.Errorf("got %d attempts in 14 minutes, want one for each message that was under way", h.tries())
		}
		way := h.Way()
		if !way.Down || way.Reason != "bad credentials" {
			t.Errorf("got %+v", way)
		}
		fixed.Store(true)
		h.Resume()
		time.Sleep(time.Second)
		if err := h.db.Update(h.t.Context(), func(tx *store.Tx) error { _, err := tx.RetryMessages("", time.Now()); return err }); err != nil {
			t.Fatal(err)
		}
		h.Wake()
		time.Sleep(time.Second)
		for _, id := range []string{"a", "b", "c"} {
			h.want(id, "sent")
			if n := h.copies(id); n != 1 {
				t.Errorf("%s: got %d copies", id, n)
			}
		}
	})
}

// Row 29, where each domain has its own servers: a way that is paused is not tried
// again and again, and ends no wait of a domain, which was not asked.
func TestAPausedWayIsNoHotLoopWhereMailGoesDirectly(t *testing.T) {
	runWay(t, direct, func(n int, _ deliver.Envelope) deliver.Result {
		if n == 1 {
			return temporary(deliver.AtConnect, 0)
		}
		return deliver.Result{Class: deliver.Paused, Stage: deliver.AtAuth, Code: 535, Text: "bad credentials"}
	}, func(h *testServer) {
		h.add("a", queue.ClassSignIn, 2*time.Hour)
		time.Sleep(time.Hour)
		if n := h.tries(); n < 4 || n > 7 {
			t.Errorf("tried %d times in an hour, want about one in a quarter", n)
		}
		h.want("a", "queued")
		var d store.MailDomain
		err := h.db.View(h.t.Context(), func(tx *store.Tx) (err error) { d, err = tx.MailDomain("else.example"); return err })
		if err != nil || d.Failures != 1 {
			t.Errorf("the domain: got %+v, %v", d, err)
		}
	})
}

// Mail that came too late tells what kept it.
func TestMailThatExpiresKeepsWhatWasSaidLast(t *testing.T) {
	run(t, func(int, deliver.Envelope) deliver.Result {
		return deliver.Result{Class: deliver.Temporary, Stage: deliver.AtTo, Code: 451, Enhanced: "4.7.1", Text: "greylisted"}
	}, func(h *testServer) {
		h.add("a", queue.ClassSignIn, 2*time.Hour)
		time.Sleep(time.Second)
		h.set(3*time.Hour, false)
		time.Sleep(time.Hour)
		h.want("a", "expired")
		if w := h.message("a"); w.LastCode != 451 || w.LastEnh != "4.7.1" || w.LastText != "greylisted" || w.Attempts != 1 {
			t.Errorf("got %d %s %s after %d attempts", w.LastCode, w.LastEnh, w.LastText, w.Attempts)
		}
	})
}

// Mail that an operator holds back does not lie there for ever with its text.
func TestHeldMailEndsWhenItIsOfNoUse(t *testing.T) {
	run(t, func(int, deliver.Envelope) deliver.Result { return temporary(deliver.AtTo, 451) }, func(h *testServer) {
		h.add("a", queue.ClassSignIn, 2*time.Hour)
		time.Sleep(time.Second)
		if err := h.db.Update(h.t.Context(), func(tx *store.Tx) error { return tx.HoldMessage("a") }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		h.want("a", "held")
		h.set(10*365*24*time.Hour, true)
		time.Sleep(20 * time.Minute)
		h.want("a", "held")
		h.set(0, false)
		time.Sleep(time.Hour)
		h.want("a", "expired")
		if w := h.message("a"); h.tries() != 1 || len(w.Body) != 0 || w.Rcpt != "" {
			t.Errorf("tried %d times; body %q and recipient %q are still there", h.tries(), w.Body, w.Rcpt)
		}
	})
}

// One message that cannot be read holds up no other, and lists show it.
func TestMailThatCannotBeUnsealedHoldsUpNoOther(t *testing.T) {
	run(t, func(_ int, e deliver.Envelope) deliver.Result { return sent }, func(h *testServer) {
		time.Sleep(time.Second) // the queue has looked, and looks again when it is woken
		for id, column := range map[string]string{"a": "rcpt", "b": "body"} {
			err := h.db.Update(h.t.Context(), func(tx *store.Tx) error {
				return h.Add(tx, queue.Mail{
					ID: id, Class: queue.ClassSignIn, Purpose: "signin", To: "mara@else.example", RcptHash: []byte("m"), Addressed: true,
					Body: []byte("body"), NotAfter: time.Now().Add(time.Hour),
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			storetest.Spoil(h.t, h.db, "UPDATE messages SET "+column+" = x'00' WHERE id = ?", id)
		}
		h.add("good", queue.ClassSignIn, time.Hour)
		time.Sleep(time.Second)
		h.want("good", "sent")
		var list []store.Message
		err := h.db.View(h.t.Context(), func(tx *store.Tx) (err error) { list, err = tx.Messages(true, 10); return err })
		if err != nil || len(list) != 2 || list[0].State != "held" || list[1].State != "held" {
			t.Errorf("got %+v, %v, want two that are held", list, err)
		}
	})
}

// A fault of ours in one attempt is one mail's misfortune.
func TestAPanicInAnAttemptEndsNothingElse(t *testing.T) {
	run(t, func(n int, _ deliver.Envelope) deliver.Result {
		if n == 1 {
			panic("a fault of ours")
		}
		return sent
	}, func(h *testServer) {
		h.add("unlucky", queue.ClassSignIn, time.Hour)
		time.Sleep(time.Second)
		h.add("next", queue.ClassSignIn, time.Hour)
		time.Sleep(time.Second)
		h.want("next", "sent")
		time.Sleep(10 * time.Minute)
		h.want("unlucky", "sent")
		if n := h.copies("unlucky"); n != 1 {
			t.Errorf("%d copies, want 1", n)
		}
	})
}

// Row 30: the smarthost is away for ten minutes.
func TestMailLeavesWithinHalfAMinuteOfTheRecovery(t *testing.T) {
	var back atomic.Bool
	run(t, func(int, deliver.Envelope) deliver.Result {
		if !back.Load() {
			return temporary(deliver.AtConnect, 0)
		}
		return sent
	}, func(h *testServer) {
		h.add("fresh", queue.ClassSignIn, 2*time.Hour)
		h.add("stale", queue.ClassSignIn, 5*time.Minute)
		for i := range 50 {
			h.add("more"+string(rune('0'+i)), queue.ClassSignIn, 2*time.Hour)
		}
		time.Sleep(10 * time.Minute)
		if h.tries() > 60 {
			t.Errorf("got %d attempts at a dead server in ten minutes", h.tries())
		}
		back.Store(true)
		time.Sleep(30 * time.Second)
		h.want("fresh", "sent")
		h.want("more1", "sent")
		h.want("stale", "expired")
		if h.copies("stale") != 0 {
			t.Error("a mail that came too late was sent")
		}
	})
}

// Row 25: relayed mail clogs every worker it may have.
func TestSignInMailOvertakesTenThousandOthers(t *testing.T) {
	var release chan struct{} // of the bubble
	var tooMany bool
	var mu sync.Mutex
	busy := 0
	run(t, func(_ int, e deliver.Envelope) deliver.Result {
		if string(e.Body) == "body of urgent" || string(e.Body) == "body of notice" {
			return sent
		}
		mu.Lock()
		busy++
		tooMany = tooMany || busy > 4 || !e.Patient
		mu.Unlock()
		<-release
		mu.Lock()
		busy--
		mu.Unlock()
		return temporary(deliver.AtTo, 451)
	}, func(h *testServer) {
		release = make(chan struct{})
		err := h.db.Update(h.t.Context(), func(tx *store.Tx) error {
			for range 10_000 {
				err := h.Add(tx, queue.Mail{
					ID: store.NewID(time.Now()), Class: queue.ClassRelayed, To: "x@dead.example", RcptHash: []byte("x"),
					Addressed: true, Body: []byte("b"), NotAfter: time.Now().Add(48 * time.Hour),
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		h.Wake()
		time.Sleep(10 * time.Second)
		h.add("urgent", queue.ClassSignIn, time.Hour)
		h.add("notice", queue.ClassNotice, time.Hour)
		time.Sleep(time.Second)
		h.want("urgent", "sent")
		h.want("notice", "sent")
		close(release)
		mu.Lock()
		defer mu.Unlock()
		if tooMany {
			t.Error("relayed mail took a worker that is reserved for our own, or has no patience")
		}
	})
}

// Row 37: a mail whose link is of no use any more.
func TestACancelledMailIsNeverSent(t *testing.T) {
	run(t, func(n int, _ deliver.Envelope) deliver.Result {
		if n == 1 {
			return temporary(deliver.AtTo, 451)
		}
		return sent
	}, func(h *testServer) {
		h.add("a", queue.ClassSignIn, time.Hour)
		time.Sleep(time.Second)
		err := h.db.Update(h.t.Context(), func(tx *store.Tx) error {
			_, err := tx.CancelMessages([]byte("mara@else.example"), "signin", time.Now())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		h.want("a", "cancelled")
		if h.copies("a") != 0 {
			t.Error("it was sent")
		}
	})
}

func TestAMailCancelledWhileItIsBeingSentStopsBeforeTheDot(t *testing.T) {
	reached, goOn := make(chan struct{}), make(chan struct{})
	run(t, func(int, deliver.Envelope) deliver.Result {
		close(reached)
		<-goOn
		return sent
	}, func(h *testServer) {
		h.add("a", queue.ClassSignIn, time.Hour)
		<-reached
		if err := h.db.Update(h.t.Context(), func(tx *store.Tx) error { return tx.CancelMessage("a", time.Now()) }); err != nil {
			t.Fatal(err)
		}
		close(goOn)
		time.Sleep(time.Hour)
		h.want("a", "cancelled")
		if h.copies("a") != 0 {
			t.Error("it was sent")
		}
	})
}

func TestAStopWaitsForWhatIsPastTheDotAndBreaksOffTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(t.Context(), store.Options{Dir: storetest.Dir(t)})
		if err != nil {
			t.Fatal(err)
		}
		h := &testServer{t: t, db: db}
		var brokenOff []string
		h.Queue = queue.New(queue.Config{
			DB: db, Now: time.Now, Log: slog.New(slog.DiscardHandler), From: "login@home.example",
			Transport: queue.Transport{Name: "test", ByDomain: true, Deliver: func(ctx context.Context, e deliver.Envelope, beforeDot func() error) deliver.Result {
				if string(e.Body) == "body of past" {
					if err := beforeDot(); err != nil {
						return deliver.Result{Class: deliver.Temporary, Err: err}
					}
					time.Sleep(5 * time.Second)
					return sent
				}
				<-ctx.Done()
				brokenOff = append(brokenOff, string(e.Body))
				return temporary(deliver.AtConnect, 0)
			}},
		})
		h.add("past", queue.ClassSignIn, time.Hour)
		h.add("before", queue.ClassSignIn, time.Hour)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); h.Run(ctx) }()
		time.Sleep(time.Second)
		stop()
		<-done
		h.want("past", "sent")
		h.want("before", "queued")
		if !slices.Equal(brokenOff, []string{"body of before"}) {
			t.Errorf("broken off: %v", brokenOff)
		}
		// That says nothing of the domain, and costs the message no attempt.
		var d store.MailDomain
		if err := db.View(t.Context(), func(tx *store.Tx) (err error) { d, err = tx.MailDomain("else.example"); return err }); err != nil {
			t.Fatal(err)
		}
		if w := h.message("before"); d.Failures != 0 || w.Attempts != 0 || w.DueAt.After(time.Now()) || w.LastText != "" {
			t.Errorf("the domain has failed %d times; the message has %d attempts, %q, is due at %v", d.Failures, w.Attempts, w.LastText, w.DueAt)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestMailForNobodyIsDroppedWithoutDialling(t *testing.T) {
	run(t, func(int, deliver.Envelope) deliver.Result { return sent }, func(h *testServer) {
		err := h.db.Update(h.t.Context(), func(tx *store.Tx) error {
			return h.Add(tx, queue.Mail{ID: "ghost", To: "nobody@else.example", RcptHash: []byte("n"), Body: []byte("b"), NotAfter: time.Now().Add(time.Hour)})
		})
		if err != nil {
			t.Fatal(err)
		}
		h.Wake()
		time.Sleep(time.Second)
		h.want("ghost", "unaddressed")
		if h.tries() != 0 {
			t.Errorf("got %d attempts", h.tries())
		}
	})
}

func TestPolicyRefusalsAreCountedBeforeTheyAreBelieved(t *testing.T) {
	run(t, func(int, deliver.Envelope) deliver.Result {
		return deliver.Result{Class: deliver.Temporary, Stage: deliver.AtFrom, Code: 554, Text: "policy"}
	}, func(h *testServer) {
		h.add("a", queue.ClassSignIn, 2*time.Hour)
		time.Sleep(time.Hour)
		h.want("a", "failed")
		if h.tries() != 3 {
			t.Errorf("got %d attempts, want 3", h.tries())
		}
	})
}
