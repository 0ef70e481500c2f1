package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// bareAnswer names a file with an answer, and makes this program a server that says
// it: what net/http alone can do.
const bareAnswer = "GATELODGE_BARE_ANSWER"

func TestMain(m *testing.M) {
	if path := os.Getenv(bareAnswer); path != "" {
		fmt.Fprintln(os.Stderr, serveBare(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func serveBare(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, body, _ := bytes.Cut(text, []byte("\r\n\r\n"))
	_, head, _ = bytes.Cut(head, []byte("\r\n"))
	fields, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(head, "\r\n\r\n"...)))).ReadMIMEHeader()
	if err != nil {
		return err
	}
	fields.Del("Date")
	fields.Del("Content-Length")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	server := http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for name, values := range fields {
			h[name] = values
		}
		w.Write(body)
	})}
	return server.Serve(l)
}

// rival is a server that is asked for a session over and over.
type rival struct {
	name, address, request string
	pid                    int
	rates, cpu             []float64 // requests a second, and µs of the server's own processor time for each
	took                   []time.Duration
}

// p99 returns how long 99 of 100 answers took at most.
func (r *rival) p99() time.Duration {
	slices.Sort(r.took)
	return r.took[len(r.took)*99/100]
}

// BenchmarkSessionAPI asks for the session of somebody signed in, in turns at a bare
// handler that gives the same answer, at an App with a cookie that says nothing and
// with an encrypted one, and at @auth/core with its sessions in SQLite: each a process
// of its own, 32 connections, windows of 2 seconds, 5 rounds. Ratios are of one round;
// their median is told. Where others use the machine, the processor time is the
// figure to read.
func BenchmarkSessionAPI(b *testing.B) {
	p := start(b, "[[app]]\nname = \"Notes\"\nhosts = [\"localhost:3001\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \"v5\"\n"+
		"[[app]]\nname = \"Sealed\"\nhosts = [\"localhost:3002\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \"v5\"\nsecret = \""+sharedSecret+"\"\n")
	p.command("user", "add", "mara@home.example", "-name", "Mara Okafor")
	p.choosePassword("mara@home.example", goodPassword)
	address := p.url[len("http://"):]
	opaque := &rival{name: "opaque", address: address, pid: p.cmd.Process.Pid, request: p.sessionRequest("localhost:3001")}
	sealed := &rival{name: "encrypted", address: address, pid: p.cmd.Process.Pid, request: p.sessionRequest("localhost:3002")}
	if n := len(sealed.request) - len(opaque.request); n < 300 {
		b.Fatalf("the encrypted cookie is %d bytes longer", n)
	}
	bare := startBare(b, opaque)
	rivals := []*rival{bare, opaque, sealed, startAuthCore(b)}
	for b.Loop() {
		for range 5 {
			for _, r := range rivals {
				if r != nil {
					r.window(b, 2*time.Second)
				}
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, r := range rivals {
		if r == nil {
			continue
		}
		var ratios, costs []float64
		for i := range r.rates {
			ratios, costs = append(ratios, r.rates[i]/bare.rates[i]), append(costs, r.cpu[i]/bare.cpu[i])
		}
		b.Logf("%-10s %8.0f requests/s, %.3f x bare %.3f; %5.1f µs of processor, %.2f x bare %.2f; p99 %v",
			r.name, median(r.rates), median(ratios), ratios, median(r.cpu), median(costs), costs, r.p99().Round(10*time.Microsecond))
		b.ReportMetric(median(ratios), r.name+"/bare")
		b.ReportMetric(median(costs), r.name+"-cpu/bare")
		b.ReportMetric(median(r.rates), r.name+"/s")
		b.ReportMetric(float64(r.p99())/float64(bare.p99()), r.name+"-p99/bare")
	}
}

func median(list []float64) float64 {
	list = slices.Clone(list)
	slices.Sort(list)
	return list[len(list)/2]
}

// processor returns the processor time that a process has used.
func processor(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skip("there is no /proc to read processor times from")
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:])) // proc(5): the third field is first here
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// sessionRequest signs in at an App and returns the request for who that is.
func (p *program) sessionRequest(host string) string {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/api/auth/callback/credentials",
		strings.NewReader(`{"email":"mara@home.example","password":"`+goodPassword+`"}`))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Host = host
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	res.Body.Close()
	for _, c := range res.Cookies() {
		if c.Name == "authjs.session-token" {
			return "GET /api/auth/session HTTP/1.1\r\nHost: " + host + "\r\nCookie: " + c.Name + "=" + c.Value + "\r\n\r\n"
		}
	}
	p.t.Fatalf("signing in at %s answers %s", host, res.Status)
	return ""
}

// startBare starts a bare handler that answers as like does.
func startBare(b *testing.B, like *rival) *rival {
	b.Helper()
	conn, err := net.Dial("tcp", like.address)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	answer, err := ask(conn, bufio.NewReader(conn), like.request)
	if err != nil || !bytes.Contains(answer, []byte("mara@home.example")) {
		b.Fatalf("%v: %s", err, answer)
	}
	path := filepath.Join(b.TempDir(), "answer")
	if err := os.WriteFile(path, answer, 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), bareAnswer+"="+path)
	address := firstLine(b, cmd)
	return &rival{name: "bare", address: address, pid: cmd.Process.Pid, request: like.request}
}

// startAuthCore starts @auth/core on Node, or returns nil where its packages are not
// installed.
func startAuthCore(b *testing.B) *rival {
	b.Helper()
	modules := filepath.Join(os.Getenv("GATELODGE_ADAPTERS"), "node_modules")
	if _, err := os.Stat(filepath.Join(modules, "@auth", "drizzle-adapter")); err != nil {
		b.Log("without @auth/core: GATELODGE_ADAPTERS does not name where its packages are")
		return nil
	}
	dir := b.TempDir()
	text, err := os.ReadFile(filepath.Join("testdata", "authjs", "core.mjs"))
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(dir, "core.mjs"), text, 0o600), os.Symlink(modules, filepath.Join(dir, "node_modules")))
	}
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join(dir, "core.mjs"), filepath.Join(dir, "auth.db"))
	cmd.Env = append(os.Environ(), "NODE_ENV=production")
	address, cookie, _ := strings.Cut(firstLine(b, cmd), " ")
	return &rival{name: "authcore", address: address, pid: cmd.Process.Pid, request: "GET /auth/session HTTP/1.1\r\nHost: " + address + "\r\nCookie: " + cookie + "\r\n\r\n"}
}

// firstLine starts a server that ends with the benchmark, and returns the line with
// which it says that it is there.
func firstLine(b *testing.B, cmd *exec.Cmd) string {
	b.Helper()
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("%s: %v", cmd.Path, err)
	}
	return strings.TrimSpace(line)
}

// window asks over 32 connections for as long as that.
func (r *rival) window(b *testing.B, long time.Duration) {
	b.Helper()
	const connections = 32
	var asked atomic.Int64
	took := make([][]time.Duration, connections)
	var wg sync.WaitGroup
	used := processor(b, r.pid)
	begin := time.Now()
	for i := range connections {
		wg.Go(func() {
			conn, err := net.Dial("tcp", r.address)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			reader := bufio.NewReader(conn)
			for n := 0; time.Since(begin) < long; n++ {
				sent := time.Now()
				answer, err := ask(conn, reader, r.request)
				if err != nil || n == 0 && !bytes.Contains(answer, []byte("mara@home.example")) {
					b.Errorf("%s: %v: %s", r.name, err, answer)
					return
				}
				asked.Add(1)
				took[i] = append(took[i], time.Since(sent))
			}
		})
	}
	wg.Wait()
	used = processor(b, r.pid) - used
	r.cpu = append(r.cpu, float64(used.Microseconds())/float64(max(1, asked.Load())))
	r.rates = append(r.rates, float64(asked.Load())/time.Since(begin).Seconds())
	r.took = append(r.took, slices.Concat(took...)...)
}

// ask sends a request and returns the whole answer, which must be a 200. It reads no
// more than it must: what asks shares the processor with what answers.
func ask(conn net.Conn, r *bufio.Reader, request string) ([]byte, error) {
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, err
	}
	var answer []byte
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		first := len(answer) == 0
		answer = append(answer, line...)
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return answer, errors.New("not the status that was wanted")
		}
		if len(line) == 2 {
			break
		}
		if name, value, ok := bytes.Cut(line, []byte(": ")); ok && len(name) == 14 && bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return nil, err
			}
		}
	}
	if length < 0 {
		return answer, errors.New("an answer without a length")
	}
	head := len(answer)
	answer = slices.Grow(answer, length)[:head+length]
	_, err := io.ReadFull(r, answer[head:])
	return answer, err
}
