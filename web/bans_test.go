package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// documented returns the block of the documentation that begins with a line.
func documented(t *testing.T, first string) string {
	t.Helper()
	doc, err := os.ReadFile("../app/doc/guide/bans.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(doc), "\n    "+first+"\n")
	if !found {
		t.Fatalf("the documentation holds no %q", first)
	}
	text := first + "\n"
	for line := range strings.Lines(rest) {
		indented, ok := strings.CutPrefix(line, "    ")
		if !ok {
			break
		}
		text += indented
	}
	return text
}

// guessed is a server in which 203.0.113.7 guessed so many passwords, and one for a
// name that is a line of the log, and then found the right one.
func guessed(t *testing.T, n int) *testServer {
	t.Helper()
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	b := h.browser()
	b.headers["X-Forwarded-For"] = "203.0.113.7"
	for range n {
		b.tryPassword("mara@home.example", "a guess that is wrong").is(t, 422)
	}
	b.tryPassword("x\" msg=auth-fail ip=198.51.100.1 user=- reason=password ", "a guess that is wrong").is(t, 422)
	h.pass(time.Minute)
	b.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	return h
}

func writeAll(t *testing.T, files map[string]string) {
	t.Helper()
	for path, text := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// The filter in the documentation finds, in a log that was really written, who
// guessed and nobody else.
func TestFail2banReadsTheLog(t *testing.T) {
	if _, err := exec.LookPath("fail2ban-regex"); err != nil {
		if os.Getenv("GATELODGE_PEERS") == "require" {
			t.Fatal(err)
		}
		t.Skip("fail2ban is not installed")
	}
	h := guessed(t, 1)
	dir := t.TempDir()
	log, conf := filepath.Join(dir, "log"), filepath.Join(dir, "gatelodge.conf")
	// What strangers can have logged looks like a line, but is none.
	lines := h.logged() + strings.Join([]string{
		`time=2026-11-23T12:00:00.000Z level=WARN msg="mail not sent" answer="550 msg=auth-fail ip=198.51.100.77 user=x reason=password y"`,
		`time=2026-11-23T12:00:00.000Z level=WARN msg="mail not sent" answer="550 x level=WARN msg=auth-fail ip=198.51.100.78 user=x reason=password y"`,
		`{"time":"2026-11-23T12:00:00.000Z","level":"WARN","msg":"mail not sent","answer":"550 \"level\":\"WARN\",\"msg\":\"auth-fail\",\"ip\":\"198.51.100.79\",\"user\":\"x\",\"reason\":\"password\" "}`,
		`Nov 23 12:00:00 host gatelodge[7]: time=2026-11-23T12:00:00.000Z level=WARN msg="mail not sent" answer="550 msg=auth-fail ip=198.51.100.80 user=x reason=password y"`,
	}, "\n") + "\n"
	writeAll(t, map[string]string{log: lines, conf: documented(t, "[Definition]")})
	out, err := exec.CommandContext(t.Context(), "fail2ban-regex", "--out", "ip", log, conf).CombinedOutput()
	if got := strings.Fields(string(out)); err != nil || strings.Join(got, " ") != "203.0.113.7 203.0.113.7" {
		t.Errorf("it found %q, %v", out, err)
	}
}

// jsonLine is a line of the log in the other format, at a time.
const jsonLine = `{"time":"2026-11-23T12:00:0%d.123Z","level":"WARN","msg":"auth-fail","ip":"2001:db8::7","user":"-","reason":"code","ref":"GL-7F3K-92QD"}` + "\n"

// The parser and the scenario in the documentation make CrowdSec, unpacked from the
// package of Debian, tell of whoever guessed and of nobody else.
func TestCrowdSecReadsTheLog(t *testing.T) {
	t.Parallel()
	program := os.Getenv("GATELODGE_CROWDSEC")
	if program == "" {
		if os.Getenv("GATELODGE_PEERS") == "require" {
			t.Fatal("GATELODGE_CROWDSEC names no unpacked CrowdSec")
		}
		t.Skip("CrowdSec is not unpacked")
	}
	told := make(chan string, 10)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/v1/watchers/login":
			fmt.Fprint(w, `{"code":200,"expire":"2036-01-02T15:04:05Z","token":"x"}`)
		case "/v1/alerts":
			var alerts []struct {
				Scenario string
				Source   struct{ Value string }
			}
			if err := json.NewDecoder(r.Body).Decode(&alerts); err != nil {
				t.Error(err)
			}
			for _, a := range alerts {
				told <- a.Scenario + " " + a.Source.Value
			}
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `["1"]`)
		default:
			fmt.Fprint(w, `[]`)
		}
	}))
	defer service.Close()

	dir := t.TempDir()
	at := func(path string) string { return filepath.Join(dir, path) }
	hub := filepath.Join(program, "usr/share/crowdsec/hub/parsers")
	files := map[string]string{
		at("parsers/s01-parse/gatelodge.yaml"): documented(t, "name: gatelodge/auth-fail"),
		at("scenarios/gatelodge.yaml"):         documented(t, "type: leaky"),
		at("acquis.yaml"):                      documented(t, "filenames: [/var/log/gatelodge.log]"),
		at("simulation.yaml"):                  "simulation: false\n",
		at("hub/.index.json"):                  `{"parsers":{},"scenarios":{},"collections":{},"postoverflows":{}}`,
		at("credentials.yaml"):                 "url: " + service.URL + "/\nlogin: x\npassword: y\n",
		at("config.yaml"): fmt.Sprintf(`common: {daemonize: false, log_media: stdout, log_level: info, working_dir: .}
config_paths: {config_dir: %[1]s, data_dir: %[1]s/data, simulation_path: %[1]s/simulation.yaml, hub_dir: %[1]s/hub, index_path: %[1]s/hub/.index.json}
crowdsec_service: {acquisition_path: %[1]s/acquis.yaml, parser_routines: 1}
db_config: {type: sqlite, db_path: %[1]s/data/crowdsec.db}
api:
  client: {credentials_path: %[1]s/credentials.yaml}
  server: {listen_uri: "127.0.0.1:0", profiles_path: %[2]s/etc/crowdsec/profiles.yaml}
`, dir, program),
		at("data/none"): "",
	}
	for path, from := range map[string]string{
		"parsers/s00-raw/syslog-logs.yaml":         hub + "/s00-raw/crowdsecurity/syslog-logs.yaml",
		"parsers/s02-enrich/dateparse-enrich.yaml": hub + "/s02-enrich/crowdsecurity/dateparse-enrich.yaml",
		"patterns/nginx":                           program + "/etc/crowdsec/patterns/nginx",
		"patterns/linux-syslog":                    program + "/etc/crowdsec/patterns/linux-syslog",
	} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		files[at(path)] = string(text)
	}
	log := guessed(t, 5).logged()
	for i := range 7 {
		log += fmt.Sprintf(jsonLine, i)
	}
	files[at("log")] = log
	writeAll(t, files)
	cmd := exec.CommandContext(t.Context(), filepath.Join(program, "usr/bin/crowdsec"), "-c", at("config.yaml"), "-dsn", "file://"+at("log"), "-type", "gatelodge", "-no-api")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	close(told)
	got := map[string]bool{}
	for alert := range told {
		got[alert] = true
	}
	if len(got) != 2 || !got["gatelodge/guessing 203.0.113.7"] || !got["gatelodge/guessing 2001:db8::7"] {
		t.Errorf("it told of %v\n%s", got, out)
	}
}
