package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/store"
	"gatelodge/store/storetest"
)

func TestPostgreSQL(t *testing.T) {
	p := storetest.StartPostgres(t)
	storetest.Run(t, func(t testing.TB) *store.DB { return p.Open(t) })

	for name, test := range map[string]func(*testing.T, *storetest.Postgres){
		"every statement is valid and the hot ones use an index": pgStatements,
		"it serves on when the server restarts":                  pgRestart,
		"ten first starts make one database":                     pgFirstStarts,
		"what is not a database for us is refused in words":      pgRefusals,
		"texts that PostgreSQL does not take are mended":         pgTexts,
		"a backup and its restoring, either way":                 pgBackup,
		"a copy there and back is the same":                      pgCopy,
		"a copy is all or nothing":                               pgCopyBroken,
		"two servers rotate the key without a gap":               pgRotation,
		"a frozen server holds nobody":                           pgFrozen,
		"options of other clients are not sent to the server":    pgOptions,
		"stale connections are replaced":                         pgStale,
		"a standby is left for the primary":                      pgFailover,
		"a connection pooler serves or is refused":               pgPooler,
		"what a database lacks is named":                         pgUnfit,
		"a newer database names the backup that is there":        pgNewer,
	} {
		t.Run(name, func(t *testing.T) { test(t, p) })
	}
}

// pgFrozen stops the server's processes: every wait ends, a stop included, and
// afterwards everything goes on.
func pgFrozen(t *testing.T, p *storetest.Postgres) {
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Database: p.Name(t)})
	if err != nil {
		t.Fatal(err)
	}
	stopped, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Database: p.Name(t)})
	if err != nil {
		t.Fatal(err)
	}
	token := []byte(strings.Repeat("x", 32))
	read := func() error { _, _, err := db.SessionByToken(t.Context(), token, time.Now()); return err }
	if err := read(); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	thaw := p.Freeze(t)
	defer thaw()
	ended := make(chan error)
	waits := map[string]func() error{
		"a session check": read,
		"a write": func() error {
			return db.Update(t.Context(), func(tx *store.Tx) error { return tx.SetMoment("x", time.Now()) })
		},
		"a view": func() error {
			return db.View(t.Context(), func(tx *store.Tx) error { _, err := tx.Moment("x"); return err })
		},
		"readyz": func() error { return db.Ready(t.Context()) },
	}
	const each = 5 // more than there are connections, together
	for name, wait := range waits {
		for range each {
			go func() {
				err := wait()
				if !errors.Is(err, store.ErrUnreachable) {
					err = fmt.Errorf("%s ended with %v", name, err)
				} else {
					err = nil
				}
				ended <- err
			}()
		}
	}
	go func() {
		_ = stopped.Close() // it cannot say goodbye
		ended <- nil
	}()
	late := time.After(15 * time.Second) // what a visitor and a stop may wait
	for range len(waits)*each + 1 {
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-late:
			t.Fatal("something still waits")
		}
	}
	thaw()
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func pgOptions(t *testing.T, p *storetest.Postgres) {
	const theirs = "&channel_binding=prefer&keepalives_idle=30&connection_limit=5&pgbouncer=true&uselibpqcompat=true&nobodys=1&statement_timeout=20000"
	var log strings.Builder
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Database: p.Name(t) + theirs, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if want := "channel_binding, keepalives_idle, nobodys, pgbouncer, uselibpqcompat"; strings.Count(log.String(), want) != 1 {
		t.Errorf("the log does not say once that these are ignored:\n%s", &log)
	}
}

var params = regexp.MustCompile(`\$\d+`)

func pgStatements(t *testing.T, p *storetest.Postgres) {
	db := p.Open(t)
	conn, err := db.Writers().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, set := range []string{"enable_seqscan = off", "plan_cache_mode = force_generic_plan"} {
		if _, err := conn.ExecContext(t.Context(), "SET "+set); err != nil {
			t.Fatal(err)
		}
	}
	for name, s := range store.Statements() {
		stmt, err := conn.PrepareContext(t.Context(), s.Query)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		stmt.Close()
		if s.Hot {
			pgWantIndex(t, conn, name, s.Query)
		}
	}
}

func pgWantIndex(t *testing.T, conn *sql.Conn, name, query string) {
	t.Helper()
	seen := make(map[string]bool)
	for _, param := range params.FindAllString(query, -1) {
		seen[param] = true
	}
	explain := "EXPLAIN EXECUTE asked"
	if n := len(seen); n > 0 {
		explain += "(" + strings.TrimSuffix(strings.Repeat("NULL, ", n), ", ") + ")"
	}
	if _, err := conn.ExecContext(t.Context(), "PREPARE asked AS "+query); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	rows, err := conn.QueryContext(t.Context(), explain)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var plan []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, line)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(plan, "\n"); strings.Contains(text, "Seq Scan") {
		t.Errorf("%s reads a whole table:\n%s", name, text)
	}
	if _, err := conn.ExecContext(t.Context(), "DEALLOCATE asked"); err != nil {
		t.Fatal(err)
	}
}

// Whoever asks during a restart waits for it and gets an answer.
func pgRestart(t *testing.T, _ *storetest.Postgres) {
	p := storetest.StartPostgres(t) // one that may be stopped
	db := p.Open(t)
	u := storetest.User(t, db, "mara@home.example")
	storetest.Session(t, db, u, "a")
	for _, how := range []string{"fast", "immediate"} {
		p.Stop(t, how)
		if stopped := time.Now(); how == "fast" {
			_, _, err := db.SessionByToken(t.Context(), storetest.Hash("a"), storetest.Now)
			if waited := time.Since(stopped); !errors.Is(err, store.ErrUnreachable) || waited > 10*time.Second {
				t.Errorf("while it is away: got %v after %v", err, waited)
			}
		}
		answers := make(chan error, 3)
		go func() {
			_, _, err := db.SessionByToken(t.Context(), storetest.Hash("a"), storetest.Now)
			answers <- err
		}()
		go func() {
			answers <- db.View(t.Context(), func(tx *store.Tx) error { _, err := tx.UserByID(u.ID); return err })
		}()
		go func() {
			answers <- db.Update(t.Context(), func(tx *store.Tx) error {
				return tx.AddEvent(store.Event{ID: how, At: storetest.Now, UserID: u.ID})
			})
		}()
		p.Start(t)
		for range 3 {
			if err := <-answers; err != nil {
				t.Errorf("after %s: %v", how, err)
			}
		}
	}
}

// One of them makes the schema; the others get an error that says whose
// belongs there.
func pgFirstStarts(t *testing.T, p *storetest.Postgres) {
	name, dirs := p.Name(t), make([]string, 10)
	for i := range dirs {
		dirs[i] = t.TempDir()
	}
	opened := make(chan error, len(dirs))
	for _, dir := range dirs {
		go func() {
			db, err := store.Open(context.WithoutCancel(t.Context()), store.Options{Dir: dir, Database: name})
			if err == nil {
				err = db.Close()
			}
			opened <- err
		}()
	}
	won := 0
	for range dirs {
		switch err := <-opened; {
		case err == nil:
			won++
		case !errors.Is(err, store.ErrKey):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d keys fit", won)
	}
}

func pgRefusals(t *testing.T, p *storetest.Postgres) {
	foreign := p.Name(t)
	pool, err := store.OpenPostgres(foreign)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pool.ExecContext(t.Context(), `CREATE TABLE "User" (id TEXT)`)
	if err := errors.Join(err, pool.Close()); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		database string
		kind     error
		says     string
	}{
		"another program's": {foreign, store.ErrForeign, "1 tables of another program"},
		"no such database":  {strings.Replace(foreign, "/postgres?", "/nowhere?", 1), store.ErrUnreachable, `"nowhere" does not exist`},
		"no such user":      {strings.Replace(foreign, "postgres@", "nobody-there@", 1), store.ErrUnreachable, "nobody-there"},
		"no such schema":    {regexp.MustCompile(`search_path=\w+`).ReplaceAllString(foreign, "search_path=nowhere"), store.ErrForeign, "search_path"},
		"nobody listens":    {"postgres://gatelodge:hunter2@127.0.0.1:1/gatelodge", store.ErrUnreachable, "cannot be reached"},
		"no such setting":   {"postgres://gatelodge:hunter2@127.0.0.1:1/gatelodge?sslmode=sometimes", store.ErrUnreachable, "cannot be read"},
		"garbage":           {"postgres://[::1:hunter2", store.ErrUnreachable, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Database: tt.database})
			if !errors.Is(err, tt.kind) || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
			var hinted interface{ Hint() string }
			if !errors.As(err, &hinted) || hinted.Hint() == "" {
				t.Errorf("%v has no hint", err)
			}
			if strings.Contains(fmt.Sprint(err), "hunter2") {
				t.Errorf("it tells the password: %v", err)
			}
		})
	}
}

func pgTexts(t *testing.T, p *storetest.Postgres) {
	db := p.Open(t)
	storetest.Update(t, db, func(tx *store.Tx) error {
		return tx.AddEvent(store.Event{ID: "e", At: storetest.Now, UserID: "u", Detail: "a\x00b\xffc"})
	})
	var list []store.Event
	if err := db.View(t.Context(), func(tx *store.Tx) (err error) { list, err = tx.EventsOf("u", 1); return err }); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Detail != "ab\uFFFDc" {
		t.Errorf("got %+v", list)
	}
}

// furnish fills a store with something of everything that has a helper.
func furnish(t *testing.T, db *store.DB) {
	t.Helper()
	for i := range 50 {
		u := storetest.User(t, db, fmt.Sprintf("u%d@home.example", i))
		storetest.Session(t, db, u, fmt.Sprint("s", i))
		storetest.Challenge(t, db, fmt.Sprint("c", i), u.ID, "browser")
		storetest.Message(t, db, fmt.Sprint("m", i), i%4, storetest.Now)
	}
	storetest.Message(t, db, "sealed", 0, storetest.Now.Add(-time.Hour))
}

// wantFurnished reads back what furnish wrote, a sealed value among it.
func wantFurnished(t *testing.T, db *store.DB) {
	t.Helper()
	for i := range 50 {
		if _, _, err := db.SessionByToken(t.Context(), storetest.Hash(fmt.Sprint("s", i)), storetest.Now); err != nil {
			t.Errorf("session %d: %v", i, err)
		}
	}
	err := db.View(t.Context(), func(tx *store.Tx) error {
		w, err := tx.MessageByID("sealed")
		if string(w.Body) != "the body of sealed" || w.Rcpt != "mara@home.example" {
			t.Errorf("the sealed values are %q and %q", w.Body, w.Rcpt)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// keep puts the key of one data directory into another.
func keep(t *testing.T, from, to string) {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(from, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(to, "secret.key"), key, 0o600)
}

func pgBackup(t *testing.T, p *storetest.Postgres) {
	db := p.Open(t)
	furnish(t, db)
	file := filepath.Join(t.TempDir(), "backup.db")
	// The log grows meanwhile: a backup is of one moment all the same.
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil; i++ {
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				return errors.Join(
					tx.AddEvent(store.Event{ID: fmt.Sprint("a", i), At: storetest.Now, UserID: "a"}),
					tx.AddEvent(store.Event{ID: fmt.Sprint("b", i), At: storetest.Now, UserID: "b"}))
			})
			if err != nil {
				t.Error(err)
			}
		}
	}()
	err := db.Backup(t.Context(), file)
	stop()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Backup(t.Context(), file); !errors.Is(err, store.ErrConflict) {
		t.Errorf("over a backup: %v", err)
	}
	for name, database := range map[string]string{"to SQLite": "", "to PostgreSQL": p.Name(t)} {
		t.Run(name, func(t *testing.T) {
			o := store.Options{Dir: t.TempDir(), Database: database}
			if _, err := store.Restore(t.Context(), o, file); !errors.Is(err, store.ErrKey) {
				t.Errorf("without a key: %v", err)
			}
			keep(t, db.Dir(), o.Dir)
			held, err := store.Restore(t.Context(), o, file)
			if err != nil || held.Users != 50 || held.Sessions != 50 {
				t.Fatalf("got %+v, %v", held, err)
			}
			if _, err := store.Restore(t.Context(), o, file); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "50 users") {
				t.Errorf("over a database: %v", err)
			}
			restored, err := store.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer restored.Close()
			wantFurnished(t, restored)
			err = restored.View(t.Context(), func(tx *store.Tx) error {
				a, errA := tx.EventsOf("a", 1e6)
				b, errB := tx.EventsOf("b", 1e6)
				if len(a) != len(b) {
					t.Errorf("it holds half a transaction: %d and %d rows", len(a), len(b))
				}
				return errors.Join(errA, errB)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func pgCopy(t *testing.T, p *storetest.Postgres) {
	first := storetest.Open(t)
	furnish(t, first)
	there, back := p.Name(t), filepath.Join(t.TempDir(), "back.db")
	from := "file:" + filepath.Join(first.Dir(), "gatelodge.db")
	if _, err := store.Copy(t.Context(), from, there, nil); !errors.Is(err, store.ErrLocked) {
		t.Errorf("beside a server: %v", err)
	}
	// A backup of the living one may be copied at any time.
	saved := filepath.Join(t.TempDir(), "saved.db")
	if err := first.Backup(t.Context(), saved); err != nil {
		t.Fatal(err)
	}
	steps := 0
	out, err := store.Copy(t.Context(), "file:"+saved, there, func(string, int, int) { steps++ })
	if err != nil || out.Users != 50 || steps < out.Tables {
		t.Fatalf("got %+v in %d steps, %v", out, steps, err)
	}
	if _, err := store.Copy(t.Context(), "file:"+saved, there, nil); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "50 users") {
		t.Errorf("twice: %v", err)
	}
	dir := t.TempDir()
	keep(t, first.Dir(), dir)
	db, err := store.Open(t.Context(), store.Options{Dir: dir, Database: there})
	if err != nil {
		t.Fatal(err)
	}
	wantFurnished(t, db)
	if _, err := store.Copy(t.Context(), there, "file:"+back, nil); !errors.Is(err, store.ErrLocked) {
		t.Errorf("beside a server over PostgreSQL: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	in, err := store.Copy(t.Context(), there, "file:"+back, nil)
	if err != nil || in.Rows < out.Rows {
		t.Errorf("back: got %+v, %v, want %+v", in, err, out)
	}
	if _, err := store.Copy(t.Context(), there, "file:"+back, nil); !errors.Is(err, store.ErrConflict) {
		t.Errorf("over a file: %v", err)
	}
	home := t.TempDir()
	keep(t, first.Dir(), home)
	if _, err := store.Restore(t.Context(), store.Options{Dir: home}, back); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open(t.Context(), store.Options{Dir: home})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	wantFurnished(t, again)
}

// A copy that breaks off in the middle leaves an empty database, to which it
// can be made again.
func pgCopyBroken(t *testing.T, p *storetest.Postgres) {
	first := storetest.Open(t)
	furnish(t, first)
	saved := filepath.Join(t.TempDir(), "saved.db")
	if err := first.Backup(t.Context(), saved); err != nil {
		t.Fatal(err)
	}
	there := p.Name(t)
	file := "file:" + filepath.Join(t.TempDir(), "copy.db")
	for _, to := range []string{there, file} {
		ctx, stop := context.WithCancel(t.Context())
		_, err := store.Copy(ctx, "file:"+saved, to, func(table string, done, _ int) {
			if table == "sessions" && done > 0 {
				stop()
			}
		})
		stop()
		if err == nil {
			t.Fatalf("the copy to %s was not broken off", to)
		}
		if _, err := store.Copy(t.Context(), "file:"+saved, to, nil); err != nil {
			t.Errorf("and made again: %v", err)
		}
	}
}

// One server writes a new key, the other is given the file, the first is started
// again: at no moment does one meet a value that it cannot open.
func pgRotation(t *testing.T, p *storetest.Postgres) {
	name := p.Name(t)
	dirs := [2]string{t.TempDir(), t.TempDir()}
	open := func(i int) *store.DB {
		t.Helper()
		db, err := store.Open(t.Context(), store.Options{Dir: dirs[i], Database: name})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	first := open(0)
	keep(t, dirs[0], dirs[1])
	second := open(1)
	defer func() {
		if err := errors.Join(first.Close(), second.Close()); err != nil {
			t.Error(err)
		}
	}()
	for i := range 250 { // more than two parts
		storetest.Message(t, first, fmt.Sprint(i), 0, storetest.Now)
	}
	readable := func(when string, ids ...string) {
		t.Helper()
		for _, db := range []*store.DB{first, second} {
			err := db.View(t.Context(), func(tx *store.Tx) error {
				for _, id := range ids {
					if w, err := tx.MessageByID(id); err != nil || string(w.Body) != "the body of "+id {
						return fmt.Errorf("%s reads %q: %w", id, w.Body, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
	}
	code := string(first.Keyring().Derive("code"))
	if string(second.Keyring().Derive("code")) != code {
		t.Error("two servers derive two keys")
	}
	fresh, err := first.RotateKey()
	if err != nil {
		t.Fatal(err)
	}
	storetest.Message(t, first, "rotated", 0, storetest.Now)
	readable("before the others have the file", "0", "rotated")
	if keys, err := second.Keys(t.Context()); err != nil || len(keys) != 1 {
		t.Errorf("before the others have the file: got %+v, %v", keys, err)
	}
	keep(t, dirs[0], dirs[1])
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	first = open(0)
	storetest.Message(t, first, "restarted", 0, storetest.Now)
	if done, err := first.Reseal(t.Context(), nil); err != nil || done.Done < 500 || done.Lost > 0 {
		t.Errorf("got %+v, %v", done, err)
	}
	readable("when one has been restarted", "0", "249", "rotated", "restarted")
	if string(first.Keyring().Derive("code")) != code {
		t.Error("what is derived has changed")
	}
	keys, err := second.Keys(t.Context())
	if err != nil || len(keys) != 2 || keys[0].ID != fresh || keys[1].Total() != 0 {
		t.Errorf("got %+v, %v", keys, err)
	}
	if dropped, err := first.DropKeys(t.Context()); err != nil || len(dropped) != 1 {
		t.Errorf("dropped %v, %v", dropped, err)
	}
	readable("after the drop", "0", "restarted")
}
