package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatelodge/store"
)

const (
	// slowAfter is when mail that waits is worth telling people about.
	slowAfter = time.Minute
	// healthSpan is how far back the health of sign-in mail is looked at.
	healthSpan = time.Hour
	// slowDomains is to how many domains mail must be late before the server says
	// of itself that its mail is. A single one could be that of the address which a
	// stranger has just typed: that it waits would tell that somebody has it.
	slowDomains = 3
	// refusedSpan is how far back mail is looked for that servers refused because of
	// us: what they mind stays until somebody mends it.
	refusedSpan = 24 * time.Hour
	// failedLeast is how many mails have to fail for a rate of failures.
	failedLeast = 3
	// failedMost is the share that may: one in so many.
	failedMost = 10
)

// Slow reports whether sign-in mail of this server is being held up now. It
// says nothing about any one message: that would tell who has an account.
func (o *Outbox) Slow(ctx context.Context) (bool, error) {
	if o.Queue.Way().Down {
		return true, nil
	}
	h, err := o.Health(ctx)
	return h.Late >= slowDomains, err
}

// LastSent returns when sign-in mail last left, for people who wait for some: zero
// while more leaves, or when none did in the last hour. Where the way out is open it
// would tell a stranger that there was mail for the address just typed.
func (o *Outbox) LastSent(ctx context.Context) (time.Time, error) {
	if !o.Queue.Way().Down {
		return time.Time{}, nil
	}
	h, err := o.Health(ctx)
	return h.LastSentAt, err
}

// Health returns how sign-in mail has fared in the last hour, and what waits.
func (o *Outbox) Health(ctx context.Context) (h store.MailHealth, err error) {
	err = o.DB.View(ctx, func(tx *store.Tx) (err error) {
		h, err = tx.MailHealth(o.Now().Add(-healthSpan), o.Now().Add(-slowAfter))
		return err
	})
	return h, err
}

// Alarm is why an operator has to look after the mail of this server. The zero
// value is none.
type Alarm struct {
	Kind   string
	Since  time.Time
	Reason string // what the way out said, or the server that refuses us
	Domain string // of that server's people
	Failed int
	Asked  int // of so many
}

// The kinds of Alarm.
const (
	AlarmCapture = "capture" // nothing leaves, as configured
	AlarmDown    = "down"    // nothing leaves
	AlarmStandby = "standby" // the smarthost that stands by refuses our login
	AlarmPolicy  = "policy"  // a server refuses mail of ours because of us
	AlarmLate    = "late"    // somebody has waited for a sign-in mail for more than a minute
	AlarmFailing = "failing" // more than one in ten did not arrive
)

// Alarm returns what is wrong with sign-in mail now, the worst first. It is for
// operators: it does report single messages.
func (o *Outbox) Alarm(ctx context.Context) (Alarm, error) {
	if o.Capture {
		return Alarm{Kind: AlarmCapture}, nil
	}
	if way := o.Queue.Way(); way.Down {
		return Alarm{Kind: AlarmDown, Since: way.Since, Reason: way.Reason}, nil
	}
	if way := o.Queue.Standby(); way.Down {
		return Alarm{Kind: AlarmStandby, Since: way.Since, Reason: way.Reason}, nil
	}
	if m, err := o.refusal(ctx); err == nil {
		said := strings.TrimSpace(fmt.Sprintf("%d %s %s", m.LastCode, m.LastEnh, m.LastText))
		return Alarm{Kind: AlarmPolicy, Since: m.CreatedAt, Reason: said, Domain: m.Domain}, nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return Alarm{}, err
	}
	h, err := o.Health(ctx)
	switch {
	case err != nil:
		return Alarm{}, err
	case !h.OldestAt.IsZero() && o.Now().Sub(h.OldestAt) > slowAfter:
		return Alarm{Kind: AlarmLate, Since: h.OldestAt}, nil
	case h.Failed >= failedLeast && h.Failed*failedMost > h.Failed+h.Sent:
		return Alarm{Kind: AlarmFailing, Failed: h.Failed, Asked: h.Failed + h.Sent}, nil
	}
	return Alarm{}, nil
}

// refusal returns the last mail of ours that a server refused because of us, or
// store.ErrNotFound.
func (o *Outbox) refusal(ctx context.Context) (m store.Message, err error) {
	err = o.DB.View(ctx, func(tx *store.Tx) (err error) {
		m, err = tx.MailRefusal(o.Now().Add(-refusedSpan))
		return err
	})
	return m, err
}

// Statistics are the outbox in numbers.
type Statistics struct {
	Waiting  int
	Sent     int             // in the last day
	Returned int             // in the last day
	Took     time.Duration   // half of the last day's sign-in mail was accepted within; 0 when there was none
	Days     []store.MailDay // seven, today last
}

const shownDays = 7

// Statistics returns the outbox in numbers.
func (o *Outbox) Statistics(ctx context.Context) (Statistics, error) {
	now := o.Now()
	today := now.UTC().Truncate(24 * time.Hour)
	first := today.AddDate(0, 0, 1-shownDays)
	var f Statistics
	err := o.DB.View(ctx, func(tx *store.Tx) error {
		depths, err := tx.QueueDepths()
		if err != nil {
			return err
		}
		f = Statistics{}
		for _, d := range depths {
			f.Waiting += d.Messages
		}
		if f.Took, err = tx.MailTook(now.Add(-24 * time.Hour)); err != nil {
			return err
		}
		if f.Sent, f.Returned, err = tx.MailEnded(now.Add(-24 * time.Hour)); err != nil {
			return err
		}
		days, err := tx.MailDays(first)
		for day := first; !day.After(today); day = day.AddDate(0, 0, 1) {
			one := store.MailDay{Day: day}
			for _, d := range days {
				if d.Day.Equal(day) {
					one = d
				}
			}
			f.Days = append(f.Days, one)
		}
		return err
	})
	return f, err
}

// Done returns the mail that is done, the last first.
func (o *Outbox) Done(ctx context.Context) (list []store.Message, err error) {
	err = o.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.DoneMessages(shown)
		return err
	})
	return list, err
}

// Find returns a message without its body, in whatever state, or ErrUnknown.
func (o *Outbox) Find(ctx context.Context, id string) (m store.Message, err error) {
	err = o.DB.View(ctx, func(tx *store.Tx) (err error) {
		m, err = tx.Message(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = ErrUnknown
	}
	return m, err
}
