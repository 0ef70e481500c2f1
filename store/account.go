package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Account is one upstream identity linked to a user.
type Account struct {
	ID             string
	UserID         string
	Provider       string // the upstream's id in the configuration
	Subject        string // what the upstream calls the person; with Provider unique
	Issuer         string // who vouched; "" when not known
	Type           string // "oauth" or "oidc"
	Email          string // as the upstream last sent it
	Name           string
	Tokens         Tokens
	SessionState   string
	RefreshingTill time.Time // somebody refreshes the tokens until then
	BrokenAt       time.Time // the upstream refused to refresh the tokens
	CreatedAt      time.Time
	UsedAt         time.Time // last sign-in; zero for never
}

// Tokens are what an upstream lets us ask it with. At rest they are sealed.
type Tokens struct {
	Access    string
	Refresh   string
	ID        string
	Type      string
	Scope     string
	ExpiresAt time.Time // of Access; zero: not known
}

const accountColumns = `id, user_id, provider, subject, issuer, type, email, name, access_token, refresh_token, id_token,
	token_type, scope, session_state, expires_at, refreshing_until, broken_at, created_at, used_at`

func (tx *Tx) scanAccount(row interface{ Scan(...any) error }) (Account, error) {
	var a Account
	var access, refresh, id []byte
	var expires, broken, used sql.NullInt64
	var refreshing, created int64
	err := row.Scan(&a.ID, &a.UserID, &a.Provider, &a.Subject, &a.Issuer, &a.Type, &a.Email, &a.Name, &access, &refresh, &id,
		&a.Tokens.Type, &a.Tokens.Scope, &a.SessionState, &expires, &refreshing, &broken, &created, &used)
	if errors.Is(err, sql.ErrNoRows) {
		return Account{}, ErrNotFound
	}
	if err != nil {
		return Account{}, fmt.Errorf("reading an account: %w", err)
	}
	for _, t := range []struct {
		column string
		box    []byte
		into   *string
	}{{"access_token", access, &a.Tokens.Access}, {"refresh_token", refresh, &a.Tokens.Refresh}, {"id_token", id, &a.Tokens.ID}} {
		if t.box == nil {
			continue
		}
		plain, err := tx.db.ring.Open("accounts/"+t.column+"/"+a.ID, t.box)
		if err != nil {
			return Account{}, err
		}
		*t.into = string(plain)
	}
	a.Tokens.ExpiresAt, a.BrokenAt, a.UsedAt = atNull(expires), atNull(broken), atNull(used)
	a.CreatedAt = at(created)
	if refreshing > 0 {
		a.RefreshingTill = at(refreshing)
	}
	return a, nil
}

// sealToken seals a token for its column; an empty one is NULL.
func (tx *Tx) sealToken(column, id, token string) []byte {
	if token == "" {
		return nil
	}
	return tx.db.ring.Seal("accounts/"+column+"/"+id, []byte(token))
}

// AddAccount links a. It returns ErrConflict when the identity is linked
// already, to whomever, and links nothing then.
func (tx *Tx) AddAccount(a Account) error {
	return tx.change(ErrConflict, "adding an account", addAccountQuery, a.ID, a.UserID, a.Provider, a.Subject, a.Issuer, a.Type, a.Email, a.Name,
		tx.sealToken("access_token", a.ID, a.Tokens.Access), tx.sealToken("refresh_token", a.ID, a.Tokens.Refresh),
		tx.sealToken("id_token", a.ID, a.Tokens.ID), a.Tokens.Type, a.Tokens.Scope, a.SessionState,
		nullMs(a.Tokens.ExpiresAt), ms(a.CreatedAt), nullMs(a.UsedAt))
}

const addAccountQuery = `
	INSERT INTO accounts (id, user_id, provider, subject, issuer, type, email, name, access_token, refresh_token, id_token,
	                      token_type, scope, session_state, expires_at, created_at, used_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
	    ON CONFLICT (provider, subject) DO NOTHING`

// AccountBySubject returns the account of an upstream identity, or ErrNotFound.
func (tx *Tx) AccountBySubject(provider, subject string) (Account, error) {
	return tx.scanAccount(tx.q.QueryRowContext(tx.ctx, accountBySubjectQuery, provider, subject))
}

const accountBySubjectQuery = `SELECT ` + accountColumns + ` FROM accounts WHERE provider = $1 AND subject = $2`

// AccountsOf returns the user's accounts, the oldest first.
func (tx *Tx) AccountsOf(userID string) ([]Account, error) {
	var list []Account
	err := tx.each("accounts", accountsOfQuery, []any{userID}, func(rows *sql.Rows) error {
		a, err := tx.scanAccount(rows)
		if err != nil {
			return err
		}
		list = append(list, a)
		return nil
	})
	return list, err
}

const accountsOfQuery = `SELECT ` + accountColumns + ` FROM accounts WHERE user_id = $1 ORDER BY created_at, id`

// UseAccount records a sign-in with the account: what the upstream sent this
// time. Its subject and issuer may be spelled out where they were not known.
// An empty refresh token leaves the old one, since upstreams send it once.
func (tx *Tx) UseAccount(a Account, now time.Time) error {
	return tx.change(ErrNotFound, "using an account", useAccountQuery, a.ID, a.Subject, a.Issuer, a.Type, a.Email, a.Name,
		tx.sealToken("access_token", a.ID, a.Tokens.Access), tx.sealToken("refresh_token", a.ID, a.Tokens.Refresh),
		tx.sealToken("id_token", a.ID, a.Tokens.ID), a.Tokens.Type, a.Tokens.Scope, nullMs(a.Tokens.ExpiresAt), ms(now))
}

const useAccountQuery = `
	UPDATE accounts
	   SET subject = $2, issuer = $3, type = $4, email = $5, name = $6,
	       access_token = $7, refresh_token = COALESCE($8, refresh_token), id_token = $9,
	       token_type = $10, scope = $11, expires_at = $12, broken_at = NULL, refreshing_until = 0, used_at = $13
	 WHERE id = $1`

// RemoveAccount unlinks the user's account with that id, or returns
// ErrNotFound: another user's account looks like none.
func (tx *Tx) RemoveAccount(userID, id string) error {
	return tx.change(ErrNotFound, "removing an account", removeAccountQuery, userID, id)
}

const removeAccountQuery = `DELETE FROM accounts WHERE user_id = $1 AND id = $2`

// ClaimRefresh makes the caller the only one who refreshes the account's
// tokens until a moment. ErrNotFound: somebody else does, or it is gone.
func (tx *Tx) ClaimRefresh(id string, until, now time.Time) error {
	return tx.change(ErrNotFound, "claiming a refresh", claimRefreshQuery, id, ms(until), ms(now))
}

const claimRefreshQuery = `UPDATE accounts SET refreshing_until = $2 WHERE id = $1 AND refreshing_until < $3`

// FinishRefresh stores what a refresh that ClaimRefresh allowed brought, and
// frees the claim. The claim's end tells it from one that came later: then
// nothing is stored and ErrNotFound returned.
func (tx *Tx) FinishRefresh(id string, claim time.Time, t Tokens) error {
	return tx.change(ErrNotFound, "storing refreshed tokens", finishRefreshQuery, id, ms(claim), tx.sealToken("access_token", id, t.Access),
		tx.sealToken("refresh_token", id, t.Refresh), tx.sealToken("id_token", id, t.ID), t.Type, t.Scope, nullMs(t.ExpiresAt))
}

const finishRefreshQuery = `
	UPDATE accounts
	   SET access_token = $3, refresh_token = $4, id_token = $5, token_type = $6, scope = $7, expires_at = $8,
	       broken_at = NULL, refreshing_until = 0
	 WHERE id = $1 AND refreshing_until = $2`

// FreeRefresh gives a claim back without tokens. broken, when not zero, says
// that the upstream has refused for good; the refresh token is forgotten then.
func (tx *Tx) FreeRefresh(id string, claim, broken time.Time) error {
	return tx.exec("freeing a refresh", freeRefreshQuery, id, ms(claim), nullMs(broken))
}

const freeRefreshQuery = `
	UPDATE accounts
	   SET refreshing_until = 0, broken_at = COALESCE($3, broken_at),
	       refresh_token = CASE WHEN $3 IS NULL THEN refresh_token ELSE NULL END
	 WHERE id = $1 AND refreshing_until = $2`
