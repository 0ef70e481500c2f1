package password_test

import (
	"testing"

	"golang.org/x/crypto/bcrypt"

	"gatelodge/app/factor/password"
)

// What a refusal costs must tell neither whether there is an account, nor where its
// password came from, nor in which of two ways it was typed.
func TestEveryRefusalCostsTheSame(t *testing.T) {
	t.Parallel()
	var old []string
	for cost := bcrypt.MinCost; cost <= bcrypt.MinCost+2; cost++ {
		h, err := bcrypt.GenerateFromPassword([]byte("the right one"), cost)
		if err != nil {
			t.Fatal(err)
		}
		old = append(old, string(h))
	}
	h := password.New(cheap, 1, 1)
	kept := append([]string{""}, old...)
	for _, cost := range []password.Cost{cheap, {Memory: 32, Passes: 1, Lanes: 1}, {Memory: 128, Passes: 3, Lanes: 2}} {
		k, err := password.New(cost, 1, 1).Hash(t.Context(), clear(t, "the right one"))
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, k)
	}
	for name, expected := range map[string][]string{"all kinds": kept, "our own alone": {"", kept[4]}} {
		h.Expect(expected)
		for _, typed := range []string{"a wrong one", "a wro\u0301ng one\u00a0"} {
			var memory, rounds uint64
			for i, k := range expected {
				m, r := h.Spent()
				if fits, renewed, err := h.Check(t.Context(), k, clear(t, typed)); fits || renewed != "" || err != nil {
					t.Fatalf("%s: %v, %q, %v", k, fits, renewed, err)
				}
				m2, r2 := h.Spent()
				if m2, r2 = m2-m, r2-r; i == 0 {
					memory, rounds = m2, r2
				} else if m2 > memory || m2+3 < memory || r2 != rounds { // a pass takes whole KiB
					t.Errorf("%s, %q: %q costs %d KiB and %d rounds, nothing kept %d and %d", name, typed, k, m2, r2, memory, rounds)
				}
			}
			if memory == 0 || rounds == 0 && name == "all kinds" {
				t.Errorf("%s: %d KiB, %d rounds", name, memory, rounds)
			}
		}
	}
	// The dearest is gone: what is left is cheaper.
	h.Expect(nil)
	_, before := h.Spent()
	if _, _, err := h.Check(t.Context(), "", clear(t, "a wrong one")); err != nil {
		t.Fatal(err)
	}
	if _, after := h.Spent(); after != before {
		t.Error("bcrypt is still done though none is kept")
	}
}

// Nobody knows a password to what fills the time.
func TestWhatFillsTheTimeFitsNothing(t *testing.T) {
	t.Parallel()
	h := password.New(cheap, 1, 1)
	for _, typed := range []string{".", "x", "the right one"} {
		if fits, _, err := h.Check(t.Context(), "", clear(t, typed)); fits || err != nil {
			t.Errorf("%q: %v, %v", typed, fits, err)
		}
	}
	if got := h.Form(); got != "$argon2id$v=19$m=64,t=1,p=1$" {
		t.Errorf("the form is %q", got)
	}
}
