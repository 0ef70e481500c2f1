package move_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/app/audit"
	"gatelodge/app/move"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

func file(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func users(t *testing.T, db *store.DB) []store.User {
	t.Helper()
	return view(t, db, func(tx *store.Tx) ([]store.User, error) { return tx.Users("", 1000) })
}

func TestADryRunReportsTheSameAndChangesNothing(t *testing.T) {
	dsn := database(t, fixture(t, "prisma.sql"))
	before := file(t, strings.TrimPrefix(dsn, "file:"))
	db := storetest.Open(t)
	reading := move.Reading{PasswordColumn: "password"}
	planned := plan(t, db, dsn, reading)
	if got := users(t, db); len(got) > 0 || signedIn(t, db, maraToken) != "" {
		t.Errorf("a dry run added %v", got)
	}
	done := take(t, db, dsn, reading)
	if !planned.DryRun || done.DryRun {
		t.Error("which of them was dry is wrong")
	}
	planned.DryRun = false
	if diff := cmp.Diff(planned, done); diff != "" {
		t.Errorf("planned and done differ:\n%s", diff)
	}
	if !bytes.Equal(before, file(t, strings.TrimPrefix(dsn, "file:"))) {
		t.Error("the source was changed")
	}
}

func TestASecondRunAddsNothingAndRevivesNothing(t *testing.T) {
	dsn := database(t, fixture(t, "prisma.sql"))
	db := storetest.Open(t)
	take(t, db, dsn, move.Reading{})
	// Since then Mara has signed out everywhere, unlinked Google and changed her name.
	google := view(t, db, func(tx *store.Tx) (store.Account, error) { return tx.AccountBySubject("google", "1000001") })
	storetest.Update(t, db, func(tx *store.Tx) error {
		_, err := tx.EndSessionsOf("1", "")
		return errors.Join(err, tx.RemoveAccount("1", google.ID), tx.SetProfile("1", store.Profile{Name: "Mara O."}, clock()))
	})
	report := take(t, db, dsn, move.Reading{PasswordColumn: "password"})
	if report.Here != 3 || report.Users.Taken+report.Accounts.Taken+report.Sessions.Taken+report.Passwords.Taken != 0 {
		t.Errorf("reported: %+v", report)
	}
	if got := signedIn(t, db, maraToken); got != "" {
		t.Error("a session that she ended is back")
	}
	if got := view(t, db, func(tx *store.Tx) ([]store.Account, error) { return tx.AccountsOf("1") }); len(got) > 0 {
		t.Errorf("an account that she unlinked is back: %v", got)
	}
	if got := view(t, db, func(tx *store.Tx) (store.User, error) { return tx.UserByID("1") }); got.Name != "Mara O." {
		t.Errorf("her name is %q again", got.Name)
	}
}

// many makes n users with an account and a session each.
func many(n int) string {
	var b strings.Builder
	b.WriteString(`CREATE TABLE user (id text, name text, email text, emailVerified integer);
		CREATE TABLE account (userId text, type text, provider text, providerAccountId text);
		CREATE TABLE session (sessionToken text, userId text, expires integer);`)
	for i := range n {
		fmt.Fprintf(&b, "INSERT INTO user VALUES ('u%06d', 'User', 'u%d@home.example', NULL);", i, i)
		fmt.Fprintf(&b, "INSERT INTO account VALUES ('u%06d', 'oauth', 'github', '%d');", i, i)
		fmt.Fprintf(&b, "INSERT INTO session VALUES ('7a4e596f-74d5-4e06-b419-%012d', 'u%06d', %d);", i, i, storetest.Now.Add(time.Hour).UnixMilli())
	}
	return b.String()
}

func TestAnInterruptedImportGoesOnWhereItStopped(t *testing.T) {
	dsn := database(t, many(250))
	db := storetest.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	report, err := importer(db).Import(ctx, audit.Origin{}, open(t, dsn, move.Reading{}), func(done, total int) {
		if done == 100 {
			cancel()
		}
		if total != 250 {
			t.Errorf("of %d users, want 250", total)
		}
	})
	if !errors.Is(err, context.Canceled) || report.Users.Taken != 100 {
		t.Fatalf("it ended with %v after %d users", err, report.Users.Taken)
	}
	for _, u := range users(t, db) {
		accounts := view(t, db, func(tx *store.Tx) ([]store.Account, error) { return tx.AccountsOf(u.ID) })
		sessions := view(t, db, func(tx *store.Tx) ([]store.Session, error) { return tx.SessionsOf(u.ID, clock()) })
		if len(accounts) != 1 || len(sessions) != 1 {
			t.Errorf("%s came by halves: %d accounts, %d sessions", u.ID, len(accounts), len(sessions))
		}
	}
	report = take(t, db, dsn, move.Reading{})
	if report.Here != 100 || report.Users.Taken != 150 || report.Accounts.Taken != 150 || report.Sessions.Taken != 150 {
		t.Errorf("the second run: %+v", report)
	}
	if got := len(users(t, db)); got != 250 {
		t.Errorf("there are %d users, want 250", got)
	}
}

// reasons returns how many were left out, or came with less, by kind and the
// first words of why.
func reasons(list []move.Reason) map[string]int {
	counts := make(map[string]int)
	for _, r := range list {
		words := strings.Fields(r.Why)
		counts[r.Kind+": "+strings.Join(words[:min(5, len(words))], " ")] += r.Count
	}
	return counts
}

// Whoever made a second account in the app with another spelling of somebody's
// address must not get the first one's mail here, nor the other way round.
func TestUsersWithOneAddressAreLeftOutAndNamed(t *testing.T) {
	dsn := database(t, fixture(t, "drizzle.sql"), `
		INSERT INTO user VALUES ('4', 'Eve', 'MARA@home.example', 1740823200123, NULL);
		INSERT INTO account VALUES ('4', 'oauth', 'github', '666', NULL, NULL, NULL, NULL, NULL, NULL, NULL)`)
	db := storetest.Open(t)
	report := take(t, db, dsn, move.Reading{})
	if got := users(t, db); len(got) != 2 {
		t.Errorf("there are %v", got)
	}
	if got := signedIn(t, db, maraToken); got != "" {
		t.Errorf("the session of somebody who was left out signs in %s", got)
	}
	i := -1
	for n, r := range report.LeftOut {
		if r.Kind == "user" {
			i = n
		}
	}
	if i < 0 || report.LeftOut[i].Count != 2 || !cmp.Equal(report.LeftOut[i].Examples, []string{"1", "4"}) {
		t.Errorf("left out: %+v", report.LeftOut)
	}
}

func TestWhoIsHereKeepsAddressIDAndAccounts(t *testing.T) {
	db := storetest.Open(t)
	admin := storetest.User(t, db, "mara@home.example") // the first admin, set up before the import
	eve := store.User{ID: "3", Email: "eve@home.example", EmailNorm: "eve@home.example", CreatedAt: clock(), UpdatedAt: clock()}
	storetest.Update(t, db, func(tx *store.Tx) error {
		return errors.Join(tx.AddUser(eve), tx.AddAccount(store.Account{
			ID: "mine", UserID: admin.ID, Provider: "github", Subject: "2000002", Type: "oauth", CreatedAt: clock(),
		}), tx.AddPasskey(store.Passkey{CredentialID: []byte{1, 2, 3, 4}, UserID: admin.ID, PublicKey: []byte{0xa1}, CreatedAt: clock()}))
	})
	report := take(t, db, database(t, fixture(t, "prisma.sql")), move.Reading{})
	// Eva has Eve's id, and is nobody here: she gets a new one.
	if report.Users.Taken != 2 || report.Here != 0 || report.Accounts.Taken != 0 || len(report.Mapped) != 1 || report.Mapped[0].ID != "3" {
		t.Errorf("reported: %+v", report)
	}
	want := map[string]int{
		"user: somebody here has that address": 1, "account: it belongs to somebody here": 1, "session: it has expired": 1,
		"verification token: it is bound to the": 1,
	}
	if diff := cmp.Diff(want, reasons(report.LeftOut)); diff != "" {
		t.Error(diff)
	}
	if got := view(t, db, func(tx *store.Tx) (store.User, error) { return tx.UserByEmail("mara@home.example") }); got.ID != admin.ID {
		t.Errorf("the address leads to %s", got.ID)
	}
	if got := view(t, db, func(tx *store.Tx) (store.Account, error) { return tx.AccountBySubject("github", "2000002") }); got.UserID != admin.ID {
		t.Errorf("the account leads to %s", got.UserID)
	}
	if got := view(t, db, func(tx *store.Tx) (store.User, error) { return tx.UserByID("3") }); got.Email != "eve@home.example" {
		t.Errorf("the user with id 3 is %s", got.Email)
	}
}

func TestWhatCannotBeTakenIsCountedWithTheReason(t *testing.T) {
	future := storetest.Now.Add(time.Hour).UnixMilli()
	dsn := database(t, fixture(t, "prisma.sql"), fmt.Sprintf(`
		DELETE FROM "Account"; DELETE FROM "Session"; DELETE FROM "Authenticator"; DELETE FROM "User";
		INSERT INTO "User" VALUES ('', 'no id', 'a@home.example', NULL, NULL, NULL, NULL, 0, 0);
		INSERT INTO "User" VALUES ('a b'||char(10), 'line break', 'b@home.example', NULL, NULL, NULL, NULL, 0, 0);
		INSERT INTO "User" VALUES ('5', 'no address', 'not an address', NULL, 'data:image/png;base64,AAAA', NULL, NULL, 0, 0);
		INSERT INTO "User" VALUES ('6', '%s', 'six@home.example', 'yesterday', 'javascript:alert(1)', 'scrypt:1:2', NULL, 'soon', 0);
		INSERT INTO "User" VALUES ('7', 'Bidi' || char(8238) || 'gpj', 'seven@home.example', 4102444800000, NULL, '$2b$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy', NULL, 0, 0);
		INSERT INTO "Account" VALUES ('6', 'credentials', 'credentials', '6', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0);
		INSERT INTO "Account" VALUES ('6', 'oauth', '', '6', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0);
		INSERT INTO "Account" VALUES ('nobody', 'oauth', 'github', '8', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0);
		INSERT INTO "Account" VALUES ('6', 'oauth', 'github', '9', NULL, NULL, 'never', NULL, NULL, NULL, NULL, 0, 0);
		INSERT INTO "Session" VALUES ('short', '6', %d, 0, 0);
		INSERT INTO "Session" VALUES ('7a4e596f-74d5-4e06-b419-1af3fc6cb905', '6', 'never', 0, 0);
		INSERT INTO "Session" VALUES ('7a4e596f-74d5-4e06-b419-1af3fc6cb906', 'nobody', %d, 0, 0);
		INSERT INTO "Authenticator" VALUES ('!!', '6', '!!', 'pQEC', 1, 'singleDevice', 0, NULL);
		INSERT INTO "Authenticator" VALUES ('AQID', '6', 'AQID', 'AAAA', 1, 'singleDevice', 0, NULL)`,
		strings.Repeat("é", 120), future, future))
	db := storetest.Open(t)
	report := take(t, db, dsn, move.Reading{PasswordColumn: "password"})
	left := map[string]int{
		"user: the id is empty, longer":              2,
		"account: its type is \"credentials\", with": 1, "account: the provider or the id": 1, "account: the user it belongs to": 1,
		"passkey: the credential id, public key": 2, "password: it is neither bcrypt nor": 1, "password: checking it would take too": 1,
		"session: its token is too short": 1, "session: when it ends cannot be": 1, "session: the user it belongs to": 1,
		"verification token: it is bound to the": 1,
	}
	if diff := cmp.Diff(left, reasons(report.LeftOut)); diff != "" {
		t.Errorf("left out: %s", diff)
	}
	less := map[string]int{
		"user: the address is none, and": 1, "user: the name is longer than": 1, "user: when the address was verified": 1,
		"account: when the access token ends": 1,
	}
	if diff := cmp.Diff(less, reasons(report.Less)); diff != "" {
		t.Errorf("with less: %s", diff)
	}
	six := view(t, db, func(tx *store.Tx) (store.User, error) { return tx.UserByID("6") })
	if six.Name != strings.Repeat("é", 100) || six.Image != "" || !six.EmailVerifiedAt.IsZero() {
		t.Errorf("it came as %+v", six)
	}
	seven := view(t, db, func(tx *store.Tx) (store.User, error) { return tx.UserByID("7") })
	if seven.Name != "Bidi gpj" || seven.EmailVerifiedAt.After(clock()) {
		t.Errorf("it came as %+v", seven)
	}
}

func TestTokensOfUpstreamsAreSealedOnTheWayIn(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	take(t, db, database(t, fixture(t, "prisma.sql")), move.Reading{})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	kept := file(t, filepath.Join(dir, "gatelodge.db"))
	for _, secret := range []string{"access-1", "refresh-1", "id-1", maraToken} {
		if bytes.Contains(kept, []byte(secret)) {
			t.Errorf("%s stands in the database in clear", secret)
		}
	}
	if !bytes.Contains(kept, []byte("1000001")) {
		t.Error("the test looks at the wrong file")
	}
}

// What asks for a fresh proof of who somebody is must ask an imported session.
func TestAnImportedSessionProvesNothingFresh(t *testing.T) {
	db := storetest.Open(t)
	take(t, db, database(t, fixture(t, "drizzle.sql")), move.Reading{})
	for _, s := range view(t, db, func(tx *store.Tx) ([]store.Session, error) { return tx.SessionsOf("1", clock()) }) {
		if clock().Sub(s.AuthAt) < 24*time.Hour || s.MaxExpiresAt.After(clock().Add(180*24*time.Hour)) || s.ExpiresAt.After(clock().Add(30*24*time.Hour)) {
			t.Errorf("it came as %+v", s)
		}
	}
}

func TestAnImportIsInTheAuditLog(t *testing.T) {
	db := storetest.Open(t)
	take(t, db, database(t, fixture(t, "prisma.sql")), move.Reading{})
	events := view(t, db, func(tx *store.Tx) ([]store.Event, error) { return tx.EventsByReference("GL-TEST-0001") })
	kinds := make(map[string]int)
	for _, e := range events {
		kinds[e.Kind]++
	}
	if diff := cmp.Diff(map[string]int{audit.UserImported: 3, audit.Imported: 1}, kinds); diff != "" {
		t.Error(diff)
	}
}

func TestAWrongDatabaseIsRefusedInWords(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("these are notes\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	ours := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Dir: ours})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	prisma := database(t, fixture(t, "prisma.sql"))
	for name, test := range map[string]struct {
		dsn       string
		reading   move.Reading
		say, hint string
	}{
		"no name":          {"dev.db", move.Reading{}, "names no database", "file:PATH"},
		"no file":          {"file:nowhere.db", move.Reading{Dir: dir}, "nowhere.db", "directory this command runs in"},
		"a directory":      {"file:.", move.Reading{Dir: dir}, "is a directory", "file in it"},
		"a text":           {"file:" + text, move.Reading{}, "cannot be read", "SQLite"},
		"our own":          {"file:" + ours + "/gatelodge.db", move.Reading{}, "not a database of Auth.js", "-map User=members"},
		"two that fit":     {database(t, fixture(t, "renamed.sql")), move.Reading{}, "app_leads, app_members", "-map User=app_leads"},
		"no such table":    {prisma, move.Reading{Map: map[string]string{"User": "members"}}, `no table "members"`, "Account"},
		"no such model":    {prisma, move.Reading{Map: map[string]string{"Person": "User"}}, `no "Person"`, "one of User"},
		"another table":    {prisma, move.Reading{Map: map[string]string{"Session": "Post"}}, `"Post" is no Session`, "-map"},
		"no such column":   {prisma, move.Reading{PasswordColumn: "hash"}, `no column "hash"`, "password"},
		"nobody listening": {"postgres://me:sesame@127.0.0.1:1/app", move.Reading{}, "cannot be read", "psql"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := move.Open(t.Context(), test.dsn, test.reading)
			if err == nil {
				t.Fatal(errors.Join(errors.New("it was opened"), s.Close()))
			}
			var hinted interface{ Hint() string }
			if !errors.As(err, &hinted) || !strings.Contains(err.Error(), test.say) || !strings.Contains(hinted.Hint(), test.hint) {
				t.Errorf("got %v", err)
			} else if strings.Contains(err.Error()+hinted.Hint(), "sesame") {
				t.Errorf("it tells the password: %v", err)
			}
		})
	}
}

// tokenOf is what the app's cookie holds of somebody.
func tokenOf(who string) string { return fmt.Sprintf("7a4e596f-74d5-4e06-b419-%020s", who) }

// twoOf makes a database with users 1 and 2 of the addresses, each with an account,
// a session and a passkey.
func twoOf(t *testing.T, first, second string) string {
	t.Helper()
	statements := []string{
		`CREATE TABLE user (id integer, name text, email text, emailVerified integer)`,
		`CREATE TABLE account (userId integer, type text, provider text, providerAccountId text)`,
		`CREATE TABLE session (sessionToken text, userId integer, expires integer)`,
	}
	for i, who := range []string{first, second} {
		address := fmt.Sprintf("'%s@home.example'", who)
		if strings.HasPrefix(who, "nobody") {
			address = "NULL"
		}
		statements = append(statements,
			fmt.Sprintf("INSERT INTO user VALUES (%d, '%s', %s, 1740823200000)", i+1, who, address),
			fmt.Sprintf("INSERT INTO account VALUES (%d, 'oauth', 'github', 'gh-%s')", i+1, who),
			fmt.Sprintf("INSERT INTO session VALUES ('%s', %d, %d)", tokenOf(who), i+1, storetest.Now.Add(time.Hour).UnixMilli()))
	}
	return database(t, statements...)
}

func TestTwoDatabasesWithTheSameIDsBringAllTheirUsers(t *testing.T) {
	db := storetest.Open(t)
	home, work := twoOf(t, "anna", "nobody-1"), twoOf(t, "ben", "nobody-2")
	take(t, db, home, move.Reading{})

	planned := plan(t, db, work, move.Reading{})
	done := take(t, db, work, move.Reading{})
	if done.Users.Taken != 2 || done.Here != 0 || len(done.Mapped) != 2 {
		t.Fatalf("reported: %+v", done)
	}
	if diff := cmp.Diff(planned.Mapped, done.Mapped); diff != "" {
		t.Errorf("the dry run names other ids:\n%s", diff)
	}
	for i, who := range []string{"ben", "nobody-2"} {
		mapped := done.Mapped[i]
		if mapped.ID != fmt.Sprint(i+1) || mapped.NewID == mapped.ID {
			t.Errorf("%s is reported as %+v", who, mapped)
		}
		account := view(t, db, func(tx *store.Tx) (store.Account, error) { return tx.AccountBySubject("github", "gh-"+who) })
		if account.UserID != mapped.NewID {
			t.Errorf("the account of %s belongs to %s, want %s", who, account.UserID, mapped.NewID)
		}
		if got := signedIn(t, db, tokenOf(who)); got != mapped.NewID {
			t.Errorf("the cookie of %s signs in %q, want %q", who, got, mapped.NewID)
		}
	}
	for id, who := range map[string]string{"1": "anna", "2": "nobody-1"} {
		if got := view(t, db, func(tx *store.Tx) (store.User, error) { return tx.UserByID(id) }); got.Name != who {
			t.Errorf("user %s is %q, want %q", id, got.Name, who)
		}
	}
}

func TestAnImportFromTwoDatabasesCanBeRepeated(t *testing.T) {
	db := storetest.Open(t)
	home, work := twoOf(t, "anna", "nobody-1"), twoOf(t, "ben", "nobody-2")
	take(t, db, home, move.Reading{})
	first := take(t, db, work, move.Reading{})
	// Since then Anna and Ben have other addresses, and nothing of theirs is left to
	// recognize them by but where they came from.
	storetest.Update(t, db, func(tx *store.Tx) error {
		for _, id := range []string{"1", first.Mapped[0].NewID} {
			accounts, err := tx.AccountsOf(id)
			if err != nil {
				return err
			}
			norm := "new-" + id + "@home.example"
			if err := errors.Join(tx.RemoveAccount(id, accounts[0].ID),
				tx.AddEmail(store.Email{Norm: norm, Email: norm, UserID: id, VerifiedAt: storetest.Now, CreatedAt: storetest.Now}),
				tx.SetPrimary(id, norm, storetest.Now)); err != nil {
				return err
			}
		}
		return errors.Join(tx.RemoveEmail("1", "anna@home.example"), tx.RemoveEmail(first.Mapped[0].NewID, "ben@home.example"))
	})
	for _, dsn := range []string{home, work, home} {
		again := take(t, db, dsn, move.Reading{})
		if again.Here != 2 || again.Users.Taken != 0 {
			t.Errorf("%s again: %+v", dsn, again)
		}
		if dsn == work && !cmp.Equal(again.Mapped, first.Mapped) {
			t.Errorf("mapped to %v, and before to %v", again.Mapped, first.Mapped)
		}
	}
	if got := users(t, db); len(got) != 4 {
		t.Errorf("%d users, want 4: %+v", len(got), got)
	}
}

func TestASourceIsKnownByItsNameAtAnotherAddress(t *testing.T) {
	db := storetest.Open(t)
	take(t, db, twoOf(t, "anna", "eva"), move.Reading{Name: "wiki"})
	report := take(t, db, twoOf(t, "anna-elsewhere", "eva-elsewhere"), move.Reading{Name: "wiki"})
	if report.Here != 2 || report.Users.Taken != 0 || len(report.Mapped) != 0 {
		t.Errorf("reported: %+v", report)
	}
	if report = take(t, db, twoOf(t, "anna-elsewhere", "eva-elsewhere"), move.Reading{}); report.Users.Taken != 2 {
		t.Errorf("from a source of another name: %+v", report)
	}
}

func TestAnAddressOfAUserHereIsNotGivenToANewID(t *testing.T) {
	db := storetest.Open(t)
	take(t, db, twoOf(t, "anna", "ben"), move.Reading{})
	// There Ben has Anna's id, and Cleo Ben's.
	report := take(t, db, twoOf(t, "ben", "cleo"), move.Reading{})
	if report.Users.Taken != 1 || len(report.Mapped) != 1 || report.Mapped[0].Email != "cleo@home.example" || report.Here != 0 {
		t.Errorf("reported: %+v", report)
	}
	if got := reasons(report.LeftOut); got["user: somebody here has that address"] != 1 || len(got) != 1 {
		t.Errorf("left out: %+v", report.LeftOut)
	}
}

// Two GitLab servers both have an account 1. Nobody is dropped without a word.
func TestAUserWhomOnlyAnAccountMakesTheSameIsNamed(t *testing.T) {
	db := storetest.Open(t)
	take(t, db, twoOf(t, "anna", "ben"), move.Reading{})
	other := database(t,
		`CREATE TABLE user (id integer, email text, emailVerified integer)`,
		`CREATE TABLE account (userId integer, type text, provider text, providerAccountId text)`,
		`INSERT INTO user VALUES (1, 'cleo@work.example', NULL), (2, 'Ben@home.example', NULL)`,
		`INSERT INTO account VALUES (1, 'oauth', 'github', 'gh-anna'), (2, 'oauth', 'github', 'gh-ben')`)
	report := take(t, db, other, move.Reading{})
	if got := reasons(report.Less); report.Here != 2 || got["user: a linked account or a"] != 1 || len(got) != 1 {
		t.Errorf("%d are here; coming with less: %+v", report.Here, report.Less)
	}
}

func TestAccountsOfNextAuthV3AreTaken(t *testing.T) {
	dsn := database(t,
		`CREATE TABLE users (id integer, name text, email text, email_verified text, image text, created_at text, updated_at text)`,
		`CREATE TABLE accounts (id integer, compound_id text, user_id integer, provider_type text, provider_id text, provider_account_id text,
			refresh_token text, access_token text, access_token_expires text, created_at text, updated_at text)`,
		`CREATE TABLE sessions (id integer, user_id integer, expires text, session_token text, access_token text)`,
		`CREATE TABLE verification_requests (id integer, identifier text, token text, expires text)`,
		`INSERT INTO users VALUES (7, 'Mara', 'mara@home.example', '2021-03-01 10:00:00.000 +00:00', NULL, '2021-03-01 10:00:00.000 +00:00', NULL)`,
		`INSERT INTO accounts VALUES (1, 'x', 7, 'oauth', 'github', '2000002', 'r', 'a', '2021-03-01 11:00:00.000 +00:00', NULL, NULL)`,
	)
	db := storetest.Open(t)
	report := take(t, db, dsn, move.Reading{})
	account := view(t, db, func(tx *store.Tx) (store.Account, error) { return tx.AccountBySubject("github", "2000002") })
	if report.Shape != "NextAuth v3" || account.UserID != "7" || account.Type != "oauth" || account.Tokens.ExpiresAt.Year() != 2021 {
		t.Errorf("reported %+v, account %+v", report, account)
	}
	mara := view(t, db, func(tx *store.Tx) (store.User, error) { return tx.UserByID("7") })
	if want := time.Date(2021, 3, 1, 10, 0, 0, 0, time.UTC); !mara.EmailVerifiedAt.Equal(want) || !mara.CreatedAt.Equal(want) {
		t.Errorf("verified %s, created %s", mara.EmailVerifiedAt, mara.CreatedAt)
	}
}

func TestATableThatIsCalledLikeOursIsNamedAndCanBeMapped(t *testing.T) {
	tables := []string{
		`CREATE TABLE user (id text, email text, emailVerified integer)`,
		`CREATE TABLE app_accounts (uid text, site text, site_user text)`,
		`CREATE TABLE sessions (sid text, sess text, expire text)`,
		`CREATE TABLE authenticators (id text)`, // empty: nothing is lost
		`INSERT INTO user VALUES ('a', 'mara@home.example', NULL)`,
		`INSERT INTO app_accounts VALUES ('a', 'github', '2000002')`,
		`INSERT INTO sessions VALUES ('x', '{}', '')`,
	}
	dsn := database(t, tables...)
	db := storetest.Open(t)
	want := []move.Unrecognized{
		{Table: "app_accounts", Model: "Account", Lacks: []string{"userId", "provider", "providerAccountId"}, Columns: []string{"uid", "site", "site_user"}},
		{Table: "sessions", Model: "Session", Lacks: []string{"userId", "sessionToken", "expires"}, Columns: []string{"sid", "sess", "expire"}},
	}
	if diff := cmp.Diff(want, plan(t, db, dsn, move.Reading{}).Unknown); diff != "" {
		t.Error(diff)
	}
	report := take(t, db, dsn, move.Reading{Map: map[string]string{
		"Account": "app_accounts", "Account.userId": "uid", "account.provider": "site", "Account.providerAccountId": "site_user", "Session": "-",
	}})
	if report.Accounts.Taken != 1 || len(report.Unknown) != 0 {
		t.Errorf("reported: %+v", report)
	}
	for name, mapped := range map[string]map[string]string{
		"no such column there": {"Account": "app_accounts", "Account.userId": "user"},
		"no such column here":  {"Account.colour": "site"},
	} {
		if _, err := move.Open(t.Context(), dsn, move.Reading{Map: mapped}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
