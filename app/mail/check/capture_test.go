package check_test

import (
	"strings"
	"testing"

	"gatelodge/app/mail/check"
)

// A server that captures mail says so, and asks DNS nothing.
func TestCapturedMailIsTheOnlyFinding(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.c.Direct, w.c.From, w.c.EHLO = nil, "login@localhost", "localhost"
	asked := len(w.Asked())
	for range 2 {
		r, looking := w.c.Recent()
		if len(r.Findings) != 1 || r.Findings[0].Key != "capture" || looking {
			t.Errorf("got %v, looking %v", r.Findings, looking)
		}
	}
	if got := w.c.Run(t.Context(), "mara@else.example").Findings; len(got) != 1 {
		t.Errorf("with an address: %v", got)
	}
	if got := w.Asked()[asked:]; len(got) > 0 {
		t.Errorf("DNS was asked for %q", got)
	}
}

// A DNS server that knows no root is named with what it was asked for.
func TestNoFailureIsWithoutAName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, f := range w.c.Run(t.Context(), "").Findings {
		if strings.HasPrefix(f.Answer, ":") || f.Key == "resolver" && f.Level == check.Fail && !strings.HasPrefix(f.Answer, ".: ") {
			t.Errorf("%s: %q", f.Key, f.Answer)
		}
	}
}
