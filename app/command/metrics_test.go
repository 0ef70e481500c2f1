package command_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/app/mail/mailtest"
)

var metricsAt = regexp.MustCompile(`(?m)^  metrics: (http://127\.0\.0\.1:\d+/metrics)$`)

// The metrics count what happened and name no user.
func TestMetricsOfARunningServer(t *testing.T) {
	t.Parallel()
	smarthost := mailtest.Serve(t, mailtest.Accept)
	dir := t.TempDir()
	config := fmt.Sprintf("[mail]\nmode = \"smarthost\"\nfrom = \"login@home.example\"\n[mail.smarthost]\nurl = \"smtp://127.0.0.1:%d?tls=off\"\n[metrics]\nlisten = \":0\"\n", smarthost.Port)
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, dir)
	at := s.wait(metricsAt)
	metrics := func() string {
		res, err := http.Get(at)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
			t.Fatalf("%d %v %v", res.StatusCode, res.Header, err)
		}
		return string(b)
	}
	v := newVisitor(t, s.url)
	link, err := url.Parse(s.wait(setUpAt))
	if err != nil {
		t.Fatal(err)
	}
	res, err := v.client.PostForm(s.url+"/setup", url.Values{"setup_code": {link.Query().Get("code")}, "email": {"mara@home.example"}, "name": {"Mara"}})
	v.arrives("/account", res, err)
	stranger := newVisitor(t, s.url)
	for _, email := range []string{"mara@home.example", "nobody@home.example"} {
		res, err = stranger.client.PostForm(s.url+"/signin", url.Values{"identifier": {email}})
		stranger.arrives("/signin/code", res, err)
	}
	res, err = stranger.client.PostForm(s.url+"/signin/code", url.Values{"code": {"000000"}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	res, err = stranger.client.PostForm(s.url+"/signin/password", url.Values{"identifier": {"mara@home.example"}, "password": {"a guess that is wrong"}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	want := []string{
		`gatelodge_mail_attempts_total{class="sign-in",result="sent",tls="none"} 1`,
		`gatelodge_mail_signin_seconds_count 1`,
		`gatelodge_mail_queue{class="sign-in",state="queued"} 0`,
		`gatelodge_mail_queue_oldest_seconds{class="relayed"} 0`,
		`gatelodge_signins_total{way="setup",result="done"} 1`,
		`gatelodge_signins_total{way="email",result="asked"} 2`,
		`gatelodge_signins_total{way="email",result="refused"} 1`,
		`gatelodge_signins_total{way="pwd",result="refused"} 1`,
		`gatelodge_session_checks_total{result="live"} `,
		"go_goroutines ", "process_resident_memory_bytes ",
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		text := metrics()
		missing := ""
		for _, line := range want {
			if !strings.Contains(text, "\n"+line) {
				missing = line
			}
		}
		if missing == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("lacks %s:\n%s", missing, text)
		}
	}
	for _, secret := range []string{"mara", "nobody", "home.example", "127.0.0.1"} {
		if text := metrics(); strings.Contains(text, secret) {
			t.Errorf("the metrics hold %q:\n%s", secret, text)
		}
	}
	res, err = http.Get(strings.TrimSuffix(at, "metrics"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("there is more than the metrics: %d", res.StatusCode)
	}
}
