package move_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatelodge/app/move"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

// furnished is a store with the people of a fixture.
func furnished(t *testing.T) *store.DB {
	t.Helper()
	db := storetest.Open(t)
	take(t, db, database(t, fixture(t, "prisma.sql")), move.Reading{PasswordColumn: "password"})
	return db
}

func lines(t *testing.T, db *store.DB, secrets bool) []map[string]any {
	t.Helper()
	var b bytes.Buffer
	e := &move.Exporter{DB: db, Secrets: secrets}
	h, err := e.Lines(t.Context(), &b, clock())
	if err != nil {
		t.Fatal(err)
	}
	passwords := 0
	if secrets {
		passwords = 1
	}
	if want := (move.Handed{Users: 3, Accounts: 2, Passkeys: 1, Passwords: passwords}); h != want {
		t.Errorf("counted %+v, want %+v", h, want)
	}
	var list []map[string]any
	for s := bufio.NewScanner(&b); s.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			t.Fatalf("%q: %v", s.Text(), err)
		}
		list = append(list, line)
	}
	return list
}

func TestAnExportHoldsEverybodyButNoSession(t *testing.T) {
	list := lines(t, furnished(t), true)
	kinds := make(map[string]int)
	for _, line := range list {
		kinds[line["kind"].(string)]++
		if line["kind"] == "user" && line["id"] == "1" {
			want := map[string]any{
				"kind": "user", "id": "1", "email": "Mara@Home.example", "emailVerified": "2025-03-01T10:00:00.123Z", "name": "Mara Okafor",
				"image": "https://img.example/mara.png", "createdAt": "2025-02-01T00:00:00Z", "password": maraHash,
			}
			if diff := cmp.Diff(want, line); diff != "" {
				t.Error(diff)
			}
		}
	}
	if diff := cmp.Diff(map[string]int{"export": 1, "user": 3, "account": 2, "passkey": 1}, kinds); diff != "" {
		t.Error(diff)
	}
	if list[0]["kind"] != "export" || list[0]["secrets"] != true || list[0]["sessions"] != move.NoSessions {
		t.Errorf("it begins with %v", list[0])
	}
}

func TestAnExportHoldsSecretsOnlyWhenAskedFor(t *testing.T) {
	db := furnished(t)
	secrets := []string{"access-1", "refresh-1", "id-1", maraHash, `"password`}
	quietly, err := json.Marshal(lines(t, db, false))
	if err != nil {
		t.Fatal(err)
	}
	aloud, err := json.Marshal(lines(t, db, true))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "people.db")
	if _, err := (&move.Exporter{DB: db}).Prisma(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	prisma := file(t, path)
	for _, s := range secrets {
		if bytes.Contains(quietly, []byte(s)) || bytes.Contains(prisma, []byte(s)) {
			t.Errorf("%s is in an export that was to have no secrets", s)
		}
		if !bytes.Contains(aloud, []byte(s)) {
			t.Errorf("%s is not in an export with secrets", s)
		}
	}
}

func TestAPrismaExportIsReadWhole(t *testing.T) {
	db := furnished(t)
	path := filepath.Join(t.TempDir(), "people # 100%.db")
	h, err := (&move.Exporter{DB: db, Secrets: true}).Prisma(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if want := (move.Handed{Users: 3, Accounts: 2, Passkeys: 1, Passwords: 1}); h != want {
		t.Errorf("counted %+v, want %+v", h, want)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v", info.Mode())
	}
	other := storetest.Open(t)
	take(t, other, "file:"+path, move.Reading{PasswordColumn: "password"})
	var before, after bytes.Buffer
	for db, b := range map[*store.DB]*bytes.Buffer{db: &before, other: &after} {
		if _, err := (&move.Exporter{DB: db, Secrets: true}).Lines(t.Context(), b, clock()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(strings.Split(before.String(), "\n"), strings.Split(after.String(), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestAnExportNeverOverwritesAndLeavesNoHalves(t *testing.T) {
	db := furnished(t)
	path := filepath.Join(t.TempDir(), "people.db")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (&move.Exporter{DB: db}).Prisma(t.Context(), path); !os.IsExist(err) {
		t.Errorf("over a file: %v", err)
	}
	if got := file(t, path); string(got) != "mine" {
		t.Errorf("the file holds %q", got)
	}
	// Two accounts that here are two and in Auth.js one: it cannot be written.
	storetest.Update(t, db, func(tx *store.Tx) error {
		return tx.AddAccount(store.Account{ID: "x", UserID: "3", Provider: "passkey", Subject: "AQIDBA==", Type: "oauth", CreatedAt: clock()})
	})
	other := filepath.Join(t.TempDir(), "people.db")
	if _, err := (&move.Exporter{DB: db}).Prisma(t.Context(), other); err == nil {
		t.Error("two accounts were written as one")
	}
	if _, err := os.Stat(other); !os.IsNotExist(err) {
		t.Errorf("half an export is left: %v", err)
	}
}
