package queue_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/queue"
	"gatelodge/store"
)

var direct = queue.Transport{Name: "direct", ByDomain: true}

// deadUntil is a world in which the servers of dead.example fail.
func deadUntil(alive *atomic.Bool) func(int, deliver.Envelope) deliver.Result {
	return func(_ int, e deliver.Envelope) deliver.Result {
		if strings.HasSuffix(e.To, "@dead.example") && !alive.Load() {
			time.Sleep(10 * time.Second)
			return deliver.Result{Class: deliver.Temporary, Stage: deliver.AtConnect, Text: "nobody answers"}
		}
		return sent
	}
}

// Row 2 of the fault table: a domain whose servers fail is left alone longer
// and longer; a sign-in may look once a minute.
func TestADeadDomainIsLeftAlone(t *testing.T) {
	var alive atomic.Bool
	runWay(t, direct, deadUntil(&alive), func(h *testServer) {
		h.addTo("a@dead.example", "relayed", queue.ClassRelayed, 48*time.Hour)
		time.Sleep(time.Hour)
		if n := h.tries(); n < 4 || n > 7 { // about 0, 1, 3, 7, 15, 31 and 63 minutes
			t.Errorf("tried %d times in an hour", n)
		}
		before := h.tries()
		h.addTo("b@dead.example", "sign-in", queue.ClassSignIn, 2*time.Hour)
		time.Sleep(10*time.Minute + 30*time.Second)
		if n := h.tries() - before; n < 8 || n > 12 {
			t.Errorf("tried %d times in ten minutes for a sign-in, want about one a minute", n)
		}
		alive.Store(true)
		time.Sleep(80 * time.Second)
		h.want("sign-in", "sent")
		h.want("relayed", "sent")
		if w := h.message("relayed"); w.Attempts > 2 {
			t.Errorf("the domain's silence counts as %d attempts of the message", w.Attempts)
		}
	})
}

// Row 20: servers that take their time hold up no other domain.
func TestADeadDomainHoldsUpNobodyElse(t *testing.T) {
	var alive atomic.Bool
	runWay(t, direct, deadUntil(&alive), func(h *testServer) {
		for i := range 20 {
			h.addTo(fmt.Sprintf("u%d@dead.example", i), fmt.Sprint("dead", i), queue.ClassSignIn, 2*time.Hour)
		}
		h.addTo("mara@else.example", "good", queue.ClassSignIn, 2*time.Hour)
		time.Sleep(time.Second)
		h.want("good", "sent")
		if n := h.tries(); n > 3 {
			t.Errorf("%d sessions at once, want two with the dead domain and one with the other", n)
		}
	})
}

// Row 25: ten thousand to a dead domain.
func TestTenThousandForADeadDomainDelayNoSignIn(t *testing.T) {
	if testing.Short() {
		t.Skip("it queues ten thousand messages")
	}
	var alive atomic.Bool
	runWay(t, direct, deadUntil(&alive), func(h *testServer) {
		for i := 0; i < 10_000; i += 500 {
			err := h.db.Update(h.t.Context(), func(tx *store.Tx) error {
				for j := i; j < i+500; j++ {
					err := h.Add(tx, queue.Mail{
						ID: fmt.Sprint("dead", j), Class: queue.ClassRelayed, Purpose: "relayed", To: "a@dead.example", RcptHash: []byte("a"), Addressed: true,
						Body: make([]byte, 2000), NotAfter: time.Now().Add(48 * time.Hour),
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
		}
		h.Wake()
		time.Sleep(30 * time.Second) // the domain is known to be dead
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		const signIns = 20
		for i := range signIns {
			h.add(fmt.Sprint("good", i), queue.ClassSignIn, time.Hour)
			time.Sleep(time.Second)
			h.want(fmt.Sprint("good", i), "sent")
		}
		time.Sleep(time.Hour)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
			t.Errorf("memory grew by %d bytes", grown)
		}
		if n := h.tries() - signIns; n > 8 {
			t.Errorf("the dead domain was tried %d times in an hour", n)
		}
	})
}

// Rows 3 and 5: what names the address is remembered of it.
func TestAnAddressThatRefusesMailIsSuppressed(t *testing.T) {
	refused := func(r deliver.Result) func(int, deliver.Envelope) deliver.Result {
		return func(n int, _ deliver.Envelope) deliver.Result {
			if n == 1 {
				return r
			}
			return sent
		}
	}
	permanent := func(code int, enhanced string) deliver.Result {
		return deliver.Result{Class: deliver.Permanent, Stage: deliver.AtTo, Code: code, Enhanced: enhanced, Text: "no"}
	}
	for name, tt := range map[string]struct {
		r     deliver.Result
		lasts time.Duration
	}{
		"an address that does not exist":  {permanent(550, "5.1.1"), 30 * 24 * time.Hour},
		"a mailbox that is closed":        {permanent(550, "5.2.1"), 7 * 24 * time.Hour},
		"a mailbox that is full":          {permanent(552, "5.2.2"), 7 * 24 * time.Hour},
		"a refusal that may mean us":      {permanent(550, ""), 0},
		"a refusal for reasons of policy": {permanent(550, "5.7.1"), 0},
		"a refusal of the message":        {deliver.Result{Class: deliver.Permanent, Stage: deliver.AtDot, Code: 550, Enhanced: "5.1.1"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			runWay(t, direct, refused(tt.r), func(h *testServer) {
				h.add("first", queue.ClassSignIn, time.Hour)
				time.Sleep(time.Second)
				h.want("first", "failed")
				h.add("notice", queue.ClassNotice, time.Hour)
				time.Sleep(time.Second)
				if tt.lasts == 0 {
					h.want("notice", "sent")
					return
				}
				h.want("notice", "suppressed")
				h.add("at once", queue.ClassSignIn, time.Hour)
				time.Sleep(time.Second)
				h.want("at once", "suppressed")
				if n := h.tries(); n != 1 {
					t.Errorf("tried %d times, want once", n)
				}
				h.pass(24 * time.Hour)
				h.add("a day later", queue.ClassSignIn, time.Hour)
				time.Sleep(time.Second)
				h.want("a day later", "sent")
				h.add("it works again", queue.ClassNotice, time.Hour)
				time.Sleep(time.Second)
				h.want("it works again", "sent")
			})
		})
	}
}

// A person's one try a day is a whole mail, which a greylist may put off.
func TestTheTryOfASuppressedPersonIsPutOffAsAnyOther(t *testing.T) {
	runWay(t, direct, func(n int, _ deliver.Envelope) deliver.Result {
		switch n {
		case 1:
			return deliver.Result{Class: deliver.Permanent, Stage: deliver.AtTo, Code: 552, Enhanced: "5.2.2", Text: "full"}
		case 2, 3:
			return temporary(deliver.AtTo, 451)
		}
		return sent
	}, func(h *testServer) {
		h.add("first", queue.ClassSignIn, time.Hour)
		time.Sleep(time.Second)
		h.pass(25 * time.Hour)
		h.add("try", queue.ClassSignIn, time.Hour)
		time.Sleep(time.Second)
		h.add("another", queue.ClassSignIn, time.Hour)
		time.Sleep(10 * time.Minute)
		h.want("try", "sent")
		h.want("another", "suppressed")
	})
}

// What was queued before the address was found to refuse mail was nobody's try.
func TestMailThatWaitedWhenAnAddressWasSuppressedIsNoTry(t *testing.T) {
	runWay(t, direct, func(_ int, e deliver.Envelope) deliver.Result {
		if string(e.Body) == bodyOf("first") {
			time.Sleep(time.Second)
			return deliver.Result{Class: deliver.Permanent, Stage: deliver.AtTo, Code: 550, Enhanced: "5.1.1", Text: "no"}
		}
		return temporary(deliver.AtTo, 451)
	}, func(h *testServer) {
		h.add("first", queue.ClassSignIn, time.Hour)
		h.add("second", queue.ClassSignIn, time.Hour)
		time.Sleep(5 * time.Minute)
		h.want("first", "failed")
		h.want("second", "suppressed")
	})
}

func TestASuppressionEndsByItself(t *testing.T) {
	runWay(t, direct, func(n int, _ deliver.Envelope) deliver.Result {
		if n == 1 {
			return deliver.Result{Class: deliver.Permanent, Stage: deliver.AtTo, Code: 552, Enhanced: "5.2.2", Text: "full"}
		}
		return sent
	}, func(h *testServer) {
		h.add("first", queue.ClassNotice, time.Hour)
		time.Sleep(time.Second)
		h.pass(7 * 24 * time.Hour)
		h.add("second", queue.ClassNotice, time.Hour)
		time.Sleep(time.Second)
		h.want("second", "sent")
	})
}

// Rows 4 and 6: refusals of us are counted, not believed for ever.
func TestAServerThatRefusesUsIsAskedThreeTimes(t *testing.T) {
	for _, r := range []deliver.Result{
		{Class: deliver.Temporary, Stage: deliver.AtGreeting, Code: 554, Text: "no"},
		{Class: deliver.Temporary, Stage: deliver.AtTo, Code: 550, Enhanced: "5.7.1", Text: "no"},
	} {
		runWay(t, direct, func(int, deliver.Envelope) deliver.Result { return r }, func(h *testServer) {
			h.add("a", queue.ClassSignIn, 2*time.Hour)
			time.Sleep(time.Hour)
			h.want("a", "failed")
			if n := h.tries(); n != 3 {
				t.Errorf("refused at %s: tried %d times, want 3", r.Stage, n)
			}
		})
	}
}

// Row 4: refusals are counted, whatever came between them; tries are not refusals.
func TestRefusalsAreCountedAndNotTries(t *testing.T) {
	refusal := deliver.Result{Class: deliver.Temporary, Stage: deliver.AtTo, Code: 550, Enhanced: "5.7.1", Text: "no"}
	answers := []deliver.Result{temporary(deliver.AtTo, 451), temporary(deliver.AtTo, 451), refusal, temporary(deliver.AtTo, 451), refusal, refusal}
	runWay(t, direct, func(n int, e deliver.Envelope) deliver.Result {
		if earlier := []int{0, 0, 0, 1, 1, 2}[n-1]; e.Refusals != earlier {
			t.Errorf("try %d knows of %d refusals, want %d", n, e.Refusals, earlier)
		}
		return answers[n-1]
	}, func(h *testServer) {
		h.add("a", queue.ClassSignIn, 2*time.Hour)
		time.Sleep(7 * time.Minute)
		h.want("a", "queued")
		time.Sleep(time.Hour)
		h.want("a", "failed")
		if n := h.tries(); n != 6 {
			t.Errorf("tried %d times, want 6", n)
		}
	})
}

// Row 2: what a server says of us, at whatever stage, is for the whole domain.
func TestADomainThatWantsLessMailGetsLess(t *testing.T) {
	runWay(t, direct, func(n int, _ deliver.Envelope) deliver.Result {
		if n == 1 {
			return deliver.Result{Class: deliver.Temporary, Stage: deliver.AtFrom, Code: 451, Enhanced: "4.7.650", Text: "rate limited"}
		}
		return sent
	}, func(h *testServer) {
		h.addTo("a@else.example", "first", queue.ClassRelayed, 48*time.Hour)
		time.Sleep(time.Second)
		h.addTo("b@else.example", "second", queue.ClassRelayed, 48*time.Hour)
		time.Sleep(50 * time.Second)
		if n := h.tries(); n != 1 {
			t.Errorf("tried %d times within a minute, want once", n)
		}
		time.Sleep(6 * time.Minute)
		h.want("first", "sent")
		h.want("second", "sent")
		if w := h.message("first"); w.Attempts != 2 {
			t.Errorf("%d attempts, want 2: it was offered", w.Attempts)
		}
	})
}
