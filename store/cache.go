package store

import (
	"sync"
	"sync/atomic"
)

// cacheRoom bounds the cache: some 2 MB.
const cacheRoom = 4096

// sessionCache remembers lookups of live sessions until the next write, of
// whatever kind: every commit begins a new generation, and an answer from an
// older one is worth nothing. So a session that was ended is out for every
// lookup that begins after the call that ended it has returned, exactly as
// without the cache. A server that is busy writing has little of it; one that is
// mostly asked who is signed in is spared the database.
//
// All writes of the database go through this process, which holds its lock.
type sessionCache struct {
	generation atomic.Uint64

	mu      sync.RWMutex
	entries map[[32]byte]cachedSession
}

type cachedSession struct {
	generation uint64
	app        string // whose token it is; "" is our own
	session    Session
	user       User
}

// get returns the remembered answer and the generation a new one would be of:
// it is read before the database is.
func (c *sessionCache) get(tokenHash []byte) (e cachedSession, ok bool, generation uint64) {
	generation = c.generation.Load()
	if len(tokenHash) != 32 {
		return e, false, generation
	}
	c.mu.RLock()
	e, ok = c.entries[[32]byte(tokenHash)]
	c.mu.RUnlock()
	return e, ok && e.generation == generation, generation
}

func (c *sessionCache) put(tokenHash []byte, e cachedSession) {
	if len(tokenHash) != 32 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= cacheRoom || c.entries == nil {
		c.entries = make(map[[32]byte]cachedSession)
	}
	c.entries[[32]byte(tokenHash)] = e
}

// written begins a new generation. It is called after each commit, before
// the caller gets its answer.
func (c *sessionCache) written() { c.generation.Add(1) }

// Generation counts the commits of this run: for tests of what must not write.
func (db *DB) Generation() uint64 { return db.cache.generation.Load() }
