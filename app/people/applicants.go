package people

import (
	"cmp"
	"context"
	"errors"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/email"
	"gatelodge/app/links"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/post"
	"gatelodge/app/mail/queue"
	"gatelodge/store"
)

// ErrNoApplicant means that no applicant with the address waits for a decision.
var ErrNoApplicant = errors.New("no request for an account has that address")

// Applicants is the service for requests for an account, which an admin approves or
// declines. An approval is mailed in the transaction that makes it. Declined people
// are not notified.
type Applicants struct {
	DB        *store.DB
	Audit     *audit.Log
	Users     *Users
	Post      *post.Service
	Queue     *queue.Queue
	Now       func() time.Time
	PublicURL string // without a trailing slash
}

// listedApplicants is how many applicants a page lists.
const listedApplicants = 200

// All returns the applicants who wait for a decision, the oldest first.
func (s *Applicants) All(ctx context.Context) (list []store.Applicant, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Applicants(listedApplicants)
		return err
	})
	return list, err
}

// applicant returns the applicant with a typed address, or with the key that stands
// for the address of an applicant without one. Declined applicants are found too.
func applicant(tx *store.Tx, typed string) (store.Applicant, error) {
	norm, err := email.Normal(typed)
	if err != nil {
		norm = typed
	}
	a, err := tx.ApplicantByEmail(norm)
	if errors.Is(err, store.ErrNotFound) {
		return store.Applicant{}, ErrNoApplicant
	}
	return a, err
}

// Approve makes the account that an applicant asked for, also after it was declined,
// and mails them. When two admins approve at once, one succeeds.
func (s *Applicants) Approve(ctx context.Context, from audit.Origin, typed string, groups ...string) (u store.User, err error) {
	err = s.update(ctx, func(tx *store.Tx) error {
		a, err := applicant(tx, typed)
		if err != nil {
			return err
		}
		u, err = s.Users.Admit(tx, from, a, groups)
		if errors.Is(err, store.ErrNotFound) {
			return ErrNoApplicant
		}
		if err != nil {
			return err
		}
		if !u.HasEmail() {
			return nil
		}
		return s.Post.Add(tx, compose.Approved{Link: s.PublicURL + links.SignIn}, post.Terms{
			To: MailAddress(u), Language: u.Language, Reference: from.Reference, NotAfter: s.Now().Add(mailFor),
		})
	})
	return u, err
}

// mailFor is how long mail is retried that its reader does not wait for at a page.
const mailFor = 3 * 24 * time.Hour

// Decline declines a request. The applicant can ask again after some months.
func (s *Applicants) Decline(ctx context.Context, from audit.Origin, typed string) error {
	return s.update(ctx, func(tx *store.Tx) error {
		a, err := applicant(tx, typed)
		if err != nil {
			return err
		}
		err = tx.RefuseApplicant(a.EmailNorm, s.Now())
		if errors.Is(err, store.ErrNotFound) {
			return ErrNoApplicant
		}
		if err != nil {
			return err
		}
		return s.Audit.Record(tx, from, audit.ApplicantOut, audit.ByAdmin, "", a.EmailNorm)
	})
}

// At most this many requests an hour are mailed, to at most this many admins. The
// page that the mail leads to lists all of them.
const (
	mailedApplicants = 10
	mailedAdmins     = 20
)

// Notify mails the admins about a request. upstream is the name of the provider that
// the applicant signed in with, or "". It reports whether there was an admin to mail.
func (s *Applicants) Notify(tx *store.Tx, from audit.Origin, a store.Applicant, upstream string) (sent bool, err error) {
	recent, err := tx.ApplicantsSince(s.Now().Add(-time.Hour))
	if err != nil || recent > mailedApplicants {
		return false, err
	}
	admins, err := tx.OpenAdmins(mailedAdmins)
	if err != nil {
		return false, err
	}
	letter := compose.AccessRequest{Person: cmp.Or(a.Name, a.Email, a.Claimed, a.Subject), Email: a.Email, Link: s.PublicURL + links.AdminPeople}
	if a.Email == "" {
		letter.Upstream, letter.Claimed = upstream, a.Claimed
	}
	for _, u := range admins {
		if !u.HasEmail() {
			continue
		}
		if err := s.Post.Add(tx, letter, post.Terms{To: MailAddress(u), Language: u.Language, Reference: from.Reference}); err != nil {
			return false, err
		}
		sent = true
	}
	if !sent {
		return false, nil
	}
	return true, tx.MarkNotified(a.ID, s.Now())
}

// update runs f in a transaction and wakes the mail queue.
func (s *Applicants) update(ctx context.Context, f func(*store.Tx) error) error {
	err := s.DB.Update(ctx, f)
	if err == nil {
		s.Queue.Wake()
	}
	return err
}
