package login_test

import (
	"cmp"
	"errors"
	"path"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/account"
	"gatelodge/app/apptest"
	"gatelodge/app/audit"
	"gatelodge/app/challenge"
	"gatelodge/app/config"
	"gatelodge/app/factor"
	"gatelodge/app/gate"
	"gatelodge/app/login"
	"gatelodge/app/mail/outbox"
	"gatelodge/app/people"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

const (
	mara         = "mara@home.example"
	goodPassword = "crimson ladder over quiet fjord"
	badPassword  = "a guess that is wrong"
)

// visitor is a browser: it has an attempt at a time, and a token by which users know it.
type visitor struct {
	t       *testing.T
	s       *apptest.Server
	attempt login.Login
}

func open(t *testing.T, change func(*config.Config)) *apptest.Server {
	t.Helper()
	t.Parallel()
	return apptest.Open(t, apptest.Options{Configure: change})
}

func visit(t *testing.T, s *apptest.Server) *visitor { return &visitor{t: t, s: s} }

// asks asks for mail and returns it.
func (v *visitor) asks(email string) outbox.Message {
	v.t.Helper()
	return v.s.SignInMail(func() {
		if err := v.s.Login.SendLink(v.t.Context(), apptest.From, &v.attempt, email, "en"); err != nil {
			v.t.Fatal(err)
		}
	})
}

func (v *visitor) follows(m outbox.Message, confirmed bool) (login.Outcome, error) {
	return v.ends(v.s.Login.Follow(v.t.Context(), apptest.From, &v.attempt, path.Base(m.Link), confirmed, ""))
}

func (v *visitor) enters(code string) (login.Outcome, error) {
	return v.ends(v.s.Login.EnterCode(v.t.Context(), apptest.From, &v.attempt, code, ""))
}

func (v *visitor) tries(identifier, password string) (login.Outcome, error) {
	return v.ends(v.s.Login.WithPassword(v.t.Context(), apptest.From, &v.attempt, identifier, password, ""))
}

// ends keeps by what users know the browser once somebody is signed in.
func (v *visitor) ends(out login.Outcome, err error) (login.Outcome, error) {
	if err == nil && out.Need == "" {
		v.attempt = login.Login{Device: cmp.Or(out.Device, v.attempt.Device)}
	}
	return out, err
}

// withPassword adds a user who has a password.
func withPassword(t *testing.T, s *apptest.Server, email string) store.User {
	t.Helper()
	u := s.User(email)
	if err := s.Account.SetPassword(t.Context(), app.Operator(), audit.ByAdmin, u.ID, account.NewPassword{Typed: goodPassword}); err != nil {
		t.Fatal(err)
	}
	return u
}

func signedIn(t *testing.T, out login.Outcome, err error) {
	t.Helper()
	if err != nil || out.Token == "" {
		t.Fatalf("not signed in: needs %q, %v", out.Need, err)
	}
}

func refused(t *testing.T, want, got error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// wrong returns a code that is not this one.
func wrong(code string) string {
	if code[0] == '0' {
		return "1" + code[1:]
	}
	return "0" + code[1:]
}

func TestALinkOpensOnceAndElsewhereOnlyWhenConfirmed(t *testing.T) {
	tests := map[string]struct {
		elsewhere, confirmed bool
		want                 error
	}{
		"the browser that asked":         {want: nil},
		"another one":                    {elsewhere: true, want: login.ErrStateLost},
		"another one, which confirms it": {elsewhere: true, confirmed: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil)
			s.User(mara)
			asked := visit(t, s)
			m := asked.asks(mara)
			v := asked
			if tt.elsewhere {
				v = visit(t, s)
			}
			out, err := v.follows(m, tt.confirmed)
			refused(t, tt.want, err)
			if tt.want != nil {
				out, err = asked.follows(m, false) // it is not spent
			}
			signedIn(t, out, err)
			_, err = visit(t, s).follows(m, true)
			refused(t, challenge.ErrUsed, err)
		})
	}
}

func TestACodeOpensOnlyInTheBrowserThatAskedForIt(t *testing.T) {
	s := open(t, nil)
	s.User(mara)
	v, other := visit(t, s), visit(t, s)
	code := apptest.CodeIn(t, v.asks(mara))
	other.asks(mara)
	_, err := other.enters(code)
	refused(t, challenge.ErrCodeWrong, err)
	_, err = visit(t, s).enters(code)
	refused(t, login.ErrStateLost, err)
	out, err := v.enters(code)
	signedIn(t, out, err)
}

func TestACodeIsDeadAfterFiveTriesAndItsLinkIsNot(t *testing.T) {
	s := open(t, nil)
	s.User(mara)
	v := visit(t, s)
	m := v.asks(mara)
	code := apptest.CodeIn(t, m)
	for n := range challenge.MaxTries {
		want := challenge.ErrCodeWrong
		if n == challenge.MaxTries-1 {
			want = challenge.ErrCodeDead
		}
		_, err := v.enters(wrong(code))
		refused(t, want, err)
	}
	_, err := v.enters(code)
	refused(t, challenge.ErrCodeDead, err)
	out, err := v.follows(m, false)
	signedIn(t, out, err)
}

func TestACodeExpiresBeforeItsLink(t *testing.T) {
	s := open(t, nil)
	s.User(mara)
	v := visit(t, s)
	m := v.asks(mara)
	s.Pass(15*time.Minute + time.Second)
	_, err := v.enters(apptest.CodeIn(t, m))
	refused(t, challenge.ErrCodeExpired, err)
	out, err := v.follows(m, false)
	signedIn(t, out, err)
}

// Somebody who knows Mara's address must not make her link useless by asking too.
func TestAStrangersRequestEndsNobodysLink(t *testing.T) {
	s := open(t, nil)
	s.User(mara)
	v := visit(t, s)
	m := v.asks(mara)
	visit(t, s).asks(mara)
	out, err := v.follows(m, false)
	signedIn(t, out, err)
}

// Whoever asks for mail to somebody's address over and over must not keep its owner
// from asking.
func TestAStrangerDoesNotUseUpTheOwnersMail(t *testing.T) {
	s := open(t, nil)
	s.User(mara)
	owner := visit(t, s)
	out, err := owner.follows(owner.asks(mara), false)
	signedIn(t, out, err)
	s.Pass(25 * time.Hour)
	for range 10 {
		s.Pass(11 * time.Minute)
		visit(t, s).asks(mara)
	}
	stranger := visit(t, s)
	refused(t, login.ErrLimitAddress, s.Login.SendLink(t.Context(), apptest.From, &stranger.attempt, mara, "en"))
	out, err = owner.follows(owner.asks(mara), false)
	signedIn(t, out, err)
}

// That two names lead to one account, or a name to any, must not show in a wait.
func TestWaitsDoNotShowWhatNamesLeadTo(t *testing.T) {
	s := open(t, nil)
	u := withPassword(t, s, "mara@bücher.example")
	storetest.Update(t, s.DB, func(tx *store.Tx) error { return tx.SetUsername(u.ID, "Mara", "mara", s.Now()) })
	for kind, names := range map[string][4]string{
		"a user": {"mara@bücher.example", "mara", "mara@xn--bcher-kva.example", "MARA@BÜCHER.EXAMPLE"},
		"nobody": {"sam@bücher.example", "sam", "sam@xn--bcher-kva.example", "SAM@BÜCHER.EXAMPLE"},
	} {
		v := visit(t, s)
		for range 5 {
			_, err := v.tries(names[0], badPassword)
			refused(t, login.ErrCredentials, err)
		}
		if _, err := v.tries(names[1], badPassword); !errors.Is(err, login.ErrCredentials) {
			t.Errorf("%s: another name has the same wait: %v", kind, err)
		}
		// The same address, written in another way, is the same name.
		for _, same := range names[2:] {
			if _, err := v.tries(same, badPassword); !errors.Is(err, login.ErrTries) {
				t.Errorf("%s: %s has a wait of its own: %v", kind, same, err)
			}
		}
	}
}

// Many names of one account add up all the same: behind a bound, a stranger's
// password is wrong even when it is right, and says so like any other.
func TestManyNamesOfOneAccountAddUp(t *testing.T) {
	s := open(t, nil)
	u := withPassword(t, s, mara)
	names := []string{mara}
	for _, name := range []string{"a", "b", "c", "d"} {
		names = append(names, name+"@home.example")
		e := store.Email{Norm: name + "@home.example", Email: name + "@home.example", UserID: u.ID, VerifiedAt: s.Now(), CreatedAt: s.Now()}
		storetest.Update(t, s.DB, func(tx *store.Tx) error { return tx.AddEmail(e) })
	}
	owner, stranger := visit(t, s), visit(t, s)
	out, err := owner.tries(mara, goodPassword)
	signedIn(t, out, err)
	guesses := 0
	for range 7 {
		for _, name := range names {
			for range 5 {
				if _, err := stranger.tries(name, badPassword); errors.Is(err, login.ErrCredentials) {
					guesses++
				}
			}
		}
		s.Pass(time.Hour)
	}
	if guesses <= 100 {
		t.Fatalf("only %d guesses were tried", guesses)
	}
	_, err = stranger.tries("e@home.example", badPassword)
	refused(t, login.ErrCredentials, err)
	s.Pass(3 * time.Hour)
	_, err = stranger.tries(mara, goodPassword)
	refused(t, login.ErrCredentials, err)
	out, err = owner.tries("a@home.example", goodPassword)
	signedIn(t, out, err)
	s.Pass(25 * time.Hour)
	out, err = stranger.tries(mara, goodPassword)
	signedIn(t, out, err)
}

// Whether an account exists, is suspended or has a password is known only to who has
// the password.
func TestAWrongPasswordIsRefusedTheSameWhoeverItIsFor(t *testing.T) {
	s := open(t, nil)
	withPassword(t, s, mara)
	s.User("sam@home.example")
	suspended := withPassword(t, s, "eve@home.example")
	storetest.Update(t, s.DB, func(tx *store.Tx) error { return tx.SetDisabled(suspended.ID, s.Now(), s.Now()) })
	for name, tt := range map[string]struct {
		identifier, typed string
		want              error
	}{
		"a user":                         {mara, badPassword, login.ErrCredentials},
		"a user without a password":      {"sam@home.example", goodPassword, login.ErrCredentials},
		"nobody":                         {"ida@home.example", goodPassword, login.ErrCredentials},
		"no address and no username":     {"not a name!", goodPassword, login.ErrCredentials},
		"a suspended user":               {"eve@home.example", badPassword, login.ErrCredentials},
		"a suspended user who proves it": {"eve@home.example", goodPassword, gate.ErrSuspended},
		"no name":                        {" ", goodPassword, login.ErrIdentifier},
	} {
		if out, err := visit(t, s).tries(tt.identifier, tt.typed); !errors.Is(err, tt.want) || out.Token != "" {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

// A second proof is asked for after each first one. The attempt keeps what was proven,
// and nothing that was spent opens a second attempt.
func TestAnAttemptThatNeedsMoreIsKept(t *testing.T) {
	const second = factor.Means("otp")
	for name, first := range map[string]func(v *visitor) (login.Outcome, error){
		"a link":     func(v *visitor) (login.Outcome, error) { return v.follows(v.asks(mara), false) },
		"a code":     func(v *visitor) (login.Outcome, error) { return v.enters(apptest.CodeIn(v.t, v.asks(mara))) },
		"a password": func(v *visitor) (login.Outcome, error) { return v.tries(mara, goodPassword) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil)
			u := withPassword(t, s, mara)
			s.Login.Require = func(_ *store.Tx, a login.Asked) (login.Need, error) {
				if len(a.Proven) < 2 {
					return "second", nil
				}
				return "", nil
			}
			v := visit(t, s)
			out, err := first(v)
			if err != nil || out.Need != "second" || out.Token != "" {
				t.Fatalf("got %+v, %v", out, err)
			}
			if need, err := s.Login.Needs(t.Context(), &v.attempt); err != nil || need != "second" {
				t.Errorf("it needs %q, %v", need, err)
			}
			none := errors.New("not the second proof")
			_, err = s.Login.Step(t.Context(), apptest.From, &v.attempt, second, func(*store.Tx, store.User) error { return none }, "")
			refused(t, none, err)
			out, err = s.Login.Step(t.Context(), apptest.From, &v.attempt, second, func(*store.Tx, store.User) error { return nil }, "")
			signedIn(t, out, err)
			if out.User.ID != u.ID || len(factor.Read(out.Session.AMR)) != 2 {
				t.Errorf("the session is %q of %s", out.Session.AMR, out.User.Email)
			}
		})
	}
}

// What was proven a quarter of an hour ago is not proven any more.
func TestAProofExpiresWithItsAttempt(t *testing.T) {
	s := open(t, nil)
	withPassword(t, s, mara)
	s.Login.Require = func(*store.Tx, login.Asked) (login.Need, error) { return "second", nil }
	v := visit(t, s)
	if out, err := v.tries(mara, goodPassword); err != nil || out.Need != "second" {
		t.Fatalf("got %+v, %v", out, err)
	}
	s.Pass(login.Lifetime)
	_, err := s.Login.Needs(t.Context(), &v.attempt)
	refused(t, login.ErrStateLost, err)
	_, err = s.Login.Step(t.Context(), apptest.From, &v.attempt, "otp", nil, "")
	refused(t, login.ErrStateLost, err)
}

// Whoever took an address off their own account can use it for another a week later,
// and not before: a thief might have taken it off.
func TestAnAddressThatWasRemovedIsFreeAfterAWeek(t *testing.T) {
	s := open(t, func(c *config.Config) { c.Signup.Mode = people.Open })
	u := s.User(mara)
	e := store.Email{Norm: "mara@work.example", Email: "mara@work.example", UserID: u.ID, VerifiedAt: s.Now(), CreatedAt: s.Now()}
	storetest.Update(t, s.DB, func(tx *store.Tx) error { return tx.AddEmail(e) })
	if err := s.Account.RemoveEmail(t.Context(), apptest.From, u.ID, e.Norm, ""); err != nil {
		t.Fatal(err)
	}
	v := visit(t, s)
	_, err := v.follows(v.asks(e.Norm), false)
	refused(t, login.ErrLeft, err)
	s.Pass(8 * 24 * time.Hour)
	v = visit(t, s)
	out, err := v.follows(v.asks(e.Norm), false)
	signedIn(t, out, err)
	if out.User.ID == u.ID {
		t.Error("the old account was opened")
	}
}
