package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

func TestEveryCodeOfPostgreSQLThatOperationMeetsHasAKind(t *testing.T) {
	for code, want := range map[string]error{
		"23505": ErrConflict, "53100": ErrFull, "25006": ErrReadOnly, "0A000": ErrReadOnly, "42501": ErrReadOnly,
		"XX001": ErrCorrupt, "XX002": ErrCorrupt, "58030": ErrIO, "58P01": ErrIO, "58000": ErrIO, "55P03": ErrBusy, "55006": ErrBusy, "40001": ErrBusy, "40P01": ErrBusy,
		"57014": ErrUnreachable, "57P01": ErrUnreachable, "57P02": ErrUnreachable, "57P03": ErrUnreachable, "57P04": ErrUnreachable, "57P05": ErrUnreachable,
		"08000": ErrUnreachable, "08003": ErrUnreachable, "08006": ErrUnreachable, "08P01": ErrUnreachable, "53000": ErrUnreachable, "53200": ErrUnreachable,
		"53300": ErrUnreachable, "53400": ErrUnreachable, "25P03": ErrUnreachable, "25P04": ErrUnreachable, "28000": ErrUnreachable, "28P01": ErrUnreachable, "3D000": ErrUnreachable,
	} {
		if err := classify(fmt.Errorf("asking: %w", &pq.Error{Code: pqerror.Code(code)})); !errors.Is(err, want) {
			t.Errorf("%s is not %v", code, want)
		}
	}
	// What is wrong with a statement is our fault, and says nothing about operation.
	for _, code := range []string{"42601", "22P02", "23503", "XX000", ""} {
		err := &pq.Error{Code: pqerror.Code(code)}
		if got := postgresKind(err); got != nil {
			t.Errorf("%q is %v", code, got)
		}
	}
}

func TestEveryCodeOfSQLiteThatOperationMeetsHasAKind(t *testing.T) {
	for code, want := range map[int]error{
		2067: ErrConflict, 1555: ErrConflict,
		5: ErrBusy, 261: ErrBusy, 517: ErrBusy, 773: ErrBusy, 6: ErrBusy, 262: ErrBusy, 15: ErrBusy, 3850: ErrBusy, 2314: ErrBusy, 5130: ErrBusy,
		13: ErrFull, 778: ErrFull, 4874: ErrFull, 4618: ErrFull, 5386: ErrFull, 1034: ErrFull, 1290: ErrFull, 1546: ErrFull,
		10: ErrIO, 266: ErrIO, 522: ErrIO, 1802: ErrIO, 2570: ErrIO, 3082: ErrIO, 4106: ErrIO, 7: ErrIO, 22: ErrIO, 2: ErrIO,
		9: context.Canceled,
		8: ErrReadOnly, 264: ErrReadOnly, 776: ErrReadOnly, 1032: ErrReadOnly, 14: ErrReadOnly, 526: ErrReadOnly, 3: ErrReadOnly, 23: ErrReadOnly,
		11: ErrCorrupt, 267: ErrCorrupt, 779: ErrCorrupt, 24: ErrCorrupt, 8458: ErrCorrupt, 8202: ErrCorrupt,
		26: ErrForeign,
	} {
		if got := sqliteKind(code); got != want {
			t.Errorf("%d is %v, want %v", code, got, want)
		}
	}
	for _, code := range []int{1, 787, 275, 18, 20, 21, 25} {
		if got := sqliteKind(code); got != nil {
			t.Errorf("%d is %v", code, got)
		}
	}
}

// TestWritersBehindAnotherProgramFailTogether queues writes behind another program's
// lock, and frees the lock as soon as the first has failed: the others fail with it and
// none waits in its turn.
func TestWritersBehindAnotherProgramFailTogether(t *testing.T) {
	db, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	other, err := openPool(db.path(), false, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil) // IMMEDIATE
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var first sync.Once
	errs := make(chan error, 20)
	for range cap(errs) {
		all.Go(func() {
			err := db.Update(t.Context(), func(tx *Tx) error { return tx.SetMoment("x", db.now()) })
			first.Do(func() {
				if err := tx.Rollback(); err != nil {
					t.Error(err)
				}
			})
			errs <- err
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		if !errors.Is(err, ErrBusy) {
			t.Errorf("a write ended with %v", err)
		}
	}
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
