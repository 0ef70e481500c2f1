package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

const (
	groupSize = 64                    // jobs that share one commit
	slowJob   = 50 * time.Millisecond // longer holds everybody up: it is logged
)

// job is one Update on its way through the writer.
type job struct {
	ctx  context.Context
	f    func(*Tx) error
	err  error
	done chan struct{}
}

// Update runs f in a transaction of its own and returns when it is on the
// disk. An error or panic of f undoes f alone. f may run twice, so it must
// only set its results, never add to them; and it must not hash, send or wait:
// all writers of the house stand behind it. A ctx that ends before f began
// stops it; afterwards it runs to its end.
func (db *DB) Update(ctx context.Context, f func(*Tx) error) error {
	j := &job{ctx: ctx, f: f, done: make(chan struct{})}
	select {
	case db.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closing:
		return ErrClosed
	}
	<-j.done
	return j.err
}

// write is the one writer: whatever queued while the last commit ran becomes
// the next group. Nobody waits for a timer, and the disk is synced once a group.
func (db *DB) write() {
	group := make([]*job, 0, groupSize)
	for {
		group = group[:0]
		select {
		case j := <-db.jobs:
			group = append(group, j)
		case <-db.closing:
			return
		}
	more:
		for len(group) < groupSize {
			select {
			case j := <-db.jobs:
				group = append(group, j)
			default:
				break more
			}
		}
		db.commitGroup(group)
		for _, j := range group {
			close(j.done)
		}
	}
}

// commitGroup runs the jobs in one transaction, each in a savepoint. When the
// transaction itself breaks (SQLite ends it when the disk is full), every job
// gets a transaction of its own, so that one that cannot be written takes no
// other with it.
func (db *DB) commitGroup(group []*job) {
	broken := db.inOneTx(group)
	if broken == nil {
		return
	}
	if len(group) == 1 {
		group[0].err = broken
		return
	}
	for _, j := range group {
		if err := db.inOneTx([]*job{j}); err != nil {
			j.err = err
		}
	}
}

// inOneTx sets each job's error and commits. It returns an error when nothing
// of the group was committed.
func (db *DB) inOneTx(group []*job) error {
	// A caller that went away must not undo the others' work.
	ctx := context.Background()
	tx, err := db.writers.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning a write: %w", classify(err))
	}
	defer tx.Rollback()
	for _, j := range group {
		if j.err = j.ctx.Err(); j.err != nil {
			continue
		}
		if _, err := tx.ExecContext(ctx, "SAVEPOINT job"); err != nil {
			return fmt.Errorf("beginning a write: %w", classify(err))
		}
		j.err = db.runJob(ctx, tx, j)
		end := "RELEASE job"
		if j.err != nil {
			end = "ROLLBACK TO job; RELEASE job"
		}
		if _, err := tx.ExecContext(ctx, end); err != nil {
			return errors.Join(j.err, fmt.Errorf("ending a write: %w", classify(err)))
		}
	}
	err = tx.Commit()
	db.cache.written() // even when it failed: then nobody knows what was written
	if err != nil {
		return fmt.Errorf("committing: %w", classify(err))
	}
	return nil
}

func (db *DB) runJob(ctx context.Context, tx *sql.Tx, j *job) (err error) {
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %v\n%s", p, debug.Stack())
		}
		if d := time.Since(start); d > slowJob {
			db.log.Warn("a write held up the others", "for", d)
		}
	}()
	return classify(j.f(&Tx{ctx: ctx, q: tx, db: db}))
}
