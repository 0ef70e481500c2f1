package store

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Message is one mail to one recipient, and how far it got. It has no body:
// see Work.
type Message struct {
	ID          string
	Class       int    // 0 sign-in, 1 account notice, 2 relayed, 3 report
	Purpose     string // "signin", "test"
	ChallengeID string
	Addressed   bool   // false: nobody has that address; it is dropped when claimed
	Domain      string // of the recipient
	RcptHash    []byte // keyed hash of the recipient; survives the purge
	Rcpt        string // "" once done
	EnvFrom     string
	State       string
	Attempts    int
	Ambiguous   int
	Refusals    int // how often a server refused us as its sender
	DueAt       time.Time
	NextAt      time.Time
	NotAfter    time.Time
	Gen         int
	Phase       string
	LastCode    int
	LastEnh     string
	LastText    string
	Transport   string
	LastIP      string
	TLS         string
	MessageID   string
	Reference   string
	CreatedAt   time.Time
	DoneAt      time.Time
	// SubmissionID names what an app handed over, for a message that was: the
	// body is there. "" for our own mail.
	SubmissionID string
	// Unreadable says that the recipient cannot be unsealed: the row is damaged, or
	// sealed with a key that is not here.
	Unreadable bool
}

// Tried reports whether somebody or something has answered for the message: also
// that its servers could not be reached, which is no attempt of its own.
func (m Message) Tried() bool { return m.LastCode != 0 || m.LastText != "" }

// Work is a leased message with what is needed to deliver it.
type Work struct {
	Message
	Body []byte
}

const messageColumns = `id, class, purpose, challenge_id, addressed, domain, rcpt_hash, rcpt, env_from, state, attempts, ambiguous, refusals,
	due_at, next_at, not_after, gen, phase, last_code, last_enh, last_text, transport, last_ip, tls, msgid, reference,
	created_at, done_at, submission_id`

func rcptPlace(id string) string { return "messages/rcpt/" + id }
func bodyPlace(id string) string { return "messages/body/" + id }

// scanMessage reads messageColumns, and after them what more names.
func (tx *Tx) scanMessage(row interface{ Scan(...any) error }, more ...any) (Message, error) {
	var m Message
	var challenge sql.NullString
	var rcpt []byte
	var due, next, notAfter, created int64
	var done sql.NullInt64
	err := row.Scan(append([]any{
		&m.ID, &m.Class, &m.Purpose, &challenge, &m.Addressed, &m.Domain, &m.RcptHash, &rcpt, &m.EnvFrom, &m.State, &m.Attempts,
		&m.Ambiguous, &m.Refusals, &due, &next, &notAfter, &m.Gen, &m.Phase, &m.LastCode, &m.LastEnh, &m.LastText, &m.Transport, &m.LastIP,
		&m.TLS, &m.MessageID, &m.Reference, &created, &done, &m.SubmissionID,
	}, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return Message{}, ErrNotFound
	}
	if err != nil {
		return Message{}, fmt.Errorf("reading a message: %w", err)
	}
	m.ChallengeID = challenge.String
	m.DueAt, m.NextAt, m.NotAfter, m.CreatedAt, m.DoneAt = at(due), at(next), at(notAfter), at(created), atNull(done)
	if len(rcpt) > 0 {
		// A row that cannot be read must not hide the others of a list.
		plain, err := tx.db.ring.Open(rcptPlace(m.ID), rcpt)
		m.Rcpt, m.Unreadable = string(plain), err != nil
	}
	return m, nil
}

// AddMessage queues m with its body, recipient and body sealed. A message of a
// submission has no body of its own.
func (tx *Tx) AddMessage(m Message, body []byte) error {
	box := []byte{}
	if m.SubmissionID == "" {
		box = tx.db.ring.Seal(bodyPlace(m.ID), body)
	}
	challenge := sql.NullString{String: m.ChallengeID, Valid: m.ChallengeID != ""}
	return tx.exec("queueing a message", addMessageQuery, m.ID, m.Class, m.Purpose, challenge, bit(m.Addressed), m.Domain,
		m.RcptHash, tx.db.ring.Seal(rcptPlace(m.ID), []byte(m.Rcpt)), m.EnvFrom, ms(m.DueAt), ms(m.NotAfter),
		m.MessageID, m.Reference, ms(m.CreatedAt), box, m.SubmissionID)
}

const addMessageQuery = `
	INSERT INTO messages (id, class, purpose, challenge_id, addressed, domain, rcpt_hash, rcpt, env_from, state, due_at,
	                      next_at, not_after, msgid, reference, created_at, body, submission_id)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'queued', $10, $10, $11, $12, $13, $14, $15, $16)`

// ClaimMessage leases the message of that class that has been due longest, or
// returns ErrNotFound. Domains that wait, and those in busy, are passed over.
// book says when to try next, should this attempt never
// report: it is written before anybody dials, so that a crash cannot hammer a
// server. A message whose last lease ended between the final dot and the
// answer comes back with Ambiguous counted up.
//
// The error is an *UnreadableError when the message cannot be unsealed. Then it is
// as due as before: see SetAside.
func (tx *Tx) ClaimMessage(class int, owner string, busy []string, now, lease time.Time, book func(Message) time.Time) (Work, error) {
	m, err := tx.scanMessage(tx.q.QueryRowContext(tx.ctx, dueMessageQuery+tx.db.engine.skipLocked(), class, ms(now), piped(busy)))
	if err != nil {
		return Work{}, err
	}
	if m.Unreadable {
		return Work{}, &UnreadableError{ID: m.ID}
	}
	m.Attempts++
	if m.Phase == "dot" {
		m.Ambiguous++
	}
	var box []byte
	m, err = tx.scanMessage(tx.q.QueryRowContext(tx.ctx, claimMessageQuery,
		m.ID, m.Gen, owner, ms(lease), ms(book(m)), m.Attempts, m.Ambiguous), &box)
	if err != nil {
		return Work{}, err
	}
	body, err := tx.body(m, box)
	if errors.Is(err, ErrUnsealable) || errors.Is(err, ErrNotFound) {
		return Work{}, &UnreadableError{ID: m.ID}
	}
	if err != nil {
		return Work{}, err
	}
	return Work{Message: m, Body: body}, nil
}

// UnreadableError is for a message that cannot be unsealed.
type UnreadableError struct{ ID string }

func (e *UnreadableError) Error() string {
	return "message " + e.ID + " cannot be unsealed: it is damaged, or its key is not here"
}

// SetAside holds a message that cannot be unsealed, so that those behind it go. It
// is not destroyed: its key may come back. ErrNotFound when it no longer waits.
func (tx *Tx) SetAside(id, why string) error {
	return tx.change(ErrNotFound, "setting a message aside", setAsideQuery, id, why)
}

const setAsideQuery = `
	UPDATE messages
	   SET state = 'held', gen = gen + 1, lease_owner = '', last_code = 0, last_enh = '', last_text = $2
	 WHERE id = $1 AND state IN ('queued', 'leased')`

const dueMessageQuery = `
	SELECT ` + messageColumns + `
	  FROM messages
	 WHERE class = $1 AND state IN ('queued', 'leased') AND due_at <= $2` + passedOver + `
	 ORDER BY due_at
	 LIMIT 1`

// passedOver leaves out the domains in $3 and those that wait at $2. Both are
// answered from the index: ten thousand messages to a dead domain are skipped in
// a few milliseconds.
const passedOver = `
	   AND $3 NOT LIKE '%|' || domain || '|%'
	   AND NOT EXISTS (SELECT 1
	                     FROM mail_domains d
	                    WHERE d.domain = messages.domain
	                      AND (CASE WHEN $1 = 0 THEN d.probe_at ELSE d.until END) > $2)`

func piped(domains []string) string { return "|" + strings.Join(domains, "|") + "|" }

const claimMessageQuery = `
	UPDATE messages
	   SET state = 'leased', lease_owner = $3, due_at = $4, next_at = $5, attempts = $6, ambiguous = $7,
	       gen = gen + 1, phase = ''
	 WHERE id = $1 AND gen = $2
	RETURNING ` + messageColumns + `, body`

// NextDue returns when the next message of that class is due that is not passed
// over as in ClaimMessage, or ErrNotFound when none waits.
func (tx *Tx) NextDue(class int, busy []string, now time.Time) (time.Time, error) {
	var due int64
	err := tx.q.QueryRowContext(tx.ctx, nextDueQuery, class, ms(now), piped(busy)).Scan(&due)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, ErrNotFound
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("looking for the next message: %w", err)
	}
	return at(due), nil
}

const nextDueQuery = `
	SELECT due_at
	  FROM messages
	 WHERE class = $1 AND state IN ('queued', 'leased')` + passedOver + `
	 ORDER BY due_at
	 LIMIT 1`

// MarkDot records that the final dot is about to be sent. From here on an
// attempt that never reports may have been delivered. ErrNotFound when the
// lease was lost or the message cancelled: then the dot must not be sent.
func (tx *Tx) MarkDot(id string, gen int, lease time.Time) error {
	return tx.change(ErrNotFound, "marking the final dot", markDotQuery, id, gen, ms(lease))
}

const markDotQuery = `UPDATE messages SET phase = 'dot', due_at = $3 WHERE id = $1 AND gen = $2 AND state = 'leased'`

// Report is how an attempt ended.
type Report struct {
	State     string    // "sent", "captured", "failed", "expired", "suppressed", or "queued" to try again
	DueAt     time.Time // of the next attempt, when queued
	Ambiguous int
	Attempts  int
	Refusals  int
	Code      int
	Enhanced  string
	Text      string // scrubbed of the address
	Transport string
	IP        string
	TLS       string
}

// FinishMessage writes the report of the attempt that holds the lease gen, and
// purges recipient and body when the message is done; a captured message keeps
// both, for that is what capturing is. ErrNotFound when the lease was lost.
func (tx *Tx) FinishMessage(id string, gen int, r Report, now time.Time) error {
	var done sql.NullInt64
	due := ms(r.DueAt)
	if r.State != "queued" {
		done, due = nullMs(now), ms(now)
	}
	res, err := tx.q.ExecContext(tx.ctx, finishMessageQuery, id, gen, r.State, due, done,
		r.Ambiguous, r.Attempts, r.Code, r.Enhanced, r.Text, r.Transport, r.IP, r.TLS, []byte{}, r.Refusals)
	if err != nil {
		return fmt.Errorf("finishing a message: %w", err)
	}
	if err := wantRow(res, ErrNotFound); err != nil || r.State == "queued" {
		return err
	}
	return tx.purgeSubmission(id)
}

const finishMessageQuery = `
	UPDATE messages
	   SET state = $3, due_at = $4, done_at = $5, ambiguous = $6, attempts = $7, last_code = $8, last_enh = $9,
	       last_text = $10, transport = $11, last_ip = $12, tls = $13, refusals = $15, phase = '', lease_owner = '',
	       rcpt = CASE WHEN $3 IN ('queued', 'captured') THEN rcpt ELSE $14 END,
	       body = CASE WHEN $3 IN ('queued', 'captured') THEN body ELSE $14 END
	 WHERE id = $1 AND gen = $2 AND state = 'leased'`

// CancelMessages cancels the waiting mail of one purpose to a recipient, and
// what is being delivered but not yet past the final dot. It returns how many.
func (tx *Tx) CancelMessages(rcptHash []byte, purpose string, now time.Time) (int, error) {
	return tx.changed(cancelMessagesQuery, rcptHash, purpose, ms(now), []byte{})
}

const cancelMessagesQuery = `
	UPDATE messages
	   SET state = 'cancelled', done_at = $3, gen = gen + 1, rcpt = $4, body = $4
	 WHERE rcpt_hash = $1 AND purpose = $2
	   AND (state IN ('queued', 'held') OR state = 'leased' AND phase = '')`

// CancelMessage cancels one waiting message, or returns ErrNotFound.
func (tx *Tx) CancelMessage(id string, now time.Time) error {
	n, err := tx.changed(cancelMessageQuery, id, ms(now), []byte{})
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return err
	}
	return tx.purgeSubmission(id)
}

const cancelMessageQuery = `
	UPDATE messages
	   SET state = 'cancelled', done_at = $2, gen = gen + 1, rcpt = $3, body = $3
	 WHERE id = $1 AND (state IN ('queued', 'held') OR state = 'leased' AND phase = '')`

// RetryMessages makes waiting mail due now: the one with that id, or all that is
// not held when id is "". It returns how many.
func (tx *Tx) RetryMessages(id string, now time.Time) (int, error) {
	return tx.changed(retryMessagesQuery, id, ms(now))
}

const retryMessagesQuery = `
	UPDATE messages
	   SET state = 'queued', due_at = $2, next_at = $2
	 WHERE $1 = '' AND state = 'queued' OR id = $1 AND state IN ('queued', 'held')`

// ReleaseStale makes held mail due that is of no use any more by now, so that it
// ends as all other mail that is too late. It returns how much.
func (tx *Tx) ReleaseStale(now time.Time) (int, error) {
	return tx.changed(releaseStaleQuery, ms(now))
}

const releaseStaleQuery = `
	UPDATE messages
	   SET state = 'queued', due_at = $1, next_at = $1
	 WHERE state = 'held' AND not_after <= $1`

// CancelChallengeMail cancels the waiting mail that carries the challenge.
func (tx *Tx) CancelChallengeMail(challengeID string, now time.Time) (int, error) {
	return tx.changed(cancelChallengeMailQuery, challengeID, ms(now), []byte{})
}

const cancelChallengeMailQuery = `
	UPDATE messages
	   SET state = 'cancelled', done_at = $2, gen = gen + 1, rcpt = $3, body = $3
	 WHERE challenge_id = $1 AND (state IN ('queued', 'held') OR state = 'leased' AND phase = '')`

// FreeLeases makes the messages claimable whose lease was held by a process that
// is gone. Where no other process can be, that is every lease, so it must be
// called before this one claims.
func (tx *Tx) FreeLeases(now time.Time) (int, error) {
	return tx.changed(freeLeasesQuery+" AND "+tx.db.engine.orphans(), ms(now))
}

// The first attempts are made again at once, later ones at the booked time: a
// person waits for the former, and a crash loop must not hammer a server.
const freeLeasesQuery = `
	UPDATE messages
	   SET due_at = CASE WHEN attempts <= 2 THEN $1 ELSE next_at END
	 WHERE state = 'leased'`

func (tx *Tx) changed(query string, args ...any) (int, error) {
	return tx.count("changing rows", query, args...)
}

// Messages returns the newest messages, newest first: those that wait when
// waiting is true, else all.
func (tx *Tx) Messages(waiting bool, limit int) ([]Message, error) {
	if waiting {
		return tx.messages(waitingMessagesQuery, limit)
	}
	return tx.messages(messagesQuery, limit)
}

// messages reads what a query finds whose first parameter is the limit.
func (tx *Tx) messages(query string, limit int, more ...any) ([]Message, error) {
	var list []Message
	err := tx.each("messages", query, append([]any{limit}, more...), func(rows *sql.Rows) error {
		m, err := tx.scanMessage(rows)
		if err != nil {
			return err
		}
		list = append(list, m)
		return nil
	})
	return list, err
}

const messagesQuery = `
	SELECT ` + messageColumns + `
	  FROM messages
	 WHERE addressed = 1
	 ORDER BY created_at DESC, id DESC
	 LIMIT $1`

const waitingMessagesQuery = `
	SELECT ` + messageColumns + `
	  FROM messages
	 WHERE state IN ('queued', 'leased', 'held') AND addressed = 1
	 ORDER BY class, due_at
	 LIMIT $1`

// MessageByID returns the message and, while it is kept, its body.
func (tx *Tx) MessageByID(id string) (Work, error) {
	var box []byte
	m, err := tx.scanMessage(tx.q.QueryRowContext(tx.ctx, messageByIDQuery, id), &box)
	if err != nil {
		return Work{}, err
	}
	w := Work{Message: m}
	if len(box) > 0 || m.SubmissionID != "" {
		w.Body, err = tx.body(m, box)
	}
	return w, err
}

const messageByIDQuery = `SELECT ` + messageColumns + `, body FROM messages WHERE id = $1`

// CapturedMessages returns the newest captured messages with their bodies,
// newest first.
func (tx *Tx) CapturedMessages(limit int) ([]Work, error) {
	rows, err := tx.q.QueryContext(tx.ctx, capturedQuery, limit)
	if err != nil {
		return nil, fmt.Errorf("listing captured messages: %w", err)
	}
	defer rows.Close()
	var list []Work
	for rows.Next() {
		var box []byte
		m, err := tx.scanMessage(rows, &box)
		if err != nil {
			return nil, err
		}
		w := Work{Message: m}
		if m.SubmissionID == "" {
			if w.Body, err = tx.db.ring.Open(bodyPlace(m.ID), box); err != nil {
				return nil, err
			}
		}
		list = append(list, w)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close() // one connection does not ask while it answers
	for i := range list {
		if list[i].SubmissionID != "" {
			if list[i].Body, err = tx.body(list[i].Message, nil); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

const capturedQuery = `
	SELECT ` + messageColumns + `, body
	  FROM messages
	 WHERE state = 'captured'
	 ORDER BY created_at DESC, id DESC
	 LIMIT $1`

// EmptyCaptured removes the captured mail, with what apps handed over of it, and
// returns how much.
func (tx *Tx) EmptyCaptured() (int, error) {
	if _, err := tx.changed(emptyCapturedSubmissionsQuery, []byte{}); err != nil {
		return 0, err
	}
	return tx.changed(emptyCapturedQuery)
}

const emptyCapturedQuery = `DELETE FROM messages WHERE state = 'captured'`

// The rows stay, since they are what rates are counted by.
const emptyCapturedSubmissionsQuery = `
	UPDATE submissions
	   SET body = $1
	 WHERE id IN (SELECT submission_id FROM messages WHERE state = 'captured' AND submission_id <> '')
	   AND NOT EXISTS (SELECT 1
	                     FROM messages m
	                    WHERE m.submission_id = submissions.id AND m.submission_id <> ''
	                      AND m.state IN ('queued', 'leased', 'held'))`
