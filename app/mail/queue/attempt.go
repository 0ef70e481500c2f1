package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"gatelodge/app/mail/deliver"
	"gatelodge/store"
)

// schedules say when a message is tried again, by class, counted from the
// attempt before. A greylisting server commonly asks for 300 s: the third retry
// of a sign-in mail clears that.
var schedules = [classes][]time.Duration{
	ClassSignIn: {
		30 * time.Second, 90 * time.Second, 3*time.Minute + 15*time.Second, 3 * time.Minute, 4 * time.Minute,
		6 * time.Minute, 7 * time.Minute, 10 * time.Minute, 15 * time.Minute, 25 * time.Minute, 30 * time.Minute,
	},
	ClassNotice: {
		30 * time.Second, 90 * time.Second, 3*time.Minute + 15*time.Second, 3 * time.Minute, 4 * time.Minute,
		6 * time.Minute, 7 * time.Minute, 10 * time.Minute, 15 * time.Minute, 25 * time.Minute, 30 * time.Minute, time.Hour,
	},
	ClassRelayed: {5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, 90 * time.Minute, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour},
	ClassReport:  {5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, 90 * time.Minute, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour},
}

// doubtFor is when mail is looked at again that is too late by a clock that may
// be wrong.
const doubtFor = 10 * time.Minute

// busyFor is when a message is tried again that found enough of ours there.
const busyFor = 2 * time.Second

// retryIn returns how long after the given attempt (1 is the first) the next
// one is made: up to a tenth longer than the schedule, so that a crowd does not
// march in step, and never shorter, so that a greylist has been waited out.
func retryIn(class, attempt int) time.Duration {
	s := schedules[class]
	d := s[min(max(attempt, 1), len(s))-1]
	return d + time.Duration(rand.Float64()*0.1*float64(d))
}

// attempt sends one leased message and writes down what came of it.
func (q *Queue) attempt(ctx context.Context, w store.Work) {
	now := q.now()
	before := asBefore(w)
	switch {
	case !w.Addressed:
		q.finish(w, store.Report{State: "unaddressed", Attempts: w.Attempts}, nil)
		q.probe(ctx)
		return
	case !now.Add(margin).Before(w.NotAfter) && q.doubtful():
		// By a clock that may be years ahead: neither sent nor dropped.
		before.State, before.DueAt = "queued", now.Add(doubtFor)
		if before.Text == "" {
			before.Text = "the clock may be wrong"
		}
		q.finish(w, before, nil)
		return
	case !now.Add(margin).Before(w.NotAfter):
		// What kept it back so long is what its sender wants to know.
		before.State = "expired"
		if before.Text == "" {
			before.Text = "it would have come too late"
		}
		q.finish(w, before, nil)
		return
	case w.Ambiguous > 1:
		q.finish(w, store.Report{
			State: "failed", Attempts: w.Attempts - 1, Ambiguous: w.Ambiguous, Refusals: w.Refusals, Text: "it may have been delivered; nobody answered twice",
		}, nil)
		return
	}
	if why, err := q.suppressed(ctx, w); err != nil {
		q.log.Error("whether an address is suppressed could not be read; its mail is tried", "message", w.ID, "err", err)
	} else if why != "" {
		q.finish(w, store.Report{State: "suppressed", Attempts: w.Attempts - 1, Refusals: w.Refusals, Text: why}, nil)
		return
	}
	d := delivery{q: q, w: w}
	r := d.run(ctx)
	if ctx.Err() != nil && r.Class == deliver.Temporary && r.Code == 0 {
		// We broke it off because we stop: that says nothing of anybody's server.
		before.State, before.DueAt = "queued", now
		q.finish(w, before, nil)
		return
	}
	q.report(w, r)
}

// asBefore is the report of an attempt that was none: all stays as it was before.
func asBefore(w store.Work) store.Report {
	return store.Report{
		Attempts: w.Attempts - 1, Ambiguous: w.Ambiguous, Refusals: w.Refusals, Code: w.LastCode, Enhanced: w.LastEnh, Text: w.LastText,
		Transport: w.Transport, IP: w.LastIP, TLS: w.TLS,
	}
}

// probe looks at the way out as a mail would have, for one that is for nobody:
// that the way is found to be down must not tell that there was a mail to send.
func (q *Queue) probe(ctx context.Context) {
	q.mu.Lock()
	known := q.way.known(q.now())
	q.mu.Unlock()
	if known || q.transport.Probe == nil || q.transport.ByDomain {
		return
	}
	r := q.transport.Probe(ctx)
	if ctx.Err() != nil {
		return // we stop
	}
	if recovered, _ := q.learnWay(r); recovered {
		q.dueNow()
	}
}

// learnWay takes in what a session says about the transport. It returns whether
// that had been down and is open again, and until when nothing may be tried.
func (q *Queue) learnWay(r deliver.Result) (recovered bool, until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	recovered = q.way.learn(r, q.now())
	return recovered, q.way.until
}

// delivery is one session with a server.
type delivery struct {
	q   *Queue
	w   store.Work
	dot atomic.Bool // the final dot was announced
}

// run ends with ctx, unless the final dot was announced: then the server's
// answer is worth waiting for.
func (d *delivery) run(ctx context.Context) deliver.Result {
	session, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if d.dot.Load() {
			time.AfterFunc(stopWithin, cancel)
			return
		}
		cancel()
	})()
	e := deliver.Envelope{
		From: d.w.EnvFrom, To: d.w.Rcpt, Body: d.w.Body, NotAfter: d.w.NotAfter, Attempt: d.w.Attempts, Refusals: d.w.Refusals,
		SignIn: d.w.Class == ClassSignIn, Patient: d.w.Class >= ClassRelayed,
	}
	return d.q.transport.Deliver(session, e, func() error { return d.markDot(session) })
}

func (d *delivery) markDot(ctx context.Context) error {
	err := d.q.db.Update(ctx, func(tx *store.Tx) error { return tx.MarkDot(d.w.ID, d.w.Gen, d.q.now().Add(dotLease)) })
	if errors.Is(err, store.ErrNotFound) {
		return errors.New("cancelled, or leased to another")
	}
	if err == nil {
		d.dot.Store(true)
	}
	return err
}

// report turns the result of a session into the message's next state.
func (q *Queue) report(w store.Work, r deliver.Result) {
	now := q.now()
	if r.Busy {
		// Nothing was tried, so what was said last still holds.
		before := asBefore(w)
		before.State, before.DueAt = "queued", now.Add(busyFor)
		q.end(w, r, before)
		return
	}
	report := store.Report{
		Attempts: w.Attempts, Ambiguous: w.Ambiguous, Refusals: w.Refusals, Code: r.Code, Enhanced: r.Enhanced, Text: r.Text,
		Transport: q.transport.Name, IP: r.RemoteIP, TLS: r.TLS,
	}
	if r.Way != "" {
		report.Transport = r.Way
	}
	// Of a smarthost a refusal before the message is the way's own trouble.
	bySmarthost := !q.transport.ByDomain || r.Way == "smarthost"
	refused := r.Refusal() && !(bySmarthost && r.TransportDown())
	if refused || r.Class == deliver.Permanent && strings.HasPrefix(r.Enhanced, "5.7.") && r.Code >= 500 {
		report.Refusals++
	}
	retry := now.Add(retryIn(w.Class, w.Attempts))
	recovered, pause := false, now
	if !q.transport.ByDomain {
		recovered, pause = q.learnWay(r)
	}

	switch r.Class {
	case deliver.Sent:
		report.State = "sent"
		if q.transport.Keep {
			report.State = "captured"
		}
	case deliver.Expired:
		report.State = "expired"
	case deliver.Permanent:
		report.State = "failed"
	case deliver.Ambiguous:
		report.Ambiguous++
		report.State, report.DueAt = "queued", retry
		if report.Ambiguous > 1 {
			report.State, report.Text = "failed", "it may have been delivered; nobody answered twice"
		}
	case deliver.Paused:
		// Not the message's fault: it keeps its place and its attempts.
		report.State, report.DueAt, report.Attempts = "queued", pause, w.Attempts-1
		if q.transport.ByDomain {
			report.DueAt = now.Add(refusedEvery)
		}
	default:
		report.State, report.DueAt = "queued", retry
		switch {
		case refused && report.Refusals >= deliver.RefusalsBelieved:
			report.State = "failed"
		case r.TransportDown() && !refused:
			// Due at once when the way is open again: until then nothing is.
			report.DueAt, report.Attempts = pause, w.Attempts-1
		}
	}
	q.end(w, r, report)
	if recovered {
		q.dueNow()
	}
}

// end writes down the report of a session with what it says of the domain and the
// address. What would only be tried again when it is too late is too late now.
func (q *Queue) end(w store.Work, r deliver.Result, report store.Report) {
	if report.State == "queued" && !report.DueAt.Add(margin).Before(w.NotAfter) {
		report.State = "expired"
	}
	q.finish(w, report, func(tx *store.Tx) error { return q.learn(tx, w, r) })
}

// finish writes the report, and what also writes unless that is nil. It is never
// given up for a cancelled context: a message that was sent must not be sent
// again.
func (q *Queue) finish(w store.Work, r store.Report, also func(*store.Tx) error) {
	ctx := context.Background()
	err := q.db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.FinishMessage(w.ID, w.Gen, r, q.now()); err != nil {
			return err
		}
		if w.Class == ClassRelayed && q.relayed != nil {
			if err := q.relayed(tx, w, r); err != nil {
				return err
			}
		}
		if also == nil {
			return nil
		}
		return also(tx)
	})
	log := q.log.With("message", w.ID, "domain", w.Domain, "state", r.State, "attempt", r.Attempts, "ref", w.Reference)
	switch {
	case errors.Is(err, store.ErrNotFound):
		log.Info("mail was cancelled while it was being sent")
		return
	case err != nil:
		log.Error("the report of a mail could not be written; it may be sent once more", "err", err)
		return
	case r.State == "unaddressed":
		return
	}
	if q.ended != nil {
		q.ended(w, r, q.now().Sub(w.CreatedAt))
	}
	switch {
	case r.State == "captured":
		if q.captured != nil {
			q.captured(w)
		}
		return
	case r.State == "sent":
		log.Info("mail sent", "after", q.now().Sub(w.CreatedAt).Round(time.Millisecond), "tls", r.TLS)
		return
	}
	log.Warn("mail not sent", "answer", fmt.Sprint(r.Code, " ", r.Text))
}

// dueNow lets everything that waited for the way out go at once.
func (q *Queue) dueNow() {
	err := q.db.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.RetryMessages("", q.now())
		return err
	})
	if err != nil {
		q.log.Error("waiting mail could not be made due", "err", err)
	}
	q.Wake()
}
