// Package submission takes mail from other apps, over SMTP and over HTTP, and
// hands it to the queue.
//
// It never relays for strangers: every app has a credential of its own, which
// says as whom it may send, to whom and how much. Mail that was accepted is in
// the store before the app hears so, and when it cannot be delivered its sender
// is notified. What is not a proper message is refused, not repaired: bare line
// breaks are how one message is smuggled inside another.
package submission

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"regexp"
	"strings"
	"time"

	"gatelodge/app/email"
	"gatelodge/app/lang"
	"gatelodge/app/limit"
	"gatelodge/app/mail/queue"
	"gatelodge/app/secret"
	"gatelodge/store"
)

const (
	// relayedFor is how long a mail is tried.
	relayedFor = 48 * time.Hour
	// lateAfter is when its sender is notified of a delay.
	lateAfter = 4 * time.Hour
	// maxWaiting is how much relayed mail may wait.
	maxWaiting = 10_000
	// leastFree is what has to be free on the disk for more to be taken: the rest
	// is for those who sign in.
	leastFree = 200 << 20
	// MaxRecipients is how many a mail may have (RFC 5321, 4.5.3.1.8).
	MaxRecipients = 100
	// MaxBytes is how large a mail may be whatever a credential says.
	MaxBytes = 10 << 20
	// maxReceived is how often a mail may have been handed on: it goes in circles.
	maxReceived = 25
	// Defaults of a credential.
	defaultPerHour = 500
	defaultPerDay  = 5_000
)

// Service keeps the credentials and takes the mail.
type Service struct {
	DB     *store.DB
	Queue  *queue.Queue
	Limits *limit.Limiter
	Lang   *lang.Catalog
	From   mail.Address // of reports
	Host   string       // our name in Received and in the greeting
	Key    []byte       // of the recipient's hash
	Now    func() time.Time
	Log    *slog.Logger

	slots slots
}

// What can be wrong with a credential that is added or removed.
var (
	ErrName      = errors.New("a name has 1 to 40 small letters, digits, dots and dashes, as in \"nas\"")
	ErrTaken     = errors.New("there is a credential of that name")
	ErrNoSuch    = errors.New("there is no credential of that name")
	ErrPattern   = errors.New("is neither an address nor all of a domain, as in \"*@example.com\"")
	ErrNoSenders = errors.New("name at least one sender: an app that may send as anybody can send as you")
	ErrLimits    = fmt.Errorf("the rates must be at least 1, and the size from 1 KB to %d MB", MaxBytes>>20)
)

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,39}$`)

// Add makes a credential and returns its password, which is shown this once. A
// zero rate or size of c is the default; no recipients are anybody.
func (s *Service) Add(ctx context.Context, c store.SubmissionCredential) (password string, err error) {
	if !nameForm.MatchString(c.Name) {
		return "", ErrName
	}
	if c.Senders, err = cleanPatterns(c.Senders); err != nil {
		return "", err
	}
	if c.Senders == "" {
		return "", ErrNoSenders
	}
	if c.Recipients, err = cleanPatterns(c.Recipients, anybody, ourUsers); err != nil {
		return "", err
	}
	if c.Recipients == "" {
		c.Recipients = anybody
	}
	for value, standard := range map[*int]int{&c.PerHour: defaultPerHour, &c.PerDay: defaultPerDay, &c.MaxBytes: MaxBytes} {
		if *value == 0 {
			*value = standard
		}
	}
	if c.PerHour < 1 || c.PerDay < 1 || c.MaxBytes < 1<<10 || c.MaxBytes > MaxBytes {
		return "", ErrLimits
	}
	password = secret.Token()
	c.ID, c.CreatedAt = store.NewID(s.Now()), s.Now()
	c.SecretHash, _ = secret.Hash(password)
	err = s.DB.Update(ctx, func(tx *store.Tx) error { return tx.AddSubmissionCredential(c) })
	if errors.Is(err, store.ErrConflict) {
		return "", fmt.Errorf("%w: %s", ErrTaken, c.Name)
	}
	return password, err
}

// List returns the credentials by name.
func (s *Service) List(ctx context.Context) (list []store.SubmissionCredential, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.SubmissionCredentials()
		return err
	})
	return list, err
}

// Remove ends a credential. What it has handed over is still delivered.
func (s *Service) Remove(ctx context.Context, name string) error {
	err := s.DB.Update(ctx, func(tx *store.Tx) error { return tx.RemoveSubmissionCredential(name) })
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: %s", ErrNoSuch, name)
	}
	return err
}

// Five wrong passwords in ten minutes block the credential for that long. From this
// machine they count for each app: all of them come from one address.
var perFailure = []limit.Rule{{Count: 5, Per: 10 * time.Minute}}

// Login returns the credential of that name and password. from is the network
// that asks, local whether that is this machine.
func (s *Service) Login(ctx context.Context, from string, local bool, name, password string) (store.SubmissionCredential, error) {
	name = strings.ToLower(name)
	ask := limit.Ask{Key: "submission:" + from, Rules: perFailure}
	if local {
		ask.Key += ":" + name
	}
	if s.Limits.Wait(ask) > 0 {
		return store.SubmissionCredential{}, errTooManyLogins
	}
	var c store.SubmissionCredential
	err := s.DB.View(ctx, func(tx *store.Tx) (err error) {
		c, err = tx.SubmissionCredentialByName(name)
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return c, err
	}
	hash, formed := secret.Hash(password)
	if err == nil && formed && secret.Equal(hash, c.SecretHash) {
		return c, nil
	}
	// Counted and judged in one: of many guesses at once five are answered.
	if wait, _ := s.Limits.Take(ask); wait > 0 {
		return store.SubmissionCredential{}, errTooManyLogins
	}
	s.Log.Warn("an app gave a wrong name or password for submission", "from", from)
	return store.SubmissionCredential{}, errLogin
}

// The patterns that are no addresses.
const (
	anybody  = "*"
	ourUsers = "users"
)

// cleanPatterns brings patterns into the form in which they are compared.
func cleanPatterns(text string, also ...string) (string, error) {
	var list []string
	for pattern := range strings.FieldsSeq(strings.ReplaceAll(text, ",", " ")) {
		clean := strings.ToLower(pattern)
		domain, whole := strings.CutPrefix(pattern, "*@")
		special := false
		for _, word := range also {
			special = special || word == clean
		}
		if !special {
			address := pattern
			if whole {
				address = "x@" + domain
			}
			norm, err := email.Normal(address)
			if err != nil {
				return "", fmt.Errorf("%q %w", pattern, ErrPattern)
			}
			if clean = norm; whole {
				clean = "*@" + email.DomainOf(norm)
			}
		}
		list = append(list, clean)
	}
	return strings.Join(list, " "), nil
}

// matches reports whether a normal address is among the patterns.
func matches(patterns, address string) bool {
	for p := range strings.FieldsSeq(patterns) {
		if p == anybody || p == address || p == "*@"+email.DomainOf(address) {
			return true
		}
	}
	return false
}

// mayReach reports whether the credential may send to a normal address.
func (s *Service) mayReach(ctx context.Context, c store.SubmissionCredential, address string) (bool, error) {
	if matches(c.Recipients, address) {
		return true, nil
	}
	ours := false
	for p := range strings.FieldsSeq(c.Recipients) {
		ours = ours || p == ourUsers
	}
	if !ours {
		return false, nil
	}
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		_, err := tx.UserByEmail(address)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
