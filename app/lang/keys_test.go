package lang_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gatelodge/app/lang"
)

// families are the keys that are put together when they are used.
var families = []string{"history.", "mailed.", "link.", "dead.", "auth_error.", "mail.", "time.month", "admin.status.", "admin.way.", "admin.invite_", "invite.refused_", "admin_mail.kind."}

// TestKeysAreThoseInUse finds sentences that nobody says and keys without one.
func TestKeysAreThoseInUse(t *testing.T) {
	c := load(t)
	used := map[string]string{} // key: where
	tree := os.DirFS("../..")
	for _, root := range []string{"app", "web"} {
		err := fs.WalkDir(tree, root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go"):
				return err
			case strings.HasSuffix(path, ".go"):
				return keysInGo(c, tree, path, used)
			case strings.Contains(path, "/templates/"):
				return keysInTemplate(tree, path, used)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for key, where := range used {
		if !c.Has(key) && !(c.Has(key+".title") && c.Has(key+".text")) {
			t.Errorf("%s says %q, and there is no such sentence", where, key)
		}
	}
	for _, key := range c.Keys() {
		if !saidSomewhere(key, used) {
			t.Errorf("nobody says %q", key)
		}
	}
}

func saidSomewhere(key string, used map[string]string) bool {
	for _, suffix := range []string{"", ".title", ".text"} {
		if whole, ok := strings.CutSuffix(key, suffix); ok && used[whole] != "" {
			return true
		}
	}
	return slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(key, f) })
}

var isKey = regexp.MustCompile(`^[a-z_]+(\.[a-z_0-9]+)+$`)

// sayers are the functions whose string arguments are keys: of a Printer, and
// of package fault.
var sayers = []string{"Say", "Parts", "New"}

// keysInGo collects the keys that are said, and those in other places where a
// string looks just like one that exists.
func keysInGo(c *lang.Catalog, tree fs.FS, path string, used map[string]string) error {
	text, err := fs.ReadFile(tree, path)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	said := map[*ast.BasicLit]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if slices.Contains(sayers, lastName(n.Fun)) {
				for _, arg := range n.Args {
					if lit, ok := arg.(*ast.BasicLit); ok {
						said[lit] = true
					}
				}
			}
		case *ast.BasicLit:
			key, err := strconv.Unquote(n.Value)
			if n.Kind == token.STRING && err == nil && isKey.MatchString(key) && (said[n] || c.Has(key)) {
				used[key] = path
			}
		}
		return true
	})
	return nil
}

// lastName returns the name of a function without what stands before it.
func lastName(f ast.Expr) string {
	switch f := f.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

var inTemplate = regexp.MustCompile(`(?i:say|parts) "([^"]+)"`)

func keysInTemplate(tree fs.FS, path string, used map[string]string) error {
	text, err := fs.ReadFile(tree, path)
	if err != nil {
		return err
	}
	for _, m := range inTemplate.FindAllStringSubmatch(string(text), -1) {
		used[m[1]] = path
	}
	return nil
}
