package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Admins is the group of those who may manage the server. It is always there and
// has no row: its members are the users that are Admin.
const Admins = "admins"

// Group is people an App can allow.
type Group struct {
	ID        string
	Name      string // unique; lower case, no spaces, no commas
	Members   int    // filled by Groups alone
	CreatedAt time.Time
}

// AddGroup adds g. ErrConflict when the name is taken.
func (tx *Tx) AddGroup(g Group) error {
	return tx.change(ErrConflict, "adding a group", addGroupQuery, g.ID, g.Name, ms(g.CreatedAt))
}

const addGroupQuery = `INSERT INTO groups (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING`

// GroupByName returns the group, or ErrNotFound.
func (tx *Tx) GroupByName(name string) (Group, error) {
	g := Group{Name: name}
	var created int64
	err := tx.q.QueryRowContext(tx.ctx, groupByNameQuery, name).Scan(&g.ID, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return Group{}, ErrNotFound
	}
	if err != nil {
		return Group{}, fmt.Errorf("reading a group: %w", err)
	}
	g.CreatedAt = at(created)
	return g, nil
}

const groupByNameQuery = `SELECT id, created_at FROM groups WHERE name = $1`

// Groups returns every group by name, Admins among them, with how many are in it.
func (tx *Tx) Groups() ([]Group, error) {
	var list []Group
	err := tx.each("groups", groupsQuery, nil, func(rows *sql.Rows) error {
		var g Group
		var created int64
		if err := rows.Scan(&g.ID, &g.Name, &created, &g.Members); err != nil {
			return err
		}
		g.CreatedAt = at(created)
		list = append(list, g)
		return nil
	})
	return list, err
}

const groupsQuery = `
	SELECT g.id AS id, g.name AS name, g.created_at AS created_at, (SELECT COUNT(*) FROM group_members m WHERE m.group_id = g.id)
	  FROM groups g
	 UNION ALL
	SELECT '', '` + Admins + `', 0, (SELECT COUNT(*) FROM users WHERE admin = 1)
	 ORDER BY name`

// RemoveGroup removes the group with that name; its members stay. ErrNotFound
// when there is none.
func (tx *Tx) RemoveGroup(name string) error {
	return tx.change(ErrNotFound, "removing a group", removeGroupQuery, name)
}

const removeGroupQuery = `DELETE FROM groups WHERE name = $1`

// JoinGroup puts the user into the group and reports whether that is new.
func (tx *Tx) JoinGroup(groupID, userID string, now time.Time) (bool, error) {
	return tx.did("joining a group", joinGroupQuery, groupID, userID, ms(now))
}

const joinGroupQuery = `INSERT INTO group_members (group_id, user_id, since) VALUES ($1, $2, $3) ON CONFLICT (group_id, user_id) DO NOTHING`

// LeaveGroup takes the user out of the group and reports whether they were in it.
func (tx *Tx) LeaveGroup(groupID, userID string) (bool, error) {
	return tx.did("leaving a group", leaveGroupQuery, groupID, userID)
}

const leaveGroupQuery = `DELETE FROM group_members WHERE group_id = $1 AND user_id = $2`

// withAdmins adds Admins to the sorted groups of a user who is one.
func withAdmins(groups []string, admin bool) []string {
	if !admin {
		return groups
	}
	i, _ := slices.BinarySearch(groups, Admins)
	return slices.Insert(groups, i, Admins)
}

// did runs a statement and reports whether it changed a row.
func (tx *Tx) did(doing, query string, args ...any) (bool, error) {
	res, err := tx.q.ExecContext(tx.ctx, query, args...)
	if err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// GroupsOf returns the names of the user's groups, sorted.
func (tx *Tx) GroupsOf(userID string) ([]string, error) {
	return tx.texts("the groups of a user", groupsOfQuery, userID)
}

const groupsOfQuery = `
	SELECT g.name AS name
	  FROM group_members m
	  JOIN groups g ON g.id = m.group_id
	 WHERE m.user_id = $1
	 UNION ALL
	SELECT '` + Admins + `' FROM users WHERE id = $1 AND admin = 1
	 ORDER BY name`

// MembersOf returns up to limit users in the group with that name, by address, that
// come after an address. The names of their groups are not filled in.
func (tx *Tx) MembersOf(name, after string, limit int) ([]User, error) {
	if name == Admins {
		return tx.users(adminsQuery, after, limit)
	}
	return tx.users(membersOfQuery, name, after, limit)
}

const membersOfQuery = `
	SELECT ` + userColumns + `
	  FROM users
	 WHERE id IN (SELECT m.user_id FROM group_members m JOIN groups g ON g.id = m.group_id WHERE g.name = $1)
	   AND email_norm > $2
	 ORDER BY email_norm
	 LIMIT $3`

const adminsQuery = `
	SELECT ` + userColumns + `
	  FROM users
	 WHERE admin = 1 AND email_norm > $1
	 ORDER BY email_norm
	 LIMIT $2`

// CountMembers returns how many users are in the group with that name.
func (tx *Tx) CountMembers(name string) (n int, err error) {
	err = tx.q.QueryRowContext(tx.ctx, countMembersQuery, name).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting the members of a group: %w", err)
	}
	return n, nil
}

const countMembersQuery = `
	SELECT CASE WHEN $1 = '` + Admins + `'
	            THEN (SELECT COUNT(*) FROM users WHERE admin = 1)
	            ELSE (SELECT COUNT(*) FROM group_members m JOIN groups g ON g.id = m.group_id WHERE g.name = $1)
	       END`

// texts returns the one column of a query.
func (tx *Tx) texts(of, query string, args ...any) ([]string, error) {
	rows, err := tx.q.QueryContext(tx.ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", of, err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("reading %s: %w", of, err)
		}
		list = append(list, text)
	}
	return list, rows.Err()
}
