package limit_test

import (
	"strconv"
	"testing"
	"time"

	"gatelodge/app/limit"
)

func TestTakeCountsInAnyWindow(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := limit.New(func() time.Time { return now })
	ask := limit.Ask{Key: "a", Rules: []limit.Rule{{Count: 3, Per: 10 * time.Minute}, {Count: 5, Per: time.Hour}}}
	steps := []struct {
		pass, wait time.Duration
	}{
		{0, 0},
		{time.Minute, 0},
		{time.Minute, 0},
		{time.Minute, 7 * time.Minute}, // the first of three leaves at minute 10
		{7 * time.Minute, 0},           // minute 10
		{30 * time.Second, 30 * time.Second},
		{30 * time.Second, 0},                // minute 11: the fifth within the hour
		{20 * time.Minute, 29 * time.Minute}, // minute 31: until the first of the hour leaves
		{29 * time.Minute, 0},
	}
	for i, step := range steps {
		now = now.Add(step.pass)
		if wait, _ := l.Take(ask); wait != step.wait {
			t.Errorf("step %d: got %v, want %v", i, wait, step.wait)
		}
	}
}

func TestARefusalCountsForNobody(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := limit.New(func() time.Time { return now })
	one := []limit.Rule{{Count: 1, Per: time.Minute}}
	free := limit.Ask{Key: "free", Rules: one}
	full := limit.Ask{Key: "full", Rules: one}
	l.Take(full)
	if wait, at := l.Take(free, full); wait != time.Minute || at != 1 {
		t.Errorf("got %v at %d, want a minute at 1", wait, at)
	}
	if wait, _ := l.Take(free); wait != 0 {
		t.Errorf("the refused attempt was counted: wait %v", wait)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := limit.New(func() time.Time { return now })
	rules := []limit.Rule{{Count: 1, Per: time.Hour}}
	for i := range 250_000 {
		l.Take(limit.Ask{Key: strconv.Itoa(i), Rules: rules})
	}
	if n := l.Len(); n > 100_000 {
		t.Errorf("got %d keys, want at most 100,000", n)
	}
	if wait, _ := l.Take(limit.Ask{Key: "249999", Rules: rules}); wait == 0 {
		t.Error("the newest key was forgotten")
	}
}
