// Package password checks and hashes passwords.
//
// A hash costs a good part of a second's work and many megabytes on purpose, so
// only a few are made at a time and few more wait for their turn: whoever sends a
// flood of passwords slows down those who send passwords, and nobody else. Who
// finds the queue full is told when to come back.
//
// What is kept is an argon2id string in PHC form. bcrypt strings from elsewhere
// are understood and hashed anew when they are next used.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"gatelodge/app/fault"
)

// ErrBusy means that too many passwords are being checked at once.
var ErrBusy = fault.New(fault.Unavailable, "error.password_busy")

const (
	saltSize = 16
	hashSize = 32
	// busyFor is when a place in the queue may well be free again.
	busyFor = 2 * time.Second
)

// Hasher makes hashes, a few at a time. Make it with New.
type Hasher struct {
	cost    Cost
	slots   chan struct{}
	waiting atomic.Int64
	room    int64
}

// Slots is how many hashes are made at once on this machine: one core stays free
// for those who are signed in.
func Slots() int { return max(1, runtime.GOMAXPROCS(0)-1) }

// New returns a Hasher that makes slots hashes at once, at that cost, and lets
// room more wait.
func New(cost Cost, slots, room int) *Hasher {
	return &Hasher{cost: cost, slots: make(chan struct{}, slots), room: int64(room)}
}

// enter waits for a slot and returns how to leave it, or ErrBusy when too many
// wait already.
func (h *Hasher) enter(ctx context.Context) (leave func(), err error) {
	leave = func() { <-h.slots }
	select {
	case h.slots <- struct{}{}:
		return leave, nil
	default:
	}
	if h.waiting.Add(1) > h.room {
		h.waiting.Add(-1)
		return nil, ErrBusy.After(busyFor)
	}
	defer h.waiting.Add(-1)
	select {
	case h.slots <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, ErrBusy.After(busyFor).Because(ctx.Err())
	}
}

// Hash returns what to keep of a password.
func (h *Hasher) Hash(ctx context.Context, p Clear) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	return h.hash(p), nil
}

func (h *Hasher) hash(p Clear) string {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	return phc{h.cost, salt, key(p.norm, salt, h.cost, hashSize)}.String()
}

// key hashes and gives the memory back before anybody else hashes: without that
// the next hash would come upon the garbage of the last, and a busy server would
// grow by twice what it may.
func key(password string, salt []byte, c Cost, size uint32) []byte {
	k := argon2.IDKey([]byte(password), salt, c.Passes, c.Memory, c.Lanes, size)
	runtime.GC()
	return k
}

// Check reports whether a password fits what was kept of one. Nothing kept, ""
// costs as much time and fits never. When what was kept is weaker than what would
// be kept today, renewed is to be kept instead.
func (h *Hasher) Check(ctx context.Context, kept string, p Clear) (fits bool, renewed string, err error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return false, "", err
	}
	defer leave()
	if isBcrypt(kept) {
		fits, err = checkBcrypt(kept, p)
		if err != nil || !fits {
			return false, "", err
		}
		return true, h.hash(p), nil
	}
	known := kept != ""
	want := phc{cost: h.cost, salt: make([]byte, saltSize), hash: make([]byte, hashSize)}
	if known {
		if want, err = parsePHC(kept); err != nil {
			return false, "", err
		}
	}
	got := key(p.norm, want.salt, want.cost, uint32(len(want.hash)))
	if fits = subtle.ConstantTimeCompare(got, want.hash) == 1 && known; !fits {
		return false, "", nil
	}
	if want.cost.weaker(h.cost) {
		renewed = h.hash(p)
	}
	return true, renewed, nil
}

// checkBcrypt tries a password as others may have hashed it: as we write it, and
// as it was typed.
func checkBcrypt(kept string, p Clear) (bool, error) {
	cost, err := bcrypt.Cost([]byte(kept))
	if err != nil {
		return false, errUnreadable
	}
	if cost > maxBcrypt {
		return false, errTooCostly
	}
	tries := []string{p.norm}
	if p.typed != p.norm {
		tries = append(tries, p.typed)
	}
	for _, try := range tries {
		err := bcrypt.CompareHashAndPassword([]byte(kept), []byte(try))
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
			return false, errUnreadable
		}
	}
	return false, nil
}

// Readable reports whether a kept string is one that Check understands: for what
// comes from elsewhere.
func Readable(kept string) bool {
	if isBcrypt(kept) {
		cost, err := bcrypt.Cost([]byte(kept))
		return err == nil && cost <= maxBcrypt
	}
	_, err := parsePHC(kept)
	return err == nil
}
