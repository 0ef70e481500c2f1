package queue

import (
	"time"

	"gatelodge/app/mail/deliver"
)

// While the way out is down, one message probes it now and then; the others
// keep their attempts. Sign-in mail must be out within half a minute of the
// recovery, so the probe is that frequent.
const (
	probeEvery = 20 * time.Second
	// A way that was open so lately need not be looked at again.
	knownFor = 10 * time.Second
	// A login that was refused is tried rarely: providers lock accounts.
	refusedEvery = deliver.RefusedFor
)

// way is what is known about the transport as a whole.
type way struct {
	down   bool
	until  time.Time // no attempt before
	since  time.Time
	reason string
	openAt time.Time // when a session last came through
}

// pause returns how long no message may be tried; sending is how many are
// being tried now. While the way is down they go one at a time.
func (y *way) pause(now time.Time, sending int) time.Duration {
	if !y.down {
		return 0
	}
	if wait := y.until.Sub(now); wait > 0 {
		return wait
	}
	if sending > 0 {
		return probeEvery
	}
	return 0
}

// known reports whether the way is open for all that is known.
func (y *way) known(now time.Time) bool { return !y.down && now.Sub(y.openAt) < knownFor }

// learn takes in how an attempt ended and reports whether the way, which was
// down, is open again.
func (y *way) learn(r deliver.Result, now time.Time) (recovered bool) {
	every := time.Duration(0)
	switch {
	case r.Class == deliver.Paused:
		every = refusedEvery
	case r.TransportDown():
		every = probeEvery
	default:
		recovered = y.down
		*y = way{openAt: now}
		return recovered
	}
	if !y.down {
		y.since = now
	}
	y.down, y.until, y.reason = true, now.Add(every), r.Text
	return false
}

// Way is the state of the transport, for operators.
type Way struct {
	Name   string
	Down   bool
	Since  time.Time
	Until  time.Time // the next probe
	Reason string
}

// Way returns the state of the transport.
func (q *Queue) Way() Way {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Way{Name: q.transport.Name, Down: q.way.down, Since: q.way.since, Until: q.way.until, Reason: q.way.reason}
}

// Standby returns the state of the smarthost that stands by where mail goes
// directly. It is down when it refuses our login; without one it never is.
func (q *Queue) Standby() Way {
	if q.transport.Standby == nil {
		return Way{}
	}
	r := q.transport.Standby.Refused()
	return Way{Name: "smarthost", Down: !r.Since.IsZero(), Since: r.Since, Until: r.Until, Reason: r.Reason}
}

// Resume forgets that the transport was down, so that waiting mail is tried at
// once.
func (q *Queue) Resume() {
	q.mu.Lock()
	q.way = way{}
	q.mu.Unlock()
	if q.transport.Standby != nil {
		q.transport.Standby.Resume()
	}
	q.Wake()
}
