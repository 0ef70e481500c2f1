// Package keys changes the key that seals what must not be readable in a
// stolen database.
//
// A rotation puts a new key before the others, which from then on seals, and
// moves over what the older ones have sealed, in the background and in small
// parts. It may be interrupted anywhere: every key of the file opens. An older
// key is dropped only on request, and only when nothing is sealed with it.
package keys

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"gatelodge/app/audit"
	"gatelodge/store"
)

const (
	startAfter = 5 * time.Second  // a start has better things to do first
	retryAfter = 10 * time.Minute // when the disk is full, say
)

// Keys rotates the sealing keys of a store.
type Keys struct {
	db    *store.DB
	audit *audit.Log
	log   *slog.Logger
	wake  chan struct{}
	mu    sync.Mutex // held by the one resealing at a time
}

// New returns Keys. Its Run finishes rotations that were interrupted.
func New(db *store.DB, events *audit.Log, log *slog.Logger) *Keys {
	return &Keys{db: db, audit: events, log: log, wake: make(chan struct{}, 1)}
}

// Rotate makes a new key, seals with it from now on, and returns its id. Reseal
// moves the rest over, or else Run does.
func (k *Keys) Rotate(ctx context.Context, from audit.Origin) (string, error) {
	id, err := k.db.RotateKey()
	if err != nil {
		return "", err
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
	return id, k.record(ctx, from, audit.KeyRotated, id)
}

// Reseal seals with the newest key what others have sealed, and calls each after
// every part.
func (k *Keys) Reseal(ctx context.Context, each func(store.Resealed)) (store.Resealed, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.db.Reseal(ctx, each)
}

// Drop removes the older keys with which nothing is sealed from the key file
// and returns their ids. Backups that were made before the rotation need them.
func (k *Keys) Drop(ctx context.Context, from audit.Origin) ([]string, error) {
	ids, err := k.db.DropKeys(ctx)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return ids, k.record(ctx, from, audit.KeyDropped, strings.Join(ids, " "))
}

func (k *Keys) record(ctx context.Context, from audit.Origin, kind, detail string) error {
	return k.db.Update(ctx, func(tx *store.Tx) error { return k.audit.Record(tx, from, kind, audit.ByAdmin, "", detail) })
}

// Run moves over what older keys have sealed, at the start and after each
// rotation, until ctx ends.
func (k *Keys) Run(ctx context.Context) {
	next := time.After(startAfter)
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		case <-next:
		}
		next = nil
		if !k.db.HasOldKeys() {
			continue
		}
		done, err := k.Reseal(ctx, nil)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			k.log.Error("moving values to the new key", "err", err)
			next = time.After(retryAfter)
		case done.Lost > 0:
			k.log.Error("values that no key of the file opens; put back the key that is missing from secret.key", "count", done.Lost)
		case done.Done > 0:
			k.log.Info("moved values to the new key", "count", done.Done)
		}
	}
}
