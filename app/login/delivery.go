package login

import (
	"errors"
	"strings"
	"time"

	"gatelodge/app/email"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// Delivery is what became of the mail this browser waits for. Its zero value says
// nothing: because nothing is known yet, or because it would tell a stranger who
// has an account here.
type Delivery struct {
	State DeliveryState
	// Took is how long after the request the mail was accepted, when it was, and
	// Direct that it was the recipient's own server which did.
	Took   time.Duration
	Direct bool
	// NextAt is the next attempt, when it was put off.
	NextAt time.Time
	// Why is the reason of a refusal: "unknown", "full", "domain" or "other". Of a mail
	// that was put off it is "domain" when that does not seem to exist, else "".
	Why string
}

// DeliveryState are how far a mail got.
type DeliveryState string

// The states that people see.
const (
	Delivered DeliveryState = "delivered" // the recipient's server took it, or the smarthost
	Deferred  DeliveryState = "deferred"  // to be tried again
	Refused   DeliveryState = "refused"   // for good
)

// deliveryOf tells what became of the mail of a challenge: to a browser that its
// user has signed in with before, and to others only where the address gets mail
// whoever has it. Then sure is true: saying so tells nobody who has an account. The
// same is asked of the store either way.
func (f *Flow) deliveryOf(tx *store.Tx, l *Login, c store.Challenge) (became Delivery, sure bool, err error) {
	if sure, err = f.Users.AddressMayRegister(tx, c.EmailNorm, l.invite()); err != nil {
		return Delivery{}, false, err
	}
	visible := sure
	if hash, ok := secret.Hash(l.Device); ok {
		known, _, err := tx.KnowsBrowser(c.UserID, hash)
		if err != nil {
			return Delivery{}, false, err
		}
		visible = visible || known && c.UserID != ""
	}
	d, err := tx.MailDomain(email.DomainOf(c.EmailNorm))
	if err != nil {
		return Delivery{}, false, err
	}
	m, err := tx.ChallengeMessage(c.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && (!visible || !m.Addressed) {
		return Delivery{}, sure, nil
	}
	return deliveryFor(m, d), sure, err
}

// deliveryFor says what its recipient may know of a mail, and of its domain.
func deliveryFor(m store.Message, d store.MailDomain) Delivery {
	switch m.State {
	case "sent":
		return Delivery{State: Delivered, Took: m.DoneAt.Sub(m.CreatedAt), Direct: m.Transport == "direct"}
	case "queued":
		// That its server could not be reached is no attempt of the mail.
		if m.Tried() {
			return Delivery{State: Deferred, NextAt: d.NextAt(m.Class, m.DueAt), Why: whyDeferred(m)}
		}
	case "failed":
		// Without a code nobody refused it: it may even have arrived.
		if m.LastCode >= 500 || m.LastEnh != "" {
			return Delivery{State: Refused, Why: whyRefused(m)}
		}
	case "suppressed":
		return Delivery{State: Refused, Why: whyRefused(m)}
	}
	return Delivery{}
}

// whyDeferred is the reason that the recipient can do something about. A domain that
// is missing is asked for again before it is believed.
func whyDeferred(m store.Message) string {
	if m.LastEnh == "4.1.2" {
		return "domain"
	}
	return ""
}

// whyRefused is the reason in the enhanced code (RFC 3463, 3), which a suppressed
// address has from an earlier mail.
func whyRefused(m store.Message) string {
	code := m.LastEnh
	if m.State == "suppressed" {
		for word := range strings.FieldsSeq(m.LastText) {
			if strings.HasPrefix(word, "5.") {
				code = word
			}
		}
	}
	switch code {
	case "5.1.1", "5.1.3", "5.1.6", "5.2.1":
		return "unknown"
	case "5.2.2":
		return "full"
	case "5.1.2", "5.1.10":
		return "domain"
	}
	return "other"
}
