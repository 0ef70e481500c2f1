package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"gatelodge/app/mail/deliver"
	"gatelodge/store"
)

const (
	// A domain whose servers fail is left alone for a minute, then twice as
	// long each time, to an hour; a sign-in may look every minute.
	firstBackOff = time.Minute
	lastBackOff  = time.Hour
	probeDomain  = time.Minute

	suppressFull    = 7 * 24 * time.Hour  // a mailbox that is full or closed
	suppressUnknown = 30 * 24 * time.Hour // an address that does not exist
	// tryAgainAfter is when a person who asks to sign in gets another try at a
	// suppressed address.
	tryAgainAfter = 24 * time.Hour
)

// learn writes down what the result of an attempt says about the domain and the
// address.
func (q *Queue) learn(tx *store.Tx, w store.Work, r deliver.Result) error {
	if err := q.learnAddress(tx, w, r); err != nil || !q.transport.ByDomain {
		return err
	}
	return q.learnDomain(tx, w.Domain, r)
}

func (q *Queue) learnDomain(tx *store.Tx, domain string, r deliver.Result) error {
	if r.Busy || r.Class == deliver.Paused {
		return nil // the domain was not asked
	}
	known, err := tx.MailDomain(domain)
	if err != nil {
		return err
	}
	now := q.now()
	if !r.TransportDown() && !r.Throttled() {
		if known.Failures > 0 {
			_, err = tx.EndBackOff(domain)
		}
		return err
	}
	if known.Failures > 0 && now.Before(known.ProbeAt) {
		return nil // another session of the same moment has reported it already
	}
	wait := min(firstBackOff<<min(known.Failures, 10), lastBackOff)
	wait += time.Duration(rand.Float64() * 0.1 * float64(wait))
	return tx.BackOff(domain, r.Text, known.Failures+1, now.Add(wait), now.Add(probeDomain), now)
}

func (q *Queue) learnAddress(tx *store.Tx, w store.Work, r deliver.Result) error {
	if r.Class == deliver.Sent && !q.transport.Keep {
		_, err := tx.EndSuppression(w.RcptHash)
		return err
	}
	lasts := suppressFor(r)
	if lasts == 0 {
		return nil
	}
	now := q.now()
	return tx.Suppress(store.Suppression{
		RcptHash: w.RcptHash, Rcpt: w.Rcpt, Domain: w.Domain, Reason: strings.TrimSpace(fmt.Sprintf("%d %s %s", r.Code, r.Enhanced, r.Text)),
		CreatedAt: now, ExpiresAt: now.Add(lasts),
	})
}

// suppressFor returns how long a result keeps mail from the address, 0 when it
// says nothing about that. Only a server that names an address problem is
// believed: a bare 550 may mean us.
func suppressFor(r deliver.Result) time.Duration {
	if r.Class != deliver.Permanent || r.Stage != deliver.AtTo || r.Code < 500 {
		return 0
	}
	switch r.Enhanced {
	case "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10":
		return suppressUnknown
	case "5.2.1", "5.2.2":
		return suppressFull
	case "":
		if r.Code == 552 {
			return suppressFull
		}
	}
	return 0
}

// suppressed returns why a message must not go to its address, "" when it may.
// Who asks to sign in may once a day: the mailbox may be mended. That mail is tried
// as any other, for who puts it off may want to see it twice.
func (q *Queue) suppressed(ctx context.Context, w store.Work) (why string, err error) {
	if q.transport.Keep {
		return "", nil
	}
	var s store.Suppression
	now := q.now()
	err = q.db.View(ctx, func(tx *store.Tx) (err error) {
		s, err = tx.Suppression(w.RcptHash, now)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	why = "the address is suppressed: " + s.Reason
	if w.Class != ClassSignIn {
		return why, nil
	}
	err = q.db.Update(ctx, func(tx *store.Tx) error {
		may, err := tx.TrySuppressed(w.RcptHash, w.CreatedAt, now.Add(-tryAgainAfter), now)
		if may {
			why = ""
		}
		return err
	})
	return why, err
}

// forgetDomains ends the waits of a time when mail went directly.
func (q *Queue) forgetDomains(ctx context.Context) {
	err := q.db.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.EndBackOff("")
		return err
	})
	if err != nil && ctx.Err() == nil {
		q.log.Error("mail domains that waited could not be released", "err", err)
	}
}
