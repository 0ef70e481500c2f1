// Package limit counts attempts by key and window, in memory.
//
// Nothing is written: a row for each attempt would hand the write path to
// whoever attacks. What is forgotten at a restart is one window's count.
package limit

import (
	"hash/maphash"
	"sync"
	"time"
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
}

type attempts struct {
	times []time.Time // oldest first
	until time.Time   // nothing in times counts after this
}

// New returns an empty Limiter on the given clock.
func New(now func() time.Time) *Limiter {
	return &Limiter{now: now, seed: maphash.MakeSeed(), keys: make(map[uint64]*attempts)}
}

// Take counts one attempt for every ask, or for none of them when one is over
// its rules. Then it returns how long to wait until the asks could pass, which
// is never zero, and which ask stood in the way longest.
func (l *Limiter) Take(asks ...Ask) (wait time.Duration, at int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for i, ask := range asks {
		if w := l.wait(ask, now); w > wait {
			wait, at = w, i
		}
	}
	if wait > 0 {
		return wait, at
	}
	for _, ask := range asks {
		l.count(ask, now)
	}
	return 0, 0
}

func (l *Limiter) wait(ask Ask, now time.Time) time.Duration {
	a := l.keys[maphash.String(l.seed, ask.Key)]
	if a == nil {
		return 0
	}
	var longest time.Duration
	for _, rule := range ask.Rules {
		if len(a.times) < rule.Count {
			continue
		}
		// The attempt that has to leave the window before another fits.
		gate := a.times[len(a.times)-rule.Count]
		longest = max(longest, gate.Add(rule.Per).Sub(now))
	}
	return longest
}

func (l *Limiter) count(ask Ask, now time.Time) {
	key := maphash.String(l.seed, ask.Key)
	a := l.keys[key]
	if a == nil {
		l.makeRoom(now)
		a = &attempts{}
		l.keys[key] = a
	}
	most := 0
	for _, rule := range ask.Rules {
		most = max(most, rule.Count)
		if until := now.Add(rule.Per); until.After(a.until) {
			a.until = until
		}
	}
	a.times = append(a.times, now)
	if extra := len(a.times) - most; extra > 0 {
		a.times = append(a.times[:0], a.times[extra:]...)
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
