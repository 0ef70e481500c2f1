// Package queue keeps mail until it is delivered, refused or of no use any more.
//
// A message is written in the transaction of what it is about, so that nobody
// waits for a mail server and nothing that was promised is lost in a crash. It
// is leased before it is sent, the next attempt is booked before anybody dials,
// and the final dot is announced before it is sent: after a crash at any moment
// a message is sent again at most once too often.
//
// Sign-in mail has two workers of its own, so that no other mail can delay it.
package queue

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"gatelodge/app/email"
	"gatelodge/app/mail/deliver"
	"gatelodge/store"
)

// The classes of mail, in the order in which they go.
const (
	ClassSignIn = iota
	ClassNotice
	ClassRelayed
	ClassReport
	classes
)

var classNames = [classes]string{"sign-in", "notice", "relayed", "report"}

// ClassName returns the word for a class.
func ClassName(class int) string { return classNames[class] }

// ClassNames returns the words for the classes, in their order.
func ClassNames() []string { return classNames[:] }

const (
	workers = 8
	// Sessions with the servers of one domain at a time, where there is no
	// smarthost: servers count them.
	perDomain        = 2
	relayedPerDomain = 1
	// margin is what a mail needs to be of use after it has arrived.
	margin = time.Minute
	// stopWithin is how long a stop waits for sessions past the final dot.
	stopWithin = 30 * time.Second
	// idle is the longest sleep: whatever a wake-up missed is seen then.
	idle = time.Minute
	// furthest is later than any attempt is booked by a clock that is right.
	furthest = 24 * time.Hour
	// lookForOrphans is how often one of several servers looks for mail that
	// another one has queued or died with.
	lookForOrphans = 5 * time.Second
	// lookForStale is how often held mail is looked for that is too late by now.
	lookForStale = 10 * time.Minute
)

// atMost is how many workers a class may have together with those behind it: two
// are for sign-in mail alone, two more for notices to people, however slow
// the servers are to which apps send.
var atMost = [classes]int{ClassSignIn: workers, ClassNotice: workers - 2, ClassRelayed: workers - 4, ClassReport: workers - 4}

// dotLease is longer than the answer to the final dot may take.
const dotLease = 12 * time.Minute

// leaseFor is longer than a session of that class may take up to the final dot,
// so that a live worker never loses its lease.
var leaseFor = [classes]time.Duration{
	ClassSignIn: 7 * time.Minute, ClassNotice: 7 * time.Minute, ClassRelayed: 30 * time.Minute, ClassReport: 30 * time.Minute,
}

// Transport is a way out: how a message is handed on.
type Transport struct {
	Name string
	// Keep says that the message is kept where it is: it was captured, not sent.
	Keep bool
	// ByDomain says that each domain has servers of its own: one that is down
	// holds up no other's mail.
	ByDomain bool
	Deliver  func(ctx context.Context, e deliver.Envelope, beforeDot func() error) deliver.Result
	// Standby is the smarthost that stands by, with what it stands by for; nil where
	// there is none.
	Standby *deliver.Fallback
	// Probe looks whether the way is open, without a mail; nil where there is none.
	Probe func(ctx context.Context) deliver.Result
}

// Mail is a message to be queued.
type Mail struct {
	ID          string // also the local part of its Message-ID
	Class       int
	Purpose     string
	ChallengeID string
	From        string // the envelope's sender; "" is ours. A report has none
	To          string
	RcptHash    []byte
	Addressed   bool // false: written like any other, dropped when its turn comes
	Body        []byte
	NotAfter    time.Time
	Reference   string
	// SubmissionID names what an app handed over: the body is there.
	SubmissionID string
}

// Queue is the service. Make it with New.
type Queue struct {
	db        *store.DB
	now       func() time.Time
	log       *slog.Logger
	from      string // envelope sender
	owner     string
	transport Transport
	wake      chan struct{}
	captured  func(store.Work)
	doubtful  func() bool
	relayed   func(*store.Tx, store.Work, store.Report) error
	ended     func(store.Work, store.Report, time.Duration)

	mu      sync.Mutex
	busy    [classes]int
	domains map[string]int // sessions by domain
	way     way
}

// Config is what New needs.
type Config struct {
	DB        *store.DB
	Now       func() time.Time
	Log       *slog.Logger
	From      string
	Transport Transport
	// Doubtful reports whether the clock may be far ahead: then nothing is dropped
	// for being too late. nil is never.
	Doubtful func() bool
	// Captured is called with each captured message, to show it.
	Captured func(store.Work)
	// Relayed is called, in the transaction that records it, with the result of an
	// attempt to send mail that an app submitted, so that its sender is notified.
	Relayed func(*store.Tx, store.Work, store.Report) error
	// Ended is called with the result of each attempt and the time since the mail was
	// requested, for metrics. It may be nil.
	Ended func(store.Work, store.Report, time.Duration)
}

// New returns the queue. Its Run must run for mail to leave.
func New(c Config) *Queue {
	if c.Doubtful == nil {
		c.Doubtful = func() bool { return false }
	}
	return &Queue{
		db: c.DB, now: c.Now, log: c.Log, from: c.From, owner: c.DB.Owner(), transport: c.Transport,
		wake: make(chan struct{}, 1), captured: c.Captured, doubtful: c.Doubtful, relayed: c.Relayed, ended: c.Ended, domains: make(map[string]int),
	}
}

// Add queues m within a transaction. Call Wake when it has committed.
func (q *Queue) Add(tx *store.Tx, m Mail) error {
	now, from := q.now(), q.from
	switch {
	case m.Class == ClassReport:
		from = "" // no report is sent about a lost report (RFC 3464, 2)
	case m.From != "":
		from = m.From
	}
	return tx.AddMessage(store.Message{
		ID: m.ID, Class: m.Class, Purpose: m.Purpose, ChallengeID: m.ChallengeID, Addressed: m.Addressed,
		Domain: email.DomainOf(m.To), RcptHash: m.RcptHash, Rcpt: m.To, EnvFrom: from,
		DueAt: now, NotAfter: m.NotAfter, MessageID: m.ID + "@" + email.DomainOf(q.from), Reference: m.Reference, CreatedAt: now,
		SubmissionID: m.SubmissionID,
	}, m.Body)
}

// Wake tells the queue that something may be due.
func (q *Queue) Wake() {
	select {
	case q.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Run delivers until ctx ends. Then it claims nothing more, breaks off the
// sessions that have not come to the final dot, and waits for the others.
func (q *Queue) Run(ctx context.Context) {
	if !q.transport.ByDomain {
		q.forgetDomains(ctx)
	}
	q.takeOver(ctx)
	looked, released := time.Now(), time.Time{}
	var sending sync.WaitGroup
	for ctx.Err() == nil {
		if q.db.Shared() && time.Since(looked) > lookForOrphans {
			q.takeOver(ctx)
			looked = time.Now()
		}
		if time.Since(released) > lookForStale {
			q.releaseStale(ctx)
			released = time.Now()
		}
		wait := q.claimAll(ctx, &sending)
		if q.db.Shared() {
			wait = min(wait, lookForOrphans) // others queue mail too, and may die with it
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-q.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	sending.Wait()
}

// releaseStale lets held mail end that is of no use any more: with its text it would
// stay for ever.
func (q *Queue) releaseStale(ctx context.Context) {
	if q.doubtful() {
		return // by a clock that may be years ahead it would only seem so
	}
	err := q.db.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.ReleaseStale(q.now())
		return err
	})
	if err != nil && ctx.Err() == nil {
		q.log.Error("held mail that is too late could not be ended", "err", err)
	}
}

// takeOver frees the leases of processes that are gone, the last run of this one
// among them.
func (q *Queue) takeOver(ctx context.Context) {
	n, err := q.freeLeases(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		q.log.Error("mail leases of a run that ended not freed; they end by themselves", "err", err)
	case n > 0:
		q.log.Info("mail that was being sent when a run ended", "messages", n)
	}
}

func (q *Queue) freeLeases(ctx context.Context) (n int, err error) {
	err = q.db.Update(ctx, func(tx *store.Tx) (err error) {
		n, err = tx.FreeLeases(q.now())
		return err
	})
	return n, err
}

// claimAll hands out what is due to the workers that are free and returns how
// long nothing more will be due. It writes only when something is.
func (q *Queue) claimAll(ctx context.Context, sending *sync.WaitGroup) time.Duration {
	wait := idle
	for class := range classes {
		for {
			pause := q.untilDue(ctx, class)
			if pause == 0 {
				pause = q.takeWorker(class)
			}
			if pause > 0 {
				wait = min(wait, pause)
				break
			}
			w, err := q.claim(ctx, class)
			if err != nil {
				q.freeWorker(class, "")
				if q.setAside(ctx, err) {
					continue
				}
				if !errors.Is(err, store.ErrNotFound) && ctx.Err() == nil {
					q.log.Error("claiming mail", "err", err)
				}
				break
			}
			sending.Go(func() {
				defer q.Wake()
				defer q.freeWorker(class, w.Domain)
				defer q.survive(w)
				q.attempt(ctx, w)
			})
		}
	}
	return wait
}

// setAside holds the message that a claim failed for because it cannot be read, and
// reports whether it did: those behind it are not to wait for it.
func (q *Queue) setAside(ctx context.Context, claiming error) bool {
	bad, ok := errors.AsType[*store.UnreadableError](claiming)
	if !ok {
		return false
	}
	if err := q.db.Update(ctx, func(tx *store.Tx) error { return tx.SetAside(bad.ID, unreadable) }); err != nil {
		return false
	}
	q.log.Error("mail cannot be read and is held", "message", bad.ID, "err", bad)
	return true
}

// unreadable is what operators read at a message that was set aside.
const unreadable = "it cannot be unsealed: the row is damaged, or its key is not in the key file"

// survive keeps a fault of ours in one attempt from ending the server. The message
// stays leased, so that it is not tried again at once: it is when the lease ends.
func (q *Queue) survive(w store.Work) {
	if p := recover(); p != nil {
		q.log.Error("an attempt to send mail broke", "message", w.ID, "domain", w.Domain, "panic", p, "stack", string(debug.Stack()))
	}
}

// takeWorker takes a worker for a message of that class, or returns how long
// to wait for one. A freed worker wakes the queue, so that wait may be long.
func (q *Queue) takeWorker(class int) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	all, behind := 0, 0
	for c, n := range q.busy {
		all += n
		if c >= class {
			behind += n
		}
	}
	if all >= workers || behind >= atMost[class] {
		return idle
	}
	if pause := q.way.pause(q.now(), all); pause > 0 {
		return pause
	}
	q.busy[class]++
	return 0
}

// freeWorker gives a worker back, and its place at the domain unless that is "".
func (q *Queue) freeWorker(class int, domain string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy[class]--
	if domain == "" {
		return
	}
	if q.domains[domain]--; q.domains[domain] == 0 {
		delete(q.domains, domain)
	}
}

// full returns the domains that have as many sessions as a message of that
// class may find there.
func (q *Queue) full(class int) []string {
	if !q.transport.ByDomain {
		return nil
	}
	most := perDomain
	if class >= ClassRelayed {
		most = relayedPerDomain
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var list []string
	for domain, n := range q.domains {
		if n >= most {
			list = append(list, domain)
		}
	}
	return list
}

func (q *Queue) claim(ctx context.Context, class int) (store.Work, error) {
	var w store.Work
	full := q.full(class)
	err := q.db.Update(ctx, func(tx *store.Tx) (err error) {
		now := q.now()
		w, err = tx.ClaimMessage(class, q.owner, full, now, now.Add(leaseFor[class]), func(m store.Message) time.Time {
			return now.Add(retryIn(m.Class, m.Attempts))
		})
		return err
	})
	if err == nil {
		q.mu.Lock()
		q.domains[w.Domain]++
		q.mu.Unlock()
	}
	return w, err
}

// untilDue returns how long until the next message of that class is due, 0 when
// one is. A domain that waits may have one when it stops waiting.
func (q *Queue) untilDue(ctx context.Context, class int) time.Duration {
	full, now := q.full(class), q.now()
	due := now.Add(idle)
	err := q.db.View(ctx, func(tx *store.Tx) error {
		next, err := tx.NextDue(class, full, now)
		if errors.Is(err, store.ErrNotFound) {
			next, err = due, nil
		}
		if err != nil || !next.After(now) || !q.transport.ByDomain {
			due = next
			return err
		}
		release, err := tx.NextRelease(class, now)
		if errors.Is(err, store.ErrNotFound) || err == nil && next.Before(release) {
			release, err = next, nil
		}
		due = release
		return err
	})
	if err != nil {
		if ctx.Err() == nil {
			q.log.Error("looking for mail", "err", err)
		}
		return idle
	}
	if wait := due.Sub(now); wait <= furthest {
		return max(0, wait)
	}
	q.log.Warn("mail was booked by a clock that was wrong; it is due now", "booked", due)
	q.dueNow()
	return 0
}
