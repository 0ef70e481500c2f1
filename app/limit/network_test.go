package limit_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"gatelodge/app/limit"
)

// strangers returns addresses of one owner, each in a network of its own as
// audit.Origin names it.
var strangers = map[string]func(n int) string{
	"one IPv4 address": func(int) string { return "198.51.100.7" },
	"a /24":            func(n int) string { return fmt.Sprintf("198.51.100.%d", n%256) },
	"a /20":            func(n int) string { return fmt.Sprintf("198.51.%d.%d", 96+n%16, n/16%256) },
	"a /16":            func(n int) string { return fmt.Sprintf("198.51.%d.%d", n%256, n/256%256) },
	"a /64":            func(int) string { return "2001:db8:1:2::/64" },
	"a /60":            func(n int) string { return fmt.Sprintf("2001:db8:1:%x::/64", n%16) },
	"a /56":            func(n int) string { return fmt.Sprintf("2001:db8:1:%x::/64", n%256) },
	"a /48":            func(n int) string { return fmt.Sprintf("2001:db8:1:%x::/64", n%65536) },
	"a /44":            func(n int) string { return fmt.Sprintf("2001:db8:%x:%x::/64", n%16, n/16%65536) },
	"a /32":            func(n int) string { return fmt.Sprintf("2001:db8:%x:%x::/64", n%65536, n/65536) },
	"not an address":   func(int) string { return "local" },
}

func TestNoNetworkSpendsWhatEveryoneHas(t *testing.T) {
	most := []limit.Rule{{Count: 500, Per: 10 * time.Minute}}
	rules := []limit.Rule{{Count: 60, Per: 10 * time.Minute}, {Count: 600, Per: 24 * time.Hour}}
	want := map[string]int{
		"one IPv4 address": 60, "a /24": 180, "a /20": 250, "a /16": 250,
		"a /64": 60, "a /60": 120, "a /56": 120, "a /48": 180, "a /44": 250, "a /32": 250, "not an address": 60,
	}
	for name, stranger := range strangers {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			l := limit.New(func() time.Time { return now })
			passes := func(network string) bool {
				wait, _ := l.Take(append(limit.Networks("network:", network, rules, most), limit.Ask{Key: "all", Rules: most})...)
				return wait == 0
			}
			passed := 0
			for n := range 2000 {
				if passes(stranger(n)) {
					passed++
				}
			}
			if passed != want[name] {
				t.Errorf("%d attempts passed, want %d", passed, want[name])
			}
			for _, elsewhere := range []string{"203.0.113.9", "2001:db9::/64", "192.0.2.1"} {
				if !passes(elsewhere) {
					t.Errorf("%s is kept out", elsewhere)
				}
			}
		})
	}
}

// Without a bound for everyone there is nothing to share out: neighbours at the
// same provider have nothing to do with each other.
func TestARegionCountsOnlyWhereEveryoneDoes(t *testing.T) {
	rules := []limit.Rule{{Count: 10, Per: time.Minute}}
	for network, want := range map[string]int{"198.51.100.7": 2, "2001:db8:1:2::/64": 3, "local": 1, "": 1} {
		if asks := limit.Networks("guesses:", network, rules, nil); len(asks) != want {
			t.Errorf("%q: got %+v, want %d asks", network, asks, want)
		}
	}
	mapped := netip.MustParseAddr("::ffff:198.51.100.7").String()
	if got := limit.Networks("", mapped, rules, nil)[0].Key; got != "198.51.100.7/32" {
		t.Errorf("a mapped address counts as %s", got)
	}
}

func TestNoNetworkFillsAGate(t *testing.T) {
	const places = 64
	for name, stranger := range strangers {
		t.Run(name, func(t *testing.T) {
			var g limit.Gate
			inside := 0
			var leave []func()
			for n := range 1000 {
				if l, ok := g.Enter(limit.Shares(stranger(n), places)...); ok {
					inside++
					leave = append(leave, l)
				}
			}
			if inside == 0 || inside > places/2 {
				t.Errorf("%d of %d places are taken", inside, places)
			}
			if _, ok := g.Enter(limit.Shares("203.0.113.9", places)...); !ok {
				t.Error("somebody elsewhere is kept out")
			}
			for _, l := range leave {
				l()
			}
			if _, ok := g.Enter(limit.Shares(stranger(0), places)...); !ok {
				t.Error("a place that was left is not free")
			}
		})
	}
}
