package command

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatelodge/app/config"
)

// pages returns the README and every page of the guide by name.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("../doc/guide/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, name := range append(names, "../../README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(name)] = string(text)
	}
	return texts
}

var (
	fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	span  = regexp.MustCompile("`(\\./)?gatelodge ([^`]+)`")
	word  = regexp.MustCompile(`"[^"]*"|\S+`)
)

// commands returns every command line of a page, without the program's name: those in
// code blocks, and those in the text.
func commands(page string) []string {
	var list []string
	for _, block := range fence.FindAllStringSubmatch(page, -1) {
		if block[1] != "" {
			continue // a program or a configuration
		}
		for line := range strings.Lines(block[2]) {
			line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
			if args, ok := strings.CutPrefix(strings.TrimPrefix(line, "./"), "gatelodge "); ok {
				list = append(list, args)
			}
		}
	}
	for _, found := range span.FindAllStringSubmatch(page, -1) {
		list = append(list, found[2])
	}
	return list
}

func TestTheGuideNamesCommandsAndFlagsThatExist(t *testing.T) {
	seen := 0
	for name, text := range pages(t) {
		for _, args := range commands(text) {
			words := word.FindAllString(args, -1)
			v, rest := find(words)
			if words[0] == "serve" {
				continue // not a verb of this package; the tests of the program start it
			}
			if v == nil {
				t.Errorf("%s: there is no command %q", name, args)
				continue
			}
			seen++
			var said bytes.Buffer
			inline := len(rest) == 0 || strings.HasPrefix(rest[0], "-") // in a sentence the argument may be left out
			if _, err := v.Parse(Process{Out: &said, Err: &said, Dir: t.TempDir()}, rest); err != nil && (!inline || !strings.Contains(said.String(), "takes")) {
				t.Errorf("%s: %q: %v\n%s", name, args, err, said.String())
			}
		}
	}
	if seen < 40 {
		t.Errorf("found %d commands", seen)
	}
}

// Each block of configuration in the guide loads when it is added to what init writes.
func TestTheGuidesConfigurationLoads(t *testing.T) {
	seen := 0
	for name, text := range pages(t) {
		for _, block := range fence.FindAllStringSubmatch(text, -1) {
			if block[1] != "toml" {
				continue
			}
			seen++
			dir := t.TempDir()
			written := strings.ReplaceAll(block[2], "/etc/gatelodge/", dir+"/")
			if strings.HasPrefix(written, "[app.authjs]") {
				written = "[[app]]\nname = \"Notes\"\nhosts = [\"notes.example.com\"]\n" + written +
					"[[upstream]]\nid = \"google\"\nkind = \"google\"\nclient_id = \"1\"\nclient_secret_file = \"google-secret\"\n"
			}
			if !strings.Contains(written, "\n[") && !strings.HasPrefix(written, "[") {
				written += "public_url = \"https://auth.example.com\"\n"
			} else {
				written = "public_url = \"https://auth.example.com\"\n" + written
			}
			for _, secret := range []string{"smarthost-password", "google-secret", "notes-secret"} {
				if err := os.WriteFile(filepath.Join(dir, secret), []byte("a secret of more than thirty-two characters\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			file := filepath.Join(dir, "config.toml")
			if err := os.WriteFile(file, []byte(written), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(config.Source{File: file, Dir: dir}); err != nil {
				t.Errorf("%s: %v\n%s", name, err, written)
			}
		}
	}
	if seen < 10 {
		t.Errorf("found %d blocks", seen)
	}
}

// Links between the pages lead somewhere, and the index names every page.
func TestTheGuidesLinksLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	texts := pages(t)
	for name, text := range texts {
		dir := "../doc/guide"
		if name == "README.md" {
			dir = "../.."
		}
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(dir, found[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if name != "index.md" && name != "README.md" && !strings.Contains(texts["index.md"], "("+name+")") {
			t.Errorf("index.md does not name %s", name)
		}
	}
	if lines := strings.Count(texts["README.md"], "\n"); lines > 200 {
		t.Errorf("the README has %d lines, at most 200 are for a first reader", lines)
	}
}
