package web_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/app/config"
	"gatelodge/app/factor/password"
)

// site is the nth host of somebody who has a whole IPv6 /48: each in a /64 of its own.
func site(n int) string { return fmt.Sprintf("2001:db8:1:%x::1", n*257%65536) }

func (h *testServer) from(ip string) *browser {
	b := h.browser()
	b.headers["X-Forwarded-For"] = ip
	return b
}

const elsewhere = "2001:db9::1"

// Somebody with one /48 asks for mail 600 times, each time from another /64.
func TestOneSiteDoesNotKeepOthersFromTheirLinks(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.user("mara@home.example")
	passed := 0
	for n := range 600 {
		if h.from(site(n)).post("/signin", "identifier", fmt.Sprintf("nobody-%d@home.example", n)).StatusCode == http.StatusSeeOther {
			passed++
		}
	}
	if passed != 180 {
		t.Errorf("%d requests passed, want three times those of a /64", passed)
	}
	h.from(elsewhere).post("/signin", "identifier", "mara@home.example").goesTo(t, "/signin/code")
}

func TestOneSiteDoesNotKeepOthersFromUpstreams(t *testing.T) {
	t.Parallel()
	h, _ := withUpstream(t, trusted)
	passed := 0
	for n := range 220 {
		if h.from(site(n)).post("/signin/with/school").StatusCode == http.StatusOK {
			passed++
		}
	}
	if passed != 180 {
		t.Errorf("%d journeys began, want three times those of a /64", passed)
	}
	if a := h.from(elsewhere).post("/signin/with/school"); a.StatusCode != http.StatusOK {
		t.Errorf("elsewhere: got %d", a.StatusCode)
	}
}

// Guesses are counted where they come from, however many names they try.
func TestOneSiteHasNoMoreGuessesThanItsSize(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	passed := 0
	for n := range 320 {
		b := h.from(site(n))
		if b.tryPassword(fmt.Sprintf("nobody-%d@home.example", n), "\x00").StatusCode == http.StatusUnprocessableEntity {
			passed++
		}
	}
	if passed != 300 {
		t.Errorf("%d guesses were answered, want three times those of a /64", passed)
	}
	h.from(elsewhere).tryPassword("nobody@home.example", "\x00").is(t, http.StatusUnprocessableEntity)
}

// Wrong set-up codes keep nobody out who has the right one, wherever they come from.
func TestWrongSetUpCodesDoNotLockOutTheRightOne(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	code, err := h.app.Users.SetUpCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	limited := 0
	for n := range 150 {
		ip := fmt.Sprintf("198.51.%d.7", n)
		if n%3 == 0 {
			ip = "203.0.113.7"
		}
		if h.from(ip).post("/setup", "setup_code", "0000-0000-0000-0000", "email", "x@home.example").StatusCode == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited != 40 {
		t.Errorf("%d of 50 tries of one network were refused, want 40", limited)
	}
	h.from("203.0.113.7").post("/setup", "setup_code", code, "email", "mara@home.example").goesTo(t, "/account?welcome")
}

// Many guesses at once from one site wait for each other, and nobody else waits.
func TestOneSiteDoesNotFillTheQueueForPasswords(t *testing.T) {
	h := openAt(t, password.Cost{Memory: 8 << 10, Passes: 1, Lanes: 1}, nil)
	clear, err := password.Read("any password will do")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var crowd sync.WaitGroup
	defer crowd.Wait()
	defer stop()
	// Hashing goes on all the time, so that who comes has to wait.
	for range h.app.Passwords.Slots() + 8 {
		crowd.Go(func() {
			for ctx.Err() == nil {
				_, _, _ = h.app.Passwords.Check(ctx, "", clear)
			}
		})
	}
	var busy atomic.Bool
	for n := range config.PasswordQueue {
		crowd.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				b := h.from(site(n))
				b.post("/signin", "identifier", fmt.Sprintf("nobody-%d-%d@home.example", n, i), "method", "password")
				if b.post("/signin/password", "password", "not the one it is at all").StatusCode == http.StatusServiceUnavailable {
					busy.Store(true)
				}
				h.pass(time.Hour) // no limit is met
			}
		})
	}
	for deadline := time.Now().Add(20 * time.Second); !busy.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("one site has the whole queue")
		}
	}
	for range 3 {
		h.from(elsewhere).tryPassword("nobody@home.example", "not the one it is at all").is(t, http.StatusUnprocessableEntity)
	}
}

// Where anybody may sign up, a mailbox gets no mail for each of its addresses.
func TestTagsOfOneMailboxCountAsOne(t *testing.T) {
	t.Parallel()
	dotted := []string{"maraxyz", "m.araxyz", "ma.raxyz", "mar.axyz", "mara.xyz", "m.a.r.a.x.y.z"}
	for _, mode := range []string{"open", "approve", "closed"} {
		for name, address := range map[string]func(n int) string{
			"tags":           func(n int) string { return fmt.Sprintf("mara+%d@home.example", n) },
			"tags and case":  func(n int) string { return fmt.Sprintf("mArA+%d@HOME.example", n) },
			"tags in tags":   func(n int) string { return fmt.Sprintf("mara+x+%d@home.example", n) },
			"dots at Gmail":  func(n int) string { return dotted[n%len(dotted)] + "@gmail.com" },
			"Gmail's names":  func(n int) string { return fmt.Sprintf("mara+%d@%s", n, []string{"gmail.com", "googlemail.com"}[n%2]) },
			"a plain one in": func(n int) string { return []string{"mara@home.example", "mara+a@home.example"}[n%2] },
		} {
			t.Run(mode+" "+name, func(t *testing.T) {
				t.Parallel()
				h := open(t, func(c *config.Config) { c.Signup.Mode = mode })
				passed := 0
				for n := range 12 {
					if h.browser().post("/signin", "identifier", address(n)).StatusCode == http.StatusSeeOther {
						passed++
					}
				}
				if passed != 3 {
					t.Errorf("%d requests passed, want 3", passed)
				}
				h.browser().post("/signin", "identifier", "sam@home.example").goesTo(t, "/signin/code")
			})
		}
	}
}

// A mailbox can have every address of its domain.
func TestOneDomainGetsNoFloodWhereAnybodyMaySignUp(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"open", "approve"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			h := open(t, func(c *config.Config) { c.Signup.Mode = mode })
			ask := func(ip, address string) int { return h.from(ip).post("/signin", "identifier", address).StatusCode }
			passed := 0
			for n := range 60 {
				if ask("203.0.113.7", fmt.Sprintf("any-%d@catch-all.example", n)) == http.StatusSeeOther {
					passed++
				}
			}
			if passed != 30 {
				t.Errorf("%d mails to one domain, want 30", passed)
			}
			if got := ask("203.0.113.7", "mara@home.example"); got != http.StatusSeeOther {
				t.Errorf("another domain: got %d", got)
			}
			// One site does not keep others of that domain from signing up.
			for n := range 200 {
				ask(site(n), fmt.Sprintf("some-%d@catch-all.example", n))
			}
			if got := ask(elsewhere, "mara@catch-all.example"); got != http.StatusSeeOther {
				t.Errorf("another network: got %d", got)
			}
		})
	}
}
