package store

import (
	"context"
	"errors"
	"fmt"
)

const groupSize = 64 // jobs that share one commit

// job is one Update on its way through the writer.
type job struct {
	ctx  context.Context
	f    func(*Tx) error
	err  error
	done chan struct{}
}

// update queues f for the writer and waits for the disk.
func (e *sqliteEngine) update(ctx context.Context, f func(*Tx) error) error {
	if e.damaged.Load() {
		return e.refusal()
	}
	j := &job{ctx: ctx, f: f, done: make(chan struct{})}
	select {
	case e.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-e.closing:
		return ErrClosed
	}
	<-j.done
	e.notice(j.err)
	return j.err
}

// write is the one writer: whatever queued while the last commit ran becomes
// the next group. Nobody waits for a timer, and the disk is synced once a group.
func (e *sqliteEngine) write() {
	group := make([]*job, 0, groupSize)
	for {
		group = group[:0]
		select {
		case j := <-e.jobs:
			group = append(group, j)
		case <-e.closing:
			return
		}
	more:
		for len(group) < groupSize {
			select {
			case j := <-e.jobs:
				group = append(group, j)
			default:
				break more
			}
		}
		if e.commitGroup(group) {
			group = e.alsoBusy(group)
		}
		for _, j := range group {
			close(j.done)
		}
	}
}

// commitGroup runs the jobs in one transaction, each in a savepoint. When the
// transaction itself breaks (SQLite ends it when the disk is full), every job
// gets a transaction of its own, so that one that cannot be written takes no
// other with it.
//
// It reports whether another program holds the database: then none of them is tried
// again.
func (e *sqliteEngine) commitGroup(group []*job) (busy bool) {
	broken := e.inOneTx(group)
	if broken == nil {
		return false
	}
	if busy = errors.Is(broken, ErrBusy); busy || len(group) == 1 {
		for _, j := range group {
			j.err = broken
		}
		return busy
	}
	for _, j := range group {
		if err := e.inOneTx([]*job{j}); err != nil {
			j.err = err
		}
	}
	return false
}

// alsoBusy adds the jobs that queued while the group waited for another program. They
// have waited too, and fail with the group: each waiting in its turn would take minutes.
func (e *sqliteEngine) alsoBusy(group []*job) []*job {
	err := group[0].err
	for {
		select {
		case j := <-e.jobs:
			j.err = err
			group = append(group, j)
		default:
			return group
		}
	}
}

// inOneTx sets each job's error and commits. It returns an error when nothing
// of the group was committed.
func (e *sqliteEngine) inOneTx(group []*job) error {
	// A caller that went away must not undo the others' work.
	ctx := context.Background()
	tx, err := e.writers.BeginTx(ctx, nil)
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
		j.err = classify(e.run(ctx, tx, j.f))
		end := "RELEASE job"
		if j.err != nil {
			end = "ROLLBACK TO job; RELEASE job"
		}
		if _, err := tx.ExecContext(ctx, end); err != nil {
			return errors.Join(j.err, fmt.Errorf("ending a write: %w", classify(err)))
		}
	}
	err = tx.Commit()
	e.cache.written() // even when it failed: then nobody knows what was written
	if err != nil {
		return fmt.Errorf("committing: %w", classify(err))
	}
	return nil
}
