package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Challenge is a single-use secret we mailed and await: a link's token and a
// 6-digit code that stands for the same thing. Only hashes are kept.
type Challenge struct {
	ID            string
	TokenHash     []byte
	Purpose       string // "signin", "reset" …; see package challenge
	EmailNorm     string
	UserID        string // "" when nobody has that address; such a one is redeemed only when it has a Detail: by a stranger who may come
	BrowserHash   []byte // of the browser that asked
	CodeHash      []byte
	Attempts      int // wrong codes so far
	Sends         int // how often that browser has asked within the hour
	IP            string
	Device        string
	Detail        string // what the purpose needs besides
	CreatedAt     time.Time
	ExpiresAt     time.Time // of the link
	CodeExpiresAt time.Time
	EndedAt       time.Time
	EndedBy       string // "", "used", "superseded" or "cancelled"
}

const challengeColumns = `id, token_hash, purpose, email_norm, user_id, browser_hash, code_hash, attempts, sends,
	ip, device, detail, created_at, expires_at, code_expires_at, ended_at, ended_by`

func scanChallenge(row interface{ Scan(...any) error }) (Challenge, error) {
	var c Challenge
	var user sql.NullString
	var ended sql.NullInt64
	var created, expires, codeExpires int64
	err := row.Scan(&c.ID, &c.TokenHash, &c.Purpose, &c.EmailNorm, &user, &c.BrowserHash, &c.CodeHash, &c.Attempts, &c.Sends,
		&c.IP, &c.Device, &c.Detail, &created, &expires, &codeExpires, &ended, &c.EndedBy)
	if errors.Is(err, sql.ErrNoRows) {
		return Challenge{}, ErrNotFound
	}
	if err != nil {
		return Challenge{}, fmt.Errorf("reading a challenge: %w", err)
	}
	c.UserID = user.String
	c.CreatedAt, c.ExpiresAt, c.CodeExpiresAt, c.EndedAt = at(created), at(expires), at(codeExpires), atNull(ended)
	return c, nil
}

// AddChallenge adds c.
func (tx *Tx) AddChallenge(c Challenge) error {
	user := sql.NullString{String: c.UserID, Valid: c.UserID != ""}
	return tx.exec("adding a challenge", addChallengeQuery, c.ID, c.TokenHash, c.Purpose, c.EmailNorm, user, c.BrowserHash,
		c.CodeHash, c.Attempts, c.Sends, c.IP, c.Device, c.Detail, ms(c.CreatedAt), ms(c.ExpiresAt), ms(c.CodeExpiresAt))
}

const addChallengeQuery = `
	INSERT INTO challenges (id, token_hash, purpose, email_norm, user_id, browser_hash, code_hash, attempts, sends,
	                        ip, device, detail, created_at, expires_at, code_expires_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`

// ChallengeByToken returns the challenge with that token hash in whatever
// state it is, or ErrNotFound. Who holds the token may know what became of it.
func (tx *Tx) ChallengeByToken(tokenHash []byte) (Challenge, error) {
	return scanChallenge(tx.q.QueryRowContext(tx.ctx, challengeByTokenQuery, tokenHash))
}

const challengeByTokenQuery = `SELECT ` + challengeColumns + ` FROM challenges WHERE token_hash = $1`

// ChallengeByID returns the challenge, or ErrNotFound.
func (tx *Tx) ChallengeByID(id string) (Challenge, error) {
	return scanChallenge(tx.q.QueryRowContext(tx.ctx, challengeByIDQuery, id))
}

const challengeByIDQuery = `SELECT ` + challengeColumns + ` FROM challenges WHERE id = $1`

// LatestChallenge returns the newest challenge this browser asked for with
// that address since the given time, or ErrNotFound.
func (tx *Tx) LatestChallenge(emailNorm, purpose string, browserHash []byte, since time.Time) (Challenge, error) {
	return scanChallenge(tx.q.QueryRowContext(tx.ctx, latestChallengeQuery, emailNorm, purpose, browserHash, ms(since)))
}

const latestChallengeQuery = `
	SELECT ` + challengeColumns + `
	  FROM challenges
	 WHERE email_norm = $1 AND purpose = $2 AND browser_hash = $3 AND created_at >= $4
	 ORDER BY created_at DESC, id DESC
	 LIMIT 1`

// SpendChallenge ends the challenge with that token and purpose as used and
// returns it. Of many callers with one token, one succeeds; the others, and those
// with a token that is unknown, expired, ended, nobody's or of another purpose,
// get ErrNotFound.
func (tx *Tx) SpendChallenge(tokenHash []byte, purpose string, now time.Time) (Challenge, error) {
	return scanChallenge(tx.q.QueryRowContext(tx.ctx, spendChallengeQuery, tokenHash, ms(now), purpose))
}

const spendChallengeQuery = `
	UPDATE challenges
	   SET ended_at = $2, ended_by = 'used'
	 WHERE token_hash = $1 AND purpose = $3 AND ended_at IS NULL AND expires_at > $2
	   AND (user_id IS NOT NULL OR detail <> '')
	RETURNING ` + challengeColumns

// TryCode counts one attempt at the challenge's code and returns the challenge
// to compare with. The attempt is counted before anybody knows whether it is
// right. ErrNotFound when there is nothing to try: ended, expired, asked for by
// another browser, or limit attempts made.
func (tx *Tx) TryCode(id string, browserHash []byte, limit int, now time.Time) (Challenge, error) {
	return scanChallenge(tx.q.QueryRowContext(tx.ctx, tryCodeQuery, id, browserHash, limit, ms(now)))
}

const tryCodeQuery = `
	UPDATE challenges
	   SET attempts = attempts + 1
	 WHERE id = $1 AND browser_hash = $2 AND attempts < $3 AND ended_at IS NULL AND code_expires_at > $4
	RETURNING ` + challengeColumns

// EndChallenge ends a live challenge for the given reason, or returns
// ErrNotFound when it has ended before.
func (tx *Tx) EndChallenge(id, by string, now time.Time) error {
	return tx.change(ErrNotFound, "ending a challenge", endChallengeQuery, id, by, ms(now))
}

const endChallengeQuery = `UPDATE challenges SET ended_at = $3, ended_by = $2 WHERE id = $1 AND ended_at IS NULL`

// SupersedeChallenges ends the live challenges for an address that this
// browser asked for, and those whose mail has been cancelled and so will never
// be seen. Somebody else who asks for the same address ends nothing.
func (tx *Tx) SupersedeChallenges(emailNorm, purpose string, browserHash []byte, now time.Time) error {
	return tx.exec("superseding challenges", supersedeQuery, emailNorm, purpose, browserHash, ms(now))
}

const supersedeQuery = `
	UPDATE challenges
	   SET ended_at = $4, ended_by = 'superseded'
	 WHERE email_norm = $1 AND purpose = $2 AND ended_at IS NULL
	   AND (browser_hash = $3
	        OR EXISTS (SELECT 1 FROM messages m WHERE m.challenge_id = challenges.id AND m.state = 'cancelled'))`

// ChallengesOf returns the user's live challenges of a purpose, the newest first.
func (tx *Tx) ChallengesOf(userID, purpose string, now time.Time) ([]Challenge, error) {
	var list []Challenge
	err := tx.each("challenges", challengesOfQuery, []any{userID, purpose, ms(now)}, func(rows *sql.Rows) error {
		c, err := scanChallenge(rows)
		if err != nil {
			return err
		}
		list = append(list, c)
		return nil
	})
	return list, err
}

const challengesOfQuery = `
	SELECT ` + challengeColumns + `
	  FROM challenges
	 WHERE user_id = $1 AND purpose = $2 AND ended_at IS NULL AND expires_at > $3
	 ORDER BY created_at DESC, id DESC`

// HasChallenge reports whether anybody has a live challenge of that purpose for the
// address.
func (tx *Tx) HasChallenge(emailNorm, purpose string, now time.Time) (bool, error) {
	return tx.exists("a challenge", hasChallengeQuery, emailNorm, purpose, ms(now))
}

const hasChallengeQuery = `
	SELECT EXISTS (SELECT 1 FROM challenges WHERE email_norm = $1 AND purpose = $2 AND ended_at IS NULL AND expires_at > $3)`

// CancelChallenges ends the user's live challenges of a purpose, of those only the
// ones for emailNorm. Either may be "" for all.
func (tx *Tx) CancelChallenges(userID, purpose, emailNorm string, now time.Time) error {
	return tx.exec("cancelling challenges", cancelChallengesQuery, userID, purpose, emailNorm, ms(now))
}

const cancelChallengesQuery = `
	UPDATE challenges
	   SET ended_at = $4, ended_by = 'cancelled'
	 WHERE user_id = $1 AND ended_at IS NULL AND ($2 = '' OR purpose = $2) AND ($3 = '' OR email_norm = $3)`

// CancelChallengesSince ends the user's live challenges that were made then or
// later, whatever they are for.
func (tx *Tx) CancelChallengesSince(userID string, since, now time.Time) error {
	return tx.exec("cancelling challenges", cancelChallengesSinceQuery, userID, ms(since), ms(now))
}

const cancelChallengesSinceQuery = `
	UPDATE challenges
	   SET ended_at = $3, ended_by = 'cancelled'
	 WHERE user_id = $1 AND ended_at IS NULL AND created_at >= $2`
