package factor_test

import (
	"slices"
	"testing"

	"gatelodge/app/factor"
)

func TestAListIsKeptAsTextAndShownInKnownWords(t *testing.T) {
	for stored, want := range map[string][]string{
		"":                       {},
		"pwd":                    {"pwd"},
		"email":                  {"otp", "email"},
		"setup":                  {"otp"},
		"fed:corp":               {"fed"},
		"fed:corp fed:other pwd": {"fed", "pwd"},
		"email setup":            {"otp", "email"},
	} {
		l := factor.Read(stored)
		if l.String() != stored {
			t.Errorf("%q is kept as %q", stored, l)
		}
		if got := l.AMR(); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", stored, got, want)
		}
	}
	if id, ok := factor.Read("fed:corp pwd").First().Upstream(); id != "corp" || !ok {
		t.Errorf("the provider is %q, %v", id, ok)
	}
	if _, ok := factor.Password.Upstream(); ok {
		t.Error("a password is a provider's")
	}
	if got := factor.Read("pwd").And(factor.Read("pwd email")).String(); got != "pwd email" {
		t.Errorf("together they are %q", got)
	}
}
