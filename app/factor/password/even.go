package password

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// work is what checking a password costs: a bcrypt of some cost, 0 for none, and an
// argon2id, zero for none.
type work struct {
	bcrypt int
	argon  Cost
}

// Expect tells the Hasher which strings are kept in other forms than its own: a
// password that is refused costs as much as the dearest of them from now on. Strings
// that Check would not take are left out.
func (h *Hasher) Expect(kept []string) {
	most := work{argon: h.cost}
	for _, k := range kept {
		if Readable(k) != nil {
			continue
		}
		if isBcrypt(k) {
			cost, _ := bcrypt.Cost([]byte(k)) // it is readable
			most.bcrypt = max(most.bcrypt, cost)
			continue
		}
		if p, err := parsePHC(k); err == nil && p.cost.units() > most.argon.units() {
			most.argon = p.cost
		}
	}
	h.refusal.Store(&most)
}

// Form is how the strings begin that this Hasher makes.
func (h *Hasher) Form() string {
	text := phc{cost: h.cost}.String()
	return text[:strings.LastIndexByte(text[:len(text)-1], '$')+1]
}

// even does what is left of the work that a refusal costs.
func (h *Hasher) even(done work, p Clear) {
	most := h.refusal.Load()
	if most.bcrypt > 0 {
		for range p.tries() {
			h.evenBcrypt(done.bcrypt, most.bcrypt, p)
		}
	}
	left := most.argon
	if spent := done.argon.units(); spent > 0 {
		if spent >= most.argon.units() {
			return
		}
		left.Memory = uint32((most.argon.units() - spent) / uint64(left.Passes))
	}
	if left.Memory >= leastMemory*uint32(left.Lanes) {
		h.key(p.norm, make([]byte, saltSize), left, hashSize)
	}
}

// leastMemory is what argon2 takes for a lane at least (RFC 9106, 3.1), in KiB.
const leastMemory = 8

// evenBcrypt brings the work of one cost to that of another. The work of a cost is
// twice that of the one below, so what is missing is each cost between, once.
func (h *Hasher) evenBcrypt(done, most int, p Clear) {
	if done == 0 {
		_ = h.compare(noBcrypt(most), most, p.norm) // nothing fits it
		return
	}
	for cost := done; cost < most; cost++ {
		_ = h.compare(noBcrypt(cost), cost, p.norm) // nothing fits it
	}
}

// noBcrypt is a string of a cost that no password is known for.
func noBcrypt(cost int) string { return fmt.Sprintf("$2a$%02d$%s", cost, strings.Repeat(".", 53)) }

// Spent is how much was hashed since the start: KiB of argon2id times their passes,
// and rounds of bcrypt. Tests compare the cost of two refusals by it, not by a clock.
func (h *Hasher) Spent() (memory, rounds uint64) {
	return h.spent.memory.Load(), h.spent.rounds.Load()
}
