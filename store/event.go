package store

import (
	"fmt"
	"time"
)

// Event is one line of the audit log: what happened, to whom, from where.
type Event struct {
	ID        string
	At        time.Time
	Kind      string // "signin.done", "session.ended"; see package audit
	UserID    string // "" when nobody is known
	Actor     string // "user", "admin", "system" or "visitor"
	IP        string
	Device    string
	Reference string // of the request, as GL-7F3K-92QD
	Detail    string // plain words or a code; never a secret
}

// AddEvent adds e to the log.
func (tx *Tx) AddEvent(e Event) error {
	_, err := tx.q.ExecContext(tx.ctx, addEventQuery, e.ID, ms(e.At), e.Kind, e.UserID, e.Actor, e.IP, e.Device, e.Reference, e.Detail)
	if err != nil {
		return fmt.Errorf("adding an event: %w", err)
	}
	return nil
}

const addEventQuery = `
	INSERT INTO events (id, at, kind, user_id, actor, ip, device, reference, detail)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

// EventsByReference returns the events of one request, oldest first.
func (tx *Tx) EventsByReference(reference string) ([]Event, error) {
	return tx.events(eventsByReferenceQuery, reference)
}

const eventColumns = `id, at, kind, user_id, actor, ip, device, reference, detail`

const eventsByReferenceQuery = `SELECT ` + eventColumns + ` FROM events WHERE reference = $1 ORDER BY id`

// EventsOf returns the user's newest events, newest first.
func (tx *Tx) EventsOf(userID string, limit int) ([]Event, error) {
	return tx.events(eventsOfQuery, userID, limit)
}

const eventsOfQuery = `SELECT ` + eventColumns + ` FROM events WHERE user_id = $1 ORDER BY at DESC, id DESC LIMIT $2`

// EventsBefore returns up to limit of the user's events since a moment whose id
// sorts before before, or the newest when that is "", newest first.
func (tx *Tx) EventsBefore(userID, before string, since time.Time, limit int) ([]Event, error) {
	if before == "" {
		before = "~" // sorts after every id
	}
	return tx.events(eventsBeforeQuery, userID, ms(since), before, limit)
}

const eventsBeforeQuery = `
	SELECT ` + eventColumns + `
	  FROM events
	 WHERE user_id = $1 AND at >= $2 AND id < $3
	 ORDER BY id DESC
	 LIMIT $4`

func (tx *Tx) events(query string, args ...any) ([]Event, error) {
	rows, err := tx.q.QueryContext(tx.ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	defer rows.Close()
	var list []Event
	for rows.Next() {
		var e Event
		var when int64
		if err := rows.Scan(&e.ID, &when, &e.Kind, &e.UserID, &e.Actor, &e.IP, &e.Device, &e.Reference, &e.Detail); err != nil {
			return nil, fmt.Errorf("reading an event: %w", err)
		}
		e.At = at(when)
		list = append(list, e)
	}
	return list, rows.Err()
}
