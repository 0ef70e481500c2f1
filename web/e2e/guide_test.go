package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatelodge/app/mail/mailtest"
)

var readmeBlock = regexp.MustCompile("(?ms)^```(sh|go|python)\n(.*?)^```$")

// The programs in the guide run as they are written, except for the address.
func TestProgramsOfTheGuide(t *testing.T) {
	t.Parallel()
	mailtest.Peer(t, "curl")
	mailtest.Peer(t, "python3")
	text, err := os.ReadFile(filepath.Join("..", "..", "app", "doc", "guide", "programs.md"))
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, "")
	p.command("user", "add", "mara@example.com", "-name", "Mara Okafor")
	p.choosePassword("mara@example.com", goodPassword)
	seen := map[string]int{}
	for _, block := range readmeBlock.FindAllStringSubmatch(string(text), -1) {
		kind, program := block[1], strings.ReplaceAll(block[2], "https://auth.example.com", p.url)
		dir := t.TempDir()
		name, command := "program."+kind, []string{kind}
		switch kind {
		case "sh":
			command = []string{"sh", "-e"}
		case "go":
			command = []string{"go", "run"}
		case "python":
			command = []string{"python3"}
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(command[0], append(command[1:], name)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PASSWORD="+goodPassword, "TOKEN="+strings.Repeat("A", 43))
		out, err := cmd.CombinedOutput()
		want := "mara@example.com"
		if strings.Contains(program, "$TOKEN") {
			want = "null"
		}
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v\n%s\n%s", kind, err, program, out)
		}
		seen[kind]++
	}
	if seen["sh"] != 2 || seen["go"] != 1 || seen["python"] != 1 {
		t.Errorf("the guide has %v", seen)
	}
}
