package web_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The filter in the documentation finds, in a log that was really written, who
// guessed and nobody else.
func TestFail2banReadsTheLog(t *testing.T) {
	if _, err := exec.LookPath("fail2ban-regex"); err != nil {
		if os.Getenv("GATELODGE_PEERS") == "require" {
			t.Fatal(err)
		}
		t.Skip("fail2ban is not installed")
	}
	doc, err := os.ReadFile("../app/doc/bans.md")
	if err != nil {
		t.Fatal(err)
	}
	_, filter, found := strings.Cut(string(doc), "    [Definition]\n")
	if !found {
		t.Fatal("the documentation holds no filter")
	}
	filter = "[Definition]\n" + regexp.MustCompile(`(?m)^    `).ReplaceAllString(filter, "")

	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	b := h.browser()
	b.headers["X-Forwarded-For"] = "203.0.113.7"
	b.tryPassword("mara@home.example", "a guess that is wrong").is(t, 422)
	b.tryPassword("x\" msg=auth-fail ip=198.51.100.1 user=- reason=password ", "a guess that is wrong").is(t, 422)
	b.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")

	dir := t.TempDir()
	log, conf := filepath.Join(dir, "log"), filepath.Join(dir, "gatelodge.conf")
	for path, text := range map[string]string{log: h.logged(), conf: filter} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "fail2ban-regex", "--out", "ip", log, conf).CombinedOutput()
	if got := strings.Fields(string(out)); err != nil || strings.Join(got, " ") != "203.0.113.7 203.0.113.7" {
		t.Errorf("it found %q, %v", out, err)
	}
}
