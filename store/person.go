package store

import (
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// Person is a user with what those want to know who manage people. Groups are
// filled in, Admins among them.
type Person struct {
	User
	SeenAt    time.Time // last use of a session, or of a browser they signed in with; zero: never
	Password  bool
	Upstreams []string // ids, sorted
	Passkeys  int
}

// Status says in a word how a user's access is: "disabled", "closing", "new" for
// who has not signed in yet, or "active".
func (u User) Status() string {
	switch {
	case u.Disabled():
		return "disabled"
	case !u.RemovalAt.IsZero():
		return "closing"
	case u.EmailVerifiedAt.IsZero() && u.HasEmail():
		return "new"
	}
	return "active"
}

// PeopleFilter says which people to list.
type PeopleFilter struct {
	Search string // part of a name, a username, an address or a group; "" for all
	Status string // as User.Status; "" for all
	After  string // the normal address to go on from
}

// People returns up to limit people by address.
func (tx *Tx) People(f PeopleFilter, limit int) ([]Person, error) {
	pattern, asTyped := "", ""
	if f.Search != "" {
		asTyped = "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(f.Search) + "%"
		pattern = strings.ToLower(asTyped)
	}
	// The databases know capitals of ASCII alone, so other names are found as written.
	return tx.people(peopleQuery, f.After, pattern, f.Status, limit, asTyped)
}

// PersonByID returns the person, or ErrNotFound.
func (tx *Tx) PersonByID(id string) (Person, error) {
	list, err := tx.people(personByIDQuery, id)
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Person{}, err
	}
	return list[0], nil
}

func (tx *Tx) people(query string, args ...any) ([]Person, error) {
	var list []Person
	err := tx.each("people", query, args, func(rows *sql.Rows) error {
		p, err := scanPerson(rows)
		if err != nil {
			return err
		}
		list = append(list, p)
		return nil
	})
	return list, err
}

func scanPerson(rows *sql.Rows) (Person, error) {
	var p Person
	var groups, upstreams sql.NullString
	var session, browser sql.NullInt64
	u, err := scanUser(scanFunc(func(to ...any) error {
		return rows.Scan(append(to, &groups, &session, &browser, &p.Password, &upstreams, &p.Passkeys)...)
	}))
	if err != nil {
		return Person{}, err
	}
	p.User, p.SeenAt = u, atNull(session)
	if seen := atNull(browser); seen.After(p.SeenAt) {
		p.SeenAt = seen
	}
	p.User.Groups = withAdmins(listOf(groups), u.Admin)
	p.Upstreams = listOf(upstreams)
	return p, nil
}

// scanFunc is a row that is read by a function.
type scanFunc func(to ...any) error

// Scan reads the row.
func (f scanFunc) Scan(to ...any) error { return f(to...) }

// listOf returns what string_agg put together.
func listOf(s sql.NullString) []string {
	if s.String == "" {
		return nil
	}
	return strings.Split(s.String, ",")
}

const peopleColumns = userColumns + `,
	(SELECT string_agg(g.name, ',' ORDER BY g.name) FROM group_members m JOIN groups g ON g.id = m.group_id WHERE m.user_id = users.id),
	(SELECT MAX(seen_at) FROM sessions WHERE user_id = users.id),
	(SELECT MAX(seen_at) FROM browsers WHERE user_id = users.id),
	EXISTS (SELECT 1 FROM passwords WHERE user_id = users.id),
	(SELECT string_agg(provider, ',' ORDER BY provider) FROM accounts WHERE user_id = users.id),
	(SELECT COUNT(*) FROM passkeys WHERE user_id = users.id)`

const personByIDQuery = `SELECT ` + peopleColumns + ` FROM users WHERE id = $1`

const peopleQuery = `
	SELECT ` + peopleColumns + `
	  FROM users
	 WHERE email_norm > $1
	   AND ($2 = '' OR email_norm LIKE $2 ESCAPE '\' OR LOWER(email) LIKE $2 ESCAPE '\' OR LOWER(name) LIKE $2 ESCAPE '\' OR name LIKE $5 ESCAPE '\' OR username_norm LIKE $2 ESCAPE '\'
	        OR EXISTS (SELECT 1 FROM emails e WHERE e.user_id = users.id AND e.norm LIKE $2 ESCAPE '\')
	        OR EXISTS (SELECT 1 FROM group_members m JOIN groups g ON g.id = m.group_id WHERE m.user_id = users.id AND g.name LIKE $2 ESCAPE '\'))
	   AND ($3 = '' OR $3 = CASE WHEN disabled_at IS NOT NULL THEN 'disabled' WHEN removal_at IS NOT NULL THEN 'closing'
	                             WHEN email_verified_at IS NULL AND email <> '' THEN 'new' ELSE 'active' END)
	 ORDER BY email_norm
	 LIMIT $4`

// CountPeople returns how many users there are.
func (tx *Tx) CountPeople() (int, error) {
	var n int
	if err := tx.q.QueryRowContext(tx.ctx, countPeopleQuery).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting people: %w", err)
	}
	return n, nil
}

const countPeopleQuery = `SELECT COUNT(*) FROM users`
