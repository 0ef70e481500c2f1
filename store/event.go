package store

import (
	"database/sql"
	"time"
)

// Event is one line of the audit log: what happened, to whom, from where. The log
// is written and shown. No decision reads it: old lines are removed.
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
	// AdminID is the admin who did it, "" for the command line and for everybody
	// else; Admin is their address or username now, when events are read.
	AdminID, Admin string
}

// AddEvent adds e to the log.
func (tx *Tx) AddEvent(e Event) error {
	return tx.exec("adding an event", addEventQuery, e.ID, ms(e.At), e.Kind, e.UserID, e.Actor, e.IP, e.Device, e.Reference, e.Detail, e.AdminID)
}

const addEventQuery = `
	INSERT INTO events (id, at, kind, user_id, actor, ip, device, reference, detail, admin_id)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

// EventsByReference returns the events of one request, oldest first.
func (tx *Tx) EventsByReference(reference string) ([]Event, error) {
	return tx.events(eventsByReferenceQuery, reference)
}

const eventColumns = `e.id, e.at, e.kind, e.user_id, e.actor, e.ip, e.device, e.reference, e.detail, e.admin_id,
	       (SELECT CASE WHEN a.email <> '' THEN a.email ELSE a.username END FROM users a WHERE a.id = e.admin_id)`

const eventsByReferenceQuery = `SELECT ` + eventColumns + ` FROM events e WHERE e.reference = $1 ORDER BY e.id`

// EventsOf returns the user's newest events, newest first.
func (tx *Tx) EventsOf(userID string, limit int) ([]Event, error) {
	return tx.events(eventsOfQuery, userID, limit)
}

const eventsOfQuery = `SELECT ` + eventColumns + ` FROM events e WHERE e.user_id = $1 ORDER BY e.at DESC, e.id DESC LIMIT $2`

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
	  FROM events e
	 WHERE e.user_id = $1 AND e.at >= $2 AND e.id < $3
	 ORDER BY e.id DESC
	 LIMIT $4`

func (tx *Tx) events(query string, args ...any) ([]Event, error) {
	var list []Event
	err := tx.each("events", query, args, func(rows *sql.Rows) error {
		var e Event
		var when int64
		var admin sql.NullString
		if err := rows.Scan(&e.ID, &when, &e.Kind, &e.UserID, &e.Actor, &e.IP, &e.Device, &e.Reference, &e.Detail, &e.AdminID, &admin); err != nil {
			return err
		}
		e.At, e.Admin = at(when), admin.String
		list = append(list, e)
		return nil
	})
	return list, err
}
