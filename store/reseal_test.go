package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// openAt opens the store in a directory until the test ends.
func openAt(t *testing.T, dir string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-db.engine.(*sqliteEngine).closing: // by the test
		default:
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return db
}

func update(t *testing.T, db *DB, f func(*Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// A column that is sealed and not in the list would be lost by a rotation, so
// every BLOB has to say what it is: a hash by its name, or sealed by the list.
func TestEverySealedColumnIsInTheList(t *testing.T) {
	db := openAt(t, t.TempDir())
	const query = `
		SELECT m.name, c.name
		  FROM sqlite_schema m, pragma_table_info(m.name) c
		 WHERE m.type = 'table' AND c.type = 'BLOB'`
	rows, err := db.readers.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := make(map[string]bool)
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		found[table+"."+column] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range sealedColumns {
		name := c.table + "." + c.name
		if !found[name] {
			t.Errorf("%s is in sealedColumns, but no table has such a BLOB", name)
		}
		delete(found, name)
		var unique int
		const query = `
			SELECT COUNT(*)
			  FROM pragma_index_list($1) l
			 WHERE l."unique" = 1 AND l.partial = 0
			   AND (SELECT GROUP_CONCAT(i.name) FROM pragma_index_info(l.name) i) = $2`
		if err := db.readers.QueryRow(query, c.table, c.key).Scan(&unique); err != nil || unique == 0 {
			t.Errorf("%s: %s is not unique (%v), so it names no row", name, c.key, err)
		}
	}
	for _, name := range []string{"passkeys.credential_id", "passkeys.public_key"} {
		delete(found, name) // public by nature
	}
	delete(found, "login_outcomes.outcome") // sealed with a key that only a browser has
	for name := range found {
		if !strings.HasSuffix(name, "_hash") {
			t.Errorf("%s is a BLOB. Sealed: add it to sealedColumns and to sealSomething below. A hash: name it …_hash", name)
		}
	}
}

// sealSomething puts at least one value into each sealed column, the way the
// program does. The place it is sealed for has to be "table/column/key".
var sealSomething = map[string]func(*Tx) error{
	"meta.value": func(*Tx) error { return nil }, // the canary and the root are there from the start
	"accounts.access_token": func(tx *Tx) error {
		u := User{ID: "u", Email: "mara@home.example", EmailNorm: "mara@home.example", CreatedAt: time.UnixMilli(1), UpdatedAt: time.UnixMilli(1)}
		return errors.Join(tx.AddUser(u), tx.AddAccount(Account{
			ID: "a", UserID: u.ID, Provider: "other", Subject: "1", Type: "oidc", Tokens: Tokens{Access: "1", Refresh: "2", ID: "3"}, CreatedAt: time.UnixMilli(1),
		}))
	},
	"accounts.refresh_token": func(*Tx) error { return nil }, // see above
	"accounts.id_token":      func(*Tx) error { return nil },
	"auth_requests.payload": func(tx *Tx) error {
		return tx.AddAuthRequest(AuthRequest{StateHash: []byte{0, 1, 0xff}, BrowserHash: []byte{1}, Payload: []byte("x"), CreatedAt: time.UnixMilli(1), ExpiresAt: time.UnixMilli(1)})
	},
	"messages.rcpt": addSomeMessages,
	"messages.body": func(*Tx) error { return nil },
	"suppressions.rcpt": func(tx *Tx) error {
		return tx.Suppress(Suppression{RcptHash: []byte{0, 1, 0xff}, Rcpt: "x", CreatedAt: time.UnixMilli(1), ExpiresAt: time.UnixMilli(1)})
	},
	"dkim_keys.private_key": func(tx *Tx) error {
		return tx.AddDKIMKey(DKIMKey{Selector: "s", Domain: "home.example", Algorithm: "rsa", Private: []byte("x"), CreatedAt: time.UnixMilli(1)})
	},
	"submissions.body": func(tx *Tx) error {
		c := SubmissionCredential{ID: "c", Name: "nas", SecretHash: []byte{1}, CreatedAt: time.UnixMilli(1)}
		return errors.Join(tx.AddSubmissionCredential(c), tx.AddSubmission(Submission{ID: "s", CredentialID: "c", Recipients: 1, CreatedAt: time.UnixMilli(1)}, []byte("x")))
	},
}

func addSomeMessages(tx *Tx) error {
	for i := range 2*resealRows + 7 {
		if err := tx.AddMessage(someMessage(i), bodyOf(i)); err != nil {
			return err
		}
	}
	return nil
}

func bodyOf(i int) []byte { return fmt.Appendf(nil, "the body of %d", i) }

func someMessage(i int) Message {
	return Message{
		ID: fmt.Sprintf("m%04d", i), Purpose: "signin", Addressed: true, RcptHash: []byte{byte(i)}, Rcpt: "mara@home.example",
		MessageID: fmt.Sprint(i), CreatedAt: time.UnixMilli(1), DueAt: time.UnixMilli(1), NotAfter: time.UnixMilli(1),
	}
}

func TestARotationMovesEverySealedValueToTheNewKey(t *testing.T) {
	dir := t.TempDir()
	db := openAt(t, dir)
	for _, c := range sealedColumns {
		name := c.table + "." + c.name
		add := sealSomething[name]
		if add == nil {
			t.Fatalf("sealSomething does not fill %s", name)
		}
		update(t, db, add)
	}
	code := string(db.ring.Derive("code"))
	old := db.ring.first()
	fresh, err := db.RotateKey()
	if err != nil || fresh == old.String() || db.ring.first().String() != fresh {
		t.Fatalf("got %q, %v", fresh, err)
	}
	update(t, db, func(tx *Tx) error { return tx.AddMessage(someMessage(9999), bodyOf(9999)) })

	before := keysOf(t, db)
	if len(before) != 2 || before[1].ID != old.String() || before[0].Values["messages.body"] != 1 {
		t.Fatalf("before: got %+v", before)
	}
	for _, c := range sealedColumns {
		if before[1].Values[c.table+"."+c.name] == 0 {
			t.Errorf("sealSomething put nothing into %s.%s", c.table, c.name)
		}
	}
	reported := 0
	done, err := db.Reseal(t.Context(), func(r Resealed) { reported = r.Done })
	if err != nil || done.Lost > 0 || done.Done != before[1].Total() || reported != done.Done {
		t.Errorf("got %+v, %v, and %d were reported; want %d", done, err, reported, before[1].Total())
	}
	after := keysOf(t, db)
	if after[1].Total() != 0 || after[0].Total() != before[0].Total()+before[1].Total() {
		t.Errorf("after: got %+v", after)
	}
	if again, err := db.Reseal(t.Context(), nil); err != nil || again.Done != 0 {
		t.Errorf("a second time: got %+v, %v", again, err)
	}

	// A later run, which knows the new key alone.
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openAt(t, dir)
	if dropped, err := db.DropKeys(t.Context()); err != nil || len(dropped) != 1 || dropped[0] != old.String() {
		t.Errorf("dropped %v, %v, want %s", dropped, err, old)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openAt(t, dir)
	if keys := keysOf(t, db); len(keys) != 1 || keys[0].ID != fresh {
		t.Errorf("after the drop: got %+v", keys)
	}
	if string(db.ring.Derive("code")) != code {
		t.Error("a live code is worth nothing after the rotation")
	}
	wantBodies(t, db, 2*resealRows+7)
}

func keysOf(t *testing.T, db *DB) []Key {
	t.Helper()
	keys, err := db.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func wantBodies(t *testing.T, db *DB, n int) {
	t.Helper()
	err := db.View(t.Context(), func(tx *Tx) error {
		for i := range n {
			w, err := tx.MessageByID(someMessage(i).ID)
			if err != nil {
				return err
			}
			if string(w.Body) != string(bodyOf(i)) || w.Rcpt != "mara@home.example" {
				t.Errorf("%s has the body %q", w.ID, w.Body)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A message that is cancelled while it is being resealed stays empty.
func TestResealingOverwritesNobody(t *testing.T) {
	db := openAt(t, t.TempDir())
	update(t, db, addSomeMessages)
	if _, err := db.RotateKey(); err != nil {
		t.Fatal(err)
	}
	body := sealedColumn{table: "messages", name: "body", key: "id"}
	var rows []resealedRow
	if err := db.View(t.Context(), func(tx *Tx) (err error) { rows, _, err = tx.oldRows(body, body.before()); return err }); err != nil {
		t.Fatal(err)
	}
	if len(rows) != resealRows {
		t.Fatalf("got %d rows, want %d", len(rows), resealRows)
	}
	update(t, db, func(tx *Tx) error { return tx.CancelMessage(rows[7].key.(string), time.UnixMilli(2)) })
	if done, err := db.replaceRows(t.Context(), body, rows); err != nil || done != len(rows)-1 {
		t.Errorf("%d rows were replaced, %v; want %d", done, err, len(rows)-1)
	}
	err := db.View(t.Context(), func(tx *Tx) error {
		w, err := tx.MessageByID(rows[7].key.(string))
		if len(w.Body) != 0 {
			t.Errorf("the cancelled message has its body again: %q", w.Body)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAKeyIsDroppedOnlyWhenNothingNeedsIt(t *testing.T) {
	dir := t.TempDir()
	db := openAt(t, dir)
	update(t, db, addSomeMessages)
	if dropped, err := db.DropKeys(t.Context()); err != nil || len(dropped) != 0 {
		t.Errorf("the only key: got %v, %v", dropped, err)
	}
	if _, err := db.RotateKey(); err != nil {
		t.Fatal(err)
	}
	var p *Problem
	if _, err := db.DropKeys(t.Context()); !errors.As(err, &p) || !strings.Contains(p.Hint(), "try again in") {
		t.Errorf("at once: got %v", err)
	}
	db.ring.sealsSince = time.Now().Add(-dropAfter)
	if dropped, err := db.DropKeys(t.Context()); err != nil || len(dropped) != 0 {
		t.Errorf("while values are sealed with it: got %v, %v", dropped, err)
	}
	// One that never opens, because it was moved to another row, holds its key.
	update(t, db, func(tx *Tx) error {
		_, err := tx.changed(`UPDATE messages SET body = (SELECT body FROM messages WHERE id = 'm0001') WHERE id = 'm0002'`)
		return err
	})
	if done, err := db.Reseal(t.Context(), nil); err != nil || done.Lost != 1 {
		t.Errorf("got %+v, %v", done, err)
	}
	if dropped, err := db.DropKeys(t.Context()); err != nil || len(dropped) != 0 {
		t.Errorf("while a value cannot be moved: got %v, %v", dropped, err)
	}
	update(t, db, func(tx *Tx) error { return tx.CancelMessage("m0002", time.UnixMilli(2)) })
	if dropped, err := db.DropKeys(t.Context()); err != nil || len(dropped) != 1 {
		t.Errorf("when nothing needs it: got %v, %v", dropped, err)
	}
	if keys := keysOf(t, db); len(keys) != 1 {
		t.Errorf("got %+v", keys)
	}
}

// Another process over the same database has rotated: its new key is found in
// the file when a value asks for it.
func TestANewKeyInTheFileOpensWithoutARestart(t *testing.T) {
	dir := t.TempDir()
	db := openAt(t, dir)
	other, err := readKeyFile(filepath.Join(dir, keyName))
	if err != nil {
		t.Fatal(err)
	}
	strange := (&Keyring{}).withKeys(randomKey()).Seal("a/b/c", []byte("secret"))
	if _, err := db.ring.Open("a/b/c", strange); err == nil || !strings.Contains(err.Error(), "not in the key file") {
		t.Errorf("a key that is nowhere: got %v", err)
	}
	err = other.rewrite(time.Now(), false, func(keys []sealingKey) ([]sealingKey, error) {
		return append([]sealingKey{randomKey()}, keys...), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := db.ring.Open("a/b/c", other.Seal("a/b/c", []byte("secret")))
	if err != nil || string(plain) != "secret" {
		t.Errorf("got %q, %v", plain, err)
	}
}

func (k *Keyring) withKeys(keys ...sealingKey) *Keyring {
	k.set(keys)
	return k
}

func TestAKeyFileThatCannotBeWrittenChangesNothing(t *testing.T) {
	dir := t.TempDir()
	db := openAt(t, dir)
	if err := os.Remove(filepath.Join(dir, keyName)); err != nil {
		t.Fatal(err)
	}
	was := db.ring.first()
	if _, err := db.RotateKey(); err == nil || db.ring.first() != was {
		t.Errorf("got %v, and the key %s instead of %s", err, db.ring.first(), was)
	}
}

// rotateForever rotates, reseals and drops, run after run, in another process.
func rotateForever(dir string) {
	ctx := context.Background()
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	for {
		db, err := Open(ctx, Options{Dir: dir})
		fail(err)
		_, err = db.DropKeys(ctx)
		fail(err)
		_, err = db.RotateKey()
		fail(err)
		_, err = db.Reseal(ctx, nil)
		fail(err)
		fail(db.Close())
		os.Stdout.WriteString("round\n")
	}
}

// The process is killed at any step of a rotation: everything opens, and the
// next one goes on where it was.
func TestKilledWhileRotating(t *testing.T) {
	rounds := 4
	if n, err := strconv.Atoi(os.Getenv("GATELODGE_CRASH_ROUNDS")); err == nil {
		rounds = n
	}
	dir := t.TempDir()
	db := openAt(t, dir)
	update(t, db, addSomeMessages)
	code := string(db.ring.Derive("code"))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	between, left := 0, 0
	for range rounds {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "GATELODGE_TEST_ROTATOR="+dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(10_000+rand.IntN(120_000)) * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); cmd.ProcessState.Exited() {
			t.Fatalf("the rotator ended by itself: %v", err)
		}
		temporaries, err := filepath.Glob(filepath.Join(dir, keyTemporary))
		if err != nil {
			t.Fatal(err)
		}
		left += len(temporaries)
		db := openAt(t, dir)
		if temporaries, _ := filepath.Glob(filepath.Join(dir, keyTemporary)); len(temporaries) > 0 {
			t.Errorf("half a key file stays: %v", temporaries)
		}
		keys := keysOf(t, db)
		if len(keys) > 1 && keys[0].Total() > 0 && keys[1].Total() > 0 {
			between++
		}
		wantBodies(t, db, 2*resealRows+7)
		if string(db.ring.Derive("code")) != code {
			t.Error("the root has changed")
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, %d of them in the middle of the resealing, %d with half a key file, nothing lost", rounds, between, left)
}
