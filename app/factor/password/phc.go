package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost is what one hash takes.
type Cost struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
}

// weaker reports whether a hash of cost c is cheaper to guess than one of cost d.
func (c Cost) weaker(d Cost) bool {
	return c.Memory < d.Memory || c.units() < d.units()
}

// units is the work of a hash: how much memory is filled in all its passes, in KiB.
func (c Cost) units() uint64 { return uint64(c.Memory) * uint64(c.Passes) }

// What a hash from elsewhere may cost at most: one of them must not hold a slot
// for long, nor more memory than a small machine has.
const (
	maxMemory = 128 << 10 // KiB
	maxPasses = 12
	maxLanes  = 16
	maxBcrypt = 14
)

// Why a kept password cannot be checked.
var (
	ErrUnreadable = errors.New("a kept password is in no form that is understood")
	ErrTooCostly  = errors.New("a kept password would cost too much to check")
)

// phc is an argon2id hash with what it was made from, as in
// "$argon2id$v=19$m=19456,t=2,p=1$salt$hash".
type phc struct {
	cost Cost
	salt []byte
	hash []byte
}

var text = base64.RawStdEncoding.Strict()

func (p phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.cost.Memory, p.cost.Passes, p.cost.Lanes,
		text.EncodeToString(p.salt), text.EncodeToString(p.hash))
}

func parsePHC(s string) (phc, error) {
	parts := strings.Split(s, "$")
	if len(s) > 512 || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, ErrUnreadable
	}
	var p phc
	for i, field := range strings.Split(parts[3], ",") {
		name, digits, _ := strings.Cut(field, "=")
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || n == 0 || i > 2 || name != [...]string{"m", "t", "p"}[i] {
			return phc{}, ErrUnreadable
		}
		switch name {
		case "m":
			p.cost.Memory = uint32(n)
		case "t":
			p.cost.Passes = uint32(n)
		case "p":
			if n > maxLanes {
				return phc{}, ErrTooCostly
			}
			p.cost.Lanes = uint8(n)
		}
	}
	if p.cost.Lanes == 0 || p.cost.Memory < leastMemory*uint32(p.cost.Lanes) {
		return phc{}, ErrUnreadable
	}
	if p.cost.Memory > maxMemory || p.cost.Passes > maxPasses {
		return phc{}, ErrTooCostly
	}
	var err1, err2 error
	p.salt, err1 = text.DecodeString(parts[4])
	p.hash, err2 = text.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(p.salt) < 8 || len(p.hash) < 16 {
		return phc{}, ErrUnreadable
	}
	return p, nil
}

func isBcrypt(kept string) bool { return strings.HasPrefix(kept, "$2") }
