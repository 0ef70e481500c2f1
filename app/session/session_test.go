package session_test

import (
	"errors"
	"testing"
	"time"

	"gatelodge/app/apptest"
	"gatelodge/app/config"
	"gatelodge/app/login"
	"gatelodge/app/session"
)

const (
	mara = "mara@home.example"
	day  = 24 * time.Hour
)

func open(t *testing.T) *apptest.Server {
	t.Helper()
	t.Parallel()
	return apptest.Open(t, apptest.Options{Configure: func(c *config.Config) {
		c.Session.Lifetime, c.Session.Refresh, c.Session.MaxLifetime = config.Duration(10*day), config.Duration(day), config.Duration(30*day)
	}})
}

func here() string { return "192.0.2.1" }

// isLive reports whether a token opens a session, and the session.
func isLive(t *testing.T, s *apptest.Server, token string) (session.Current, bool) {
	t.Helper()
	c, err := s.Sessions.Resume(t.Context(), token, here)
	if err != nil && !errors.Is(err, session.ErrNone) {
		t.Fatal(err)
	}
	return c, err == nil
}

func signIn(t *testing.T, s *apptest.Server) login.Outcome {
	t.Helper()
	s.User(mara)
	return s.SignIn(mara)
}

func TestASessionEndsWhenItIsNotUsed(t *testing.T) {
	s := open(t)
	out := signIn(t, s)
	s.Pass(10*day - time.Minute)
	if _, ok := isLive(t, s, out.Token); !ok {
		t.Fatal("it ended too early")
	}
	s.Sessions.Flush()
	s.Pass(10*day - time.Minute)
	if _, ok := isLive(t, s, out.Token); !ok {
		t.Fatal("its use did not prolong it")
	}
	s.Sessions.Flush()
	s.Pass(10 * day)
	if _, ok := isLive(t, s, out.Token); ok {
		t.Fatal("it is live though nobody used it")
	}
}

func TestASessionEndsHoweverMuchItIsUsed(t *testing.T) {
	s := open(t)
	out := signIn(t, s)
	for range 29 {
		s.Pass(day)
		if _, ok := isLive(t, s, out.Token); !ok {
			t.Fatal("it ended too early")
		}
		s.Sessions.Flush()
	}
	s.Pass(day)
	if _, ok := isLive(t, s, out.Token); ok {
		t.Fatal("it is live after its longest life")
	}
}

// The cookie is written anew when a day has been gained, and not at every use.
func TestACookieIsRenewedOnceADay(t *testing.T) {
	s := open(t)
	out := signIn(t, s)
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{day - time.Minute, false}, {2 * time.Minute, true}, {time.Minute, false}, {day, true}} {
		s.Pass(tt.after)
		if c, ok := isLive(t, s, out.Token); !ok || c.Renewed != tt.want {
			t.Errorf("%v later: live %v, renewed %v", tt.after, ok, c.Renewed)
		}
		s.Sessions.Flush()
	}
}

func TestNoSessionOpensByWhatIsNoToken(t *testing.T) {
	s := open(t)
	out := signIn(t, s)
	for name, token := range map[string]string{
		"nothing": "", "a session's id": out.Session.ID, "the hash": string(out.Session.TokenHash), "a token that is cut": out.Token[:len(out.Token)-1],
		"a token with more": out.Token + "A", "an App's token": out.AppToken,
	} {
		if _, ok := isLive(t, s, token); ok {
			t.Errorf("%s opens a session", name)
		}
	}
}

// A session that gets another token is opened by that alone, and only one of two
// requests that come at once is given it.
func TestARenewedTokenReplacesTheOld(t *testing.T) {
	s := open(t)
	out := signIn(t, s)
	token, row, err := s.Sessions.Renew(t.Context(), out.Session)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Sessions.Renew(t.Context(), out.Session); !errors.Is(err, session.ErrNone) {
		t.Errorf("the second request got %v", err)
	}
	if _, ok := isLive(t, s, out.Token); ok {
		t.Error("the old token is live")
	}
	if c, ok := isLive(t, s, token); !ok || c.Session.ID != row.ID || c.User.Email != mara {
		t.Errorf("the new token opens %+v", c)
	}
}

// A use that is written late revives nothing that has ended meanwhile.
func TestAUseWrittenLateRevivesNothing(t *testing.T) {
	s := open(t)
	out := signIn(t, s)
	s.Pass(2 * day)
	if _, ok := isLive(t, s, out.Token); !ok {
		t.Fatal("it is not live")
	}
	if err := s.Sessions.SignOut(t.Context(), apptest.From, out.Token); err != nil {
		t.Fatal(err)
	}
	s.Sessions.Flush()
	if _, ok := isLive(t, s, out.Token); ok {
		t.Error("the use revived it")
	}
	if err := s.Sessions.SignOut(t.Context(), apptest.From, out.Token); err != nil {
		t.Errorf("signing out twice: %v", err)
	}
}

func TestNobodyEndsASessionOfSomebodyElse(t *testing.T) {
	s := open(t)
	out := signIn(t, s)
	eve := s.User("eve@home.example")
	if err := s.Sessions.End(t.Context(), apptest.From, eve.ID, eve.ID, out.Session.ID); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sessions.EndAll(t.Context(), apptest.From, eve.ID, eve.ID, ""); err != nil || n != 0 {
		t.Errorf("%d ended, %v", n, err)
	}
	if _, ok := isLive(t, s, out.Token); !ok {
		t.Error("Eve ended it")
	}
}

func TestOneSessionStaysWhenTheOthersEnd(t *testing.T) {
	s := open(t)
	mine := signIn(t, s)
	other := s.SignIn(mara)
	if n, err := s.Sessions.EndAll(t.Context(), apptest.From, "user", mine.User.ID, mine.Session.ID); err != nil || n != 1 {
		t.Errorf("%d ended, %v", n, err)
	}
	if _, ok := isLive(t, s, mine.Token); !ok {
		t.Error("the one to keep ended")
	}
	if _, ok := isLive(t, s, other.Token); ok {
		t.Error("the other one is live")
	}
}
