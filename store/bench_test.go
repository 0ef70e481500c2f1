package store_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/store"
	"gatelodge/store/storetest"
)

// BenchmarkEnqueue writes a challenge and its mail durably, as every request for
// a link does: alone, and by 32 callers at once, who share commits.
func BenchmarkEnqueue(b *testing.B) {
	body := make([]byte, 10<<10)
	for _, writers := range []int{1, 32} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			db := storetest.Open(b)
			u := storetest.User(b, db, "mara@home.example")
			var n atomic.Int64
			enqueue := func() error {
				id := fmt.Sprint(n.Add(1))
				return db.Update(b.Context(), func(tx *store.Tx) error {
					err := tx.AddChallenge(store.Challenge{
						ID: id, TokenHash: storetest.Hash(id), Purpose: "signin", EmailNorm: u.EmailNorm, UserID: u.ID, BrowserHash: storetest.Hash("b"),
						CodeHash: storetest.Hash("c"), CreatedAt: storetest.Now, ExpiresAt: storetest.Now, CodeExpiresAt: storetest.Now,
					})
					if err != nil {
						return err
					}
					return tx.AddMessage(store.Message{
						ID: id, Purpose: "signin", ChallengeID: id, Addressed: true, RcptHash: storetest.Hash(id), Rcpt: "mara@home.example",
						DueAt: storetest.Now, NotAfter: storetest.Now, MessageID: id, CreatedAt: storetest.Now,
					}, body)
				})
			}
			start := time.Now()
			b.SetParallelism(max(1, writers/runtime.GOMAXPROCS(0)))
			if writers == 1 {
				for b.Loop() {
					if err := enqueue(); err != nil {
						b.Fatal(err)
					}
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := enqueue(); err != nil {
							b.Error(err)
						}
					}
				})
			}
			b.ReportMetric(float64(n.Load())/time.Since(start).Seconds(), "enqueues/s")
		})
	}
}

// BenchmarkSessionLookup finds a session among many, each time another one:
// among a thousand all are soon remembered, among a hundred thousand few are.
func BenchmarkSessionLookup(b *testing.B) {
	for _, sessions := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("sessions=%d", sessions), func(b *testing.B) {
			db := storetest.Open(b)
			u := storetest.User(b, db, "mara@home.example")
			for done := 0; done < sessions; done += 1000 {
				storetest.Update(b, db, func(tx *store.Tx) error {
					for i := done; i < done+1000; i++ {
						err := tx.AddSession(store.Session{
							ID: fmt.Sprint(i), TokenHash: storetest.Hash(fmt.Sprint(i)), UserID: u.ID, AuthAt: storetest.Now, CreatedAt: storetest.Now,
							SeenAt: storetest.Now, ExpiresAt: storetest.Now.Add(time.Hour), MaxExpiresAt: storetest.Now.Add(time.Hour),
						})
						if err != nil {
							return err
						}
					}
					return nil
				})
			}
			i := 0
			for b.Loop() {
				i = (i + 7919) % sessions
				if _, _, err := db.SessionByToken(b.Context(), storetest.Hash(fmt.Sprint(i)), storetest.Now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
