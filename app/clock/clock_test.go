package clock_test

import (
	"testing"
	"time"

	"gatelodge/app/clock"
)

// world is a wall clock that can be set and a steady one that cannot.
type world struct {
	right  time.Time // what it really is
	off    time.Duration
	steady time.Duration
}

func (w *world) wall() time.Time                   { return w.right.Add(w.off) }
func (w *world) elapsed() time.Duration            { return w.steady }
func (w *world) passes(d time.Duration)            { w.right, w.steady = w.right.Add(d), w.steady+d }
func (w *world) clock(mark time.Time) *clock.Clock { return clock.New(w.wall, w.elapsed, mark) }

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

const tenYears = 10 * 365 * 24 * time.Hour

func TestAClockSetBackDoesNotTurnTimeBack(t *testing.T) {
	for _, back := range []time.Duration{time.Hour, tenYears} {
		w := &world{right: noon}
		c := w.clock(time.Time{})
		w.passes(time.Minute)
		before := c.Now()
		w.off = -back
		w.passes(time.Minute)
		if got := c.Now(); !got.Equal(before.Add(time.Minute)) {
			t.Errorf("set back %v: got %v, want a minute after %v", back, got, before)
		}
		if got := c.Behind(); got != back {
			t.Errorf("it is behind by %v, want %v", got, back)
		}
		// And a start with the clock still wrong goes on where the last run was.
		again := w.clock(c.Mark())
		w.passes(time.Second)
		if got := again.Now(); got.Before(before.Add(time.Minute)) {
			t.Errorf("after a restart it is %v", got)
		}
		w.off = 0
		if got := again.Now(); !got.Equal(w.right) || again.Behind() != 0 {
			t.Errorf("set right: got %v, want %v", got, w.right)
		}
	}
}

func TestALeapAheadIsDoubtedForADay(t *testing.T) {
	w := &world{right: noon}
	c := w.clock(time.Time{})
	w.off = tenYears
	for range 23 {
		w.passes(time.Hour)
		if got := c.Now(); !got.Equal(w.wall()) || !c.Doubtful() {
			t.Fatalf("got %v, doubtful %v", got, c.Doubtful())
		}
	}
	// Set right in time, it leaves no trace.
	w.off = 0
	if got := c.Now(); !got.Equal(w.right) || c.Doubtful() || !c.Mark().Equal(w.right) {
		t.Errorf("set right: got %v, doubtful %v, mark %v", got, c.Doubtful(), c.Mark())
	}
	// A clock that was right after all, and the server off for a month, is trusted.
	w.off = tenYears
	c.Now()
	w.passes(25 * time.Hour)
	if c.Now(); c.Doubtful() || !c.Mark().Equal(w.wall()) {
		t.Errorf("a day later it is doubtful %v, mark %v", c.Doubtful(), c.Mark())
	}
}

func TestAnHourAheadIsNothing(t *testing.T) {
	w := &world{right: noon}
	c := w.clock(time.Time{})
	w.off = time.Hour
	if got := c.Now(); !got.Equal(w.wall()) || c.Doubtful() {
		t.Errorf("got %v, doubtful %v", got, c.Doubtful())
	}
}

func TestATimeServerMaySetTheClock(t *testing.T) {
	w := &world{right: noon}
	c := w.clock(time.Time{})
	for _, off := range []time.Duration{-4 * time.Minute, 4 * time.Minute, -time.Second, 0} {
		w.off = off
		if got := c.Now(); !got.Equal(w.wall()) || c.Doubtful() {
			t.Errorf("%v off: got %v, doubtful %v", off, got, c.Doubtful())
		}
	}
}
