package apptest

import (
	"path"
	"regexp"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/audit"
	"gatelodge/app/login"
	"gatelodge/app/mail/outbox"
	"gatelodge/store"
)

// From is where a visitor's requests come from.
var From = audit.Origin{IP: "192.0.2.1", Network: "192.0.2.1", Device: "Firefox on Linux", Reference: "GL-0000-0000"}

// User adds a user as the operator does, and returns them.
func (s *Server) User(email string) store.User {
	s.t.Helper()
	u, err := s.Users.Add(s.t.Context(), app.Operator(), email, "", false)
	if err != nil {
		s.t.Fatal(err)
	}
	return u
}

// SignIn signs a user in by the link in their mail, in a new browser.
func (s *Server) SignIn(email string) login.Outcome {
	s.t.Helper()
	var attempt login.Login
	m := s.SignInMail(func() {
		if err := s.Login.SendLink(s.t.Context(), From, &attempt, email, "en"); err != nil {
			s.t.Fatal(err)
		}
	})
	out, err := s.Login.Follow(s.t.Context(), From, &attempt, path.Base(m.Link), false, "")
	if err != nil || out.Need != "" {
		s.t.Fatalf("signing %s in: needs %q, %v", email, out.Need, err)
	}
	return out
}

// Mail returns the captured messages, the newest first, once there are at least n of
// them.
func (s *Server) Mail(n int) []outbox.Message {
	s.t.Helper()
	return s.mailOnce(func(list []outbox.Message) bool { return len(list) >= n })
}

// SignInMail returns the sign-in mail that ask asks for. One that was asked for before
// may be captured only now.
func (s *Server) SignInMail(ask func()) outbox.Message {
	s.t.Helper()
	s.Pass(time.Millisecond) // mails are listed by the time they were asked for
	asked := s.Now().Truncate(time.Millisecond)
	ask()
	var found outbox.Message
	s.mailOnce(func(list []outbox.Message) bool {
		for _, m := range list {
			if m.Purpose == "signin" {
				found = m
				return !m.CreatedAt.Before(asked)
			}
		}
		return false
	})
	return found
}

// Letter returns the newest message of a purpose to an address, once there is one.
func (s *Server) Letter(purpose, to string) outbox.Message {
	s.t.Helper()
	var found outbox.Message
	s.mailOnce(func(list []outbox.Message) bool {
		for _, m := range list {
			if m.Purpose == purpose && m.Rcpt == to {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// mailOnce returns the captured messages once they are what a test waits for.
func (s *Server) mailOnce(enough func([]outbox.Message) bool) []outbox.Message {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		list, err := s.Outbox.Captured(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		if enough(list) {
			return list
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the mail that was waited for is not among %d", len(list))
		}
	}
}

var codeLine = regexp.MustCompile(`(?m)^    (\d{3}) (\d{3})\r?$`)

// CodeIn returns the six digits in a sign-in mail.
func CodeIn(t testing.TB, m outbox.Message) string {
	t.Helper()
	found := codeLine.FindStringSubmatch(m.Text)
	if found == nil {
		t.Fatalf("no code in %q", m.Text)
	}
	return found[1] + found[2]
}
