package move

import (
	"context"
	"errors"

	"gatelodge/store"
)

// Exporter hands the people out.
type Exporter struct {
	DB      *store.DB
	Secrets bool // with upstream tokens and password hashes
}

// Handed says how much an export holds.
type Handed struct {
	Users     int `json:"users"`
	Accounts  int `json:"accounts"`
	Passkeys  int `json:"passkeys"`
	Passwords int `json:"passwords"`
}

// citizen is a person as the store has them.
type citizen struct {
	user     store.User
	accounts []store.Account
	passkeys []store.Passkey
	password string // "" without secrets
}

// each calls f for everybody, in one snapshot.
func (e *Exporter) each(ctx context.Context, f func(citizen) error) (Handed, error) {
	var h Handed
	err := e.DB.LongView(ctx, func(tx *store.Tx) error {
		after := ""
		for {
			page, err := tx.Users(after, batchSize)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, u := range page {
				c, err := e.citizen(tx, u)
				if err != nil {
					return err
				}
				h.count(c)
				if err := f(c); err != nil {
					return err
				}
			}
			after = page[len(page)-1].EmailNorm
		}
	})
	return h, err
}

func (h *Handed) count(c citizen) {
	h.Users++
	h.Accounts += len(c.accounts)
	h.Passkeys += len(c.passkeys)
	if c.password != "" {
		h.Passwords++
	}
}

func (e *Exporter) citizen(tx *store.Tx, u store.User) (citizen, error) {
	c := citizen{user: u}
	var err error
	if c.accounts, err = tx.AccountsOf(u.ID); err != nil {
		return c, err
	}
	if c.passkeys, err = tx.PasskeysOf(u.ID); err != nil {
		return c, err
	}
	if !e.Secrets {
		for i := range c.accounts {
			c.accounts[i].Tokens.Access, c.accounts[i].Tokens.Refresh, c.accounts[i].Tokens.ID = "", "", ""
		}
		return c, nil
	}
	p, err := tx.PasswordOf(u.ID)
	if errors.Is(err, store.ErrNotFound) {
		return c, nil
	}
	c.password = p.Hash
	return c, err
}
