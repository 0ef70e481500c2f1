package password_test

import (
	"runtime"
	"testing"

	"golang.org/x/crypto/argon2"

	"gatelodge/app/config"
	"gatelodge/app/factor/password"
)

// What one slot does in a second, against argon2 alone, and with a hash that is
// not there.
func BenchmarkHash(b *testing.B) {
	cost := password.Cost{Memory: config.PasswordMemory, Passes: config.PasswordPasses, Lanes: config.PasswordLanes}
	h := password.New(cost, 1, 1)
	p := clear(b, "crimson ladder over quiet fjord")
	kept, err := h.Hash(b.Context(), p)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("argon2 alone", func(b *testing.B) {
		for b.Loop() {
			argon2.IDKey([]byte("crimson ladder over quiet fjord"), make([]byte, 16), cost.Passes, cost.Memory, cost.Lanes, 32)
		}
	})
	for name, kept := range map[string]string{"known": kept, "unknown": ""} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if fits, _, err := h.Check(b.Context(), kept, p); err != nil || fits != (kept != "") {
					b.Fatal(fits, err)
				}
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapSys-m.HeapReleased)/(1<<20), "heap-MiB")
		})
	}
}
