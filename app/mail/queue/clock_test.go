package queue_test

import (
	"testing"
	"time"

	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/queue"
)

// Row 28: a clock that is set by an hour, either way, sends nothing twice and
// nothing in one rush; what is too late by it is dropped, and no lease is lost.
func TestAClockThatIsSetByAnHourSendsNothingTwice(t *testing.T) {
	for name, by := range map[string]time.Duration{"ahead": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			run(t, func(int, deliver.Envelope) deliver.Result {
				time.Sleep(20 * time.Second) // the clock is set meanwhile
				return sent
			}, func(h *testServer) {
				const waiting = 40
				for i := range waiting {
					h.add("m"+string(rune('a'+i/26))+string(rune('a'+i%26)), queue.ClassNotice, 24*time.Hour)
				}
				time.Sleep(10 * time.Second)
				h.set(by, false)
				h.Wake()
				time.Sleep(5 * time.Second)
				if n := h.tries(); n > 6 {
					t.Errorf("%d sessions at once, want no more than there are workers for notices", n)
				}
				time.Sleep(2 * time.Hour)
				for i := range waiting {
					id := "m" + string(rune('a'+i/26)) + string(rune('a'+i%26))
					h.want(id, "sent")
					if n := h.copies(id); n != 1 {
						t.Errorf("%d copies of %s, want 1", n, id)
					}
				}
			})
		})
	}
}
