package storetest

import (
	"testing"
	"time"

	"gatelodge/store"
)

// mail are the promises about domains that mail goes to, addresses that refuse
// it, and the keys that sign it.
var mail = map[string]func(*testing.T, *store.DB){
	"mail to a domain that waits is passed over":             domainWaits,
	"mail to a busy domain is passed over":                   domainBusy,
	"what is known of a domain stays when it waits no more":  domainKnown,
	"an address is suppressed until it is not":               suppression,
	"of twenty who try a suppressed address one may":         trySuppressed,
	"TLS results of one day are counted together":            tlsResults,
	"new DKIM keys sign when the old ones have been retired": dkimKeys,
}

func backOff(t *testing.T, db *store.DB, domain string) {
	t.Helper()
	Update(t, db, func(tx *store.Tx) error {
		return tx.BackOff(domain, "nobody answers", 3, Now.Add(time.Hour), Now.Add(time.Minute), Now)
	})
}

// nextDue is when a message is due for a worker that avoids busy.
func nextDue(t *testing.T, db *store.DB, class int, busy []string) (due time.Time, err error) {
	t.Helper()
	err = db.View(t.Context(), func(tx *store.Tx) (err error) {
		due, err = tx.NextDue(class, busy, Now)
		return err
	})
	return due, err
}

func domainWaits(t *testing.T, db *store.DB) {
	Message(t, db, "sign-in", 0, Now)
	Message(t, db, "relayed", 2, Now)
	backOff(t, db, "home.example")
	for _, class := range []int{0, 2} {
		_, err := claim(t, db, class, Now)
		want(t, err, store.ErrNotFound)
		_, err = nextDue(t, db, class, nil)
		want(t, err, store.ErrNotFound)
	}
	releases := map[int]time.Time{0: Now.Add(time.Minute), 2: Now.Add(time.Hour)}
	for class, at := range releases {
		err := db.View(t.Context(), func(tx *store.Tx) error {
			got, err := tx.NextRelease(class, Now)
			if !got.Equal(at) {
				t.Errorf("class %d is released at %v, want %v", class, got, at)
			}
			return err
		})
		want(t, err, nil)
	}
	// A sign-in may look a minute later; other mail waits.
	_, err := claim(t, db, 2, Now.Add(2*time.Minute))
	want(t, err, store.ErrNotFound)
	_, err = claim(t, db, 0, Now.Add(2*time.Minute))
	want(t, err, nil)
	Update(t, db, func(tx *store.Tx) error { _, err := tx.EndBackOff("home.example"); return err })
	_, err = claim(t, db, 2, Now.Add(2*time.Minute))
	want(t, err, nil)
}

func domainBusy(t *testing.T, db *store.DB) {
	Message(t, db, "m", 0, Now)
	for _, busy := range [][]string{{"home.example"}, {"else.example", "home.example"}} {
		_, err := nextDue(t, db, 0, busy)
		want(t, err, store.ErrNotFound)
	}
	for _, busy := range [][]string{nil, {"me.example"}, {"home.example.org", "my.home.example"}} {
		due, err := nextDue(t, db, 0, busy)
		want(t, err, nil)
		if !due.Equal(Now) {
			t.Errorf("beside %v it is due at %v, want %v", busy, due, Now)
		}
	}
}

func domainKnown(t *testing.T, db *store.DB) {
	Update(t, db, func(tx *store.Tx) error { return tx.SetTLSSeen("home.example", Now) })
	Update(t, db, func(tx *store.Tx) error {
		return tx.SetSTSPolicy("home.example", "1", "a policy", Now.Add(time.Hour), Now)
	})
	backOff(t, db, "home.example")
	Update(t, db, func(tx *store.Tx) error {
		list, err := tx.WaitingDomains(Now, 10)
		if len(list) != 1 || list[0].Domain != "home.example" || list[0].Failures != 3 || list[0].Reason != "nobody answers" {
			t.Errorf("got %+v", list)
		}
		return err
	})
	Update(t, db, func(tx *store.Tx) error { _, err := tx.EndBackOff(""); return err })
	Update(t, db, func(tx *store.Tx) error {
		d, err := tx.MailDomain("home.example")
		if !d.TLSSeenAt.Equal(Now) || d.STSID != "1" || d.STSPolicy != "a policy" || !d.STSUntil.Equal(Now.Add(time.Hour)) || d.Failures != 0 {
			t.Errorf("got %+v", d)
		}
		return err
	})
	Update(t, db, func(tx *store.Tx) error {
		was, err := tx.ForgetMailDomain("home.example")
		if !was {
			t.Error("nothing was forgotten")
		}
		return err
	})
	Update(t, db, func(tx *store.Tx) error {
		d, err := tx.MailDomain("home.example")
		if !d.TLSSeenAt.IsZero() || d.STSPolicy != "" {
			t.Errorf("still known: %+v", d)
		}
		return err
	})
}

func suppress(t *testing.T, db *store.DB) {
	t.Helper()
	Update(t, db, func(tx *store.Tx) error {
		return tx.Suppress(store.Suppression{
			RcptHash: Hash("mara"), Rcpt: "mara@home.example", Domain: "home.example", Reason: "550 5.1.1 no", CreatedAt: Now, ExpiresAt: Now.Add(48 * time.Hour),
		})
	})
}

func suppression(t *testing.T, db *store.DB) {
	suppress(t, db)
	suppress(t, db) // twice is once
	find := func(at time.Time) (s store.Suppression, err error) {
		err = db.View(t.Context(), func(tx *store.Tx) (err error) {
			s, err = tx.Suppression(Hash("mara"), at)
			return err
		})
		return s, err
	}
	s, err := find(Now.Add(47 * time.Hour))
	if err != nil || s.Rcpt != "mara@home.example" || s.Reason != "550 5.1.1 no" {
		t.Errorf("got %+v, %v", s, err)
	}
	_, err = find(Now.Add(48 * time.Hour))
	want(t, err, store.ErrNotFound)
	Update(t, db, func(tx *store.Tx) error {
		list, err := tx.Suppressions(Now, 10)
		if len(list) != 1 || list[0].Rcpt != "mara@home.example" {
			t.Errorf("got %+v", list)
		}
		return err
	})
	for _, wanted := range []bool{true, false} {
		Update(t, db, func(tx *store.Tx) error {
			was, err := tx.EndSuppression(Hash("mara"))
			if was != wanted {
				t.Errorf("was suppressed: %v, want %v", was, wanted)
			}
			return err
		})
	}
}

func trySuppressed(t *testing.T, db *store.DB) {
	suppress(t, db)
	try := func(at time.Time) error {
		return db.Update(t.Context(), func(tx *store.Tx) error {
			may, err := tx.TrySuppressed(Hash("mara"), at.Add(time.Millisecond), at.Add(-24*time.Hour), at)
			if err == nil && !may {
				err = store.ErrNotFound
			}
			return err
		})
	}
	want(t, try(Now.Add(time.Hour)), store.ErrNotFound)
	if won := race(t, 20, store.ErrNotFound, func(int) error { return try(Now.Add(25 * time.Hour)) }); won != 1 {
		t.Errorf("%d may try, want 1", won)
	}
}

func tlsResults(t *testing.T, db *store.DB) {
	day := Now.Truncate(24 * time.Hour)
	for _, result := range []string{"", "", "certificate-expired", ""} {
		Update(t, db, func(tx *store.Tx) error {
			return tx.AddTLSResult(day, "home.example", "sts", "mx.home.example", result)
		})
	}
	Update(t, db, func(tx *store.Tx) error {
		list, err := tx.TLSResults("home.example", 10)
		if len(list) != 2 || list[0].Count != 3 || list[1].Count != 1 || list[1].Result != "certificate-expired" || !list[0].Day.Equal(day) {
			t.Errorf("got %+v", list)
		}
		return err
	})
}

func dkimKeys(t *testing.T, db *store.DB) {
	key := func(selector string, at, signs time.Time) store.DKIMKey {
		return store.DKIMKey{Selector: selector, Domain: "home.example", Algorithm: "rsa", Private: []byte("key " + selector), CreatedAt: at, SignsAt: signs}
	}
	Update(t, db, func(tx *store.Tx) error { return tx.AddDKIMKey(key("one", Now, Now)) })
	want(t, db.Update(t.Context(), func(tx *store.Tx) error { return tx.AddDKIMKey(key("one", Now, Now)) }), store.ErrConflict)
	Update(t, db, func(tx *store.Tx) error { return tx.AddDKIMKey(key("two", Now.Add(time.Hour), time.Time{})) })
	Update(t, db, func(tx *store.Tx) error {
		n, err := tx.SwitchDKIMKeys("home.example", Now.Add(2*time.Hour))
		if n != 1 {
			t.Errorf("%d keys took over, want 1", n)
		}
		return err
	})
	Update(t, db, func(tx *store.Tx) error {
		list, err := tx.DKIMKeys("home.example")
		if len(list) != 2 || string(list[0].Private) != "key one" || list[0].RetiredAt.IsZero() || !list[1].RetiredAt.IsZero() || list[1].SignsAt.IsZero() {
			t.Errorf("got %+v", list)
		}
		return err
	})
	Update(t, db, func(tx *store.Tx) error {
		n, err := tx.RemoveDKIMKeys("home.example", Now.Add(3*time.Hour))
		if n != 1 {
			t.Errorf("%d keys removed, want 1", n)
		}
		return err
	})
}
