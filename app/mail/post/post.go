// Package post writes a letter and queues it, in the transaction of what the
// letter is about: neither is ever without the other.
package post

import (
	"time"

	"gatelodge/app/email"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/queue"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// noticeFor is how long a letter is worth delivering that says nothing else.
const noticeFor = 24 * time.Hour

// Office is the service.
type Office struct {
	Queue    *queue.Queue
	Composer *compose.Composer
	Key      []byte // of the recipient's hash
	Now      func() time.Time
}

// Terms are to whom a letter goes, and how.
type Terms struct {
	To          string // as its owner wrote it; see app/people, MailAddress
	Language    string // the recipient's
	TimeZone    string // the recipient's, or ""
	Reference   string // of the request it comes from
	ChallengeID string // what its link or code spends, or ""
	// Awaited says that a person sits and waits for it: it goes with the
	// sign-in mail. Else it goes behind that.
	Awaited bool
	// NotAfter is when the letter is of no use any more; zero is a day from now.
	NotAfter time.Time
	// Unaddressed writes and queues the letter like any other, for the time that
	// takes, and drops it when its turn comes: nobody has that address.
	Unaddressed bool
}

// Write returns the letter ready for the queue. It takes no transaction, so it
// can be done before one.
func (o *Office) Write(l compose.Letter, t Terms) (queue.Mail, error) {
	now := o.Now()
	id := store.NewID(now)
	body, err := o.Composer.Write(compose.Head{To: t.To, Language: t.Language, TimeZone: t.TimeZone, ID: id, Now: now}, l)
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
		ID: id, Class: class, Purpose: l.Name(), ChallengeID: t.ChallengeID, To: t.To, RcptHash: secret.MAC(o.Key, norm),
		Addressed: !t.Unaddressed, Body: body, NotAfter: notAfter, Reference: t.Reference,
	}, nil
}

// Add writes the letter and queues it. Call Queue.Wake when tx has committed.
func (o *Office) Add(tx *store.Tx, l compose.Letter, t Terms) error {
	m, err := o.Write(l, t)
	if err != nil {
		return err
	}
	return o.Queue.Add(tx, m)
}
