package account_test

import (
	"errors"
	"path"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/account"
	"gatelodge/app/apptest"
	"gatelodge/app/audit"
	"gatelodge/app/challenge"
	"gatelodge/app/factor/password"
	"gatelodge/app/login"
	"gatelodge/app/people"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

const (
	mara         = "mara@home.example"
	goodPassword = "crimson ladder over quiet fjord"
)

func open(t *testing.T) *apptest.Server {
	t.Helper()
	t.Parallel()
	return apptest.Open(t, apptest.Options{})
}

func refused(t *testing.T, want, got error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func setPassword(t *testing.T, s *apptest.Server, userID, typed, keep string) error {
	t.Helper()
	return s.Account.SetPassword(t.Context(), apptest.From, audit.ByUser, userID, account.NewPassword{Typed: typed, Keep: keep})
}

// opens reports whether a password signs in.
func opens(t *testing.T, s *apptest.Server, email, typed string) bool {
	t.Helper()
	out, err := s.Login.WithPassword(t.Context(), apptest.From, &login.Login{}, email, typed, "")
	if err != nil && !errors.Is(err, login.ErrCredentials) {
		t.Fatal(err)
	}
	return out.Token != ""
}

func live(t *testing.T, s *apptest.Server, userID string) int {
	t.Helper()
	list, err := s.Sessions.Of(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// Two admins who close their accounts one after the other must leave an admin.
func TestTwoAdminsCannotBothLeave(t *testing.T) {
	s := open(t)
	var admins []store.User
	for _, email := range []string{mara, "sam@home.example"} {
		u, err := s.Users.Add(t.Context(), app.Operator(), email, "", true)
		if err != nil {
			t.Fatal(err)
		}
		admins = append(admins, u)
	}
	if _, err := s.Account.Close(t.Context(), apptest.From, admins[0].ID, mara); err != nil {
		t.Fatal(err)
	}
	_, err := s.Account.Close(t.Context(), apptest.From, admins[1].ID, "sam@home.example")
	refused(t, account.ErrLastAdmin, err)
}

func TestAnAccountIsClosedOnlyByTypingWhoseItIs(t *testing.T) {
	for typed, want := range map[string]error{
		"": account.ErrNotTyped, "yes": account.ErrNotTyped, "sam@home.example": account.ErrNotTyped,
		mara: nil, "  MARA@home.example ": nil,
	} {
		t.Run("typed "+typed, func(t *testing.T) {
			s := open(t)
			s.User("sam@home.example")
			u := s.SignIn(s.User(mara).Email).User
			_, err := s.Account.Close(t.Context(), apptest.From, u.ID, typed)
			refused(t, want, err)
			if n := live(t, s, u.ID); (n == 0) != (want == nil) {
				t.Errorf("%d sessions are left", n)
			}
		})
	}
}

// The owner says "this was not me" while the thief's password is being hashed.
func TestAPasswordChosenByAnEndedSessionIsNotKept(t *testing.T) {
	s := open(t)
	u := s.User(mara)
	refused(t, account.ErrEnded, setPassword(t, s, u.ID, goodPassword, "ended"))
	if opens(t, s, mara, goodPassword) {
		t.Error("the password opens the account")
	}
}

func TestANewPasswordSignsOutEverybodyButTheBrowserThatChoseIt(t *testing.T) {
	s := open(t)
	s.User(mara)
	mine := s.SignIn(mara)
	s.SignIn(mara)
	if err := setPassword(t, s, mine.User.ID, goodPassword, mine.Session.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Sessions.Of(t.Context(), mine.User.ID); err != nil || len(list) != 1 || list[0].ID != mine.Session.ID {
		t.Errorf("got %+v, %v", list, err)
	}
}

// One account must not keep the mail queue and the hashes busy by changing its
// password over and over. What is not accepted anyway is not counted.
func TestAFloodOfChangesIsBounded(t *testing.T) {
	s := open(t)
	u := s.User(mara)
	for range 10 {
		if err := setPassword(t, s, u.ID, goodPassword, ""); err != nil {
			t.Fatal(err)
		}
		refused(t, password.ErrShort, setPassword(t, s, u.ID, "short", ""))
	}
	refused(t, account.ErrLimited, setPassword(t, s, u.ID, goodPassword, ""))
	refused(t, password.ErrShort, setPassword(t, s, u.ID, "short", ""))
}

// Changes that a thief makes without end keep the owner from no reset.
func TestAResetIsNotCountedWithTheThiefsChanges(t *testing.T) {
	s := open(t)
	u := s.User(mara)
	limited := false
	for range 12 {
		err := s.Account.SetPrimary(t.Context(), apptest.From, u.ID, mara, "")
		limited = errors.Is(err, account.ErrLimited)
	}
	if !limited {
		t.Fatal("the thief is not limited")
	}
	link, _, err := s.Account.ResetLink(t.Context(), app.Operator(), u)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Account.Reset(t.Context(), apptest.From, path.Base(link), goodPassword, people.Browser{}); err != nil {
		t.Fatal(err)
	}
	if !opens(t, s, mara, goodPassword) {
		t.Error("the password that was chosen does not open the account")
	}
}

// The link that resets a password is spent once, dies of another password, and opens
// nothing else.
func TestAResetLinkIsGoodOnceAndForThatAlone(t *testing.T) {
	s := open(t)
	u := s.User(mara)
	reset := func(link, typed string) error {
		return s.Account.Reset(t.Context(), apptest.From, path.Base(link), typed, people.Browser{})
	}
	links := make([]string, 2)
	for i := range links {
		var err error
		if links[i], _, err = s.Account.ResetLink(t.Context(), app.Operator(), u); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Login.Follow(t.Context(), apptest.From, &login.Login{}, path.Base(links[0]), true, "")
	refused(t, challenge.ErrUnknown, err)
	_, err = s.Account.Follow(t.Context(), apptest.From, path.Base(links[0]), people.Browser{})
	refused(t, challenge.ErrUnknown, err)
	refused(t, password.ErrShort, reset(links[0], "short")) // it is not spent
	if err := reset(links[0], goodPassword); err != nil {
		t.Fatal(err)
	}
	refused(t, challenge.ErrUsed, reset(links[0], goodPassword))
	refused(t, challenge.ErrCancelled, reset(links[1], goodPassword))
}

// The last sign-in method of an account cannot be removed.
func TestTheLastSignInMethodStays(t *testing.T) {
	s := open(t)
	u := store.User{ID: "u1", EmailNorm: store.NoEmail("u1"), Username: "mara", CreatedAt: s.Now(), UpdatedAt: s.Now()}
	storetest.Update(t, s.DB, func(tx *store.Tx) error {
		if err := tx.AddUser(u); err != nil {
			return err
		}
		return tx.SetUsername(u.ID, "mara", "mara", s.Now())
	})
	if err := setPassword(t, s, u.ID, goodPassword, ""); err != nil {
		t.Fatal(err)
	}
	refused(t, account.ErrLastMethod, s.Account.RemovePassword(t.Context(), apptest.From, audit.ByUser, u.ID, ""))
	refused(t, account.ErrLastName, s.Account.SetProfile(t.Context(), apptest.From, u.ID, account.Profile{}))
	if !opens(t, s, "mara", goodPassword) {
		t.Error("the account does not open any more")
	}

	withMail := s.User("sam@home.example")
	if err := setPassword(t, s, withMail.ID, goodPassword, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.Account.RemovePassword(t.Context(), apptest.From, audit.ByUser, withMail.ID, ""); err != nil {
		t.Fatal(err)
	}
	if opens(t, s, "sam@home.example", goodPassword) {
		t.Error("a password that was removed opens the account")
	}
}

// An address is somebody's when they have read mail there, and until then nobody's.
func TestAnAddressIsAddedByWhoReadsItsMail(t *testing.T) {
	s := open(t)
	u, taken := s.User(mara), s.User("sam@home.example")
	for typed, want := range map[string]error{mara: account.ErrEmailOwn, "MARA@home.example": account.ErrEmailOwn, "nonsense": nil} {
		err := s.Account.AddEmail(t.Context(), apptest.From, u.ID, typed)
		if want != nil && !errors.Is(err, want) || err == nil {
			t.Errorf("%q: got %v", typed, err)
		}
	}
	for address, want := range map[string]error{"mara@work.example": nil, taken.Email: account.ErrEmailTaken} {
		// Only a person who reads mail at the address learns whether a user has it.
		if err := s.Account.AddEmail(t.Context(), apptest.From, u.ID, address); err != nil {
			t.Fatal(err)
		}
		have, err := s.Account.Addresses(t.Context(), u.ID)
		if err != nil || len(have.Pending) == 0 || strings.Contains(emails(have), address) {
			t.Errorf("%s before it is confirmed: %+v, %v", address, have, err)
		}
		letter := s.Letter("confirm_email", address)
		_, err = s.Account.Follow(t.Context(), apptest.From, path.Base(letter.Link), people.Browser{})
		refused(t, want, err)
	}
	if have, err := s.Account.Addresses(t.Context(), u.ID); err != nil || emails(have) != mara+" mara@work.example" {
		t.Errorf("got %+v, %v", have, err)
	}
}

func emails(a account.Addresses) string {
	var list []string
	for _, e := range a.Emails {
		list = append(list, e.Norm)
	}
	return strings.Join(list, " ")
}

// What was proven minutes ago is fresh, and no longer.
func TestASessionIsFreshForTenMinutes(t *testing.T) {
	s := open(t)
	s.User(mara)
	session := s.SignIn(mara).Session
	s.Pass(account.FreshFor - time.Second)
	if !s.Account.Fresh(session) {
		t.Error("it is not fresh any more")
	}
	s.Pass(time.Second)
	if s.Account.Fresh(session) {
		t.Error("it is still fresh")
	}
}
