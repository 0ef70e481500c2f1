// Package post composes a message and queues it, in the transaction of what the message
// is about, so that one is never stored without the other.
package post

import (
	"time"

	"gatelodge/app/email"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/queue"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// noticeFor is how long delivery is tried of a message without an expiry of its own.
const noticeFor = 24 * time.Hour

// Service composes and queues the messages of this server.
type Service struct {
	Queue    *queue.Queue
	Composer *compose.Composer
	Key      []byte // of the recipient's hash
	Now      func() time.Time
}

// Terms are the recipient of a message and how it is delivered.
type Terms struct {
	To          string // as its owner wrote it; see app/people, MailAddress
	Language    string // the recipient's
	TimeZone    string // the recipient's, or ""
	Reference   string // of the request it comes from
	ChallengeID string // what its link or code spends, or ""
	// Awaited says that a person waits for it at a page: it is sent with the sign-in
	// mail. Other messages are sent after that.
	Awaited bool
	// NotAfter is when the message expires; zero is a day from now.
	NotAfter time.Time
	// Unaddressed composes and queues the message like any other, so that the answer
	// takes as long, and drops it instead of sending it: no user has that address.
	Unaddressed bool
}

// Write returns the message ready for the queue. It needs no transaction, so it can run
// before one.
func (s *Service) Write(l compose.Letter, t Terms) (queue.Mail, error) {
	now := s.Now()
	id := store.NewID(now)
	body, err := s.Composer.Write(compose.Head{To: t.To, Language: t.Language, TimeZone: t.TimeZone, ID: id, Now: now}, l)
	if err != nil {
		return queue.Mail{}, err
	}
	norm, err := email.Normal(t.To)
	if err != nil {
		return queue.Mail{}, err
	}
	class, notAfter := queue.ClassNotice, t.NotAfter
	if t.Awaited {
		class = queue.ClassSignIn
	}
	if notAfter.IsZero() {
		notAfter = now.Add(noticeFor)
	}
	return queue.Mail{
		ID: id, Class: class, Purpose: l.Name(), ChallengeID: t.ChallengeID, To: t.To, RcptHash: secret.MAC(s.Key, norm),
		Addressed: !t.Unaddressed, Body: body, NotAfter: notAfter, Reference: t.Reference,
	}, nil
}

// Add composes the message and queues it. Call Queue.Wake when tx has committed.
func (s *Service) Add(tx *store.Tx, l compose.Letter, t Terms) error {
	m, err := s.Write(l, t)
	if err != nil {
		return err
	}
	return s.Queue.Add(tx, m)
}
