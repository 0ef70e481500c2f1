package move_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/app/audit"
	"gatelodge/app/move"
	"gatelodge/app/secret"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

// The tokens of the fixtures: of Mara and of the one without an address, both
// live, and one of Mara's that has expired.
const (
	maraToken  = "7a4e596f-74d5-4e06-b419-1af3fc6cb901"
	otherToken = "7a4e596f-74d5-4e06-b419-1af3fc6cb902"
	deadToken  = "7a4e596f-74d5-4e06-b419-1af3fc6cb903"
	maraHash   = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
)

func clock() time.Time { return storetest.Now }

func importer(db *store.DB) *move.Importer {
	return &move.Importer{
		DB: db, Audit: audit.New(db, clock, slog.New(slog.DiscardHandler)), Now: clock, App: "Wiki",
		Rolling: 30 * 24 * time.Hour, Max: 180 * 24 * time.Hour,
	}
}

// database makes a SQLite file of statements and returns its name.
func database(t testing.TB, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth.db")
	pool, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pool.Exec(strings.Join(statements, ";\n"))
	if err := errors.Join(err, pool.Close()); err != nil {
		t.Fatal(err)
	}
	return "file:" + path
}

func fixture(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func open(t testing.TB, dsn string, r move.Reading) *move.Source {
	t.Helper()
	s, err := move.Open(t.Context(), dsn, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func quiet(int, int) {}

func plan(t testing.TB, db *store.DB, dsn string, r move.Reading) *move.Report {
	t.Helper()
	report, err := importer(db).Plan(t.Context(), open(t, dsn, r), quiet)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func take(t testing.TB, db *store.DB, dsn string, r move.Reading) *move.Report {
	t.Helper()
	report, err := importer(db).Import(t.Context(), audit.Origin{IP: "127.0.0.1", Reference: "GL-TEST-0001"}, open(t, dsn, r), quiet)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// view reads from the store, which has to succeed.
func view[T any](t testing.TB, db *store.DB, f func(*store.Tx) (T, error)) T {
	t.Helper()
	var v T
	if err := db.View(t.Context(), func(tx *store.Tx) (err error) { v, err = f(tx); return err }); err != nil {
		t.Fatal(err)
	}
	return v
}

// signedIn returns who a token of a session belongs to, or "".
func signedIn(t testing.TB, db *store.DB, token string) string {
	t.Helper()
	hash, ok := secret.SessionHash(token)
	if !ok {
		t.Fatalf("%q cannot be a token", token)
	}
	_, u, err := db.SessionByAppToken(context.Background(), "Wiki", hash, clock())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return u.ID
}

// people are the ids of those whom all sources have in common.
type people struct{ mara, other, eva string }

// wantPeople looks for everything that the sources have in common.
func wantPeople(t *testing.T, db *store.DB, who people, verified time.Time) {
	t.Helper()
	mara := view(t, db, func(tx *store.Tx) (store.User, error) { return tx.UserByEmail("mara@home.example") })
	if mara.ID != who.mara || mara.Email != "Mara@Home.example" || mara.Name != "Mara Okafor" || mara.Image != "https://img.example/mara.png" ||
		!mara.EmailVerifiedAt.Equal(verified) || mara.Admin || mara.Disabled() {
		t.Errorf("Mara came as %+v", mara)
	}
	other := view(t, db, func(tx *store.Tx) (store.User, error) { return tx.UserByID(who.other) })
	if other.HasEmail() || other.Name != "" {
		t.Errorf("the one without an address came as %+v", other)
	}
	eva := view(t, db, func(tx *store.Tx) (store.User, error) { return tx.UserByEmail("eva@home.example") })
	if eva.ID != who.eva || !eva.EmailVerifiedAt.IsZero() {
		t.Errorf("Eva came as %+v", eva)
	}
	google := view(t, db, func(tx *store.Tx) (store.Account, error) { return tx.AccountBySubject("google", "1000001") })
	wantTokens := store.Tokens{Access: "access-1", Refresh: "refresh-1", ID: "id-1", Type: "bearer", Scope: "openid email", ExpiresAt: time.Unix(1798000000, 0).UTC()}
	if diff := cmp.Diff(wantTokens, google.Tokens); diff != "" || google.UserID != who.mara || google.Type != "oidc" {
		t.Errorf("the account at Google came as %+v\n%s", google, diff)
	}
	github := view(t, db, func(tx *store.Tx) (store.Account, error) { return tx.AccountBySubject("github", "2000002") })
	if github.UserID != who.other || github.Tokens.Access != "access-2" || !github.Tokens.ExpiresAt.IsZero() || github.Type != "oauth" {
		t.Errorf("the account at GitHub came as %+v", github)
	}
	for token, want := range map[string]string{maraToken: who.mara, otherToken: who.other, deadToken: ""} {
		if got := signedIn(t, db, token); got != want {
			t.Errorf("the cookie %s signs in %q, want %q", token, got, want)
		}
	}
}

func wantPasskey(t *testing.T, db *store.DB, owner string) {
	t.Helper()
	got := view(t, db, func(tx *store.Tx) ([]store.Passkey, error) { return tx.PasskeysOf(owner) })
	want := []store.Passkey{{
		CredentialID: []byte{1, 2, 3, 4}, UserID: owner, PublicKey: []byte("\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"), SignCount: 7,
		Transports: "internal hybrid", MultiDevice: true, BackedUp: true, CreatedAt: clock(),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The verified time of the fixtures, 2025-03-01T10:00:00.123Z.
var verified = time.UnixMilli(1740823200123).UTC()

// shape is a fixture and what it brings besides the people.
type shape struct {
	adapter, password string
	passkeys          bool
	mapped            map[string]string
	verified          time.Time
	who               people
}

// byHand is who is in the sources that are files.
var byHand = people{"1", "2", "3"}

func TestEveryShapeBringsTheSamePeople(t *testing.T) {
	for name, want := range map[string]shape{
		"prisma.sql":    {"Auth.js, Prisma adapter", "password", true, nil, verified, byHand},
		"prisma_v4.sql": {"NextAuth v4, Prisma adapter", "password", false, nil, verified, byHand},
		"d1.sql":        {"Auth.js, D1 adapter", "", false, nil, verified, byHand},
		"drizzle.sql":   {"Auth.js, Drizzle adapter", "", true, nil, verified, byHand},
		"renamed.sql":   {"Auth.js", "passwordHash", false, map[string]string{"User": "app_members"}, verified.Truncate(time.Second), byHand},
	} {
		t.Run(name, func(t *testing.T) { wantShape(t, database(t, fixture(t, name)), want) })
	}
}

func TestEveryShapeOnPostgreSQLBringsTheSamePeople(t *testing.T) {
	p := storetest.StartPostgres(t)
	for name, want := range map[string]shape{
		"pg.postgres.sql":     {"Auth.js, pg adapter", "", false, nil, verified, byHand},
		"prisma.postgres.sql": {"Auth.js, Prisma adapter", "", true, nil, verified, byHand},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := p.Name(t)
			pool, err := store.OpenPostgres(dsn)
			if err != nil {
				t.Fatal(err)
			}
			_, err = pool.Exec(fixture(t, name))
			if err := errors.Join(err, pool.Close()); err != nil {
				t.Fatal(err)
			}
			wantShape(t, dsn, want)
		})
	}
}

func wantShape(t *testing.T, dsn string, want shape) {
	t.Helper()
	db := storetest.Open(t)
	report := take(t, db, dsn, move.Reading{Map: want.mapped, PasswordColumn: want.password})
	if report.Shape != want.adapter || report.Users != (move.Counted{Read: 3, Taken: 3}) ||
		report.Accounts != (move.Counted{Read: 2, Taken: 2}) || report.Sessions != (move.Counted{Read: 3, Taken: 2}) {
		t.Errorf("reported: %+v", report)
	}
	wantPeople(t, db, want.who, want.verified)
	if want.passkeys {
		wantPasskey(t, db, want.who.mara)
	}
	if want.password != "" {
		p := view(t, db, func(tx *store.Tx) (store.Password, error) { return tx.PasswordOf(want.who.mara) })
		if p.Hash != maraHash {
			t.Errorf("the hash came as %q", p.Hash)
		}
	}
}
