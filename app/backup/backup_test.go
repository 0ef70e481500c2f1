package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gatelodge/app/audit"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// daily is a store with daily backups, of which three are kept, under a clock
// that the test sets.
func daily(t *testing.T, dir string) (*Backups, *time.Time) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	now := noon
	clock := func() time.Time { return now }
	log := slog.New(slog.DiscardHandler)
	return New(Config{DB: db, Audit: audit.New(db, clock, log), Log: log, Now: clock, Every: 24 * time.Hour, Keep: 3}), &now
}

func look(t *testing.T, b *Backups) {
	t.Helper()
	if err := b.ifDue(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// days returns when the kept backups were made, the newest first.
func days(t *testing.T, b *Backups) string {
	t.Helper()
	list, err := b.kept()
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, m := range list {
		text = append(text, m.At.Format("0601021504"))
	}
	return strings.Join(text, " ")
}

func wantDays(t *testing.T, b *Backups, want string) {
	t.Helper()
	if got := days(t, b); got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
}

func TestOneBackupADayAndThreeAreKept(t *testing.T) {
	b, now := daily(t, t.TempDir())
	look(t, b)
	wantDays(t, b, "2611251200")
	*now = now.Add(23 * time.Hour)
	look(t, b)
	wantDays(t, b, "2611251200")
	for range 4 {
		*now = now.Add(25 * time.Hour)
		look(t, b)
		look(t, b)
	}
	wantDays(t, b, "2611301500 2611291400 2611281300")
	for _, m := range kept(t, b) {
		if info, err := os.Stat(m.Path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s can be read by others: %v, %v", m.Path, info.Mode(), err)
		}
		if _, err := store.Inspect(t.Context(), m.Path); err != nil {
			t.Error(err)
		}
	}
}

func kept(t *testing.T, b *Backups) []Made {
	t.Helper()
	list, err := b.kept()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A clock that is off makes one backup where it lands, and removes neither the
// newest nor those of the right time.
func TestAClockThatJumpsMakesOneBackup(t *testing.T) {
	b, now := daily(t, t.TempDir())
	look(t, b)
	*now = noon.AddDate(10, 0, 0)
	look(t, b)
	look(t, b)
	wantDays(t, b, "3611251200 2611251200")
	*now = noon.Add(time.Minute)
	look(t, b)
	look(t, b)
	wantDays(t, b, "3611251200 2611251201 2611251200")
	b.Keep = 1
	*now = noon.Add(24*time.Hour + time.Minute)
	look(t, b)
	wantDays(t, b, "2611261201")
}

// Files of other houses and other people lie in the same directory.
func TestOnlyItsOwnBackupsAreRemoved(t *testing.T) {
	dir := t.TempDir()
	b, now := daily(t, dir)
	b.Keep = 1
	look(t, b)
	mine := filepath.Base(kept(t, b)[0].Path)
	var theirs []string
	for _, name := range []string{
		"gatelodge-monday.db", "pre-v2.db", "gatelodge-00000000-20200101T000000Z.db", mine + ".old", b.name + "2020.db", "notes.txt",
	} {
		path := filepath.Join(b.Dir, name)
		theirs = append(theirs, path)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(b.Dir, b.nameAt(noon.AddDate(-1, 0, 0)))
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	*now = now.AddDate(0, 0, 2)
	look(t, b)
	wantDays(t, b, "2611271200")
	for _, path := range append(theirs, folder) {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestHalfABackupIsClearedAwayWhenNobodyWritesIt(t *testing.T) {
	b, _ := daily(t, t.TempDir())
	look(t, b)
	old, young := filepath.Join(b.Dir, halfPattern+"1"), filepath.Join(b.Dir, halfPattern+"2")
	for _, dir := range []string{old, young} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "backup.db"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * halfAfter)
	if err := errors.Join(os.Chtimes(filepath.Join(old, "backup.db"), past, past), os.Chtimes(old, past, past)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Make(t.Context(), audit.Origin{}, audit.BySystem); err == nil || !errors.Is(err, store.ErrConflict) {
		t.Errorf("a second one in the same second: got %v", err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old half is still there: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("the one that is being written is gone: %v", err)
	}
}

// failed makes a backup, which has to fail for a reason, be recorded, and be
// tried again within the hour rather than the next day.
func failed(t *testing.T, b *Backups, now *time.Time, kind error) {
	t.Helper()
	var before int
	count := func() (n int) {
		storetest.Update(t, b.DB, func(tx *store.Tx) error {
			list, err := tx.EventsOf("", 1000)
			n = 0
			for _, e := range list {
				if e.Kind == audit.BackupFailed && e.Actor == audit.BySystem && e.Detail != "" {
					n++
				}
			}
			return err
		})
		return n
	}
	before = count()
	look(t, b)
	state, err := b.State()
	if err != nil || !errors.Is(state.Failed, kind) {
		t.Errorf("got %v, %v, want %v", state.Failed, err, kind)
	}
	look(t, b)
	if n := count() - before; n != 1 {
		t.Errorf("%d failures are in the audit log, want 1", n)
	}
	*now = now.Add(retryAfter)
}

// A page goes bad under a running server. The next backup notices, and the good
// ones stay, however long nobody looks.
func TestADamagedPageIsNoticedAndNoGoodBackupIsRemoved(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Update(t, db, func(tx *store.Tx) error {
		for i := range 3000 {
			if err := tx.AddEvent(store.Event{ID: fmt.Sprintf("%05d", i), At: noon, UserID: "u", Kind: "k", Reference: "GL-0"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err := db.Close(); err != nil { // so that the pages are in the file, not in the log
		t.Fatal(err)
	}
	b, now := daily(t, dir)
	for range 3 {
		look(t, b)
		*now = now.AddDate(0, 0, 1)
	}
	good := days(t, b)
	damage(t, b.DB)
	// The first look meets the damage. From then on nothing is written, so the later ones
	// end before they make anything.
	look(t, b)
	if state, err := b.State(); err != nil || !errors.Is(state.Failed, store.ErrCorrupt) {
		t.Errorf("got %v, %v, want damage", state.Failed, err)
	}
	for range 30 {
		*now = now.Add(retryAfter)
		if err := b.ifDue(t.Context()); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("got %v, want damage", err)
		}
	}
	wantDays(t, b, good)
	if halves, err := filepath.Glob(filepath.Join(b.Dir, halfPattern+"*")); err != nil || len(halves) > 0 {
		t.Errorf("it left %v, %v", halves, err)
	}
}

// damage spoils a page of an index on the disk, as a bad sector does: what reads
// the table alone does not notice.
func damage(t *testing.T, db *store.DB) {
	t.Helper()
	path := filepath.Join(db.Dir(), "gatelodge.db")
	pages := storetest.PagesOf(t, path, "events_reference")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Not the root, nor the end, where the log may hold a newer one.
	_, err = f.WriteAt([]byte(strings.Repeat("\xff", 64)), int64(pages[1]-1)*4096)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestABackupDirectoryThatIsNotMountedIsNotMade(t *testing.T) {
	b, now := daily(t, t.TempDir())
	b.own, b.Dir = false, filepath.Join(t.TempDir(), "mnt", "backups")
	failed(t, b, now, store.ErrReadOnly)
	if _, err := os.Stat(filepath.Dir(b.Dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
	if err := os.MkdirAll(b.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	look(t, b)
	wantDays(t, b, "2611251300")
	if state, err := b.State(); err != nil || state.Failed != nil {
		t.Errorf("the failure is still reported: %v, %v", state.Failed, err)
	}
}

// The disk for the backups is too small, first for the reserve and then even for
// the file.
func TestABackupNeverFillsTheDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=24m"); err != nil {
		if os.Getenv("GATELODGE_PEERS") == "require" {
			t.Fatalf("the peer tmpfs cannot be mounted: %v", err)
		}
		t.Skipf("the peer tmpfs cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	b, now := daily(t, t.TempDir())
	b.own, b.Dir = false, disk
	look(t, b)
	*now = now.AddDate(0, 0, 1)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 12<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	failed(t, b, now, store.ErrFull)
	wantDays(t, b, "2611251200")

	// Somebody else fills it while the backup is being written.
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.wantSpace(); err != nil {
		t.Fatal(err)
	}
	fill(t, disk, 64<<10)
	err := b.DB.Backup(t.Context(), filepath.Join(disk, "x.db"))
	if !errors.Is(err, store.ErrFull) {
		t.Errorf("got %v", err)
	}
	if halves, err := filepath.Glob(filepath.Join(disk, halfPattern+"*")); err != nil || len(halves) > 0 {
		t.Errorf("it left %v, %v", halves, err)
	}
	if err := errors.Join(os.Remove(ballast), os.Remove(filepath.Join(disk, "fill"))); err != nil {
		t.Fatal(err)
	}
	look(t, b)
	wantDays(t, b, "2611261300 2611251200")
}

// fill leaves no more than so many bytes free.
func fill(t *testing.T, dir string, leave uint64) {
	t.Helper()
	free, err := store.FreeSpace(dir)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "fill"), make([]byte, free-leave), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Scheduled backups are made while everybody writes, and each restores to one
// moment: of two rows that belong together there are both or none, and nothing
// that was acknowledged before it began is missing.
func TestAScheduledBackupUnderFullLoadRestores(t *testing.T) {
	b, now := daily(t, t.TempDir())
	ctx, stop := context.WithCancel(t.Context())
	var written [4]atomic.Int64
	var writing sync.WaitGroup
	for g := range written {
		writing.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				err := b.DB.Update(context.Background(), func(tx *store.Tx) error {
					return errors.Join(
						tx.AddEvent(store.Event{ID: fmt.Sprint("a", g, "-", n), At: noon, UserID: "a"}),
						tx.AddEvent(store.Event{ID: fmt.Sprint("b", g, "-", n), At: noon, UserID: "b"}))
				})
				if err != nil {
					t.Error(err)
				}
				written[g].Store(int64(n))
			}
		})
	}
	for range 3 {
		time.Sleep(20 * time.Millisecond)
		least := 0
		for g := range written {
			least += int(written[g].Load())
		}
		look(t, b)
		restores(t, b, least)
		*now = now.AddDate(0, 0, 1)
	}
	stop()
	writing.Wait()
}

func restores(t *testing.T, b *Backups, least int) {
	t.Helper()
	dir := t.TempDir()
	key, err := os.ReadFile(filepath.Join(b.DB.Dir(), "secret.key"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "secret.key"), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	o := store.Options{Dir: dir}
	if _, err := store.Restore(t.Context(), o, kept(t, b)[0].Path); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(t.Context(), func(tx *store.Tx) error {
		a, errA := tx.EventsOf("a", 1e6)
		b, errB := tx.EventsOf("b", 1e6)
		if len(a) != len(b) || len(a) < least {
			t.Errorf("got %d and %d rows, want as many of each and %d at least", len(a), len(b), least)
		}
		return errors.Join(errA, errB)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Error(err)
	}
}

// Two servers over one PostgreSQL look at the same moment, again and again.
func TestOfTwoServersOneMakesTheBackup(t *testing.T) {
	name := storetest.StartPostgres(t).Name(t)
	one, two := t.TempDir(), t.TempDir()
	now := noon
	clock := func() time.Time { return now }
	log := slog.New(slog.DiscardHandler)
	server := func(dir string) *Backups {
		db, err := store.Open(t.Context(), store.Options{Dir: dir, Database: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return New(Config{DB: db, Audit: audit.New(db, clock, log), Log: log, Now: clock, Every: 24 * time.Hour, Keep: 9})
	}
	first := server(one)
	key, err := os.ReadFile(filepath.Join(one, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(two, "secret.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	second := server(two)
	for day := 1; day <= 3; day++ {
		var servers sync.WaitGroup
		for _, b := range []*Backups{first, second} {
			servers.Go(func() {
				if err := b.ifDue(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		servers.Wait()
		if n := len(kept(t, first)) + len(kept(t, second)); n != day {
			t.Fatalf("after %d days there are %d backups", day, n)
		}
		now = now.Add(25 * time.Hour)
	}
}
