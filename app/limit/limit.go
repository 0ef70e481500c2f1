// Package limit counts attempts by key and window.
//
// A server that has its database for itself counts in memory and writes nothing:
// a row for each attempt would hand the write path to whoever attacks, and what
// is forgotten at a restart is one window's count. Servers that share a database
// count there as well, what each lets pass by its own count.
package limit

import (
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"gatelodge/store"
)

// Rule allows Count attempts in any window of length Per.
type Rule struct {
	Count int
	Per   time.Duration
}

// Ask is one key and the rules it must keep. Keys of different kinds must
// differ, so they begin with their kind: "address:", "network:".
type Ask struct {
	Key   string
	Rules []Rule
}

// maxKeys bounds the memory: about 20 MB when an attacker fills it.
const maxKeys = 100_000

// Limiter remembers recent attempts. The zero value is not usable; see New.
type Limiter struct {
	mu   sync.Mutex
	now  func() time.Time
	seed maphash.Seed
	keys map[uint64]*attempts
	db   *store.DB // nil: in memory alone
	log  *slog.Logger
}

type attempts struct {
	times []time.Time // oldest first
	until time.Time   // nothing in times counts after this
}

// New returns an empty Limiter on the given clock.
func New(now func() time.Time) *Limiter {
	return &Limiter{now: now, seed: maphash.MakeSeed(), keys: make(map[uint64]*attempts)}
}

// NewShared returns a Limiter that counts in db too, where db is shared with
// other servers. While the database does not answer each counts alone.
func NewShared(now func() time.Time, db *store.DB, log *slog.Logger) *Limiter {
	l := New(now)
	if db.Shared() {
		l.db, l.log = db, log
	}
	return l
}

// Take counts one attempt for every ask, or for none of them when one is over
// its rules. Then it returns how long to wait until the asks could pass, which
// is never zero, and which ask stood in the way longest. It must not be called
// within a transaction.
func (l *Limiter) Take(asks ...Ask) (wait time.Duration, at int) {
	if l.db == nil {
		return l.take(asks, true)
	}
	if wait, at = l.take(asks, false); wait > 0 {
		return wait, at
	}
	wait, at, err := l.takeShared(asks)
	if err != nil {
		l.log.Error("attempts are counted by each server alone", "err", err)
	} else if wait > 0 {
		return wait, at
	}
	return l.take(asks, true)
}

// Give takes back one attempt that Take counted for every ask: it turned out to be
// none of those that are to be few. It must not be called within a transaction.
func (l *Limiter) Give(asks ...Ask) {
	l.mu.Lock()
	for _, ask := range asks {
		if a := l.keys[maphash.String(l.seed, ask.Key)]; a != nil && len(a.times) > 0 {
			a.times = a.times[:len(a.times)-1]
		}
	}
	l.mu.Unlock()
	if l.db == nil {
		return
	}
	if err := l.giveShared(asks); err != nil {
		l.log.Error("an attempt was not taken back", "err", err)
	}
}

// Wait returns what Take would, as far as this server knows, and counts nothing:
// for rules that only failures count against.
func (l *Limiter) Wait(ask Ask) time.Duration {
	wait, _ := l.take([]Ask{ask}, false)
	return wait
}

// take looks in memory, and counts there when asked to.
func (l *Limiter) take(asks []Ask, count bool) (wait time.Duration, at int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for i, ask := range asks {
		if a := l.keys[maphash.String(l.seed, ask.Key)]; a != nil {
			if w := ask.wait(a.times, now); w > wait {
				wait, at = w, i
			}
		}
	}
	if wait > 0 || !count {
		return wait, at
	}
	for _, ask := range asks {
		l.count(ask, now)
	}
	return 0, 0
}

// wait returns how long until another attempt fits after those at times.
func (a Ask) wait(times []time.Time, now time.Time) time.Duration {
	var longest time.Duration
	for _, rule := range a.Rules {
		if len(times) < rule.Count {
			continue
		}
		// The attempt that has to leave the window before another fits.
		gate := times[len(times)-rule.Count]
		longest = max(longest, gate.Add(rule.Per).Sub(now))
	}
	return longest
}

// add returns the attempts that count with one more, and until when they do.
func (a Ask) add(times []time.Time, now time.Time) ([]time.Time, time.Time) {
	most, until := 0, now
	for _, rule := range a.Rules {
		most = max(most, rule.Count)
		if end := now.Add(rule.Per); end.After(until) {
			until = end
		}
	}
	times = append(times, now)
	if extra := len(times) - most; extra > 0 {
		times = append(times[:0], times[extra:]...)
	}
	return times, until
}

func (l *Limiter) count(ask Ask, now time.Time) {
	key := maphash.String(l.seed, ask.Key)
	a := l.keys[key]
	if a == nil {
		l.makeRoom(now)
		a = &attempts{}
		l.keys[key] = a
	}
	times, until := ask.add(a.times, now)
	a.times = times
	if until.After(a.until) {
		a.until = until
	}
}

// makeRoom drops what no longer counts, and when that is not enough some keys
// at random: forgetting a stranger beats running out of memory.
func (l *Limiter) makeRoom(now time.Time) {
	if len(l.keys) < maxKeys {
		return
	}
	for key, a := range l.keys {
		if a.until.Before(now) {
			delete(l.keys, key)
		}
	}
	for key := range l.keys {
		if len(l.keys) < maxKeys*9/10 {
			return
		}
		delete(l.keys, key)
	}
}

// Len returns how many keys are remembered.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.keys)
}
