package command_test

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gatelodge/app/command"
	"gatelodge/app/programtest"
)

// lived returns a working directory whose data holds a user and was left in order.
func lived(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if got := use(t, dir, "user", "add", "mara@home.example", "-admin"); got.code != 0 {
		t.Fatalf("user add: got %+v", got)
	}
	return dir
}

func write(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

// raw changes a database behind the program's back.
func raw(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "gatelodge-data", "gatelodge.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(statement)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// Each thing that keeps the server from starting has a sentence, a hint and an
// exit code of its own, and leaves the data as it was.
func TestWhatKeepsTheServerFromStarting(t *testing.T) {
	tests := map[string]struct {
		spoil func(t *testing.T, dir string) []string // returns further arguments
		code  int
		text  string
	}{
		"a setting that is none": {func(t *testing.T, dir string) []string {
			write(t, filepath.Join(dir, "config.toml"), "nmae = \"x\"\n", 0o600)
			return nil
		}, command.ExitUsage, "config.toml:1: nmae is not a setting"},
		"a configuration file that is not there": {func(*testing.T, string) []string {
			return []string{"-config", "nowhere.toml"}
		}, command.ExitUsage, "there is no configuration file"},
		"a port that another program has": {func(t *testing.T, _ string) []string {
			return []string{"-listen", taken(t)}
		}, command.ExitPort, "another program is using it"},
		"an address of another machine": {func(*testing.T, string) []string {
			return []string{"-listen", "192.0.2.1:8080", "-wait", "0"}
		}, command.ExitPort, "cannot listen on 192.0.2.1:8080: it is not an address of this machine"},
		"a socket in a directory that is not there": {func(t *testing.T, dir string) []string {
			write(t, filepath.Join(dir, "config.toml"), "public_url = \"http://localhost\"\n", 0o600)
			return []string{"-listen", "unix:/nowhere/s.sock"}
		}, command.ExitPort, "cannot listen on unix:/nowhere/s.sock: no such file or directory"},
		"a missing key": {func(t *testing.T, dir string) []string {
			if err := os.Remove(filepath.Join(dir, "gatelodge-data", "secret.key")); err != nil {
				t.Fatal(err)
			}
			return nil
		}, command.ExitKey, "secret.key is missing"},
		"the key of another database": {func(t *testing.T, dir string) []string {
			other, err := os.ReadFile(filepath.Join(lived(t), "gatelodge-data", "secret.key"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "gatelodge-data", "secret.key"), string(other), 0o600)
			return nil
		}, command.ExitKey, "belongs to another database"},
		"a key that others may read": {func(t *testing.T, dir string) []string {
			if err := os.Chmod(filepath.Join(dir, "gatelodge-data", "secret.key"), 0o640); err != nil {
				t.Fatal(err)
			}
			return nil
		}, command.ExitKey, "may be read by others (mode 0640)"},
		"a file where the directory belongs": {func(t *testing.T, dir string) []string {
			write(t, filepath.Join(dir, "file"), "", 0o600)
			return []string{"-data", "file"}
		}, command.ExitReadOnly, "cannot be written"},
		"a newer database": {func(t *testing.T, dir string) []string {
			raw(t, dir, "PRAGMA user_version = 99")
			return nil
		}, command.ExitNewer, "schema 99"},
		"the database of another program": {func(t *testing.T, dir string) []string {
			raw(t, dir, "PRAGMA application_id = 7")
			return nil
		}, command.ExitDamaged, "is not a database of Gatelodge"},
		"half a database": {func(t *testing.T, dir string) []string {
			path := filepath.Join(dir, "gatelodge-data", "gatelodge.db")
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, info.Size()/2); err != nil {
				t.Fatal(err)
			}
			return nil
		}, command.ExitDamaged, "is damaged"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := lived(t)
			args := tt.spoil(t, dir)
			before := files(t, dir)
			refused(t, use(t, dir, append([]string{"serve", "-listen", "127.0.0.1:0"}, args...)...), tt.code, tt.text)
			if after := files(t, dir); after != before {
				t.Errorf("the files were\n%sand are\n%s", before, after)
			}
		})
	}
}

// refused checks that a start ended with a code and said why in one sentence and
// what to try in another, on stderr alone.
func refused(t *testing.T, got said, code int, text string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(got.err, "\n"), "\n")
	if got.code != code || !strings.Contains(lines[0], text) {
		t.Errorf("got exit %d and %q, want %d and %q", got.code, got.err, code, text)
	}
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "gatelodge: ") || !strings.HasPrefix(lines[1], "hint: ") {
		t.Errorf("got %q, want a line of gatelodge: and one of hint:", got.err)
	}
	if got.out != "" {
		t.Errorf("stdout has %q, want nothing", got.out)
	}
}

// files lists what lies in a directory with sizes and modes. The lock is left
// out: it is taken before anything is looked at.
func files(t *testing.T, dir string) string {
	t.Helper()
	var list strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "gatelodge.lock" {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "  %s %d %v\n", strings.TrimPrefix(path, dir), info.Size(), info.Mode())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.String()
}

// asNobody runs the program as somebody who owns nothing.
func asNobody(t *testing.T, dir string, args ...string) said {
	t.Helper()
	cmd := call(t, dir, args...)
	if os.Geteuid() == 0 {
		// Somebody else must be able to reach the directory.
		if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	return ended(t, cmd)
}

func TestADirectoryThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	refused(t, asNobody(t, dir, "serve", "-listen", "127.0.0.1:0"), command.ExitReadOnly, "cannot be written")
}

func TestAPortThatNeedsAPrivilege(t *testing.T) {
	t.Parallel()
	first, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err == nil && strings.TrimSpace(string(first)) == "0" {
		t.Skip("no port needs a privilege here")
	}
	refused(t, asNobody(t, t.TempDir(), "serve", "-listen", "127.0.0.1:81"), command.ExitPort, "cannot listen on 127.0.0.1:81: permission denied")
}

// The relay's port is not the pages': who cannot have it says so and serves.
func TestARelayThatCannotListenKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := taken(t)
	write(t, filepath.Join(dir, "config.toml"), "[mail.submission]\nlisten = \""+at+"\"\n", 0o600)
	s := serve(t, dir)
	if got := use(t, dir, "healthcheck", "-config", withListen(t, dir, s.url)); got.code != 0 {
		t.Errorf("healthcheck: got %+v", got)
	}
	if got := use(t, dir, "doctor"); got.code != command.ExitFailed || !strings.Contains(got.out, "fail  relay    nobody listens at mail.submission.listen, "+at+": address already in use") ||
		!strings.Contains(got.out, "-> stop the mail server that has the port") {
		t.Errorf("doctor: got %+v", got)
	}
	if got := s.stop(syscall.SIGTERM); got.code != 0 || !strings.Contains(got.err, "apps cannot hand over mail over SMTP") || strings.Contains(got.out, "relay:") {
		t.Errorf("got exit %d, %s%s", got.code, got.out, got.err)
	}
}

// withListen returns a configuration that names where a server listens.
func withListen(t *testing.T, dir, url string) string {
	t.Helper()
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
	path := filepath.Join(dir, "asked.toml")
	write(t, path, "listen = \"127.0.0.1:"+port+"\"\n", 0o600)
	return path
}

// As under the systemd unit without AmbientCapabilities.
func TestARelayWithoutThePrivilegeForItsPortSaysWhatToDo(t *testing.T) {
	t.Parallel()
	first, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err == nil && strings.TrimSpace(string(first)) == "0" {
		t.Skip("no port needs a privilege here")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can be nobody")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.toml"), "[mail.submission]\nlisten = \"127.0.0.1:587\"\n", 0o644)
	for _, path := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	s := &server{t: t, cmd: call(t, dir, "serve", "-listen", "127.0.0.1:0")}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.wait(greeted)
	if got := use(t, dir, "doctor"); !strings.Contains(got.out, "-> ports below 1024 need a privilege: AmbientCapabilities=CAP_NET_BIND_SERVICE") {
		t.Errorf("doctor: got %+v", got)
	}
	s.stop(syscall.SIGTERM)
}

func TestAFullDisk(t *testing.T) {
	t.Parallel()
	dir := programtest.SmallDisk(t, "64k")
	refused(t, use(t, dir, "serve", "-listen", "127.0.0.1:0"), command.ExitFull, "is full")

	// With space again the same directory serves.
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	if got := use(t, dir, "user", "add", "mara@home.example"); got.code != 0 || got.err != "" {
		t.Errorf("with space again: got %+v", got)
	}
}

// A command that finds another at work waits for its end.
func TestCommandsAtTheSameMomentTakeTurns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	use(t, dir, "user", "add", "first@home.example")
	var done sync.WaitGroup
	for i := range 6 {
		done.Go(func() {
			if got := use(t, dir, "user", "add", fmt.Sprintf("user%d@home.example", i)); got.code != 0 {
				t.Errorf("ended with %d\n%s", got.code, got.err)
			}
		})
	}
	done.Wait()
	if got := use(t, dir, "user", "list"); strings.Count(got.out, "@home.example") != 7 {
		t.Errorf("got %s", got.out)
	}
}

// Whoever may write to the data directory can replace the database, its key and the
// admin socket.
func TestADataDirectoryThatEveryoneMayWriteToIsRefused(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o777, 0o757, 0o702, 0o777 | os.ModeSticky} {
		dir := t.TempDir()
		data := filepath.Join(dir, "gatelodge-data")
		if err := os.Mkdir(data, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(data, mode); err != nil {
			t.Fatal(err)
		}
		for _, verb := range [][]string{{"serve", "-listen", "127.0.0.1:0"}, {"user", "list"}, {"setup-link"}} {
			refused(t, use(t, dir, verb...), command.ExitReadOnly, "every user of this machine may write to the data directory "+data)
		}
	}
}

// The socket's mode decides who can connect and be believed about addresses.
func TestASocketIsForItsOwnerAndGroup(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]os.FileMode{"": 0o660, "socket_mode = \"0600\"\n": 0o600, "socket_mode = \"0666\"\n": 0o666} {
		dir := t.TempDir()
		at := filepath.Join(dir, "s.sock")
		text := "public_url = \"https://auth.example.com\"\nlisten = \"unix:" + at + "\"\n" + setting
		if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := &server{t: t, cmd: call(t, dir, "serve")}
		s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.log
		if err := s.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s.wait(address)
		info, err := os.Stat(at)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: got %v, %v, want %v", setting, info, err, want)
		}
		for _, name := range []string{"gatelodge.db", "secret.key"} {
			if info, err := os.Stat(filepath.Join(dir, "gatelodge-data", name)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: got %v, %v", name, info, err)
			}
		}
		if said := s.stop(syscall.SIGTERM); said.code != 0 {
			t.Errorf("got exit %d and %s", said.code, said.err)
		}
	}
}

// A path that is too long for a socket is named, with what to do about it.
func TestADataDirectoryWithALongPathIsNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	got := use(t, dir, "serve", "-listen", "127.0.0.1:0")
	if got.code == 0 || !strings.Contains(got.err, "data_dir: the path of the admin socket is too long") || !strings.Contains(got.err, "shorter path") {
		t.Errorf("got %+v", got)
	}
}
