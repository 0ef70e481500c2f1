// Package audit records what happened, to whom and from where. The log is written
// and shown; no decision reads it, since old lines are removed.
//
// What changed something is recorded in the transaction that changed it, so
// the two agree. What was refused is noted on the side, in batches and up to a
// bound, so that refusing costs no write for each stranger who knocks. Every
// line carries the Reference that the person saw and the log line has.
package audit

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"gatelodge/app/factor"
	"gatelodge/app/fault"
	"gatelodge/store"
)

// Origin is the client that sent a request, as far as the request shows.
type Origin struct {
	IP        string // canonical text
	Network   string // what limits count by: the address, or its /64
	Device    string // "Firefox on Linux"
	Reference string // GL-7F3K-92QD
	TimeZone  string // of the browser: "Europe/Berlin", or "" where it is not known
	AdminID   string // of the admin who is signed in and does it, or ""
}

// ZoneFor returns the time zone for mail to a user about what was done: the one that
// they chose, and without one that of their browser. An admin's is not theirs.
func (o Origin) ZoneFor(chosen string) string {
	if chosen == "" && o.AdminID == "" {
		return o.TimeZone
	}
	return chosen
}

// The kinds of events. Their names are part of the JSON that scripts read.
const (
	SetUp           = "setup.done"
	SetUpRefused    = "setup.refused"
	LinkAsked       = "signin.asked"
	LinkLimited     = "signin.limited"
	SignedIn        = "signin.done"
	SignInRefused   = "signin.refused"
	LinkVoided      = "signin.voided"
	PasswordLimited = "signin.password_limited"
	SignedOut       = "session.signed_out"
	SessionEnded    = "session.ended"
	SessionsEnded   = "session.others_ended"
	PasswordSet     = "password.set"
	PasswordRemoved = "password.removed"
	ResetAsked      = "password.reset_asked"
	EmailAsked      = "email.asked"
	EmailCancelled  = "email.cancelled"
	EmailAdded      = "email.added"
	EmailPrimary    = "email.primary"
	EmailRemoved    = "email.removed"
	EmailUndone     = "email.undone"
	Linked          = "upstream.linked"
	Unlinked        = "upstream.unlinked"
	Claimed         = "account.claimed"
	ProfileChanged  = "profile.changed"
	NewBrowser      = "signin.new_browser"
	Confirmed       = "session.confirmed"
	BrowserGone     = "browser.forgotten"
	NotMe           = "account.not_me"
	Closed          = "account.closed"
	Reopened        = "account.reopened"
	DataTaken       = "account.data_taken"
	Erased          = "account.erased"
	AppEntered      = "app.entered"
	UserChanged     = "user.changed"
	UserAdded       = "user.added"
	UserLinked      = "user.link_made"
	UserDisabled    = "user.disabled"
	UserEnabled     = "user.enabled"
	UserRemoved     = "user.removed"
	UserCame        = "user.came"
	UserApproved    = "user.approved"
	Applied         = "applicant.asked"
	ApplicantOut    = "applicant.refused"
	GroupAdded      = "group.added"
	GroupRemoved    = "group.removed"
	GroupJoined     = "group.joined"
	GroupLeft       = "group.left"
	InviteAdded     = "invite.added"
	InviteAccepted  = "invite.accepted"
	InviteRevoked   = "invite.revoked"
	KeyRotated      = "key.rotated"
	KeyDropped      = "key.dropped"
	RequestRefused  = "request.refused"
	RequestFailed   = "request.failed"
	UserImported    = "user.imported"
	Imported        = "import.done"
	Exported        = "export.done"
	MailChanged     = "mail.changed" // the detail says what an admin did, and to which
	BackupMade      = "backup.made"
	BackupFailed    = "backup.failed"
)

// The actors.
const (
	ByUser    = "user"
	ByVisitor = "visitor" // nobody is known
	ByAdmin   = "admin"   // on an admin page, or the command line
	BySystem  = "system"  // by itself
)

const (
	noteRoom  = 512 // notes that may wait; more are counted and dropped
	noteBatch = 50  // notes in one write, one write a second
	noteEvery = time.Second
)

// Log writes events.
type Log struct {
	db      *store.DB
	now     func() time.Time
	log     *slog.Logger
	notes   chan store.Event
	dropped atomic.Int64
	// OnEvent is called with each event as it is made, for counters; it may be nil. A
	// transaction that runs twice calls it twice.
	OnEvent func(Event)
}

// Event is what OnEvent gets.
type Event struct {
	Kind  string
	Means factor.List // of a sign-in: those that were proven, or the one that was refused
}

// SignInRefusal is a sign-in that was refused.
type SignInRefusal struct {
	UserID string       // of the user whose account it is, or ""
	Name   string       // for the log: an address or username that exists, or ""
	Means  factor.Means // that was tried
	Fault  *fault.Fault // that the visitor got
}

// New returns a Log. Its Run must run for notes to be kept.
func New(db *store.DB, now func() time.Time, log *slog.Logger) *Log {
	return &Log{db: db, now: now, log: log, notes: make(chan store.Event, noteRoom)}
}

// Record adds an event within a transaction.
func (l *Log) Record(tx *store.Tx, from Origin, kind, actor, userID, detail string) error {
	var means factor.List
	if kind == SignedIn {
		means = factor.Read(detail)
	}
	return tx.AddEvent(l.event(from, kind, means, actor, userID, detail))
}

// Note adds an event soon, without making the caller wait for the disk. Under
// a flood some are dropped, and the log says how many.
func (l *Log) Note(from Origin, kind, actor, userID, detail string) {
	l.note(l.event(from, kind, nil, actor, userID, detail))
}

// RefuseSignIn notes a sign-in that was refused. If it may have been a guess, it is also
// in the log for programs that ban addresses; a used link is no guess.
func (l *Log) RefuseSignIn(from Origin, r SignInRefusal) {
	l.note(l.event(from, SignInRefused, factor.List{r.Means}, ByVisitor, r.UserID, r.Fault.Text))
	switch r.Fault.Reason {
	case fault.Password, fault.Code, fault.Limit, fault.Disabled:
		l.AuthFail(from, r.Name, r.Fault.Reason)
	}
}

func (l *Log) note(e store.Event) {
	select {
	case l.notes <- e:
	default:
		l.dropped.Add(1)
	}
}

// AuthFail writes the one line that programs which ban addresses read: who was
// refused, from where, and why. Its form is documented (app/doc/guide/bans.md) and does
// not change. user is an address or a username that exists, or "-": people type
// passwords into the wrong field.
func (l *Log) AuthFail(from Origin, user string, reason fault.Reason) {
	if user == "" {
		user = "-"
	}
	l.log.Warn("auth-fail", "ip", from.IP, "user", user, "reason", string(reason), "ref", from.Reference)
}

func (l *Log) event(from Origin, kind string, means factor.List, actor, userID, detail string) store.Event {
	now := l.now()
	if l.OnEvent != nil {
		l.OnEvent(Event{kind, means})
	}
	return store.Event{
		ID: store.NewID(now), At: now, Kind: kind, UserID: userID, Actor: actor,
		IP: from.IP, Device: from.Device, Reference: from.Reference, Detail: detail, AdminID: from.AdminID,
	}
}

// Run writes the notes until ctx ends, and then those that wait.
func (l *Log) Run(ctx context.Context) {
	tick := time.NewTicker(noteEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			for l.flush() {
			}
			return
		case <-tick.C:
			l.flush()
		}
	}
}

// Flush writes the notes that wait now: for readers who want to see them.
func (l *Log) Flush() {
	for l.flush() {
	}
}

// flush writes one batch and reports whether there was one.
func (l *Log) flush() bool {
	if n := l.dropped.Swap(0); n > 0 {
		l.log.Warn("audit notes dropped under load", "count", n)
	}
	var batch []store.Event
collect:
	for len(batch) < noteBatch {
		select {
		case e := <-l.notes:
			batch = append(batch, e)
		default:
			break collect
		}
	}
	if len(batch) == 0 {
		return false
	}
	err := l.db.Update(context.Background(), func(tx *store.Tx) error {
		for _, e := range batch {
			if err := tx.AddEvent(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		l.log.Error("audit notes lost", "count", len(batch), "err", err)
		return false
	}
	return true
}
