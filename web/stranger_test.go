package web_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
)

func TestMain(m *testing.M) {
	if url := os.Getenv("GATELODGE_TEST_GET"); url != "" {
		res, err := http.Get(url)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(res.StatusCode)
		os.Exit(0)
	}
	// Hundreds of houses are opened and forgotten: a tenth of the time went into
	// collecting them.
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// A proxy that adds no header and rewrites Host, as nginx does by default, makes
// the whole world look like this machine. It runs as another user.
func TestAProxyThatLeavesNoMarkGetsNoCapturedMail(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can install the peer that is another user")
	}
	h := open(t, nil)
	dir, err := os.MkdirTemp("", "gatelodge-stranger-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "get")
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[uint32]string{0: "200", 65534: "404"} {
		cmd := exec.CommandContext(t.Context(), program)
		cmd.Dir, cmd.Env = dir, []string{"GATELODGE_TEST_GET=" + h.url + "/dev/mail"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("user %d: got %s, %v, want %s", uid, got, err, want)
		}
	}
}
