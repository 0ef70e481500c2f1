package command_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gatelodge/app/command"
)

// crowd is how many users the lists of this test have.
const crowd = 12_000

// highest returns the most memory that a process has had, in bytes.
func highest(t *testing.T, status string) int {
	t.Helper()
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindStringSubmatch(status)
	if found == nil {
		t.Skip("the system does not say how much memory a process has had")
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// TestLongAnswersTakeNoMemory lists a crowd of users in each way. A list that was kept
// in memory once took more than four kilobytes for each user.
func TestLongAnswersTakeNoMemory(t *testing.T) {
	t.Parallel()
	dir := lived(t)
	raw(t, dir, fmt.Sprintf(`
		INSERT INTO users (id, email, email_norm, name, image, language, created_at, updated_at)
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		SELECT printf('u%%06d', i), printf('u%%06d@home.example', i), printf('u%%06d@home.example', i), 'Name of ' || i, '', '', 0, 0 FROM n`, crowd))
	raw(t, dir, `INSERT INTO emails (norm, email, user_id, created_at) SELECT email_norm, email, id, 0 FROM users WHERE id LIKE 'u______'`)
	raw(t, dir, `INSERT INTO groups (id, name, created_at) VALUES ('g', 'crowd', 0)`)
	raw(t, dir, `INSERT INTO group_members (group_id, user_id, since) SELECT 'g', id, 0 FROM users WHERE id LIKE 'u______'`)
	s := serve(t, dir)
	status := fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid)
	server := func() int {
		text, err := os.ReadFile(status)
		if err != nil {
			t.Skip(err)
		}
		return highest(t, string(text))
	}
	use(t, dir, "user", "list", "-search", "u000001") // what the first answer takes
	for _, args := range [][]string{{"user", "list", "-json"}, {"user", "list"}, {"group", "show", "crowd", "-json"}, {"group", "show", "crowd"}, {"export"}} {
		before := server()
		cmd := call(t, dir, args...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		users, answer := 0, bufio.NewScanner(out)
		for answer.Scan() {
			if strings.Contains(answer.Text(), "@home.example") {
				users++
			}
		}
		if err := cmd.Wait(); err != nil || answer.Err() != nil {
			t.Fatal(args, err, answer.Err())
		}
		if users < crowd {
			t.Errorf("%v names %d users", args, users)
		}
		if grown := server() - before; grown > 12<<20 {
			t.Errorf("%v takes %d bytes in the server", args, grown)
		}
		usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if ok && usage.Maxrss<<10 > 80<<20 {
			t.Errorf("%v takes %d kB outside the server", args, usage.Maxrss)
		}
	}
}

// TestAListIsTheSameJSONAsBefore compares a list that is printed row by row with one
// that is printed whole.
func TestAListIsTheSameJSONAsBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, email := range []string{"mara@home.example", "ana@home.example"} {
		if got := use(t, dir, "user", "add", email, "-name", "A <b> & c"); got.code != 0 {
			t.Fatal(got)
		}
	}
	for _, args := range [][]string{
		{"user", "list", "-json"}, {"user", "list", "-json", "-search", "nobody"}, {"group", "show", "admins", "-json"},
	} {
		got := use(t, dir, args...)
		var v any
		if err := json.Unmarshal([]byte(got.out), &v); err != nil || got.code != 0 {
			t.Errorf("%v: %v\n%s", args, err, got.out)
		}
	}
	if got := use(t, dir, "user", "list", "-json", "-search", "nobody"); got.out != "[]\n" {
		t.Errorf("no users are %q", got.out)
	}
	got := use(t, dir, "user", "list", "-json")
	if !strings.HasPrefix(got.out, "[\n  {\n    \"id\": ") || !strings.HasSuffix(got.out, "\n  }\n]\n") || !strings.Contains(got.out, "\n  },\n  {\n") || !strings.Contains(got.out, "A <b> & c") {
		t.Errorf("the list is\n%s", got.out)
	}
	if there(t, dir, filepath.Base(command.SocketName)) {
		t.Error("a server runs")
	}
}
