package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// may lists, for each layer, what it may import from this module.
var may = map[string][]string{
	"store": {"store"},
	"app":   {"app", "store"},
	"web":   {"web", "app", "store"},
}

// only lists packages that a single package of ours may import.
var only = map[string]string{
	"github.com/julienschmidt/httprouter": "gatelodge/web gatelodge/web/shell",
	"github.com/gorilla/sessions":         "gatelodge/web/shell",
	"github.com/gorilla/securecookie":     "gatelodge/web/shell",
	"github.com/BurntSushi/toml":          "gatelodge/app/config gatelodge/app/lang",
	"modernc.org/sqlite":                  "gatelodge/store",
	"golang.org/x/oauth2":                 "gatelodge/app/upstream",
	"github.com/coreos/go-oidc/v3/oidc":   "gatelodge/app/upstream",
	"github.com/lib/pq":                   "gatelodge/store",
	"math/rand":                           "",
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "gatelodge/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// layer returns the first folder of a package of ours, or "".
func layer(path string) string {
	rest, ours := strings.CutPrefix(path, "gatelodge/")
	if !ours {
		return ""
	}
	first, _, _ := strings.Cut(rest, "/")
	return first
}

func TestImportsPointRight(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		from := layer(p.ImportPath)
		for _, path := range p.Imports {
			to := layer(path)
			if from != "" && to != "" {
				seen++
				if !slices.Contains(may[from], to) {
					t.Errorf("%s imports %s: %s may import %v only", p.ImportPath, path, from, may[from])
				}
			}
			if allowed, ok := only[path]; ok && !slices.Contains(strings.Fields(allowed), p.ImportPath) {
				t.Errorf("%s imports %s, which is for %q alone", p.ImportPath, path, allowed)
			}
		}
	}
	if seen < 20 {
		t.Errorf("saw only %d imports of ours: the test looks at nothing", seen)
	}
}

// The rooms of web do not know the pages, and the shell knows no other room.
func TestRoomsOfWebStandBelowThePages(t *testing.T) {
	rooms := 0
	for _, p := range packages(t) {
		if !strings.HasPrefix(p.ImportPath, "gatelodge/web/") {
			continue
		}
		rooms++
		for _, path := range p.Imports {
			if path == "gatelodge/web" || p.ImportPath == "gatelodge/web/shell" && strings.HasPrefix(path, "gatelodge/web/") {
				t.Errorf("%s imports %s, which stands above it", p.ImportPath, path)
			}
		}
	}
	if rooms == 0 {
		t.Error("saw no rooms: the test looks at nothing")
	}
}

// Two flows never import each other, and a leaf imports nothing but leaves.
func TestStepsWithinAppPointDown(t *testing.T) {
	steps := [][]string{
		{"clock", "doc", "fault", "theme", "secret", "lang", "email", "config", "device", "metrics", "proxy", "programtest", "links"},
		{"audit", "limit", "factor", "mail"},
		{"session", "challenge", "keys", "backup", "apps"},
		{"gate"},
		{"people"},
		{"upstream"},
		{"account", "login", "move"},
		{"app"},
		{"command", "dev", "apptest"},
	}
	step := func(path string) int {
		rest, ours := strings.CutPrefix(path, "gatelodge/app")
		if !ours {
			return -1
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
		if name == "" {
			name = "app"
		}
		return slices.IndexFunc(steps, func(s []string) bool { return slices.Contains(s, name) })
	}
	for _, p := range packages(t) {
		from := step(p.ImportPath)
		if strings.HasPrefix(p.ImportPath, "gatelodge/app") && from < 0 {
			t.Errorf("%s stands in no step", p.ImportPath)
		}
		for _, path := range p.Imports {
			if to := step(path); from >= 0 && to > from {
				t.Errorf("%s imports %s, which stands above it", p.ImportPath, path)
			}
		}
	}
}

// A test that is longer than a page is several.
func TestNoTestIsLongerThanAPage(t *testing.T) {
	const page = 150
	seen := 0
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !aTest.MatchString(f.Name.Name) {
				continue
			}
			seen++
			if lines := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1; lines > page {
				t.Errorf("%s in %s has %d lines, more than %d", f.Name.Name, path, lines, page)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 500 {
		t.Errorf("saw only %d tests: the test looks at nothing", seen)
	}
}

var aTest = regexp.MustCompile(`^(Test|Benchmark|Fuzz)[A-Z]`)

// What helps tests is linked into tests alone.
func TestOnlyTestsImportWhatHelpsThem(t *testing.T) {
	helpers := 0
	for _, p := range packages(t) {
		if helps(p.ImportPath) {
			helpers++
			continue
		}
		for _, path := range p.Imports {
			if helps(path) {
				t.Errorf("%s imports %s, which is for tests", p.ImportPath, path)
			}
		}
	}
	if helpers < 3 {
		t.Errorf("saw only %d packages for tests: the test looks at nothing", helpers)
	}
}

// helps reports whether a package is named as one for tests: apptest, storetest.
func helps(path string) bool {
	return strings.HasPrefix(path, "gatelodge/") && strings.HasSuffix(path, "test")
}

// modernc.org/sqlite works only with exactly the libc it was made with.
func TestLibcIsTheOneSQLitePins(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}} {{.GoMod}}", "modernc.org/libc", "modernc.org/sqlite").Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	fields := strings.Fields(string(out))
	if len(fields) != 4 {
		t.Fatalf("go list -m says %q", out)
	}
	theirs, err := os.ReadFile(fields[3])
	if err != nil {
		t.Fatal(err)
	}
	if want := "modernc.org/libc " + fields[0]; !strings.Contains(string(theirs), want+"\n") {
		t.Errorf("SQLite was not made with %s", want)
	}
}

// readers are the files that may read the audit log: they show it.
var readers = []string{"command/store.go", "command/people/user.go", "account/data.go", "account/profile.go"}

// The log is shown and never asked: what decides stands in columns, which no sweep
// empties.
func TestNoDecisionReadsTheLog(t *testing.T) {
	found := 0
	for name, text := range sources(t, ".", "../web") {
		for _, read := range []string{".EventsOf(", ".EventsBefore(", ".EventsByReference("} {
			if !strings.Contains(text, read) {
				continue
			}
			found++
			if !slices.Contains(readers, name) {
				t.Errorf("%s reads the audit log by %s...): if something depends on it, it belongs in a column", name, read)
			}
		}
	}
	if found < len(readers) {
		t.Errorf("found %d reads of the log: the test looks at nothing", found)
	}
}

// sources returns the Go files below some folders, but for tests.
func sources(t *testing.T, folders ...string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			files[filepath.ToSlash(path)] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// A session begins where an attempt is complete: nothing but Finish starts or confirms
// one, and no package but login has what does.
func TestOnlyFinishBeginsSessions(t *testing.T) {
	may := map[string]string{
		"starter.Start(":    "login/app.go login/finish.go", // finishApp is a part of Finish
		"starter.StartApp(": "login/app.go",
		"starter.HandOff(":  "login/app.go",
		"starter.Confirm(":  "login/finish.go",
		".finishApp(":       "login/finish.go",
		"session.New(":      "app.go",
		"session.Starter":   "app.go login/flow.go",
		"AddSession(":       "session/start.go move/import.go",
	}
	seen := make(map[string]bool)
	for name, text := range sources(t, ".", "../web") {
		for call, files := range may {
			if !strings.Contains(text, call) {
				continue
			}
			seen[call] = true
			if !slices.Contains(strings.Fields(files), name) {
				t.Errorf("%s has %s, which is for %s", name, call, files)
			}
		}
	}
	if len(seen) != len(may) {
		t.Errorf("saw only %v: the test looks at nothing", seen)
	}
}
