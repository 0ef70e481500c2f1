package audit

import (
	"sync"
	"time"
)

// Refusal is a request that was refused or failed, as it is remembered for
// "why".
type Refusal struct {
	At     time.Time
	From   Origin
	Route  string // method and pattern, or the first segment of a path that has none
	Status int
	What   string // the key of the sentence that was shown
	Cause  string // for the operator; "" when the sentence says it all
}

const recentRoom = 2000

// Recent remembers the last refusals of this run, whoever caused them and
// however many: memory is bounded and nothing is written.
type Recent struct {
	mu   sync.Mutex
	ring []Refusal
	next int
}

// NewRecent returns an empty memory.
func NewRecent() *Recent { return &Recent{ring: make([]Refusal, 0, recentRoom)} }

// Add remembers r and forgets the oldest when there is no room.
func (m *Recent) Add(r Refusal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.ring) < recentRoom {
		m.ring = append(m.ring, r)
		return
	}
	m.ring[m.next] = r
	m.next = (m.next + 1) % recentRoom
}

// Find returns the refusals under a Reference.
func (m *Recent) Find(reference string) []Refusal {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Refusal
	for _, r := range m.ring {
		if r.From.Reference == reference {
			found = append(found, r)
		}
	}
	return found
}
