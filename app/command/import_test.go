package command_test

import (
	"database/sql"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// The cookie an app set before its people were taken over holds a token that
// goes on being good here, until it is ended here.
func TestWhoWasSignedInAtTheAppIsSignedInHere(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(`
		CREATE TABLE user (id text PRIMARY KEY, name text, email text, emailVerified integer);
		CREATE TABLE session (sessionToken text PRIMARY KEY, userId text, expires integer);
		INSERT INTO user VALUES ('cm0mara', 'Mara', 'mara@home.example', 1740823200000);
		INSERT INTO session VALUES ('7a4e596f-74d5-4e06-b419-1af3fc6cb901', 'cm0mara', 4102444800000)`)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "config.toml"), `
[[app]]
name = "Wiki"
hosts = ["wiki.example.com"]
allow = ["everyone"]
[app.authjs]
version = "v5"
`, 0o600)
	s := serve(t, dir)

	if got := use(t, dir, "import", "authjs", "file:app.db", "-yes"); got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	ask := func(host string) string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/auth/session", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		r.AddCookie(&http.Cookie{Name: "__Secure-authjs.session-token", Value: "7a4e596f-74d5-4e06-b419-1af3fc6cb901"})
		r.Header.Set("Authorization", "Bearer 7a4e596f-74d5-4e06-b419-1af3fc6cb901")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if got := ask("wiki.example.com"); !strings.Contains(got, `"id":"cm0mara"`) {
		t.Errorf("the session is %s", got)
	}
	if got := ask("127.0.0.1"); strings.Contains(got, "cm0mara") {
		t.Errorf("the App's token is good at our own address: %s", got)
	}
	if got := use(t, dir, "user", "sign-out", "mara@home.example"); got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	if got := use(t, dir, "import", "authjs", "file:app.db", "-yes"); got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	if got := ask("wiki.example.com"); strings.Contains(got, "cm0mara") {
		t.Errorf("after the sign-out the session is %s", got)
	}
}
