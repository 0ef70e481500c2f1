package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// MailHealth is how sign-in mail fares since a moment.
type MailHealth struct {
	Waiting    int       // queued or being sent
	OldestAt   time.Time // when the oldest of them was asked for; zero when none
	Late       int       // domains that mail waits for since before a second moment
	Sent       int
	Failed     int
	LastSentAt time.Time // zero when none was sent
}

// MailHealth counts the sign-in mail that waits, whenever it was asked for, with
// the domains for which some does since before late, and how that ended which was
// asked for since the given time.
func (tx *Tx) MailHealth(since, late time.Time) (MailHealth, error) {
	var h MailHealth
	var oldest, sent sql.NullInt64
	err := tx.q.QueryRowContext(tx.ctx, mailLateQuery, ms(late)).Scan(&h.Waiting, &oldest, &h.Late)
	if err == nil {
		err = tx.q.QueryRowContext(tx.ctx, mailHealthQuery, ms(since)).Scan(&h.Sent, &h.Failed, &sent)
	}
	if err != nil {
		return MailHealth{}, fmt.Errorf("reading mail health: %w", err)
	}
	h.OldestAt, h.LastSentAt = atNull(oldest), atNull(sent)
	return h, nil
}

const mailLateQuery = `
	SELECT COUNT(*), MIN(created_at), COUNT(DISTINCT CASE WHEN created_at < $1 THEN domain END)
	  FROM messages
	 WHERE class = 0 AND state IN ('queued', 'leased') AND addressed = 1`

const mailHealthQuery = `
	SELECT COALESCE(SUM(CASE WHEN state = 'sent' THEN 1 ELSE 0 END), 0),
	       COALESCE(SUM(CASE WHEN state IN ('failed', 'expired') THEN 1 ELSE 0 END), 0),
	       MAX(CASE WHEN state = 'sent' THEN done_at END)
	  FROM messages
	 WHERE class = 0 AND addressed = 1 AND created_at >= $1`

// MailRefusal returns the newest mail of our own that was asked for since the given
// time and that a server refused because of us, unless mail to the same domain was
// taken later; else ErrNotFound.
func (tx *Tx) MailRefusal(since time.Time) (Message, error) {
	m, err := tx.scanMessage(tx.q.QueryRowContext(tx.ctx, mailRefusalQuery, ms(since)))
	if err != nil {
		return Message{}, err
	}
	var one int
	err = tx.q.QueryRowContext(tx.ctx, mailTakenQuery, ms(m.CreatedAt), m.Domain).Scan(&one)
	switch {
	case err == nil:
		return Message{}, ErrNotFound
	case !errors.Is(err, sql.ErrNoRows):
		return Message{}, fmt.Errorf("reading mail health: %w", err)
	}
	return m, nil
}

const mailRefusalQuery = `
	SELECT ` + messageColumns + `
	  FROM messages
	 WHERE refusals > 0 AND created_at >= $1 AND class <= 1 AND addressed = 1
	   AND state IN ('queued', 'leased', 'failed', 'expired')
	 ORDER BY created_at DESC
	 LIMIT 1`

const mailTakenQuery = `
	SELECT 1
	  FROM messages
	 WHERE done_at IS NOT NULL AND done_at > $1 AND domain = $2 AND state = 'sent'
	 LIMIT 1`

// QueueDepth is how much mail of a class waits in a state.
type QueueDepth struct {
	Class    int
	State    string // "queued", "leased" or "held"
	Messages int
	OldestAt time.Time // when the oldest was asked for
}

// QueueDepths returns what waits, by class and state. What is for nobody does not
// count.
func (tx *Tx) QueueDepths() ([]QueueDepth, error) {
	rows, err := tx.q.QueryContext(tx.ctx, queueDepthsQuery)
	if err != nil {
		return nil, fmt.Errorf("counting the queue: %w", err)
	}
	defer rows.Close()
	var list []QueueDepth
	for rows.Next() {
		var d QueueDepth
		var oldest int64
		if err := rows.Scan(&d.Class, &d.State, &d.Messages, &oldest); err != nil {
			return nil, fmt.Errorf("counting the queue: %w", err)
		}
		d.OldestAt = at(oldest)
		list = append(list, d)
	}
	return list, rows.Err()
}

const queueDepthsQuery = `
	SELECT class, state, COUNT(*), MIN(created_at)
	  FROM messages
	 WHERE done_at IS NULL AND addressed = 1
	 GROUP BY class, state
	 ORDER BY class, state`

// MailDay is how the mail ended that ended on one day.
type MailDay struct {
	Day      time.Time // its first moment, UTC
	Sent     int
	Returned int // failed, too late, or kept from an address that refuses mail
}

const dayLength = int64(24 * time.Hour / time.Millisecond)

// MailDays returns the days since the given time on which mail ended, oldest
// first. Mail that is long done is not kept: see Sweep.
func (tx *Tx) MailDays(since time.Time) ([]MailDay, error) {
	rows, err := tx.q.QueryContext(tx.ctx, mailDaysQuery, ms(since), dayLength)
	if err != nil {
		return nil, fmt.Errorf("counting mail by day: %w", err)
	}
	defer rows.Close()
	var list []MailDay
	for rows.Next() {
		var d MailDay
		var day int64
		if err := rows.Scan(&day, &d.Sent, &d.Returned); err != nil {
			return nil, fmt.Errorf("counting mail by day: %w", err)
		}
		d.Day = at(day * dayLength)
		list = append(list, d)
	}
	return list, rows.Err()
}

const mailDaysQuery = `
	SELECT done_at / $2,
	       SUM(CASE WHEN state = 'sent' THEN 1 ELSE 0 END),
	       SUM(CASE WHEN state IN ('failed', 'expired', 'suppressed') THEN 1 ELSE 0 END)
	  FROM messages
	 WHERE done_at IS NOT NULL AND done_at >= $1 AND addressed = 1
	 GROUP BY done_at / $2
	 ORDER BY done_at / $2`

// MailEnded counts the mail that was sent and that came back since the given time.
func (tx *Tx) MailEnded(since time.Time) (sent, returned int, err error) {
	if err = tx.q.QueryRowContext(tx.ctx, mailEndedQuery, ms(since)).Scan(&sent, &returned); err != nil {
		return 0, 0, fmt.Errorf("counting mail: %w", err)
	}
	return sent, returned, nil
}

const mailEndedQuery = `
	SELECT COALESCE(SUM(CASE WHEN state = 'sent' THEN 1 ELSE 0 END), 0),
	       COALESCE(SUM(CASE WHEN state IN ('failed', 'expired', 'suppressed') THEN 1 ELSE 0 END), 0)
	  FROM messages
	 WHERE done_at IS NOT NULL AND done_at >= $1 AND addressed = 1`

// MailTook returns within what time half of the sign-in mail was accepted that was
// sent since the given time, 0 when none was.
func (tx *Tx) MailTook(since time.Time) (time.Duration, error) {
	var took int64
	err := tx.q.QueryRowContext(tx.ctx, mailTookQuery, ms(since)).Scan(&took)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading how long mail took: %w", err)
	}
	return time.Duration(took) * time.Millisecond, nil
}

const mailTookQuery = `
	SELECT done_at - created_at
	  FROM messages
	 WHERE done_at IS NOT NULL AND done_at >= $1 AND class = 0 AND state = 'sent'
	 ORDER BY done_at - created_at
	 LIMIT 1
	OFFSET (SELECT COUNT(*) / 2
	          FROM messages
	         WHERE done_at IS NOT NULL AND done_at >= $1 AND class = 0 AND state = 'sent')`

// DoneMessages returns the mail that is done, the last first.
func (tx *Tx) DoneMessages(limit int) ([]Message, error) {
	return tx.messages(doneMessagesQuery, limit)
}

const doneMessagesQuery = `
	SELECT ` + messageColumns + `
	  FROM messages
	 WHERE done_at IS NOT NULL AND addressed = 1
	 ORDER BY done_at DESC
	 LIMIT $1`

// ChallengeMessage returns the mail that carries the challenge, or ErrNotFound
// when there is none any more.
func (tx *Tx) ChallengeMessage(challengeID string) (Message, error) {
	return tx.scanMessage(tx.q.QueryRowContext(tx.ctx, challengeMessageQuery, challengeID))
}

const challengeMessageQuery = `
	SELECT ` + messageColumns + `
	  FROM messages
	 WHERE challenge_id = $1
	 ORDER BY created_at DESC
	 LIMIT 1`

// Message returns a message without its body, or ErrNotFound.
func (tx *Tx) Message(id string) (Message, error) {
	return tx.scanMessage(tx.q.QueryRowContext(tx.ctx, messageQuery, id))
}

const messageQuery = `SELECT ` + messageColumns + ` FROM messages WHERE id = $1 AND addressed = 1`
