package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// SubmissionCredential lets one app hand mail to us.
type SubmissionCredential struct {
	ID         string
	Name       string // also the user name of the login
	SecretHash []byte
	Senders    string // patterns, separated by spaces
	Recipients string
	PerHour    int // recipients
	PerDay     int
	MaxBytes   int
	CreatedAt  time.Time
	UsedAt     time.Time // zero: never
}

const credentialColumns = `id, name, secret_hash, senders, recipients, per_hour, per_day, max_bytes, created_at, used_at`

func scanCredential(row interface{ Scan(...any) error }) (SubmissionCredential, error) {
	var c SubmissionCredential
	var created int64
	var used sql.NullInt64
	err := row.Scan(&c.ID, &c.Name, &c.SecretHash, &c.Senders, &c.Recipients, &c.PerHour, &c.PerDay, &c.MaxBytes, &created, &used)
	if errors.Is(err, sql.ErrNoRows) {
		return c, ErrNotFound
	}
	if err != nil {
		return c, fmt.Errorf("reading a submission credential: %w", err)
	}
	c.CreatedAt, c.UsedAt = at(created), atNull(used)
	return c, nil
}

// AddSubmissionCredential adds c, or returns ErrConflict when its name is taken.
func (tx *Tx) AddSubmissionCredential(c SubmissionCredential) error {
	return tx.exec("adding a submission credential", addCredentialQuery, c.ID, c.Name, c.SecretHash, c.Senders, c.Recipients, c.PerHour, c.PerDay,
		c.MaxBytes, ms(c.CreatedAt))
}

const addCredentialQuery = `
	INSERT INTO submission_credentials (id, name, secret_hash, senders, recipients, per_hour, per_day, max_bytes, created_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

// SubmissionCredentialByName returns the credential, or ErrNotFound.
func (tx *Tx) SubmissionCredentialByName(name string) (SubmissionCredential, error) {
	return scanCredential(tx.q.QueryRowContext(tx.ctx, credentialByNameQuery, name))
}

const credentialByNameQuery = `SELECT ` + credentialColumns + ` FROM submission_credentials WHERE name = $1`

// SubmissionCredentials returns them all by name.
func (tx *Tx) SubmissionCredentials() ([]SubmissionCredential, error) {
	var list []SubmissionCredential
	err := tx.each("submission credentials", credentialsQuery, nil, func(rows *sql.Rows) error {
		c, err := scanCredential(rows)
		if err != nil {
			return err
		}
		list = append(list, c)
		return nil
	})
	return list, err
}

const credentialsQuery = `SELECT ` + credentialColumns + ` FROM submission_credentials ORDER BY name`

// RemoveSubmissionCredential removes it, or returns ErrNotFound. What it has
// handed over is still delivered.
func (tx *Tx) RemoveSubmissionCredential(name string) error {
	n, err := tx.changed(removeCredentialQuery, name)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

const removeCredentialQuery = `DELETE FROM submission_credentials WHERE name = $1`

// Submission is what an app handed over: one body for one or more messages.
type Submission struct {
	ID           string
	CredentialID string
	Recipients   int
	CreatedAt    time.Time
}

func submissionPlace(id string) string { return "submissions/body/" + id }

// AddSubmission keeps s with its body and notes that its credential was used.
// The credential must still be there: ErrNotFound when it was removed meanwhile.
func (tx *Tx) AddSubmission(s Submission, body []byte) error {
	n, err := tx.changed(useCredentialQuery, s.CredentialID, ms(s.CreatedAt))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return err
	}
	_, err = tx.q.ExecContext(tx.ctx, addSubmissionQuery, s.ID, s.CredentialID, s.Recipients, ms(s.CreatedAt),
		tx.db.ring.Seal(submissionPlace(s.ID), body))
	if err != nil {
		return fmt.Errorf("keeping a submission: %w", classify(err))
	}
	return nil
}

const useCredentialQuery = `UPDATE submission_credentials SET used_at = $2 WHERE id = $1`

const addSubmissionQuery = `
	INSERT INTO submissions (id, credential_id, recipients, created_at, body)
	VALUES ($1, $2, $3, $4, $5)`

// SubmittedSince counts the recipients of what a credential handed over since
// each of the two moments, the earlier one last.
func (tx *Tx) SubmittedSince(credentialID string, hour, day time.Time) (inHour, inDay int, err error) {
	err = tx.q.QueryRowContext(tx.ctx, submittedQuery, credentialID, ms(hour), ms(day)).Scan(&inHour, &inDay)
	if err != nil {
		return 0, 0, fmt.Errorf("counting submissions: %w", err)
	}
	return inHour, inDay, nil
}

const submittedQuery = `
	SELECT COALESCE(SUM(CASE WHEN created_at > $2 THEN recipients ELSE 0 END), 0), COALESCE(SUM(recipients), 0)
	  FROM submissions
	 WHERE credential_id = $1 AND created_at > $3`

// WaitingOf counts the messages of a class that are to be sent, up to limit.
func (tx *Tx) WaitingOf(class, limit int) (n int, err error) {
	if err = tx.q.QueryRowContext(tx.ctx, waitingOfQuery, class, limit).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting waiting messages: %w", err)
	}
	return n, nil
}

const waitingOfQuery = `
	SELECT COUNT(*)
	  FROM (SELECT 1 FROM messages WHERE class = $1 AND state IN ('queued', 'leased') LIMIT $2) w`

// SubmissionByID returns what was handed over; the body is nil once nothing
// needs it.
func (tx *Tx) SubmissionByID(id string) (Submission, []byte, error) {
	var s Submission
	var created int64
	var box []byte
	err := tx.q.QueryRowContext(tx.ctx, submissionQuery, id).Scan(&s.ID, &s.CredentialID, &s.Recipients, &created, &box)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil, ErrNotFound
	}
	if err != nil {
		return s, nil, fmt.Errorf("reading a submission: %w", err)
	}
	s.CreatedAt = at(created)
	if len(box) == 0 {
		return s, nil, nil
	}
	body, err := tx.db.ring.Open(submissionPlace(id), box)
	return s, body, err
}

const submissionQuery = `
	SELECT id, credential_id, recipients, created_at, body
	  FROM submissions
	 WHERE id = $1`

// body opens what box holds, or for a message that was submitted the body it
// shares with the others.
func (tx *Tx) body(m Message, box []byte) ([]byte, error) {
	if m.SubmissionID == "" {
		return tx.db.ring.Open(bodyPlace(m.ID), box)
	}
	_, body, err := tx.SubmissionByID(m.SubmissionID)
	if err != nil {
		return nil, fmt.Errorf("the body of message %s: %w", m.ID, err)
	}
	return body, nil
}

// purgeSubmission empties the body that a message shared, once no message that
// shares it needs it any more.
func (tx *Tx) purgeSubmission(messageID string) error {
	_, err := tx.changed(purgeSubmissionQuery, messageID, []byte{})
	return err
}

const purgeSubmissionQuery = `
	UPDATE submissions
	   SET body = $2
	 WHERE id = (SELECT submission_id FROM messages WHERE id = $1 AND submission_id <> '')
	   AND NOT EXISTS (SELECT 1
	                     FROM messages m
	                    WHERE m.submission_id = submissions.id AND m.submission_id <> ''
	                      AND m.state IN ('queued', 'leased', 'held', 'captured'))`

// TellDelay reports whether the sender of a message is to be notified now that it is
// late: once only.
func (tx *Tx) TellDelay(id string, now time.Time) (bool, error) {
	n, err := tx.changed(tellDelayQuery, id, ms(now))
	return n == 1, err
}

const tellDelayQuery = `UPDATE messages SET delay_told_at = $2 WHERE id = $1 AND delay_told_at IS NULL`

// LateMessages returns messages of a class that wait since the given time or longer
// and whose senders have not been notified, the oldest first.
func (tx *Tx) LateMessages(class int, since time.Time, limit int) ([]Message, error) {
	return tx.messages(lateMessagesQuery, limit, class, ms(since))
}

const lateMessagesQuery = `
	SELECT ` + messageColumns + `
	  FROM messages
	 WHERE class = $2 AND state IN ('queued', 'leased') AND created_at <= $3 AND delay_told_at IS NULL
	 ORDER BY created_at
	 LIMIT $1`

// HoldMessage keeps a waiting message from being sent until it is retried by its
// id, or returns ErrNotFound.
func (tx *Tx) HoldMessage(id string) error {
	n, err := tx.changed(holdMessageQuery, id)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

const holdMessageQuery = `
	UPDATE messages
	   SET state = 'held', gen = gen + 1, lease_owner = ''
	 WHERE id = $1 AND (state = 'queued' OR state = 'leased' AND phase = '')`

// FreeSpace returns how many bytes may still be written where the data is. What
// PostgreSQL has, nobody here knows.
func (db *DB) FreeSpace() (uint64, error) { return freeSpace(db.Dir()) }
