package web_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gatelodge/store"
)

// precedes returns, of times in order, how often one of a is smaller than one of b, ties by half: the
// Mann-Whitney statistic as a share. Somebody who has to tell the two apart by one
// time each is right that often; 0.5 is a coin.
func precedes(a, b []time.Duration) float64 {
	n := 0.0
	for _, x := range a {
		at, tied := slices.BinarySearch(b, x)
		n += float64(len(b) - at)
		if tied {
			n -= 0.5
		}
	}
	return n / float64(len(a)*len(b))
}

func TestTimesThatDifferAreDistinguished(t *testing.T) {
	ms := func(list ...int) (d []time.Duration) {
		for _, n := range list {
			d = append(d, time.Duration(n)*time.Millisecond)
		}
		return d
	}
	for name, tt := range map[string]struct {
		a, b []time.Duration
		want float64
	}{
		"apart": {ms(1, 2), ms(3, 4), 1}, "the other way": {ms(5, 6), ms(1, 2), 0},
		"the same": {ms(1, 2), ms(1, 2), 0.5}, "mixed": {ms(1, 4), ms(2, 3), 0.5},
	} {
		if got := precedes(tt.a, tt.b); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

// unlocked are the requests that name somebody, whether or not they are here.
var unlocked = map[string]func(b *browser, who string) reply{
	"a mailed link":          func(b *browser, who string) reply { return b.post("/signin", "identifier", who) },
	"a new password by mail": func(b *browser, who string) reply { return b.post("/signin/forgot", "identifier", who) },
	"signing up":             func(b *browser, who string) reply { return b.post("/signup", "email", who, "name", "Mara") },
	"a wrong password":       func(b *browser, who string) reply { return b.tryPassword(who, wrongPassword) },
	"a wrong password of a program": func(b *browser, who string) reply {
		c := b.authjs("v5")
		c.host = "" // at our own address
		return c.send(c.request("/api/auth/callback/credentials", fmt.Sprintf(`{"email":%q,"password":%q}`, who, wrongPassword)))
	},
}

const wrongPassword = "not this one, surely"

// each asks about the n of a crowd and about n who are not here, in a random order, so
// that whatever else the machine does meets both alike.
func (h *testServer) each(n int, ask func(b *browser, who string) reply, told func(known bool, a reply, took time.Duration)) {
	h.t.Helper()
	order := make([]string, 0, 2*n)
	for i := range n {
		order = append(order, fmt.Sprintf("known%d@home.example", i), fmt.Sprintf("nobody%d@home.example", i))
	}
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for _, who := range order {
		h.pass(25 * time.Hour) // no limit is met
		b := h.browser()
		started := time.Now()
		a := ask(b, who)
		told(strings.HasPrefix(who, "known"), a, time.Since(started))
	}
}

// Whether somebody has an account must not show in how long an answer takes. What
// takes long is hashing and what is put on the disk, so both are counted.
func TestAnswersTakeTheSameWorkForNobody(t *testing.T) {
	type work struct {
		status         int
		memory, rounds uint64 // that were hashed
		commits        uint64
	}
	for _, row := range []struct{ door, name string }{
		{"open", "a mailed link"},
		{"open", "a new password by mail"},
		{"open", "signing up"},
		{"open", "a wrong password"},
		{"open", "a wrong password of a program"},
		{"closed", "a mailed link"},
		{"closed", "a new password by mail"},
		{"approve", "signing up"},
	} {
		t.Run(row.name+", "+row.door, func(t *testing.T) {
			const asked = 3
			ask := unlocked[row.name]
			h := open(t, mode(row.door))
			h.crowd(asked)
			h.Stop()
			var at work
			spent := func() (w work) {
				w.memory, w.rounds = h.app.Passwords.Spent()
				w.commits = h.app.DB.Generation()
				return w
			}
			works := make(map[bool]work)
			h.each(asked, func(b *browser, who string) reply {
				at = spent()
				return ask(b, who)
			}, func(known bool, a reply, _ time.Duration) {
				now := spent()
				w := work{a.StatusCode, now.memory - at.memory, now.rounds - at.rounds, now.commits - at.commits}
				if before, ok := works[known]; ok && before != w {
					t.Errorf("the same request took %+v and %+v", before, w)
				}
				works[known] = w
			})
			if works[true] != works[false] {
				t.Errorf("it took %+v for who is here and %+v for nobody", works[true], works[false])
			}
			if w := works[true]; w.commits+w.memory == 0 {
				t.Errorf("nothing was counted: %+v", w)
			}
		})
	}
}

// How often one who has to tell by one time each which of two is here is right.
// 0.5 is a coin; chance alone strays from it by 0.02 in half the runs of 300.
func BenchmarkToldFromNobody(b *testing.B) {
	const n = 300
	for name, ask := range unlocked {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				h := open(b, mode("open"))
				h.crowd(n)
				times := make(map[bool][]time.Duration)
				h.each(n, ask, func(known bool, _ reply, took time.Duration) { times[known] = append(times[known], took) })
				slices.Sort(times[true])
				slices.Sort(times[false])
				b.ReportMetric(precedes(times[true], times[false]), "told")
				b.ReportMetric(float64(times[true][n/2].Microseconds()), "here-p50-µs")
				b.ReportMetric(float64(times[false][n/2].Microseconds()), "nobody-p50-µs")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// crowd adds n with a password, known0 and so on.
func (h *testServer) crowd(n int) {
	h.t.Helper()
	kept := h.withPassword("first@home.example", goodPassword)
	err := h.app.DB.Update(h.t.Context(), func(tx *store.Tx) error {
		p, err := tx.PasswordOf(kept.ID)
		if err != nil {
			return err
		}
		for i := range n {
			address := fmt.Sprintf("known%d@home.example", i)
			u := store.User{ID: store.NewID(h.Now()), Email: address, EmailNorm: address, EmailVerifiedAt: h.Now(), CreatedAt: h.Now(), UpdatedAt: h.Now()}
			p.UserID = u.ID
			if err := errors.Join(tx.AddUser(u), tx.SetPassword(p)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
}
