// Package dkim signs our mail (RFC 6376, RFC 8463) and keeps the keys.
//
// There are two keys at a time, RSA for everybody and Ed25519 for those who
// know it, made at first use and sealed in the store. They change in steps that
// leave no mail behind: a new pair is made and published, then it signs, and
// the old one stays in DNS until the last mail it signed has arrived.
package dkim

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"

	"gatelodge/store"
)

const (
	rsaBits = 2048
	// keepPublished is how long the record of a retired key is of use: mail that
	// it signed may be on its way for two days, and is looked at later.
	keepPublished = 7 * 24 * time.Hour
	// keepRetired is when a retired key is removed.
	keepRetired = 30 * 24 * time.Hour
	// readAgain is when the keys are read anew: another process may have switched
	// them, and the old ones are still published.
	readAgain = time.Minute
)

// What keeps a rotation from going on.
var (
	ErrPending   = errors.New("a new pair of keys waits to sign already")
	ErrNoPending = errors.New("no new pair of keys waits to sign")
)

// State says what a key does.
type State string

// The states, in the order in which a key passes through them.
const (
	Next    State = "next"    // published, so that it can sign soon
	Signing State = "signing" // signs our mail
	Retired State = "retired" // signed mail that is still on its way
	Old     State = "old"     // its record may go
)

// Key is a key as others see it.
type Key struct {
	Selector  string
	Domain    string
	Algorithm string
	State     State
	Since     time.Time
	Record    string // what TXT at Name holds
	signer    crypto.Signer
}

// Name returns where the record stands.
func (k Key) Name() string { return k.Selector + "._domainkey." + k.Domain }

// Ring holds the keys of one domain.
type Ring struct {
	DB     *store.DB
	Domain string
	Now    func() time.Time

	mu      sync.Mutex
	signing []Key // nil: to be read
	readAt  time.Time
}

// Keys returns every key, oldest first. It makes the first pair.
func (r *Ring) Keys(ctx context.Context) ([]Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys(ctx)
}

func (r *Ring) keys(ctx context.Context) ([]Key, error) {
	list, err := r.read(ctx)
	if err != nil || len(list) > 0 {
		return list, err
	}
	if err := r.add(ctx, true); err != nil {
		return nil, err
	}
	return r.read(ctx)
}

func (r *Ring) read(ctx context.Context) ([]Key, error) {
	var rows []store.DKIMKey
	err := r.DB.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.DKIMKeys(r.Domain)
		return err
	})
	if err != nil {
		return nil, err
	}
	list := make([]Key, len(rows))
	for i, row := range rows {
		if list[i], err = open(row, r.Now()); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// open reads a key from its row.
func open(row store.DKIMKey, now time.Time) (Key, error) {
	k := Key{Selector: row.Selector, Domain: row.Domain, Algorithm: row.Algorithm, State: Next, Since: row.CreatedAt}
	parsed, err := x509.ParsePKCS8PrivateKey(row.Private)
	if err != nil {
		return Key{}, fmt.Errorf("reading the DKIM key %s: %w", row.Selector, err)
	}
	var public []byte
	switch private := parsed.(type) {
	case *rsa.PrivateKey:
		k.signer = private
		if public, err = x509.MarshalPKIXPublicKey(&private.PublicKey); err != nil {
			return Key{}, fmt.Errorf("reading the DKIM key %s: %w", row.Selector, err)
		}
	case ed25519.PrivateKey:
		k.signer = private
		public = private.Public().(ed25519.PublicKey) // RFC 8463, 4.2: without a wrapping
	default:
		return Key{}, fmt.Errorf("the DKIM key %s is of an unknown kind", row.Selector)
	}
	k.Record = "v=DKIM1; k=" + row.Algorithm + "; p=" + base64.StdEncoding.EncodeToString(public)
	switch {
	case !row.RetiredAt.IsZero() && now.Sub(row.RetiredAt) > keepPublished:
		k.State, k.Since = Old, row.RetiredAt.Add(keepPublished)
	case !row.RetiredAt.IsZero():
		k.State, k.Since = Retired, row.RetiredAt
	case !row.SignsAt.IsZero():
		k.State, k.Since = Signing, row.SignsAt
	}
	return k, nil
}

// add makes a pair of keys under selectors that tell the month.
func (r *Ring) add(ctx context.Context, sign bool) error {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("making a DKIM key: %w", err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		return fmt.Errorf("making a DKIM key: %w", err)
	}
	now := r.Now()
	month := now.UTC().Format("200601")
	for _, suffix := range []string{"", "b", "c", "d", "e", "f", "g", "h"} {
		err = r.DB.Update(ctx, func(tx *store.Tx) error {
			if have, err := tx.DKIMKeys(r.Domain); err != nil || sign && len(have) > 0 {
				return err // another process made the first pair
			}
			for algorithm, private := range map[string]any{"rsa": rsaKey, "ed25519": edKey} {
				der, err := x509.MarshalPKCS8PrivateKey(private)
				if err != nil {
					return fmt.Errorf("making a DKIM key: %w", err)
				}
				k := store.DKIMKey{
					Selector: algorithm[:1] + month + suffix, Domain: r.Domain, Algorithm: algorithm, Private: der, CreatedAt: now,
				}
				if sign {
					k.SignsAt = now
				}
				if err := tx.AddDKIMKey(k); err != nil {
					return err
				}
			}
			return nil
		})
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return err
}

// Prepare makes the next pair of keys. They sign nothing yet: publish their
// records first. ErrPending when there is such a pair.
func (r *Ring) Prepare(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	list, err := r.keys(ctx)
	if err != nil {
		return err
	}
	for _, k := range list {
		if k.State == Next {
			return ErrPending
		}
	}
	return r.add(ctx, false)
}

// Switch lets the next pair sign and retires the one that did, and removes what
// was retired long ago. ErrNoPending when there is no next pair.
func (r *Ring) Switch(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	list, err := r.read(ctx)
	if err != nil {
		return err
	}
	pending := false
	for _, k := range list {
		pending = pending || k.State == Next
	}
	if !pending {
		return ErrNoPending
	}
	r.signing = nil
	return r.DB.Update(ctx, func(tx *store.Tx) error {
		now := r.Now()
		if _, err := tx.SwitchDKIMKeys(r.Domain, now); err != nil {
			return err
		}
		_, err := tx.RemoveDKIMKeys(r.Domain, now.Add(-keepRetired))
		return err
	})
}
