package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Invite lets somebody in who is not known yet.
type Invite struct {
	ID        string
	TokenHash []byte
	Email     string // as typed; "" is an invite for whoever has the link
	EmailNorm string
	UsesLeft  int
	CreatedBy string // the admin's user id, or "" for the command line
	CreatedAt time.Time
	ExpiresAt time.Time
	RevokedAt time.Time
	Groups    []string // names; what who comes is put into
	MessageID string   // of the mail that carries it; "" for a link
	Mail      string   // the state of that mail, or "" when it is not known any more
}

const (
	inviteColumns = `id, token_hash, email, email_norm, uses_left, created_by, created_at, expires_at, revoked_at, message_id`
	inviteMail    = `, (SELECT state FROM messages WHERE messages.id = invites.message_id)`
)

// scanInvite reads inviteColumns with inviteMail, and after them what more names.
func scanInvite(row interface{ Scan(...any) error }, more ...any) (Invite, error) {
	var v Invite
	var created, expires int64
	var revoked sql.NullInt64
	var mail sql.NullString
	err := row.Scan(append([]any{
		&v.ID, &v.TokenHash, &v.Email, &v.EmailNorm, &v.UsesLeft, &v.CreatedBy, &created, &expires, &revoked, &v.MessageID, &mail,
	}, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return Invite{}, ErrNotFound
	}
	if err != nil {
		return Invite{}, fmt.Errorf("reading an invite: %w", err)
	}
	v.CreatedAt, v.ExpiresAt, v.RevokedAt, v.Mail = at(created), at(expires), atNull(revoked), mail.String
	return v, nil
}

// AddInvite adds v and its groups. ErrNotFound when a group is unknown.
func (tx *Tx) AddInvite(v Invite) error {
	err := tx.exec("adding an invite", addInviteQuery, v.ID, v.TokenHash, v.Email, v.EmailNorm, v.UsesLeft, v.CreatedBy, ms(v.CreatedAt), ms(v.ExpiresAt), v.MessageID)
	if err != nil {
		return err
	}
	for _, name := range v.Groups {
		known, err := tx.did("adding a group to an invite", addInviteGroupQuery, v.ID, name)
		if err != nil {
			return err
		}
		if !known {
			return fmt.Errorf("the group %q: %w", name, ErrNotFound)
		}
	}
	return nil
}

const addInviteQuery = `
	INSERT INTO invites (id, token_hash, email, email_norm, uses_left, created_by, created_at, expires_at, message_id)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

const addInviteGroupQuery = `INSERT INTO invite_groups (invite_id, group_id) SELECT $1, id FROM groups WHERE name = $2`

// InviteByToken returns the invite in whatever state it is, or ErrNotFound.
func (tx *Tx) InviteByToken(tokenHash []byte) (Invite, error) {
	return tx.inviteWithGroups(scanInvite(tx.q.QueryRowContext(tx.ctx, inviteByTokenQuery, tokenHash)))
}

const inviteByTokenQuery = `SELECT ` + inviteColumns + inviteMail + ` FROM invites WHERE token_hash = $1`

// InviteByID returns the invite in whatever state it is, or ErrNotFound.
func (tx *Tx) InviteByID(id string) (Invite, error) {
	return tx.inviteWithGroups(scanInvite(tx.q.QueryRowContext(tx.ctx, inviteByIDQuery, id)))
}

const inviteByIDQuery = `SELECT ` + inviteColumns + inviteMail + ` FROM invites WHERE id = $1`

// InviteByEmail returns the invite that was mailed to the normal address: the newest
// that can be accepted, else the newest. Or ErrNotFound.
func (tx *Tx) InviteByEmail(norm string, now time.Time) (Invite, error) {
	return tx.inviteWithGroups(scanInvite(tx.q.QueryRowContext(tx.ctx, inviteByEmailQuery, norm, ms(now))))
}

const inviteByEmailQuery = `
	SELECT ` + inviteColumns + inviteMail + `
	  FROM invites
	 WHERE email_norm = $1
	 ORDER BY CASE WHEN uses_left > 0 AND revoked_at IS NULL AND expires_at > $2 THEN 0 ELSE 1 END, id DESC
	 LIMIT 1`

func (tx *Tx) inviteWithGroups(v Invite, err error) (Invite, error) {
	if err != nil {
		return Invite{}, err
	}
	v.Groups, err = tx.texts("the groups of an invite", inviteGroupsQuery, v.ID)
	return v, err
}

const inviteGroupsQuery = `
	SELECT g.name
	  FROM invite_groups i
	  JOIN groups g ON g.id = i.group_id
	 WHERE i.invite_id = $1
	 ORDER BY g.name`

// SpendInvite takes one of the invite's uses and returns it. Of many callers
// no more succeed than it has uses; the others, and those with one that is
// expired or revoked, get ErrNotFound.
func (tx *Tx) SpendInvite(id string, now time.Time) (Invite, error) {
	return tx.inviteWithGroups(scanInvite(tx.q.QueryRowContext(tx.ctx, spendInviteQuery, id, ms(now))))
}

const spendInviteQuery = `
	UPDATE invites
	   SET uses_left = uses_left - 1
	 WHERE id = $1 AND uses_left > 0 AND revoked_at IS NULL AND expires_at > $2
	RETURNING ` + inviteColumns + `, NULL`

// Sent is an invite with who made it.
type Sent struct {
	Invite
	By User // zero for the command line, and for somebody who is no more; of the user no more than the names
}

// Invites returns the invites there are, the newest first.
func (tx *Tx) Invites(limit int) ([]Sent, error) {
	rows, err := tx.q.QueryContext(tx.ctx, invitesQuery, limit)
	if err != nil {
		return nil, fmt.Errorf("listing invites: %w", err)
	}
	defer rows.Close()
	var list []Sent
	for rows.Next() {
		var groups, id, name, email, username sql.NullString
		v, err := scanInvite(rows, &groups, &id, &name, &email, &username)
		if err != nil {
			return nil, err
		}
		v.Groups = listOf(groups)
		list = append(list, Sent{v, User{ID: id.String, Name: name.String, Email: email.String, Username: username.String}})
	}
	return list, rows.Err()
}

const invitesQuery = `
	SELECT ` + inviteList + inviteMail + `,
	       (SELECT string_agg(g.name, ',' ORDER BY g.name) FROM invite_groups i JOIN groups g ON g.id = i.group_id WHERE i.invite_id = invites.id),
	       u.id, u.name, u.email, u.username
	  FROM invites
	  LEFT JOIN users u ON u.id = invites.created_by
	 ORDER BY invites.id DESC
	 LIMIT $1`

// inviteList is inviteColumns beside those of another table.
const inviteList = `invites.id, token_hash, invites.email, invites.email_norm, uses_left, created_by, invites.created_at, expires_at, revoked_at, message_id`

// RevokeInvite ends the invite, or returns ErrNotFound when it has ended
// before or there is none.
func (tx *Tx) RevokeInvite(id string, now time.Time) error {
	return tx.change(ErrNotFound, "revoking an invite", revokeInviteQuery, id, ms(now))
}

const revokeInviteQuery = `UPDATE invites SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2 AND uses_left > 0`

// ReplaceInvites revokes the invites to a normal address that can be accepted, and
// returns the ids of the messages with their links.
func (tx *Tx) ReplaceInvites(norm string, now time.Time) (messages []string, err error) {
	return tx.texts("replacing invites", replaceInvitesQuery, norm, ms(now))
}

const replaceInvitesQuery = `
	UPDATE invites
	   SET revoked_at = $2
	 WHERE email_norm = $1 AND uses_left > 0 AND revoked_at IS NULL AND expires_at > $2
	RETURNING COALESCE(message_id, '')`

// useUpPlainInvites uses up the invites to an address that has an account now and that
// have nothing more to give. Those with groups stay: the user can still accept them.
func (tx *Tx) useUpPlainInvites(norm string) error {
	return tx.exec("using up invites", useUpPlainInvitesQuery, norm)
}

const useUpPlainInvitesQuery = useUpInvitesQuery + ` AND NOT EXISTS (SELECT 1 FROM invite_groups g WHERE g.invite_id = invites.id)`

// UseUpInvites uses up all invites to the address of a user who has just registered.
func (tx *Tx) UseUpInvites(norm string) error {
	return tx.exec("using up invites", useUpInvitesQuery, norm)
}

const useUpInvitesQuery = `UPDATE invites SET uses_left = 0 WHERE email_norm = $1 AND uses_left > 0 AND revoked_at IS NULL`

// Applicant is somebody who waits for an admin's word: who proved an address, or came
// by an upstream.
type Applicant struct {
	ID         string
	Email      string // that was proven to be theirs; "" for none
	EmailNorm  string // what they are found by; for who has no address, their identity
	Claimed    string // the address that the upstream sent; it is not confirmed
	Name       string
	Language   string
	Provider   string // the upstream identity they came with; "" for none
	Subject    string
	Issuer     string
	Type       string
	IP         string
	Device     string
	CreatedAt  time.Time
	RefusedAt  time.Time
	NotifiedAt time.Time // when admins were mailed; zero for never
}

const applicantColumns = `id, email, email_norm, claimed, name, language, provider, subject, issuer, type, ip, device, created_at, refused_at, told_at`

func scanApplicant(row interface{ Scan(...any) error }) (Applicant, error) {
	var a Applicant
	var created int64
	var refused, notified sql.NullInt64
	err := row.Scan(&a.ID, &a.Email, &a.EmailNorm, &a.Claimed, &a.Name, &a.Language, &a.Provider, &a.Subject, &a.Issuer, &a.Type, &a.IP, &a.Device,
		&created, &refused, &notified)
	if errors.Is(err, sql.ErrNoRows) {
		return Applicant{}, ErrNotFound
	}
	if err != nil {
		return Applicant{}, fmt.Errorf("reading an applicant: %w", err)
	}
	a.CreatedAt, a.RefusedAt, a.NotifiedAt = at(created), atNull(refused), atNull(notified)
	return a, nil
}

// AddApplicant adds a and reports whether they are new: who waits already, or
// was refused, is not asked about again.
func (tx *Tx) AddApplicant(a Applicant) (bool, error) {
	return tx.did("adding an applicant", addApplicantQuery, a.ID, a.Email, a.EmailNorm, a.Claimed, a.Name, a.Language,
		a.Provider, a.Subject, a.Issuer, a.Type, a.IP, a.Device, ms(a.CreatedAt))
}

const addApplicantQuery = `
	INSERT INTO applicants (id, email, email_norm, claimed, name, language, provider, subject, issuer, type, ip, device, created_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
	    ON CONFLICT (email_norm) DO NOTHING`

// MarkNotified records that admins were mailed about an applicant.
func (tx *Tx) MarkNotified(id string, now time.Time) error {
	return tx.change(ErrNotFound, "recording the notice of an applicant", notifiedQuery, id, ms(now))
}

const notifiedQuery = `UPDATE applicants SET told_at = $2 WHERE id = $1`

// ApplicantByEmail returns the applicant, waiting or refused, or ErrNotFound.
func (tx *Tx) ApplicantByEmail(norm string) (Applicant, error) {
	return scanApplicant(tx.q.QueryRowContext(tx.ctx, applicantByEmailQuery, norm))
}

const applicantByEmailQuery = `SELECT ` + applicantColumns + ` FROM applicants WHERE email_norm = $1`

// Applicants returns those who wait, the longest first.
func (tx *Tx) Applicants(limit int) ([]Applicant, error) {
	var list []Applicant
	err := tx.each("applicants", applicantsQuery, []any{limit}, func(rows *sql.Rows) error {
		a, err := scanApplicant(rows)
		if err != nil {
			return err
		}
		list = append(list, a)
		return nil
	})
	return list, err
}

const applicantsQuery = `SELECT ` + applicantColumns + ` FROM applicants WHERE refused_at IS NULL ORDER BY created_at, id LIMIT $1`

// ApplicantsSince counts those who asked after a moment and were not let in yet.
func (tx *Tx) ApplicantsSince(t time.Time) (int, error) {
	var n int
	if err := tx.q.QueryRowContext(tx.ctx, applicantsSinceQuery, ms(t)).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting applicants: %w", err)
	}
	return n, nil
}

const applicantsSinceQuery = `SELECT COUNT(*) FROM applicants WHERE created_at > $1`

// TakeApplicant removes the applicant and returns them: of two admins who
// approve, one does. ErrNotFound when there is none.
func (tx *Tx) TakeApplicant(norm string) (Applicant, error) {
	return scanApplicant(tx.q.QueryRowContext(tx.ctx, takeApplicantQuery, norm))
}

const takeApplicantQuery = `DELETE FROM applicants WHERE email_norm = $1 RETURNING ` + applicantColumns

// RefuseApplicant marks somebody who waits as refused, or returns ErrNotFound.
func (tx *Tx) RefuseApplicant(norm string, now time.Time) error {
	return tx.change(ErrNotFound, "refusing an applicant", refuseApplicantQuery, norm, ms(now))
}

const refuseApplicantQuery = `UPDATE applicants SET refused_at = $2 WHERE email_norm = $1 AND refused_at IS NULL`
