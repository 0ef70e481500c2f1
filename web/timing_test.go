package web_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
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

func TestTimesThatDifferAreToldApart(t *testing.T) {
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

// Whether somebody has an account must not show in how long an answer takes. The
// requests about people who are here and about nobody come in a random order, so that
// whatever else the machine does meets both alike. Chance alone strays from a coin by
// a third of what is allowed in one run of 300. GATELODGE_TIMING_ROUNDS makes it finer.
func TestAnswersTakeAsLongForNobody(t *testing.T) {
	each := 40
	if n, err := strconv.Atoi(os.Getenv("GATELODGE_TIMING_ROUNDS")); err == nil {
		each = n
	}
	allowed := 3 * math.Sqrt(1/(6*float64(each))) // the statistic has a variance of 1/(6n)
	const wrong = "not this one, surely"
	for name, ask := range map[string]func(b *browser, who string) reply{
		"a mailed link":          func(b *browser, who string) reply { return b.post("/signin", "identifier", who) },
		"a new password by mail": func(b *browser, who string) reply { return b.post("/signin/forgot", "identifier", who) },
		"signing up":             func(b *browser, who string) reply { return b.post("/signup", "email", who, "name", "Mara") },
		"a wrong password":       func(b *browser, who string) reply { return b.tryPassword(who, wrong) },
		"a wrong password of a program": func(b *browser, who string) reply {
			c := b.authjs("v5")
			c.host = "" // at our own address
			return c.send(c.request("/api/auth/callback/credentials", fmt.Sprintf(`{"email":%q,"password":%q}`, who, wrong)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, mode("open"))
			order := make([]string, 0, 2*each)
			for i := range each {
				order = append(order, fmt.Sprintf("known%d@home.example", i), fmt.Sprintf("nobody%d@home.example", i))
			}
			h.crowd(order)
			rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			var known, nobody []time.Duration
			answers := make(map[int]int)
			for _, who := range order {
				h.pass(25 * time.Hour) // no limit is met
				b := h.browser()
				started := time.Now()
				a := ask(b, who)
				took := time.Since(started)
				answers[a.StatusCode]++
				if strings.HasPrefix(who, "known") {
					known = append(known, took)
				} else {
					nobody = append(nobody, took)
				}
			}
			if len(answers) != 1 {
				t.Fatalf("the answers differ: %v", answers)
			}
			slices.Sort(known)
			slices.Sort(nobody)
			told := precedes(known, nobody)
			said := fmt.Sprintf("medians %v for who is here and %v for nobody: the first is less %.2f of the time, want 0.50 ± %.2f", known[each/2], nobody[each/2], told, allowed)
			t.Log(said)
			if math.Abs(told-0.5) > allowed {
				t.Error(said)
			}
		})
	}
}

// crowd adds everybody whose address begins with "known", with a password.
func (h *house) crowd(addresses []string) {
	h.t.Helper()
	kept := h.withPassword("first@home.example", goodPassword)
	err := h.app.DB.Update(h.t.Context(), func(tx *store.Tx) error {
		p, err := tx.PasswordOf(kept.ID)
		if err != nil {
			return err
		}
		for _, address := range addresses {
			if !strings.HasPrefix(address, "known") {
				continue
			}
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
