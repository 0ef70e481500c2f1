package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatelodge/store"
)

// Postgres is a PostgreSQL server of the test's own, on a socket in a directory
// of its own, or the one that GATELODGE_TEST_POSTGRES names.
type Postgres struct {
	base   string // a postgres:// name
	bin    string
	dir    string
	run    *syscall.SysProcAttr
	server *exec.Cmd // nil while it is stopped
	log    bytes.Buffer
}

// StartPostgres starts a server that ends with the test. Without an installed
// PostgreSQL the test is skipped, or fails where GATELODGE_PEERS says that it
// must be there.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	if name := os.Getenv("GATELODGE_TEST_POSTGRES"); name != "" {
		return &Postgres{base: name}
	}
	p := &Postgres{bin: postgresPrograms()}
	if p.bin == "" && os.Getenv("GATELODGE_PEERS") == "require" {
		t.Fatal("the peer PostgreSQL is not installed")
	}
	if p.bin == "" {
		t.Skip("the peer PostgreSQL is not installed")
	}
	// Short: the path of a socket has at most 107 bytes.
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	p.dir = dir
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	p.unprivileged(t)
	p.do(t, "initdb", "-D", dir+"/data", "-U", "postgres", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8")
	p.base = "postgres://postgres@/postgres?host=" + url.QueryEscape(dir)
	p.Start(t)
	t.Cleanup(func() { p.Stop(t, "immediate") })
	return p
}

// postgresPrograms returns the directory of the newest installed version, or "".
func postgresPrograms() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

// unprivileged lets the server run as nobody when we are root, whom it refuses.
func (p *Postgres) unprivileged(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		if err := errors.Join(uidErr, gidErr, os.Chown(p.dir, uid, gid)); err != nil {
			t.Fatal(err)
		}
		p.run = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		return
	}
	t.Fatal("there is no user to run PostgreSQL as")
}

func (p *Postgres) do(t testing.TB, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(p.bin, program), args...)
	cmd.Dir, cmd.SysProcAttr = p.dir, p.run
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, &said)
	}
}

// Start starts the server again after Stop. It is our own child, so that we see
// it end.
func (p *Postgres) Start(t testing.TB) {
	t.Helper()
	fsync := "fsync=off"
	if _, measured := t.(*testing.B); measured {
		fsync = "fsync=on" // measured is what a crash keeps
	}
	p.server = exec.Command(filepath.Join(p.bin, "postgres"), "-D", p.dir+"/data", "-k", p.dir,
		"-c", "listen_addresses=", "-c", fsync, "-c", "max_connections=200")
	p.server.Dir, p.server.SysProcAttr = p.dir, p.run
	p.log.Reset()
	p.server.Stdout, p.server.Stderr = &p.log, &p.log
	if err := p.server.Start(); err != nil {
		t.Fatal(err)
	}
	pool, err := store.OpenPostgres(p.base)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if err = pool.PingContext(t.Context()); err == nil {
			return
		}
		if time.Now().After(deadline) {
			p.Stop(t, "immediate")
			t.Fatalf("PostgreSQL does not start: %v\n%s", err, &p.log)
		}
	}
}

// Stop stops the server: "fast" ends its connections, "immediate" is a crash.
func (p *Postgres) Stop(t testing.TB, how string) {
	t.Helper()
	if p.server == nil {
		return
	}
	signal := syscall.SIGINT
	if how == "immediate" {
		signal = syscall.SIGQUIT
	}
	if err := p.server.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	if err := p.server.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	p.server = nil
}

// Freeze stops every process of the server where it stands, and returns what lets them
// go on. The server still has its connections and answers nothing.
func (p *Postgres) Freeze(t testing.TB) (thaw func()) {
	t.Helper()
	if p.server == nil {
		t.Skip("the PostgreSQL server is not the test's own")
	}
	pid := p.server.Process.Pid
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Skip("the processes of the server cannot be listed")
	}
	pids := []int{pid} // first, so that it makes no more
	for _, word := range strings.Fields(string(text)) {
		child, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, child)
	}
	signal := func(s syscall.Signal) {
		for _, pid := range pids {
			if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
				t.Error(err)
			}
		}
	}
	signal(syscall.SIGSTOP)
	return func() { signal(syscall.SIGCONT) }
}

// Name returns the name of a new, empty database: a schema of its own.
func (p *Postgres) Name(t testing.TB) string {
	t.Helper()
	schema := "t" + strings.ToLower(store.NewID(Now))
	pool, err := store.OpenPostgres(p.base)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pool.ExecContext(t.Context(), "CREATE SCHEMA "+schema)
	if err := errors.Join(err, pool.Close()); err != nil {
		t.Fatal(err)
	}
	sep := "?"
	if strings.Contains(p.base, "?") {
		sep = "&"
	}
	return fmt.Sprintf("%s%ssearch_path=%s", p.base, sep, schema)
}

// Open returns a new store on the server, closed when the test ends.
func (p *Postgres) Open(t testing.TB) *store.DB {
	t.Helper()
	return open(t, store.Options{Dir: t.TempDir(), Database: p.Name(t)})
}

// Own reports whether the server is the test's own, and runs.
func (p *Postgres) Own() bool { return p.server != nil }

// Dir returns the directory of the server's socket.
func (p *Postgres) Dir() string { return p.dir }

// Demote restarts the server as a standby, which takes no writes.
func (p *Postgres) Demote(t testing.TB) {
	t.Helper()
	p.Stop(t, "fast")
	if err := os.WriteFile(p.dir+"/data/standby.signal", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	p.Start(t)
}

// Promote makes a standby take writes.
func (p *Postgres) Promote(t testing.TB) {
	t.Helper()
	p.do(t, "pg_ctl", "promote", "-D", p.dir+"/data")
}
