package move

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"
)

// prismaSchema is what Prisma makes of the models that Auth.js asks for, on
// SQLite. It stays readable for its adapter: empty tables are there too.
//
//go:embed prisma.sql
var prismaSchema string

// passkeyProvider is what Auth.js calls its passkeys as a provider.
const passkeyProvider = "passkey"

// Prisma writes the people to a SQLite file, readable by its owner alone, that
// Auth.js opens with its Prisma adapter. The file must not be there yet, and
// is not there after an error.
func (e *Exporter) Prisma(ctx context.Context, path string) (h Handed, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return h, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	if err := f.Close(); err != nil {
		return h, err
	}
	pool, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=journal_mode(MEMORY)&_pragma=foreign_keys(1)")
	if err != nil {
		return h, err
	}
	pool.SetMaxOpenConns(1)
	h, err = e.fill(ctx, pool)
	return h, errors.Join(err, pool.Close())
}

func (e *Exporter) fill(ctx context.Context, pool *sql.DB) (Handed, error) {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return Handed{}, err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, prismaSchema); err != nil {
		return Handed{}, fmt.Errorf("making the tables: %w", err)
	}
	if e.Secrets {
		if _, err := tx.ExecContext(ctx, `ALTER TABLE "User" ADD COLUMN "password" TEXT`); err != nil {
			return Handed{}, err
		}
	}
	out := prisma{ctx, tx}
	h, err := e.each(ctx, func(c citizen) error {
		if err := out.citizen(c); err != nil {
			return fmt.Errorf("user %s: %w", c.user.ID, err)
		}
		return nil
	})
	if err != nil {
		return h, err
	}
	return h, tx.Commit()
}

type prisma struct {
	ctx context.Context
	tx  *sql.Tx
}

// insert adds a row; what is "" is NULL.
func (p prisma) insert(query string, args ...any) error {
	for i, a := range args {
		if a == "" {
			args[i] = nil
		}
	}
	_, err := p.tx.ExecContext(p.ctx, query, args...)
	return err
}

func (p prisma) citizen(c citizen) error {
	u := c.user
	err := p.insert(`INSERT INTO "User" ("id", "name", "email", "emailVerified", "image", "createdAt", "updatedAt") VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		u.ID, u.Name, u.Email, prismaTime(u.EmailVerifiedAt), u.Image, prismaTime(u.CreatedAt), prismaTime(u.UpdatedAt))
	if err != nil {
		return err
	}
	if c.password != "" {
		if err := p.insert(`UPDATE "User" SET "password" = $2 WHERE "id" = $1`, u.ID, c.password); err != nil {
			return err
		}
	}
	for _, a := range c.accounts {
		var expires any
		if !a.Tokens.ExpiresAt.IsZero() {
			expires = a.Tokens.ExpiresAt.Unix()
		}
		if err := p.account(u.ID, a.Type, a.Provider, a.Subject, a.CreatedAt,
			a.Tokens.Refresh, a.Tokens.Access, expires, a.Tokens.Type, a.Tokens.Scope, a.Tokens.ID, a.SessionState); err != nil {
			return err
		}
	}
	for _, k := range c.passkeys {
		id, kind := base64.StdEncoding.EncodeToString(k.CredentialID), "singleDevice"
		if k.MultiDevice {
			kind = "multiDevice"
		}
		// Auth.js looks for an account beside each authenticator.
		if err := p.account(u.ID, "webauthn", passkeyProvider, id, k.CreatedAt, nil, nil, nil, nil, nil, nil, nil); err != nil {
			return err
		}
		err := p.insert(`
			INSERT INTO "Authenticator" ("credentialID", "userId", "providerAccountId", "credentialPublicKey", "counter", "credentialDeviceType", "credentialBackedUp", "transports")
			VALUES ($1, $2, $1, $3, $4, $5, $6, $7)`,
			id, u.ID, base64.StdEncoding.EncodeToString(k.PublicKey), k.SignCount, kind, k.BackedUp, strings.Join(strings.Fields(k.Transports), ","))
		if err != nil {
			return err
		}
	}
	return nil
}

// account adds a linked account; rest are its tokens in the order of the
// columns.
func (p prisma) account(userID, kind, provider, subject string, created time.Time, rest ...any) error {
	return p.insert(`
		INSERT INTO "Account" ("userId", "type", "provider", "providerAccountId", "createdAt", "updatedAt",
		                       "refresh_token", "access_token", "expires_at", "token_type", "scope", "id_token", "session_state")
		VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10, $11, $12)`,
		append([]any{userID, kind, provider, subject, prismaTime(created)}, rest...)...)
}

// prismaTime is a time as Prisma keeps it in SQLite, or NULL.
func prismaTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000+00:00")
}
