package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"gatelodge/store"
	"gatelodge/store/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("GATELODGE_TEST_WRITER"); dir != "" {
		writeForever(dir)
	}
	if dir := os.Getenv("GATELODGE_TEST_ROTATOR"); dir != "" {
		store.RotateForever(dir)
	}
	if dir := os.Getenv("GATELODGE_TEST_MIGRATOR"); dir != "" {
		store.MigrateAndWait(dir)
	}
	os.Exit(m.Run())
}

// writeForever writes numbered rows from four goroutines and prints the number
// of each when it has been acknowledged.
func writeForever(dir string) {
	db, err := store.Open(context.Background(), store.Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	first := time.Now().UnixNano()
	for g := range 4 {
		go func() {
			for n := first + int64(g); ; n += 4 {
				id := strconv.FormatInt(n, 10)
				err := db.Update(context.Background(), func(tx *store.Tx) error {
					return tx.AddEvent(store.Event{ID: id, At: storetest.Now, UserID: "u"})
				})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				os.Stdout.WriteString(id + "\n")
			}
		}()
	}
	select {}
}

func ids(t *testing.T, dir string) map[string]bool {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatalf("it does not open any more: %v", err)
	}
	found := make(map[string]bool)
	err = db.View(t.Context(), func(tx *store.Tx) error {
		list, err := tx.EventsOf("u", 1e7)
		for _, e := range list {
			found[e.ID] = true
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return found
}

// The process is killed at any moment: what was acknowledged is there.
func TestKilledWhileWriting(t *testing.T) {
	rounds := 6
	if n, err := strconv.Atoi(os.Getenv("GATELODGE_CRASH_ROUNDS")); err == nil {
		rounds = n
	}
	dir := t.TempDir()
	var safe []string
	for range rounds {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "GATELODGE_TEST_WRITER="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() {
			t.Fatal("the writer wrote nothing")
		}
		safe = append(safe, lines.Text())
		time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { cmd.Process.Kill() })
		for lines.Scan() {
			safe = append(safe, lines.Text())
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the writer ended by itself")
		}
	}
	found := ids(t, dir)
	lost := 0
	for i, id := range safe {
		// The last line of a round may have been cut by the kill.
		if !found[id] && (i == 0 || len(id) == len(safe[0])) {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d acknowledged rows are lost", lost, len(safe))
	}
	t.Logf("%d kills, %d acknowledged rows, %d lost", rounds, len(safe), lost)
}

// The power fails: the log is cut at any byte, or has a hole where a sector was
// not written. The store opens with the first so many commits, never others.
func TestTheLogIsCutOrHoled(t *testing.T) {
	trials := 25
	if n, err := strconv.Atoi(os.Getenv("GATELODGE_CRASH_ROUNDS")); err == nil {
		trials = n
	}
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	const rows = 60
	for i := range rows {
		storetest.Update(t, db, func(tx *store.Tx) error {
			return tx.AddEvent(store.Event{ID: fmt.Sprintf("%03d", i), At: storetest.Now, UserID: "u"})
		})
	}
	files := make(map[string][]byte)
	for _, name := range []string{"gatelodge.db", "gatelodge.db-wal", "secret.key"} {
		if files[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// Where the start itself wrote, a cut takes the tables; that is another test.
	begin := len(files["gatelodge.db-wal"]) * 2 / 3
	for trial := range 2 * trials {
		log := append([]byte{}, files["gatelodge.db-wal"]...)
		at := begin + rand.IntN(len(log)-begin)
		if trial%2 == 0 {
			log = log[:at]
		} else {
			clear(log[at:min(at+4096, len(log))])
		}
		target := t.TempDir()
		write(t, filepath.Join(target, "gatelodge.db"), files["gatelodge.db"], 0o600)
		write(t, filepath.Join(target, "gatelodge.db-wal"), log, 0o600)
		write(t, filepath.Join(target, "secret.key"), files["secret.key"], 0o600)
		found := ids(t, target)
		for i := range len(found) {
			if !found[fmt.Sprintf("%03d", i)] {
				t.Fatalf("trial %d at byte %d: of %d rows number %d is not there", trial, at, len(found), i)
			}
		}
	}
}
