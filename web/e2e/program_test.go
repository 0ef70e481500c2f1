package e2e

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatelodge/app/programtest"
)

// program is a running server.
type program struct {
	t    testing.TB
	cmd  *exec.Cmd
	path string
	dir  string
	url  string
	// expected are words of errors that the log may hold.
	expected []string

	mu  sync.Mutex
	out bytes.Buffer
	log bytes.Buffer
}

var address = regexp.MustCompile(`(?m)^  address: (\S+)$`)

// start serves in a new directory with the given config.toml, "" for none.
func start(t testing.TB, config string) *program {
	t.Helper()
	p := &program{t: t, path: programtest.Build(t), dir: t.TempDir()}
	if config != "" {
		if err := os.WriteFile(filepath.Join(p.dir, "config.toml"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.serve()
	t.Cleanup(p.stop)
	return p
}

func (p *program) serve() {
	p.t.Helper()
	p.cmd = exec.Command(p.path, "serve", "-listen", "127.0.0.1:0")
	p.cmd.Dir, p.cmd.Env = p.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	log, err := p.cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go p.collect(out, &p.out)
	go p.collect(log, &p.log)
	p.url = p.wait(address)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		res, err := http.Get(p.url + "/readyz")
		if err == nil {
			res.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatal(err)
		}
	}
}

func (p *program) collect(r io.Reader, into *bytes.Buffer) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		p.mu.Lock()
		into.WriteString(lines.Text() + "\n")
		p.mu.Unlock()
	}
}

func (p *program) text(b *bytes.Buffer) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return b.String()
}

// wait returns what the form's group holds in the newest match on the terminal.
func (p *program) wait(form *regexp.Regexp) string {
	p.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if found := form.FindAllStringSubmatch(p.text(&p.out), -1); found != nil {
			return found[len(found)-1][1]
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("the terminal does not show %s:\n%s\n%s", form, p.text(&p.out), p.text(&p.log))
		}
	}
}

// stop ends the server as a service manager does.
func (p *program) stop() {
	if p.cmd.ProcessState != nil {
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Error(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the server stopped with %v:\n%s", err, p.text(&p.log))
	}
	for line := range strings.Lines(p.text(&p.log)) {
		if strings.Contains(line, "level=ERROR") && !slices.ContainsFunc(p.expected, func(s string) bool { return strings.Contains(line, s) }) {
			p.t.Errorf("the log has an error: %s", line)
		}
	}
}

// command runs another verb beside the server and returns what it prints.
func (p *program) command(args ...string) string {
	p.t.Helper()
	return p.commandIn("", args...)
}

// commandIn is command with something on the standard input.
func (p *program) commandIn(in string, args ...string) string {
	p.t.Helper()
	cmd := exec.Command(p.path, args...)
	cmd.Stdin = strings.NewReader(in)
	cmd.Dir, cmd.Env = p.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir}
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("gatelodge %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}
