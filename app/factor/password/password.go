// Package password checks and hashes passwords.
//
// A hash costs a good part of a second's work and many megabytes on purpose, so
// only a few are made at a time and few more wait for their turn: whoever sends a
// flood of passwords slows down those who send passwords, and nobody else. Who
// finds the queue full learns when to try again.
//
// What is kept is an argon2id string in PHC form. Strings from elsewhere, of bcrypt
// or of another cost, are understood and hashed anew when they are next used. Until
// then every password that is refused costs as much as the dearest of them: the time
// of an answer tells neither whether there is an account nor where it came from.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"gatelodge/app/fault"
)

// ErrBusy means that too many passwords are being checked at once.
var ErrBusy = fault.New(fault.Unavailable, "error.password_busy")

const (
	// bcryptReads is how many bytes bcrypt reads of a password and the NUL after it.
	// Whether a longer password is the one that was hashed cannot be known.
	bcryptReads = 72

	saltSize = 16
	hashSize = 32
	// busyFor is when a place in the queue may well be free again.
	busyFor = 2 * time.Second
)

// Hasher makes hashes, a few at a time. Make it with New.
type Hasher struct {
	cost    Cost
	turns   turns
	refusal atomic.Pointer[work] // what a refused password costs
	spent   struct{ memory, rounds atomic.Uint64 }
}

// Slots is how many hashes are made at once on this machine: one core stays free
// for those who are signed in.
func Slots() int { return max(1, runtime.GOMAXPROCS(0)-1) }

// Slots is how many hashes the Hasher makes at once; none is nil's.
func (h *Hasher) Slots() int {
	if h == nil {
		return 0
	}
	return cap(h.turns.places)
}

// New returns a Hasher that makes slots hashes at once, at that cost, and lets
// room more wait.
func New(cost Cost, slots, room int) *Hasher {
	h := &Hasher{cost: cost, turns: turns{places: make(chan struct{}, slots), room: int64(room)}}
	h.Expect(nil)
	return h
}

// Hash returns what to keep of a password.
func (h *Hasher) Hash(ctx context.Context, p Clear) (string, error) {
	var hash string
	err := h.turns.do(ctx, func() { hash = h.hash(p) })
	return hash, err
}

func (h *Hasher) hash(p Clear) string {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	return phc{h.cost, salt, h.key(p.norm, salt, h.cost, hashSize)}.String()
}

// key hashes.
func (h *Hasher) key(password string, salt []byte, c Cost, size uint32) (key []byte) {
	h.spent.memory.Add(c.units())
	hash := func() { key = argon2.IDKey([]byte(password), salt, c.Passes, c.Memory, c.Lanes, size) }
	if c.Memory < worthCollecting {
		hash()
	} else {
		hashing(int64(c.Memory)<<10, hash)
	}
	return key
}

// Check reports whether a password fits what was kept of one. Nothing kept, "",
// fits never. When what was kept is weaker than what would be kept today, renewed is
// to be kept instead.
func (h *Hasher) Check(ctx context.Context, kept string, p Clear) (fits bool, renewed string, err error) {
	var wrong error
	err = h.turns.do(ctx, func() { fits, renewed, wrong = h.check(kept, p) })
	if err == nil {
		err = wrong
	}
	return fits, renewed, err
}

func (h *Hasher) check(kept string, p Clear) (fits bool, renewed string, err error) {
	var done work
	whole := true
	switch {
	case kept == "":
	case isBcrypt(kept):
		whole = len(p.typed) < bcryptReads && len(p.norm) < bcryptReads
		fits, done.bcrypt, err = h.checkBcrypt(kept, p)
	default:
		fits, done.argon, err = h.checkArgon(kept, p)
	}
	switch {
	case err != nil:
		h.even(work{}, p) // it must not show
		return false, "", err
	case !fits:
		h.even(done, p)
		return false, "", nil
	case !whole:
		// Only the beginning was checked: the rest may not be the user's.
	case done.bcrypt > 0 || done.argon.weaker(h.cost):
		renewed = h.hash(p)
	}
	return true, renewed, nil
}

func (h *Hasher) checkArgon(kept string, p Clear) (fits bool, cost Cost, err error) {
	want, err := parsePHC(kept)
	if err != nil {
		return false, Cost{}, err
	}
	got := h.key(p.norm, want.salt, want.cost, uint32(len(want.hash)))
	return subtle.ConstantTimeCompare(got, want.hash) == 1, want.cost, nil
}

// checkBcrypt tries a password as others may have hashed it: as we write it, and
// as it was typed.
func (h *Hasher) checkBcrypt(kept string, p Clear) (fits bool, cost int, err error) {
	cost, err = bcrypt.Cost([]byte(kept))
	if err != nil {
		return false, 0, ErrUnreadable
	}
	if cost > maxBcrypt {
		return false, 0, ErrTooCostly
	}
	for _, try := range p.tries() {
		err := h.compare(kept, cost, try)
		if err == nil {
			return true, cost, nil
		}
		if !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
			return false, 0, ErrUnreadable
		}
	}
	return false, cost, nil
}

func (h *Hasher) compare(kept string, cost int, try string) error {
	h.spent.rounds.Add(1 << cost)
	return bcrypt.CompareHashAndPassword([]byte(kept), []byte(try))
}

// Readable returns nil for a kept string that Check understands, ErrUnreadable or
// ErrTooCostly: for what comes from elsewhere.
func Readable(kept string) error {
	if !isBcrypt(kept) {
		_, err := parsePHC(kept)
		return err
	}
	cost, err := bcrypt.Cost([]byte(kept))
	if err != nil || len(kept) != 60 || !strings.Contains("aby", kept[2:3]) {
		return ErrUnreadable // others than $2a$, $2b$ and $2y$ are of programs with a mistake
	}
	if cost > maxBcrypt {
		return ErrTooCostly
	}
	// Only trying it tells whether the rest is whole, and the cheapest try does.
	if err := bcrypt.CompareHashAndPassword([]byte(kept[:4]+"04"+kept[6:]), nil); !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) && err != nil {
		return ErrUnreadable
	}
	return nil
}
