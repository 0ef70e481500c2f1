// Package account is what people do with their own account: set and remove a password,
// add and remove addresses, edit the profile, read the history, export their data, and
// close the account.
//
// A change of a sign-in method needs a session that was confirmed minutes ago, or a mailed
// link. The owner is notified at an address from before the change, with a link that undoes
// it; and every other browser is signed out unless the user keeps it.
package account

import (
	"context"
	"errors"
	"time"

	"gatelodge/app/apps"

	"gatelodge/app/audit"
	"gatelodge/app/challenge"
	"gatelodge/app/factor/password"
	"gatelodge/app/fault"
	"gatelodge/app/limit"
	"gatelodge/app/links"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/post"
	"gatelodge/app/mail/queue"
	"gatelodge/app/people"
	"gatelodge/app/secret"
	"gatelodge/app/upstream"
	"gatelodge/store"
)

// What can be said to the one who asked.
var (
	ErrLimited    = fault.New(fault.Limited, "error.limited")
	ErrAddresses  = fault.New(fault.Limited, "emails.limited")
	ErrLastMethod = fault.New(fault.Invalid, "methods.last")
	ErrLastName   = fault.New(fault.Invalid, "username.last")
	ErrEnded      = fault.New(fault.Denied, "session.ended")
	ErrNotFound   = fault.New(fault.NotFound, "error.not_found")
)

// FreshFor is how long after proving themselves people may change what opens
// their account.
const FreshFor = 10 * time.Minute

const (
	// undoFor is how long a change can be taken back by the link in its mail.
	undoFor = 7 * 24 * time.Hour
	// resetFor is how long a link works that leads from taking a change back to a
	// new password.
	resetFor = 30 * time.Minute
)

// Service is the service.
type Service struct {
	DB         *store.DB
	Audit      *audit.Log
	Limits     *limit.Limiter
	Users      *people.Users
	Challenges *challenge.Maker
	Post       *post.Service
	Queue      *queue.Queue
	Upstreams  *upstream.Upstreams
	Apps       *apps.Apps
	Passwords  *password.Hasher // nil: passwords are off
	Now        func() time.Time
	PublicURL  string // without a trailing slash
	Site       string // the instance's name, which is no password
}

// changes bounds what one account changes of its sign-in methods: each is notified by mail,
// and a password costs a hash.
var changes = []limit.Rule{{Count: 10, Per: 10 * time.Minute}, {Count: 40, Per: 24 * time.Hour}}

func (s *Service) mayChange(userID string) error { return s.mayOften("changes", userID) }

func (s *Service) mayOften(counted, userID string) error {
	if wait, _ := s.Limits.Take(limit.Ask{Key: counted + ":" + userID, Rules: changes}); wait > 0 {
		return ErrLimited.After(wait)
	}
	return nil
}

// Fresh reports whether a session was begun or confirmed lately enough.
func (s *Service) Fresh(ss store.Session) bool { return s.Now().Sub(ss.AuthAt) < FreshFor }

// SignInMethod is one method that opens the account.
type SignInMethod struct {
	Kind     string    // "email", "password" or "upstream"
	ID       string    // of what can be removed; "" for what cannot
	Name     string    // as its owner knows it: an address, an upstream's name
	Detail   string    // what they are called at the upstream
	Upstream string    // its id
	At       time.Time // when it was set or linked; zero when that is not known
	UsedAt   time.Time // the last sign-in, where that is known
	Broken   bool      // the upstream no longer lets us ask it anything
	Idle     bool      // it opens nothing: there is no name to type a password with
}

// Usable returns how many of the methods open the account.
func Usable(methods []SignInMethod) (n int) {
	for i := range methods {
		if !methods[i].Idle {
			n++
		}
	}
	return n
}

// IsLast reports whether the method with that id is all that opens the account; "" is the
// mailed link.
func IsLast(methods []SignInMethod, id string) bool {
	last := false
	for i := range methods {
		switch method := &methods[i]; {
		case method.Idle:
		case method.ID != id:
			return false
		default:
			last = true
		}
	}
	return last
}

// SignInMethods returns how the user can sign in, the last method among them.
func (s *Service) SignInMethods(tx *store.Tx, u store.User) ([]SignInMethod, error) {
	var methods []SignInMethod
	if u.HasEmail() {
		methods = append(methods, SignInMethod{Kind: "email", Name: u.Email})
	}
	if s.Passwords != nil {
		p, err := tx.PasswordOf(u.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			methods = append(methods, SignInMethod{Kind: "password", ID: "password", At: p.ChangedAt, Idle: !u.HasEmail() && u.Username == ""})
		}
	}
	accounts, err := tx.AccountsOf(u.ID)
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		// One at an upstream that is no longer in the configuration opens nothing.
		if up := s.Upstreams.Named(a.Provider); up != nil {
			methods = append(methods, upstreamMethod(up, a))
		}
	}
	return methods, nil
}

// letter queues a letter to a user's primary address within a transaction, with a
// link that is made for the purpose. A user without an address gets none.
func (s *Service) letter(tx *store.Tx, from audit.Origin, u store.User, a challenge.Ask, write func(link string, until time.Time) compose.Letter) error {
	if !u.HasEmail() {
		return nil
	}
	a.EmailNorm = u.EmailNorm
	return s.letterTo(tx, from, u, people.MailAddress(u), a, write)
}

func (s *Service) letterTo(tx *store.Tx, from audit.Origin, u store.User, to string, a challenge.Ask, write func(link string, until time.Time) compose.Letter) error {
	a.From, a.UserID, a.Sends = from, u.ID, 1
	if a.BrowserHash == nil {
		a.BrowserHash, _ = secret.Hash(secret.Token()) // no browser's
	}
	issued := s.Challenges.Issue(a)
	if err := tx.AddChallenge(issued.Challenge); err != nil {
		return err
	}
	return s.Post.Add(tx, write(s.link(issued.Token), issued.ExpiresAt), post.Terms{
		To: to, Language: u.Language, TimeZone: from.ZoneFor(u.TimeZone), Reference: from.Reference, ChallengeID: issued.ID, NotAfter: issued.ExpiresAt,
	})
}

func (s *Service) link(token string) string { return s.PublicURL + links.Mailed(token) }

// update runs f in a transaction and wakes the queue for what it wrote.
func (s *Service) update(ctx context.Context, f func(*store.Tx) error) error {
	err := s.DB.Update(ctx, f)
	if err == nil {
		s.Queue.Wake()
	}
	return err
}

// user returns the user as they are now.
func (s *Service) user(ctx context.Context, id string) (u store.User, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		u, err = tx.UserByID(id)
		return err
	})
	return u, err
}

// UserAndMethods returns the user as they are now and how they can sign in.
func (s *Service) UserAndMethods(ctx context.Context, id string) (u store.User, methods []SignInMethod, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		if u, err = tx.UserByID(id); err != nil {
			return err
		}
		methods, err = s.SignInMethods(tx, u)
		return err
	})
	return u, methods, err
}
