package storetest

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gatelodge/store"
)

const pgbouncerSettings = `[databases]
session = dbname=postgres user=postgres host=%[1]s pool_mode=session
six = dbname=postgres user=postgres host=%[1]s pool_mode=session pool_size=6
few = dbname=postgres user=postgres host=%[1]s pool_mode=session pool_size=2
transaction = dbname=postgres user=postgres host=%[1]s pool_mode=transaction
roundrobin = dbname=postgres user=postgres host=%[1]s pool_mode=transaction min_pool_size=4
statement = dbname=postgres user=postgres host=%[1]s pool_mode=statement
[pgbouncer]
listen_addr =
unix_socket_dir = %[1]s/pooler
auth_type = any
server_round_robin = 1
`

// StartPgBouncer starts a pooler before p that ends with the test. The function that
// it returns makes the name of p's database lead through the pooler of a kind:
// session, six, few, transaction, roundrobin or statement.
func StartPgBouncer(t testing.TB, p *Postgres) func(kind, name string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil && os.Getenv("GATELODGE_PEERS") == "require" {
		t.Fatal("the peer PgBouncer is not installed")
	}
	if err != nil || p.server == nil {
		t.Skip("the peer PgBouncer is not installed, or the PostgreSQL server is not the test's own")
	}
	settings := filepath.Join(p.dir, "pgbouncer.ini")
	if err := os.WriteFile(settings, fmt.Appendf(nil, pgbouncerSettings, p.dir), 0o644); err != nil {
		t.Fatal(err)
	}
	sockets := filepath.Join(p.dir, "pooler")
	if err := os.Mkdir(sockets, 0o700); err != nil {
		t.Fatal(err)
	}
	if p.run != nil {
		if err := os.Chown(sockets, int(p.run.Credential.Uid), int(p.run.Credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, settings)
	cmd.Dir, cmd.SysProcAttr = p.dir, p.run
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT) // at once
		_ = cmd.Wait()
	})
	through := func(kind, name string) string {
		u, err := url.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set("host", sockets)
		q.Set("port", "6432")
		u.Path, u.RawQuery = "/"+kind, q.Encode()
		return u.String()
	}
	pool, err := store.OpenPostgres(through("session", p.base))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for deadline := time.Now().Add(30 * time.Second); pool.PingContext(t.Context()) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("PgBouncer does not start:\n%s", &log)
		}
	}
	return through
}
