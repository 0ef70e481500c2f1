package command_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// SIGHUP reads the Apps again. A wrong file changes nothing, and doctor says so.
func TestAppsAreReloadedWhileTheServerRuns(t *testing.T) {
	const (
		wiki  = "[[app]]\nname = \"Wiki\"\nhosts = [\"wiki.example.com\"]\nallow = [\"everyone\"]\n[app.authjs]\n"
		notes = "[[app]]\nname = \"Notes\"\nhosts = [\"notes.example.com\"]\nallow = [\"everyone\"]\n"
	)
	s := serve(t, t.TempDir())
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(s.cmd.Dir, "config.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reload := func(text, want string) {
		t.Helper()
		write(text)
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		logged := regexp.MustCompile(want)
		for deadline := time.Now().Add(10 * time.Second); !logged.MatchString(s.log.String()); time.Sleep(2 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the log has no %s but\n%s", want, &s.log)
			}
		}
	}
	status := func(host string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/auth/session", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	serves := func(wiki, notes int) {
		t.Helper()
		if got := [2]int{status("wiki.example.com"), status("notes.example.com")}; got != [2]int{wiki, notes} {
			t.Errorf("the session API answers %d, want %d and %d", got, wiki, notes)
		}
	}

	serves(421, 421)
	reload(wiki, `apps reloaded.*apps=1\n`)
	serves(200, 421)
	reload(wiki+notes, `apps reloaded.*apps=2\n`)
	serves(200, 404) // without [app.authjs] it does not use the session API
	reload(wiki+notes+"[app.authjs]\nversion = \"v9\"\n", `apps not reloaded.*app\.authjs\.version`)
	serves(200, 404)
	ill := use(t, s.cmd.Dir, "doctor", "-data", s.cmd.Dir+"/gatelodge-data", "-config", healthy(t))
	if ill.code != 1 || !strings.Contains(ill.out, "not reloaded at") || !strings.Contains(ill.out, "app.authjs.version") {
		t.Errorf("doctor ended with %d:\n%s%s", ill.code, ill.out, ill.err)
	}
	reload(notes+"[app.authjs]\n", `(?s)apps not reloaded.*apps reloaded.*apps=1\n`)
	serves(421, 200)
	if well := use(t, s.cmd.Dir, "doctor"); strings.Contains(well.out, "not reloaded") {
		t.Errorf("doctor still reports it:\n%s", well.out)
	}
	s.stop(syscall.SIGTERM)
}

// healthy returns a configuration that loads: the one of the test does not.
func healthy(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
