package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatelodge/store"
	"gatelodge/store/storetest"
)

// lived is a data directory with a user in it, stopped cleanly.
func lived(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	storetest.User(t, db, "mara@home.example")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path string, b []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, b, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// raw changes a database behind the store's back.
func raw(t *testing.T, path, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(query); err != nil {
		t.Fatal(err)
	}
}

func TestWhatKeepsAStoreFromOpeningIsSaidWithTheFix(t *testing.T) {
	tests := map[string]struct {
		spoil func(t *testing.T, dir string)
		kind  error
		text  string
	}{
		"the key is missing": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "secret.key")); err != nil {
				t.Fatal(err)
			}
		}, store.ErrKey, "is missing"},
		"the key of another database": {func(t *testing.T, dir string) {
			other, err := os.ReadFile(filepath.Join(lived(t), "secret.key"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "secret.key"), other, 0o600)
		}, store.ErrKey, "belongs to another database"},
		"a key that is none": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "secret.key"), []byte("# nothing\n"), 0o600)
		}, store.ErrKey, "it holds no key"},
		"a key that others may read": {func(t *testing.T, dir string) {
			if err := os.Chmod(filepath.Join(dir, "secret.key"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, store.ErrKey, "may be read by others (mode 0644)"},
		"a newer schema": {func(t *testing.T, dir string) {
			raw(t, filepath.Join(dir, "gatelodge.db"), "PRAGMA user_version = 99")
		}, store.ErrNewer, "schema 99"},
		"a database of another program": {func(t *testing.T, dir string) {
			raw(t, filepath.Join(dir, "gatelodge.db"), "PRAGMA application_id = 7")
		}, store.ErrForeign, "is not a database of Gatelodge"},
		"garbage": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "gatelodge.db"), []byte(strings.Repeat("garbage ", 1000)), 0o600)
		}, store.ErrForeign, "is not a database of Gatelodge"},
		"half a file": {func(t *testing.T, dir string) {
			path := filepath.Join(dir, "gatelodge.db")
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, info.Size()/2); err != nil {
				t.Fatal(err)
			}
		}, store.ErrCorrupt, "is damaged"},
		"a file where the directory belongs": {func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			write(t, dir, nil, 0o600)
		}, store.ErrReadOnly, "cannot be written"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := lived(t)
			tt.spoil(t, dir)
			wantProblem(t, dir, tt.kind, tt.text)
		})
	}
}

// wantProblem checks that the store in dir is refused for a reason that a person
// can mend.
func wantProblem(t *testing.T, dir string, kind error, text string) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err == nil {
		db.Close()
		t.Fatal("it opens")
	}
	var p *store.Problem
	if !errors.Is(err, kind) || !errors.As(err, &p) || !strings.Contains(err.Error(), text) || p.Hint() == "" {
		t.Errorf("got %v, want %q with a hint", err, text)
	}
	if !strings.Contains(err.Error(), dir) {
		t.Errorf("%q does not name %s", err, dir)
	}
}

func TestASecondProcessIsRefusedAndToldOfTheFirst(t *testing.T) {
	dir := lived(t)
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	wantProblem2(t, dir, fmt.Sprintf("(process %d)", os.Getpid()))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = store.Open(t.Context(), store.Options{Dir: dir}); err != nil {
		t.Fatalf("after the first has stopped: %v", err)
	}
	db.Close()
}

func wantProblem2(t *testing.T, dir, text string) {
	t.Helper()
	_, err := store.Open(t.Context(), store.Options{Dir: dir})
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %q", err, text)
	}
}

func TestADirectoryThatCannotBeWritten(t *testing.T) {
	if os.Geteuid() == 0 {
		again(t, "readonly", func(cmd *exec.Cmd) {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		})
		return
	}
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, dir, store.ErrReadOnly, "cannot be written")
}

// again runs the test in another process, as somebody else.
func again(t *testing.T, name string, change func(*exec.Cmd)) {
	t.Helper()
	// Somebody else must be able to run the program of the test.
	dir, err := os.MkdirTemp("", "gatelodge-store-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "test"), self, 0o755)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "test"), "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir)
	change(cmd)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

// A disk of three megabytes fills up, says so, and works again by itself when
// there is space.
func TestAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		if os.Getenv("GATELODGE_PEERS") == "require" {
			t.Fatalf("the peer tmpfs cannot be mounted: %v", err)
		}
		t.Skipf("the peer tmpfs cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	data := filepath.Join(dir, "data")
	db, err := store.Open(t.Context(), store.Options{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	add := func(i int) error {
		return db.Update(t.Context(), func(tx *store.Tx) error {
			return tx.AddEvent(store.Event{ID: fmt.Sprint(i), At: storetest.Now, UserID: "u", Detail: strings.Repeat("x", 2000)})
		})
	}
	write(t, ballast, make([]byte, 1<<20), 0o600)
	safe := 0
	for ; safe < 10_000; safe++ {
		if err = add(safe); err != nil {
			break
		}
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("after %d rows: got %v, want a full disk", safe, err)
	}
	if err := db.View(t.Context(), func(tx *store.Tx) error { _, err := tx.EventsOf("u", 1); return err }); err != nil {
		t.Errorf("reading fails too: %v", err)
	}
	// The log may have room for some small writes yet.
	filled := fill(t, dir)
	for n := 0; err == nil || n == 0; n++ {
		if err = db.Ready(t.Context()); n == 2000 {
			break
		}
	}
	if !errors.Is(err, store.ErrFull) {
		t.Errorf("it calls itself ready: %v", err)
	}
	for _, path := range append(filled, ballast) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := add(safe); err != nil {
		t.Errorf("with space again: %v", err)
	}
	err = db.View(t.Context(), func(tx *store.Tx) error {
		list, err := tx.EventsOf("u", 20_000)
		if len(list) != safe+1 {
			t.Errorf("got %d rows, want %d", len(list), safe+1)
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Error(err)
	}
	// And a start on a full disk.
	full := filepath.Join(dir, "other")
	fill(t, dir)
	if _, err := store.Open(t.Context(), store.Options{Dir: full}); !errors.Is(err, store.ErrFull) {
		t.Errorf("a start on a full disk: got %v", err)
	}
}

// fill takes what is left of a small disk and returns the files it made.
func fill(t *testing.T, dir string) []string {
	t.Helper()
	var made []string
	for n := 1 << 20; n >= 512; n /= 2 {
		for {
			path := filepath.Join(dir, fmt.Sprint("fill", len(made)))
			made = append(made, path)
			if os.WriteFile(path, make([]byte, n), 0o600) != nil {
				break
			}
		}
	}
	return made
}

func TestAFirstStartThatWasCutShort(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, dir string){
		"nothing but the directory": func(*testing.T, string) {},
		"an empty file":             func(t *testing.T, dir string) { write(t, filepath.Join(dir, "gatelodge.db"), nil, 0o600) },
		"a database without tables": func(t *testing.T, dir string) {
			raw(t, filepath.Join(dir, "gatelodge.db"), "PRAGMA journal_mode = WAL")
		},
	} {
		t.Run(name, func(t *testing.T) {
			first := lived(t)
			key, err := os.ReadFile(filepath.Join(first, "secret.key"))
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			write(t, filepath.Join(dir, "secret.key"), key, 0o600)
			write(t, filepath.Join(dir, "first-start"), nil, 0o600)
			leave(t, dir)
			db, err := store.Open(t.Context(), store.Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Ready(t.Context()), db.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestALostDatabaseDoesNotBecomeANewOne empties or removes the database beside what
// shows that there was one.
func TestALostDatabaseDoesNotBecomeANewOne(t *testing.T) {
	lose := map[string]func(t *testing.T, dir string){
		"emptied": func(t *testing.T, dir string) { write(t, filepath.Join(dir, "gatelodge.db"), nil, 0o600) },
		"removed": func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "gatelodge.db")); err != nil {
				t.Fatal(err)
			}
		},
		"without tables": func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "gatelodge.db")); err != nil {
				t.Fatal(err)
			}
			raw(t, filepath.Join(dir, "gatelodge.db"), "PRAGMA journal_mode = WAL")
		},
	}
	for name, leave := range map[string]struct {
		only string // what is left beside
		text string
	}{
		"the key":   {"secret.key", "secret.key is there"},
		"backups":   {"backups", "backups is there"},
		"a journal": {"gatelodge.db-journal", "gatelodge.db-journal is there"},
		"a log":     {"gatelodge.db-wal", "gatelodge.db-wal is there"},
	} {
		for how, spoil := range lose {
			if strings.HasPrefix(leave.only, "gatelodge.db-") && how == "without tables" {
				continue // its tables are in the log
			}
			t.Run(name+" beside a database that is "+how, func(t *testing.T) {
				dir := lived(t)
				spoil(t, dir)
				if leave.only != "secret.key" {
					if err := os.Remove(filepath.Join(dir, "secret.key")); err != nil {
						t.Fatal(err)
					}
				}
				switch leave.only {
				case "secret.key":
				case "backups":
					if err := os.MkdirAll(filepath.Join(dir, "backups"), 0o700); err != nil {
						t.Fatal(err)
					}
					write(t, filepath.Join(dir, "backups", "gatelodge-x-20261130T000000Z.db"), []byte("x"), 0o600)
				default:
					write(t, filepath.Join(dir, leave.only), []byte("x"), 0o600)
				}
				wantProblem(t, dir, store.ErrEmptied, leave.text)
				if _, err := os.Stat(filepath.Join(dir, "first-start")); err == nil {
					t.Error("the next start would make a new one")
				}
			})
		}
	}
}

func TestAnInterruptedRestoreLeavesNoDatabase(t *testing.T) {
	dir := lived(t)
	backup := filepath.Join(t.TempDir(), "backup.db")
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Backup(t.Context(), backup), db.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "gatelodge.db")); err != nil {
		t.Fatal(err)
	}
	// A restore that is stopped in the middle leaves no file of the database's name.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Restore(ctx, store.Options{Dir: dir}, backup); err == nil {
		t.Error("a restore that was stopped says it is done")
	}
	// One that is killed leaves what it was writing, under another name.
	half := filepath.Join(dir, ".gatelodge-restore-1")
	if err := os.Mkdir(half, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(half, "gatelodge.db"), []byte("half"), 0o600)
	wantProblem(t, dir, store.ErrEmptied, "secret.key is there")

	// A journal of the lost database must not be played into the restored one.
	write(t, filepath.Join(dir, "gatelodge.db-journal"), []byte("x"), 0o600)
	held, err := store.Restore(t.Context(), store.Options{Dir: dir}, backup)
	if err != nil || held.Users != 1 {
		t.Fatalf("restored %+v, %v", held, err)
	}
	for _, name := range []string{".gatelodge-restore-1", "gatelodge.db-journal", "first-start"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
}

func TestACleanStopLeavesOneWholeFile(t *testing.T) {
	dir := lived(t)
	if info, err := os.Stat(filepath.Join(dir, "gatelodge.db-wal")); err == nil && info.Size() > 0 {
		t.Errorf("the log still has %d bytes", info.Size())
	}
	held, err := store.Inspect(t.Context(), filepath.Join(dir, "gatelodge.db"))
	if err != nil || held.Users != 1 {
		t.Errorf("got %+v, %v", held, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestADamagedPageIsFoundAfterACrash(t *testing.T) {
	dir := lived(t)
	path := filepath.Join(dir, "gatelodge.db")
	raw(t, path, "UPDATE meta SET value = x'30' WHERE name = 'clean_stop'")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The root page of a table in the middle: its header becomes nonsense.
	page := len(b) / 4096 / 2
	copy(b[page*4096:], strings.Repeat("\xff", 64))
	write(t, path, b, 0o600)
	wantProblem(t, dir, store.ErrCorrupt, "is damaged")
}

func TestBackupWhileWritingIsConsistent(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			// Two rows that belong together.
			err := db.Update(context.Background(), func(tx *store.Tx) error {
				for _, kind := range []string{"a", "b"} {
					if err := tx.AddEvent(store.Event{ID: fmt.Sprint(kind, n), At: storetest.Now, UserID: kind}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
		done <- n
	}()
	for _, name := range []string{"one.db", "two ?#%.db"} {
		time.Sleep(20 * time.Millisecond)
		path := filepath.Join(t.TempDir(), name)
		if err := db.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		if err := db.Backup(t.Context(), path); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a second backup to the same file: %v", err)
		}
		other := t.TempDir()
		if _, err := store.Restore(t.Context(), store.Options{Dir: other}, path); !errors.Is(err, store.ErrKey) {
			t.Errorf("without the key: %v", err)
		}
		key, err := os.ReadFile(filepath.Join(dir, "secret.key"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(other, "secret.key"), key, 0o600)
		if _, err := store.Restore(t.Context(), store.Options{Dir: other}, path); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Restore(t.Context(), store.Options{Dir: other}, path); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "0 users") {
			t.Errorf("over a database: %v", err)
		}
		restored, err := store.Open(t.Context(), store.Options{Dir: other})
		if err != nil {
			t.Fatal(err)
		}
		err = restored.View(t.Context(), func(tx *store.Tx) error {
			a, errA := tx.EventsOf("a", 1e6)
			b, errB := tx.EventsOf("b", 1e6)
			if len(a) != len(b) || len(a) == 0 {
				t.Errorf("got %d and %d rows", len(a), len(b))
			}
			return errors.Join(errA, errB)
		})
		if err := errors.Join(err, restored.Close()); err != nil {
			t.Error(err)
		}
	}
	stop()
	<-done
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestRestoreTakesOnlyBackupsOfOurs(t *testing.T) {
	dir := t.TempDir()
	foreign, garbage := filepath.Join(dir, "foreign.db"), filepath.Join(dir, "garbage.db")
	raw(t, foreign, "CREATE TABLE x (y)")
	write(t, garbage, []byte(strings.Repeat("garbage ", 1000)), 0o600)
	for name, path := range map[string]string{"another program's": foreign, "garbage": garbage} {
		t.Run(name, func(t *testing.T) {
			target := t.TempDir()
			if _, err := store.Restore(t.Context(), store.Options{Dir: target}, path); !errors.Is(err, store.ErrForeign) {
				t.Errorf("got %v", err)
			}
			if entries, err := os.ReadDir(target); err != nil || len(entries) != 0 {
				t.Errorf("it left %v, %v", entries, err)
			}
		})
	}
}

// Somebody with the database file alone, of today or from last month's backup.
func TestAStolenDatabaseTellsNoAddressAndNoLink(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Message(t, db, "m", 0, storetest.Now)
	for _, when := range []string{"while it waits", "when it is done"} {
		for _, name := range []string{"gatelodge.db", "gatelodge.db-wal"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"the body of m", "mara@home.example"} {
				if strings.Contains(string(b), secret) {
					t.Errorf("%s: %s holds %q", when, name, secret)
				}
			}
		}
		storetest.Update(t, db, func(tx *store.Tx) error {
			w, err := tx.ClaimMessage(0, "w", nil, storetest.Now, storetest.Now, func(store.Message) time.Time { return storetest.Now })
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return errors.Join(err, tx.FinishMessage(w.ID, w.Gen, store.Report{State: "sent"}, storetest.Now))
		})
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
