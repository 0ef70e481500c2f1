package limit

import "sync"

// Share is how many may be inside a Gate at once for a key.
type Share struct {
	Key  string
	Most int
}

// Gate bounds what is done at once for each key. The zero value is open.
type Gate struct {
	mu     sync.Mutex
	inside map[string]int
}

// Enter takes a place of every share and returns what gives them back, or takes
// none and returns false when one of them has no place left.
func (g *Gate) Enter(shares ...Share) (leave func(), ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside == nil {
		g.inside = make(map[string]int)
	}
	for _, s := range shares {
		if g.inside[s.Key] >= s.Most {
			return nil, false
		}
	}
	for _, s := range shares {
		g.inside[s.Key]++
	}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, s := range shares {
			if g.inside[s.Key]--; g.inside[s.Key] == 0 {
				delete(g.inside, s.Key)
			}
		}
	}, true
}
