package store_test

import (
	"fmt"
	"testing"
	"time"

	"gatelodge/store"
	"gatelodge/store/storetest"
)

// BenchmarkClaim leases a message and writes down that it was sent, with ten
// thousand others waiting for a domain that is dead: what the queue costs each
// mail besides its delivery.
func BenchmarkClaim(b *testing.B) {
	db := storetest.Open(b)
	const dead = 10_000
	n := 0
	add := func(count int, domain string) {
		for count > 0 {
			part := min(count, 500)
			count -= part
			err := db.Update(b.Context(), func(tx *store.Tx) error {
				for range part {
					n++
					err := tx.AddMessage(store.Message{
						ID: fmt.Sprint(n), Class: 2, Purpose: "relayed", Addressed: true, Domain: domain, RcptHash: storetest.Hash("r"), Rcpt: "mara@" + domain,
						DueAt: storetest.Now, NotAfter: storetest.Now, MessageID: fmt.Sprint(n), CreatedAt: storetest.Now,
					}, make([]byte, 4<<10))
					if err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	add(dead, "dead.example")
	err := db.Update(b.Context(), func(tx *store.Tx) error {
		return tx.BackOff("dead.example", "silent", 1, storetest.Now.Add(time.Hour), storetest.Now.Add(time.Hour), storetest.Now)
	})
	if err != nil {
		b.Fatal(err)
	}
	left := 0
	for b.Loop() {
		if left == 0 {
			b.StopTimer()
			add(500, "else.example")
			left = 500
			b.StartTimer()
		}
		left--
		var w store.Work
		err := db.Update(b.Context(), func(tx *store.Tx) (err error) {
			w, err = tx.ClaimMessage(2, "bench", nil, storetest.Now, storetest.Now.Add(time.Hour), func(store.Message) time.Time { return storetest.Now })
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		if w.Domain != "else.example" {
			b.Fatalf("claimed one of %s", w.Domain)
		}
		err = db.Update(b.Context(), func(tx *store.Tx) error {
			return tx.FinishMessage(w.ID, w.Gen, store.Report{State: "sent", Attempts: 1}, storetest.Now)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
}
