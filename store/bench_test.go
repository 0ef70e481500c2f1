package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/store"
	"gatelodge/store/storetest"
)

// engines opens a new store on each engine that is there.
func engines(b *testing.B, run func(b *testing.B, open func(testing.TB) *store.DB)) {
	b.Run("sqlite", func(b *testing.B) { run(b, storetest.Open) })
	b.Run("postgres", func(b *testing.B) { run(b, storetest.StartPostgres(b).Open) })
}

// enqueue writes what every request for a link does, durably: a challenge and its
// mail of 10 KiB.
func enqueue(b *testing.B, db *store.DB, u store.User, id string) error {
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
		}, make([]byte, 10<<10))
	})
}

// BenchmarkEnqueue commits alone, and from 32 callers at once.
func BenchmarkEnqueue(b *testing.B) {
	engines(b, func(b *testing.B, open func(testing.TB) *store.DB) {
		for _, writers := range []int{1, 32} {
			b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
				db := open(b)
				u := storetest.User(b, db, "mara@home.example")
				var n atomic.Int64
				b.SetParallelism(max(1, writers/runtime.GOMAXPROCS(0)))
				b.ResetTimer()
				start := time.Now()
				if writers == 1 {
					for b.Loop() {
						if err := enqueue(b, db, u, fmt.Sprint(n.Add(1))); err != nil {
							b.Fatal(err)
						}
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							if err := enqueue(b, db, u, fmt.Sprint(n.Add(1))); err != nil {
								b.Error(err)
							}
						}
					})
				}
				b.ReportMetric(float64(n.Load())/time.Since(start).Seconds(), "commits/s")
			})
		}
	})
}

// stock fills a store with sessions, of a thousand users.
func stock(b *testing.B, db *store.DB, sessions int) {
	b.Helper()
	users := make([]store.User, 1000)
	storetest.Update(b, db, func(tx *store.Tx) error {
		for i := range users {
			email := fmt.Sprintf("p%d@home.example", i)
			users[i] = store.User{ID: store.NewID(storetest.Now), Email: email, EmailNorm: email, CreatedAt: storetest.Now, UpdatedAt: storetest.Now}
			if err := tx.AddUser(users[i]); err != nil {
				return err
			}
		}
		return nil
	})
	const step = 5000
	for done := 0; done < sessions; done += step {
		storetest.Update(b, db, func(tx *store.Tx) error {
			for i := done; i < done+step; i++ {
				if err := tx.AddSession(session(i, users[i%len(users)])); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func session(i int, u store.User) store.Session {
	return store.Session{
		ID: strconv.Itoa(i), TokenHash: storetest.Hash(strconv.Itoa(i)), UserID: u.ID, AMR: "email", AuthAt: storetest.Now,
		CreatedAt: storetest.Now, SeenAt: storetest.Now, ExpiresAt: storetest.Now.Add(time.Hour), MaxExpiresAt: storetest.Now.Add(time.Hour),
		IP: "192.0.2.1", Device: "Firefox on Linux",
	}
}

// lookup finds one session among so many, hardly ever one that was found before.
func lookup(b *testing.B, db *store.DB, i, sessions int) time.Duration {
	start := time.Now()
	_, _, err := db.SessionByToken(b.Context(), storetest.Hash(strconv.Itoa(i*7919%sessions)), storetest.Now)
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// BenchmarkSessionLookup finds a session among many, each time another one. That
// it grows slowly is what counts.
func BenchmarkSessionLookup(b *testing.B) {
	for _, sessions := range []int{10_000, 1_000_000, 5_000_000} {
		b.Run(fmt.Sprintf("sessions=%d", sessions), func(b *testing.B) {
			db := storetest.Open(b)
			stock(b, db, sessions)
			for i := range 2000 { // the same start for each: statements prepared, the top of the index read
				lookup(b, db, i, sessions)
			}
			var took []time.Duration
			i := 2000
			for b.Loop() {
				took = append(took, lookup(b, db, i, sessions))
				i++
			}
			percentiles(b, "", took)
			b.ReportMetric(resident(b), "MB")
		})
	}
}

// BenchmarkReadsBesideAWriter looks sessions up while nothing is written, and
// while another caller commits as fast as it can.
func BenchmarkReadsBesideAWriter(b *testing.B) {
	const sessions = 100_000
	db := storetest.Open(b)
	stock(b, db, sessions)
	u := storetest.User(b, db, "mara@home.example")
	var quiet, beside []time.Duration
	for b.Loop() {
		for i := range 20_000 {
			quiet = append(quiet, lookup(b, db, i, sessions))
		}
		var stop atomic.Bool
		var writer sync.WaitGroup
		writer.Go(func() {
			for n := 0; !stop.Load(); n++ {
				if err := enqueue(b, db, u, store.NewID(storetest.Now)); err != nil {
					b.Error(err)
					return
				}
			}
		})
		for i := range 20_000 {
			beside = append(beside, lookup(b, db, i, sessions))
		}
		stop.Store(true)
		writer.Wait()
	}
	percentiles(b, "quiet-", quiet)
	percentiles(b, "beside-", beside)
}

// BenchmarkCopy moves 100,000 users, each with a session, to PostgreSQL and back.
func BenchmarkCopy(b *testing.B) {
	const users = 100_000
	p := storetest.StartPostgres(b)
	dir := b.TempDir()
	db, err := store.Open(b.Context(), store.Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	for done := 0; done < users; done += 5000 {
		storetest.Update(b, db, func(tx *store.Tx) error {
			for i := done; i < done+5000; i++ {
				email := fmt.Sprintf("p%d@home.example", i)
				u := store.User{ID: store.NewID(storetest.Now), Email: email, EmailNorm: email, CreatedAt: storetest.Now, UpdatedAt: storetest.Now}
				if err := tx.AddUser(u); err != nil {
					return err
				}
				if err := tx.AddSession(session(i, u)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	var there, back time.Duration
	n := 0
	for b.Loop() {
		n++
		name := p.Name(b)
		start := time.Now()
		moved, err := store.Copy(b.Context(), "file:"+filepath.Join(dir, "gatelodge.db"), name, nil)
		if err != nil || moved.Users != users {
			b.Fatalf("moved %+v: %v", moved, err)
		}
		there += time.Since(start)
		start = time.Now()
		if _, err := store.Copy(b.Context(), name, "file:"+filepath.Join(b.TempDir(), "back.db"), nil); err != nil {
			b.Fatal(err)
		}
		back += time.Since(start)
	}
	b.ReportMetric(there.Seconds()/float64(n), "s-to-postgres")
	b.ReportMetric(back.Seconds()/float64(n), "s-back")
}

func percentiles(b *testing.B, prefix string, took []time.Duration) {
	slices.Sort(took)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(took[len(took)*p/100].Nanoseconds())/1000, fmt.Sprintf("%sp%d-µs", prefix, p))
	}
}

// resident returns the memory of this process, in MB, after what is garbage went.
func resident(b *testing.B) float64 {
	runtime.GC()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("no /proc here:", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return float64(kb) / 1024
}
