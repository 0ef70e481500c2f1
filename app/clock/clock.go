// Package clock gives the server's time, from a clock that may be wrong.
//
// A board without a battery starts in 1970 and a mistyped date lies ten years
// ahead. What has expired must not live again because the clock was set back, and
// nothing must be thrown away because it is ahead. So the time never goes back
// behind what has been seen and kept, and a leap ahead is believed at once but
// trusted only after a day: until then nothing is removed for good.
package clock

import (
	"sync"
	"time"
)

const (
	// step is how far a clock may be set without being doubted: a time server
	// does that.
	step = 5 * time.Minute
	// leap is further than a clock that is right moves while nobody looks, unless
	// the server was off for days.
	leap = 48 * time.Hour
	// trustAfter is how long a clock that has leapt must go on before it is
	// trusted.
	trustAfter = 24 * time.Hour
)

// Clock is the server's time. Make it with New.
type Clock struct {
	wall   func() time.Time
	steady func() time.Duration

	mu    sync.Mutex
	sure  time.Time     // the trusted time
	at    time.Duration // when that was, by the steady clock
	leapt bool          // the wall clock is far ahead of the trusted time
	since time.Duration // when it leapt
	ahead time.Duration // how far
}

// Steady returns a clock that only ever goes forward.
func Steady() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}

// New returns a Clock. mark is the trusted time that an earlier run kept, or the
// zero time; wall is what may be wrong; steady never goes back.
func New(wall func() time.Time, steady func() time.Duration, mark time.Time) *Clock {
	c := &Clock{wall: wall, steady: steady, sure: mark, at: steady()}
	if mark.IsZero() {
		c.sure = wall()
	}
	return c
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time {
	wall, steady := c.wall(), c.steady()
	sure := c.sure.Add(steady - c.at)
	off := wall.Sub(sure)
	switch {
	case off < -step:
		c.leapt = false
		return sure
	case off <= leap:
		c.trust(wall, steady)
	case !c.leapt || (off-c.ahead).Abs() > step:
		c.leapt, c.since, c.ahead = true, steady, off
	case steady-c.since >= trustAfter:
		c.trust(wall, steady)
	}
	return wall
}

func (c *Clock) trust(wall time.Time, steady time.Duration) {
	c.sure, c.at, c.leapt = wall, steady, false
}

// Doubtful reports whether the clock has leapt ahead so lately that nothing may
// be removed by it.
func (c *Clock) Doubtful() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now()
	return c.leapt
}

// Behind returns how far the wall clock lags behind the trusted time, when it is
// more than a time server sets right; else 0.
func (c *Clock) Behind() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if off := c.sure.Add(c.steady() - c.at).Sub(c.wall()); off > step {
		return off
	}
	return 0
}

// Mark returns the trusted time, for the next run.
func (c *Clock) Mark() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now()
	return c.sure.Add(c.steady() - c.at)
}
