package command_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatelodge/app/command"
	"gatelodge/app/programtest"
	"gatelodge/store"
)

// asks returns the status and the text of an answer.
func (v *visitor) asks(path string, pairs ...string) (int, string) {
	v.t.Helper()
	var res *http.Response
	var err error
	if len(pairs) == 0 {
		res, err = v.client.Get(v.url + path)
	} else {
		values := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			values.Set(pairs[i], pairs[i+1])
		}
		res, err = v.client.PostForm(v.url+path, values)
	}
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// Row 27 of the mail fault table. The disk fills up under a running server: who is signed in stays so, a sign-in
// gets the reason in words, and with space again everything goes on by itself.
func TestADiskThatFillsUpUnderTheServer(t *testing.T) {
	t.Parallel()
	dir := programtest.SmallDisk(t, "8m")
	s := serve(t, dir)
	_, code, _ := strings.Cut(s.wait(setUpAt), "=")
	mara := newVisitor(t, s.url)
	mara.setUp(code, "mara@home.example")

	ballast := filepath.Join(dir, "ballast")
	free, err := store.FreeSpace(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ballast, make([]byte, free), 0o600); err != nil {
		t.Fatal(err)
	}
	// What the log has room for yet is written; then the answer says so.
	status, text := 0, ""
	for n := 0; n < 500 && status != http.StatusServiceUnavailable; n++ {
		status, text = newVisitor(t, s.url).asks("/signin", "identifier", "mara@home.example")
	}
	if status != http.StatusServiceUnavailable || !strings.Contains(text, "disk") || !strings.Contains(text, "GL-") {
		t.Errorf("a sign-in on a full disk: got %d\n%s", status, text)
	}
	if status, text := mara.asks("/api/auth/session"); status != http.StatusOK || !strings.Contains(text, "mara@home.example") {
		t.Errorf("who is signed in: got %d %s", status, text)
	}
	if status, _ := mara.asks("/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz: got %d", status)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if status, text := newVisitor(t, s.url).asks("/signin", "identifier", "mara@home.example"); status != http.StatusOK {
		t.Errorf("with space again: got %d\n%s", status, text)
	}
	// Its answer is remembered for a moment.
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if status, _ := mara.asks("/readyz"); status == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("it is not ready though there is space again:\n%s", &s.log)
			break
		}
	}
	if got := s.stop(syscall.SIGTERM); got.code != 0 {
		t.Errorf("the stop: got exit %d\n%s", got.code, got.err)
	}
}

// The file system became read-only, as it does when its disk has errors. The
// server says so, and starts where it was when the disk is mended.
func TestAReadOnlyFileSystem(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"after a clean stop": syscall.SIGTERM, "after a crash": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := programtest.SmallDisk(t, "8m")
			s := serve(t, dir)
			use(t, dir, "user", "add", "mara@home.example")
			s.stop(signal)
			remount := func(flags uintptr) {
				t.Helper()
				if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=8m"); err != nil {
					t.Fatal(err)
				}
			}
			remount(syscall.MS_RDONLY)
			refused(t, use(t, dir, "serve", "-listen", "127.0.0.1:0"), command.ExitReadOnly, "cannot be written")
			remount(0)
			if got := use(t, dir, "user", "list"); got.code != 0 || !strings.Contains(got.out, "mara@home.example") {
				t.Errorf("with the disk mended: got %+v", got)
			}
		})
	}
}
