package password_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"gatelodge/app/factor/password"
	"gatelodge/app/secret"
)

var cheap = password.Cost{Memory: 64, Passes: 1, Lanes: 1}

func clear(t testing.TB, typed string) password.Clear {
	t.Helper()
	p, err := password.Read(typed)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPasswordFitsHoweverItIsTyped(t *testing.T) {
	h := password.New(cheap, 1, 1)
	kept, err := h.Hash(t.Context(), clear(t, "cafe\u0301 du\u00a0monde"))
	if err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]bool{
		"caf\u00e9 du monde": true, "cafe\u0301 du\u3000monde": true, "cafe du monde": false, "Caf\u00e9 du monde": false, "caf\u00e9 du monde ": false,
	} {
		if fits, renewed, err := h.Check(t.Context(), kept, clear(t, typed)); fits != want || renewed != "" || err != nil {
			t.Errorf("%q: got %v, %q, %v", typed, fits, renewed, err)
		}
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v", clear(t, "hidden"), clear(t, "hidden"), clear(t, "hidden")), "hidden") {
		t.Error("a password can be printed")
	}
}

func TestHashesFromElsewhereAreUnderstoodAndRenewed(t *testing.T) {
	h := password.New(cheap, 1, 1)
	old, err := bcrypt.GenerateFromPassword([]byte("from elsewhere"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := password.New(password.Cost{Memory: 32, Passes: 1, Lanes: 1}, 1, 1).Hash(t.Context(), clear(t, "from elsewhere"))
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{string(old), weak} {
		if fits, _, err := h.Check(t.Context(), kept, clear(t, "another")); fits || err != nil {
			t.Errorf("a wrong one: %v, %v", fits, err)
		}
		fits, renewed, err := h.Check(t.Context(), kept, clear(t, "from elsewhere"))
		if !fits || err != nil || !strings.HasPrefix(renewed, "$argon2id$v=19$m=64,t=1,p=1$") {
			t.Errorf("got %v, %q, %v", fits, renewed, err)
		}
		if fits, again, err := h.Check(t.Context(), renewed, clear(t, "from elsewhere")); !fits || again != "" || err != nil {
			t.Errorf("renewed: %v, %q, %v", fits, again, err)
		}
	}
	if fits, _, err := h.Check(t.Context(), "", clear(t, "from elsewhere")); fits || err != nil {
		t.Errorf("nothing kept: %v, %v", fits, err)
	}
}

func TestAHashThatCostsTooMuchHoldsNobodyUp(t *testing.T) {
	h := password.New(cheap, 1, 1)
	for _, kept := range []string{
		"$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA", "$argon2id$v=19$m=64,t=4294967295,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
		"$argon2id$v=19$m=64,t=1,p=200$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA", "$2a$31$" + strings.Repeat("a", 53), "$argon2id$", "plain",
	} {
		if _, _, err := h.Check(t.Context(), kept, clear(t, "x")); err == nil || password.Readable(kept) == nil {
			t.Errorf("%s is taken", kept)
		}
	}
}

func TestTheQueueIsBounded(t *testing.T) {
	const slots, room, asked = 2, 3, 200
	h := password.New(password.Cost{Memory: 4096, Passes: 2, Lanes: 1}, slots, room)
	p := clear(t, "crimson ladder over quiet fjord")
	var done, busy atomic.Int32
	var wg sync.WaitGroup
	for range asked {
		wg.Go(func() {
			_, err := h.Hash(t.Context(), p)
			switch {
			case err == nil:
				done.Add(1)
			case errors.Is(err, password.ErrBusy):
				busy.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if done.Load() < slots+room || busy.Load() == 0 {
		t.Errorf("%d were hashed and %d sent away", done.Load(), busy.Load())
	}
	if _, err := h.Hash(t.Context(), p); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestWhatIsChosenIsJudged(t *testing.T) {
	for typed, want := range map[string]error{
		"crimson ladder over quiet fjord": nil, "zażółć gęślą jaźń nocą": nil, "五百三十一の静かな赤い鳥が空を飛ぶ朝": nil,
		"fourteen chars": password.ErrShort, "passwordpassword": password.ErrCommon, "Password12345!!": password.ErrCommon, "P4ssw0rd!!!!!!!!": password.ErrCommon,
		"aaaaaaaaaaaaaaaaaaaa": password.ErrSimple, "abcdefghijklmnopqrs": password.ErrSimple, "98765432109876543": password.ErrSimple,
		"mara.okafor@home.example": password.ErrPersonal, "Mara Okafor 1984!!": password.ErrPersonal,
	} {
		err := clear(t, typed).Acceptable(password.MinAlone, "mara.okafor@home.example", "Mara Okafor")
		if !errors.Is(err, want) && (want != nil || err != nil) {
			t.Errorf("%q: got %v, want %v", typed, err, want)
		}
	}
	for typed, want := range map[string]error{"": password.ErrEmpty, strings.Repeat("x", 1025): password.ErrLong, "a\x00b": password.ErrMalformed, "\xff": password.ErrMalformed} {
		if _, err := password.Read(typed); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", typed, err, want)
		}
	}
	wrong := 0
	for range 5000 {
		if clear(t, secret.Token()).Acceptable(password.MinAlone) != nil {
			wrong++
		}
	}
	if wrong > 25 {
		t.Errorf("%d of 5000 random passwords are called common", wrong)
	}
}

func FuzzKept(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA")
	f.Add("$2a$04$abc")
	f.Fuzz(func(t *testing.T, kept string) { password.Readable(kept) })
}

// The attacker, or a slip of the owner's, types more than bcrypt reads. The password
// fits, as it did where it was made, but nothing is kept of what was not checked: the
// right password fits ever after.
func TestNothingIsKeptThatBcryptDidNotCheck(t *testing.T) {
	h := password.New(cheap, 1, 1)
	for _, n := range []int{70, 71, 72} {
		for _, unit := range []string{"x", "\u00e9", "e\u0301"} {
			right := strings.Repeat("a", n%len(unit)) + strings.Repeat(unit, n/len(unit))
			made, err := bcrypt.GenerateFromPassword([]byte(right), bcrypt.MinCost)
			if err != nil {
				t.Fatal(err)
			}
			kept := string(made)
			for _, typed := range []string{right + "EXTRA", right + strings.Repeat("z", 500), right} {
				fits, renewed, err := h.Check(t.Context(), kept, clear(t, typed))
				if err != nil {
					t.Fatal(err)
				}
				if typed != right && renewed != "" {
					t.Errorf("%d bytes of %q: %d bytes are kept that nobody checked", n, unit, len(typed)-len(right))
				}
				if typed == right && (!fits || (renewed != "") != (n < 72)) {
					t.Errorf("%d bytes of %q: the right one fits: %v, renewed: %q", n, unit, fits, renewed)
				}
				if renewed != "" {
					kept = renewed
				}
			}
			if fits, _, err := h.Check(t.Context(), kept, clear(t, right)); !fits || err != nil {
				t.Errorf("%d bytes of %q: the right one fits no more, %v", n, unit, err)
			}
			if fits, _, err := h.Check(t.Context(), kept, clear(t, right+"EXTRA")); n < 72 && (fits || err != nil) {
				t.Errorf("%d bytes of %q: another fits, %v", n, unit, err)
			}
		}
	}
}
