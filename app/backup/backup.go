// Package backup writes a copy of the database every so often, looks whether it
// is whole, and removes the oldest ones.
//
// It looks for damage in the database first, so that a damaged one is noticed
// within a day and its copy never takes the place of a good one: nothing is
// removed unless a new backup was made and read back. It removes only what it
// has made itself, and never fills the disk. When it fails it says so in the
// log, the audit log and to "gatelodge doctor"; signing in goes on.
package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/secret"
	"gatelodge/store"
)

const (
	startAfter = time.Minute // a start has better things to do first
	lookEvery  = time.Minute
	retryAfter = time.Hour
	// spare is what a backup leaves free at least, besides room for the database
	// to double.
	spare = 16 << 20
	dueAt = "backup_due_at"
)

// Config is what Backups need.
type Config struct {
	DB    *store.DB
	Audit *audit.Log
	Log   *slog.Logger
	Now   func() time.Time
	Every time.Duration // 0: never by itself
	Keep  int
	Dir   string // "" is "backups" in the data directory
}

// Backups makes and keeps them.
type Backups struct {
	Config
	own  bool   // the directory is ours to make
	name string // what our files' names begin with

	making sync.Mutex // held by the one that is making a backup
	mu     sync.Mutex
	failed error
}

// New returns Backups. Its Run makes them.
func New(c Config) *Backups {
	b := &Backups{Config: c, own: c.Dir == ""}
	if b.own {
		b.Dir = filepath.Join(c.DB.Dir(), "backups")
	}
	// Two houses may share a directory: each knows its own files by this.
	b.name = "gatelodge-" + hex.EncodeToString(c.DB.Keyring().Derive("backup name")[:4]) + "-"
	return b
}

// Run makes a backup whenever one is due, until ctx ends.
func (b *Backups) Run(ctx context.Context) {
	if b.Every <= 0 {
		return
	}
	for wait := startAfter; ; wait = lookEvery {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if err := b.ifDue(ctx); err != nil && ctx.Err() == nil {
			b.Log.Error("looking whether a backup is due", "err", err)
		}
	}
}

// ifDue makes a backup when one is due.
func (b *Backups) ifDue(ctx context.Context) error {
	due, err := b.claim(ctx)
	if err != nil || !due {
		return err
	}
	began := b.Now()
	from := audit.Origin{IP: "local", Network: "local", Device: "schedule", Reference: secret.Reference()}
	made, err := b.Make(ctx, from, audit.BySystem)
	if err != nil {
		return nil // reported by Make; the next attempt is booked
	}
	b.Log.Info("backed up", "file", made.Path, "bytes", made.Size)
	return b.DB.Update(ctx, func(tx *store.Tx) error { return tx.SetMoment(dueAt, began.Add(b.Every)) })
}

// claim reports whether a backup is due, and books the next attempt, should this
// one fail or be killed. Of several servers over one database one gets it.
func (b *Backups) claim(ctx context.Context) (due bool, err error) {
	now := b.Now()
	look := func(tx *store.Tx) error {
		at, err := tx.Moment(dueAt)
		// One that is further away than a whole interval was booked by a clock that
		// has been set back since, or before the interval was made shorter.
		due = !now.Before(at) || at.Sub(now) > b.Every
		return err
	}
	if err := b.DB.View(ctx, look); err != nil || !due {
		return false, err
	}
	err = b.DB.Update(ctx, func(tx *store.Tx) error {
		if err := look(tx); err != nil || !due {
			return err
		}
		return tx.SetMoment(dueAt, now.Add(min(b.Every, retryAfter)))
	})
	return due && err == nil, err
}

// Make makes a backup now, and removes those that are too many.
func (b *Backups) Make(ctx context.Context, from audit.Origin, actor string) (Made, error) {
	b.making.Lock()
	defer b.making.Unlock()
	made, err := b.make(ctx)
	if ctx.Err() != nil {
		return Made{}, ctx.Err()
	}
	b.mu.Lock()
	b.failed = err
	b.mu.Unlock()
	kind, detail := audit.BackupMade, filepath.Base(made.Path)
	if err != nil {
		kind, detail = audit.BackupFailed, err.Error()
		b.Log.Error("the backup failed", "ref", from.Reference, "err", err)
	}
	recorded := b.DB.Update(ctx, func(tx *store.Tx) error { return b.Audit.Record(tx, from, kind, actor, "", detail) })
	return made, errors.Join(err, recorded)
}

func (b *Backups) make(ctx context.Context) (Made, error) {
	if err := b.prepare(); err != nil {
		return Made{}, err
	}
	if err := b.DB.Check(ctx); err != nil {
		return Made{}, err
	}
	if err := b.wantSpace(); err != nil {
		return Made{}, err
	}
	at := b.Now().UTC().Truncate(time.Second)
	path := filepath.Join(b.Dir, b.nameAt(at))
	if err := b.DB.Backup(ctx, path); err != nil {
		return Made{}, err
	}
	// Read back: what bears this name can be trusted.
	if _, err := store.Inspect(ctx, path); err != nil {
		return Made{}, errors.Join(fmt.Errorf("reading the backup back: %w", err), os.Remove(path))
	}
	info, err := os.Stat(path)
	if err != nil {
		return Made{}, err
	}
	made := Made{Path: path, At: at, Size: info.Size()}
	return made, b.prune(path)
}

// prepare makes the directory, when it is ours, and clears away what a backup
// that was killed has left.
func (b *Backups) prepare() error {
	if b.own {
		if err := os.MkdirAll(b.Dir, 0o700); err != nil {
			return fmt.Errorf("making %s: %w", b.Dir, err)
		}
	}
	info, err := os.Stat(b.Dir)
	if err != nil || !info.IsDir() {
		// Not made here: a disk that is not mounted must not be filled in its stead.
		return store.NewProblem(store.ErrReadOnly, "the backup directory "+b.Dir+" is not there", "mount its disk, make it, or change backup.dir")
	}
	return b.clear()
}

// wantSpace refuses a backup that would bring the database's own disk, or
// another's, near its end.
func (b *Backups) wantSpace() error {
	size, err := b.DB.Size()
	if err != nil {
		return err
	}
	free, err := store.FreeSpace(b.Dir)
	if err != nil {
		return err
	}
	if need := 2*uint64(size) + spare; free < need {
		return store.NewProblem(store.ErrFull,
			fmt.Sprintf("there are %d MB free for backups in %s, and one more is made only while there are %d", free>>20, b.Dir, need>>20),
			"free some space, keep fewer with backup.keep, or put them on another disk with backup.dir")
	}
	return nil
}

// State is how the backups fare.
type State struct {
	Every  time.Duration
	Dir    string
	Failed error // of the last attempt of this run
	Kept   []Made
}

// State tells how the backups fare.
func (b *Backups) State() (State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept, err := b.kept()
	return State{Every: b.Every, Dir: b.Dir, Failed: b.failed, Kept: kept}, err
}
