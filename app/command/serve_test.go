package command_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatelodge/app/command"
)

// server is a running server and what it has said.
type server struct {
	t        *testing.T
	cmd      *exec.Cmd
	url      string
	out, log shared
}

// shared is a buffer that is read while a program writes it.
type shared struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

var (
	address = regexp.MustCompile(`(?m)^  address: (\S+)$`)
	greeted = regexp.MustCompile(`\n(\n)\z`)
	setUpAt = regexp.MustCompile(`(?m)^  (http://\S+/setup\?code=\S+)$`)
)

// serve starts the server in a directory and waits until commands and pages are
// answered. It ends with the test.
func serve(t *testing.T, dir string) *server {
	t.Helper()
	s := &server{t: t, cmd: call(t, dir, "serve", "-listen", "127.0.0.1:0")}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			s.stop(syscall.SIGTERM)
		}
	})
	// Both listeners are there before the greeting, which ends with an empty line.
	s.url = s.wait(address)
	s.wait(greeted)
	return s
}

// wait returns what the pattern's group finds on stdout, as soon as it is there.
func (s *server) wait(pattern *regexp.Regexp) string {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if found := pattern.FindStringSubmatch(s.out.String()); found != nil {
			return found[1]
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the server does not say %s but\n%s%s", pattern, &s.out, &s.log)
		}
	}
}

// stop ends the server by a signal and returns how that went.
func (s *server) stop(signal syscall.Signal) said {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Error(err)
	}
	if err := s.cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		s.t.Error(err)
	}
	return said{s.cmd.ProcessState.ExitCode(), s.out.String(), s.log.String()}
}

// there reports whether a file lies in the data directory.
func there(t *testing.T, dir, name string) bool {
	t.Helper()
	_, err := os.Lstat(filepath.Join(dir, "gatelodge-data", name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestAStopIsQuickAndLeavesOneWholeFile(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"by a service manager": syscall.SIGTERM, "by Ctrl-C": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := serve(t, dir)
			use(t, dir, "user", "add", "mara@home.example", "-admin")
			if !there(t, dir, "admin.sock") || !there(t, dir, "gatelodge.db-wal") {
				t.Fatal("a running server has no admin socket or no write-ahead log: the test looks in the wrong place")
			}
			asked := time.Now()
			got := s.stop(signal)
			if took := time.Since(asked); took > time.Second {
				t.Errorf("it took %v to stop, want a second at most", took)
			}
			if got.code != 0 || strings.Contains(got.err, "level=WARN") || strings.Contains(got.err, "level=ERROR") {
				t.Errorf("got exit %d and the log\n%s", got.code, got.err)
			}
			for _, left := range []string{"admin.sock", "gatelodge.db-wal", "gatelodge.db-shm"} {
				if there(t, dir, left) {
					t.Errorf("%s is still there", left)
				}
			}
		})
	}
}

func TestAKilledServerStartsAgainAsIfNothingHadBeen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir)
	use(t, dir, "user", "add", "mara@home.example", "-admin")
	s.stop(syscall.SIGKILL)
	if !there(t, dir, "admin.sock") {
		t.Fatal("the killed server left no socket: nothing is tested")
	}
	// A command in between clears up as a start does.
	if got := use(t, dir, "user", "list"); got.code != 0 || !strings.Contains(got.out, "mara@home.example") || got.err != "" {
		t.Errorf("user list after the kill: got %+v", got)
	}
	got := serve(t, dir).stop(syscall.SIGTERM)
	if got.code != 0 || strings.Contains(got.err, "level=WARN") || strings.Contains(got.err, "level=ERROR") {
		t.Errorf("the start after the kill: got %+v", got)
	}
	if strings.Contains(got.out, "Make the first admin") {
		t.Errorf("the acknowledged admin is lost:\n%s", got.out)
	}
}

func TestTheSetUpLinkIsTheSameUntilItIsUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code := func(s *server) string {
		_, code, _ := strings.Cut(s.wait(setUpAt), "=")
		return code
	}
	first := serve(t, dir)
	want := code(first)
	first.stop(syscall.SIGKILL)
	second := serve(t, dir)
	if got := code(second); got != want {
		t.Errorf("after a restart the code is %s, was %s", got, want)
	}
	if got := use(t, dir, "setup-link"); !strings.HasSuffix(got.out, "code="+want+"\n") {
		t.Errorf("setup-link: got %+v, want the code %s", got, want)
	}
	newVisitor(t, second.url).setUp(want, "mara@home.example")
	if got := use(t, dir, "setup-link"); got.code != command.ExitFailed || !strings.Contains(got.err, "has been set up") {
		t.Errorf("setup-link once it was used: got %+v", got)
	}
	second.stop(syscall.SIGTERM)
	if got := serve(t, dir).stop(syscall.SIGTERM); strings.Contains(got.out, "/setup") {
		t.Errorf("once it was used, a start still prints it:\n%s", got.out)
	}
}

// The address of the captured mail is for those who can read the terminal or the
// data directory, and is a new one after each start.
func TestTheAddressOfCapturedMailIsPrinted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	printed := regexp.MustCompile(`(?m)^  mail:    captured, shown here and at (http://\S+/dev/mail\?key=\S{43})$`)
	first := serve(t, dir)
	at := first.wait(printed)
	if got := use(t, dir, "mail", "queue"); !strings.Contains(got.out, "Read it at "+at+"\n") {
		t.Errorf("mail queue: got %+v, want %s", got, at)
	}
	get := func(url string) int {
		t.Helper()
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := (&http.Client{Jar: jar}).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if got := get(at); got != http.StatusOK {
		t.Errorf("the printed address answers %d", got)
	}
	if got := get(first.url + "/dev/mail"); got != http.StatusNotFound {
		t.Errorf("without its key it answers %d", got)
	}
	if got := first.stop(syscall.SIGTERM); strings.Contains(got.err, "key=") {
		t.Errorf("the log holds the key:\n%s", got.err)
	}
	// Without a server there is no such page.
	if got := use(t, dir, "mail", "queue"); strings.Contains(got.out, "key=") {
		t.Errorf("mail queue without a server: got %+v", got)
	}
	if again := serve(t, dir).wait(printed); again[strings.Index(again, "="):] == at[strings.Index(at, "="):] {
		t.Error("a restart keeps the key")
	}
}

func TestAStopInTheMiddleOfAStartIsNoFailure(t *testing.T) {
	for _, reached := range []string{"gatelodge.lock", "secret.key", "gatelodge.db", "gatelodge.db-wal"} {
		t.Run(reached, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := &server{t: t, cmd: call(t, dir, "serve", "-listen", "127.0.0.1:0")}
			s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.log
			if err := s.cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(10 * time.Second); !there(t, dir, reached); time.Sleep(100 * time.Microsecond) {
				if time.Now().After(deadline) {
					s.cmd.Process.Kill()
					t.Fatalf("%s does not appear", reached)
				}
			}
			if got := s.stop(syscall.SIGTERM); got.code != 0 || strings.Contains(got.err, "gatelodge:") {
				t.Errorf("got exit %d and %q, want 0 and no complaint", got.code, got.err)
			}
			if got := use(t, dir, "user", "add", "mara@home.example"); got.code != 0 || got.err != "" {
				t.Errorf("the server afterwards: got %+v", got)
			}
		})
	}
}
