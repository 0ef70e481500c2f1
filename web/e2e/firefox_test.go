package e2e

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"gatelodge/app/mail/mailtest"
)

// firefox is a Firefox with one tab, driven over WebDriver BiDi
// (https://w3c.github.io/webdriver-bidi/).
type firefox struct {
	t    testing.TB
	conn net.Conn
	last int
	tab  string
}

var bidiAddress = regexp.MustCompile(`WebDriver BiDi listening on (ws://\S+)`)

// quiet keeps Firefox from asking the network for anything but the pages of the test.
const quiet = `user_pref("app.normandy.enabled", false);
user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "http://localhost:1/");
user_pref("toolkit.telemetry.enabled", false);
`

// startFirefox starts a Firefox with a profile of its own.
func startFirefox(t testing.TB) *firefox {
	t.Helper()
	mailtest.Peer(t, "firefox-esr")
	profile, err := os.MkdirTemp("", "gatelodge-firefox-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(quiet), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("firefox-esr", "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0", "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+profile, "MOZ_CRASHREPORTER_DISABLE=1")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.RemoveAll(profile) // its children may still write: what stays is in the temporary folder
	})
	found := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if m := bidiAddress.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
			}
		}
	}()
	f := &firefox{t: t}
	select {
	case address := <-found:
		f.connect(address)
	case <-time.After(60 * time.Second):
		t.Fatal("Firefox does not say where it listens")
	}
	return f
}

func (f *firefox) connect(address string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 30*time.Second)
	defer cancel()
	conn, buffered, _, err := ws.Dial(ctx, address+"/session")
	if err != nil {
		f.t.Fatal(err)
	}
	if buffered != nil {
		f.t.Fatal("Firefox speaks before it is asked")
	}
	f.conn = conn
	f.t.Cleanup(func() { conn.Close() })
	f.call("session.new", map[string]any{"capabilities": map[string]any{}}, nil)
	var tree struct {
		Contexts []struct{ Context string }
	}
	f.call("browsingContext.getTree", map[string]any{}, &tree)
	f.tab = tree.Contexts[0].Context
}

// call sends a command and reads its result.
func (f *firefox) call(method string, params map[string]any, result any) {
	f.t.Helper()
	f.last++
	command, err := json.Marshal(map[string]any{"id": f.last, "method": method, "params": params})
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.conn.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	if err := wsutil.WriteClientText(f.conn, command); err != nil {
		f.t.Fatalf("%s: %v", method, err)
	}
	for {
		text, err := wsutil.ReadServerText(f.conn)
		if err != nil {
			f.t.Fatalf("%s: %v", method, err)
		}
		var answer struct {
			Type, Error, Message string
			ID                   int
			Result               json.RawMessage
		}
		if err := json.Unmarshal(text, &answer); err != nil {
			f.t.Fatal(err)
		}
		if answer.Type == "event" || answer.ID != f.last {
			continue
		}
		if answer.Type == "error" {
			f.t.Fatalf("%s: %s: %s", method, answer.Error, answer.Message)
		}
		if result != nil {
			if err := json.Unmarshal(answer.Result, result); err != nil {
				f.t.Fatal(err)
			}
		}
		return
	}
}

func (f *firefox) open(url string) {
	f.t.Helper()
	f.call("browsingContext.navigate", map[string]any{"context": f.tab, "url": url, "wait": "complete"}, nil)
}

func (f *firefox) size(width, height int64) {
	f.t.Helper()
	f.call("browsingContext.setViewport", map[string]any{"context": f.tab, "viewport": map[string]any{"width": width, "height": height}}, nil)
}

// read evaluates an expression in the page and returns the text it yields.
func (f *firefox) read(expression string) string {
	f.t.Helper()
	var answer struct {
		Type             string
		ExceptionDetails struct{ Text string }
		Result           struct{ Value any }
	}
	f.call("script.evaluate", map[string]any{"expression": expression, "target": map[string]any{"context": f.tab}, "awaitPromise": true}, &answer)
	if answer.Type != "success" {
		f.t.Fatalf("in Firefox: %s", answer.ExceptionDetails.Text)
	}
	return fmt.Sprint(answer.Result.Value)
}

func (f *firefox) screenshot() []byte {
	f.t.Helper()
	var answer struct{ Data string }
	f.call("browsingContext.captureScreenshot", map[string]any{"context": f.tab, "origin": "document"}, &answer)
	png, err := base64.StdEncoding.DecodeString(answer.Data)
	if err != nil {
		f.t.Fatal(err)
	}
	return png
}
