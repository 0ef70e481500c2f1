package command_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gatelodge/app/command"
)

// TestScripts runs the command line as people do: each verb without a server,
// and the same beside one.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("PATH", filepath.Dir(released)+string(filepath.ListSeparator)+e.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"gatelodge": gatelodge, "ready": ready, "capture": capture, "squat": squat, "sqlite": sqlite},
	})
}

// gatelodge runs a command line as main does, in this process: most take less time
// than a start of the program. The server, and what has a standard input, a changed
// environment or another data directory, is "exec gatelodge", the program itself.
func gatelodge(ts *testscript.TestScript, neg bool, args []string) {
	env := []string{"GATELODGE_DATA_DIR=" + ts.MkAbs("gatelodge-data")}
	p := command.Process{Out: ts.Stdout(), Err: ts.Stderr(), Env: env, Dir: ts.MkAbs(".")}
	if code := command.Run(context.Background(), p, args); neg != (code != 0) {
		ts.Fatalf("gatelodge %s ended with %d", strings.Join(args, " "), code)
	}
}

// ready waits until the server of a data directory answers commands.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	socket := filepath.Join(ts.MkAbs(args[0]), "admin.sock")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no server answers at %s: %v", socket, err)
		}
	}
}

// capture sets a variable to the first group of a pattern in the last output.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil {
		ts.Fatalf("%s is not in %q", args[1], ts.ReadFile("stdout"))
	}
	ts.Setenv(args[0], strings.TrimSpace(found[1]))
}

// sqlite makes a database of a file of statements.
func sqlite(ts *testscript.TestScript, neg bool, args []string) {
	db, err := sql.Open("sqlite", "file:"+ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = db.Exec(ts.ReadFile(args[1]))
	ts.Check(errors.Join(err, db.Close()))
}

// squat takes a port and sets a variable to its address.
func squat(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// The socket's path has to be short (sun_path, 108 bytes), so the test's own
// directory must not be deep.
func TestTheScriptsFitInASocketsPath(t *testing.T) {
	if dir := os.TempDir(); len(dir) > 40 {
		t.Skipf("TMPDIR %s is too deep for a socket in it; set a shorter one", dir)
	}
}
