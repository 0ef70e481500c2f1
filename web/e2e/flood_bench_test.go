package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/app/config"
	"gatelodge/app/factor/password"
)

const (
	rightPassword = "crimson ladder over quiet fjord"
	wrongPassword = "a guess that is not right"
	floodWindow   = 3 * time.Second
	floodRounds   = 3
	checkers      = 4
)

// BenchmarkPasswordFlood asks the built program, from connections that stay open,
// who is signed in, and measures how long the answers take: quiet, and while clients
// sign in with right or with wrong passwords without a pause. It reports the median
// of three rounds, and by how much the program grew against what it may.
func BenchmarkPasswordFlood(b *testing.B) {
	for _, kind := range []string{"wrong", "right"} {
		for _, clients := range []int{8, 32} {
			b.Run(fmt.Sprintf("%s/%d", kind, clients), func(b *testing.B) {
				f := openFlood(b, clients)
				for b.Loop() {
					var quiet50, quiet99, busy50, busy99, ratio, grew []float64
					for range floodRounds {
						_, q := f.measure(nil)
						before := f.memory("VmRSS")
						f.resetPeak()
						done, l := f.measure(f.client(kind))
						if done == 0 {
							b.Fatal("nobody signed in")
						}
						grew = append(grew, float64(f.memory("VmHWM")-before)/1024)
						quiet50, quiet99 = append(quiet50, q.at(50)), append(quiet99, q.at(99))
						busy50, busy99 = append(busy50, l.at(50)), append(busy99, l.at(99))
						ratio = append(ratio, l.at(99)/q.at(99))
					}
					b.ReportMetric(middle(quiet50), "quiet-p50-µs")
					b.ReportMetric(middle(quiet99), "quiet-p99-µs")
					b.ReportMetric(middle(busy50), "p50-µs")
					b.ReportMetric(middle(busy99), "p99-µs")
					b.ReportMetric(middle(ratio), "p99-times-quiet")
					b.ReportMetric(middle(grew), "grew-MiB")
					b.ReportMetric(float64(password.Slots()*config.PasswordMemory)/1024, "may-grow-MiB")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkPasswordSignIns compares how many sign-ins a second the built program does
// with what argon2 alone could in as many slots.
func BenchmarkPasswordSignIns(b *testing.B) {
	f := openFlood(b, 8)
	for b.Loop() {
		var rates, ratios []float64
		for range floodRounds {
			alone := hashesPerSecond(b) * float64(password.Slots())
			done := f.run(f.client("right"), nil)
			rate := float64(done) / floodWindow.Seconds()
			rates, ratios = append(rates, rate), append(ratios, rate/alone)
		}
		b.ReportMetric(middle(rates), "sign-ins/s")
		b.ReportMetric(middle(ratios), "of-allowed")
	}
	b.ReportMetric(0, "ns/op")
}

// hashesPerSecond is what one slot does in a process that does nothing else.
func hashesPerSecond(b *testing.B) float64 {
	b.Helper()
	h := password.New(password.Cost{Memory: config.PasswordMemory, Passes: config.PasswordPasses, Lanes: config.PasswordLanes}, 1, 1)
	p, err := password.Read(rightPassword)
	if err != nil {
		b.Fatal(err)
	}
	n, start := 0, time.Now()
	for ; time.Since(start) < floodWindow/2; n++ {
		if _, _, err := h.Check(b.Context(), "", p); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

// flood is a program with users who have passwords, one for each client.
type flood struct {
	b       *testing.B
	p       *program
	clients int
	check   string // the bytes of a session check
}

func openFlood(b *testing.B, clients int) *flood {
	b.Helper()
	f := &flood{b: b, p: start(b, ""), clients: clients}
	for i := range clients {
		f.p.command("user", "add", f.email(i))
		f.p.commandIn(rightPassword+"\n", "user", "password", "-stdin", f.email(i))
	}
	jar := f.browser()
	if status := f.signIn(jar, f.email(0), rightPassword); status != http.StatusSeeOther {
		b.Fatalf("signing in answered %d", status)
	}
	u, err := url.Parse(f.p.url)
	if err != nil {
		b.Fatal(err)
	}
	var cookies []string
	for _, c := range jar.Jar.Cookies(u) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	f.check = "GET /api/auth/session HTTP/1.1\r\nHost: " + u.Host + "\r\nCookie: " + strings.Join(cookies, "; ") + "\r\n\r\n"
	return f
}

func (f *flood) email(i int) string { return fmt.Sprintf("user%d@home.example", i) }

// browser keeps cookies and its connection, and follows nothing.
func (f *flood) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.b.Fatal(err)
	}
	return &http.Client{
		Jar: jar, Transport: &http.Transport{MaxIdleConnsPerHost: 1},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post sends a form and returns the status, 0 for none.
func (f *flood) post(c *http.Client, path, from string, form url.Values) int {
	req, err := http.NewRequest(http.MethodPost, f.p.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		f.b.Error(err)
		return 0
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if from != "" {
		req.Header.Set("X-Forwarded-For", from)
	}
	res, err := c.Do(req)
	if err != nil {
		f.b.Error(err)
		return 0
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func (f *flood) signIn(c *http.Client, email, typed string) int {
	f.post(c, "/signin", "", url.Values{"identifier": {email}, "method": {"password"}})
	return f.post(c, "/signin/password", "", url.Values{"password": {typed}})
}

// client returns what a client of a kind does until the context ends, counting what
// was hashed. Those who guess come from everywhere and try every name a few times:
// else the limits would send them away before a hash.
func (f *flood) client(kind string) func(ctx context.Context, i int, done *atomic.Int64) {
	if kind == "right" {
		return func(ctx context.Context, i int, done *atomic.Int64) {
			c := f.browser()
			for ctx.Err() == nil {
				if f.signIn(c, f.email(i), rightPassword) == http.StatusSeeOther {
					done.Add(1)
				}
			}
		}
	}
	return func(ctx context.Context, i int, done *atomic.Int64) {
		c := f.browser()
		for n := 0; ctx.Err() == nil; n++ {
			from := fmt.Sprintf("10.%d.%d.%d", i, n>>8&255, n&255)
			f.post(c, "/signin", from, url.Values{"identifier": {fmt.Sprintf("nobody%d.%d@home.example", i, n)}, "method": {"password"}})
			for try := 0; try < 5 && ctx.Err() == nil; try++ {
				if f.post(c, "/signin/password", from, url.Values{"password": {wrongPassword}}) == http.StatusUnprocessableEntity {
					done.Add(1)
				}
			}
		}
	}
}

// run lets the clients go for a window, with others beside them.
func (f *flood) run(client func(context.Context, int, *atomic.Int64), beside func(context.Context)) int64 {
	ctx, stop := context.WithTimeout(f.b.Context(), floodWindow)
	defer stop()
	var done atomic.Int64
	var wg sync.WaitGroup
	if client != nil {
		for i := range f.clients {
			wg.Go(func() { client(ctx, i, &done) })
		}
	}
	if beside != nil {
		beside(ctx)
	}
	wg.Wait()
	return done.Load()
}

// measure checks who is signed in from a few connections for a window.
func (f *flood) measure(client func(context.Context, int, *atomic.Int64)) (done int64, took latencies) {
	var mu sync.Mutex
	done = f.run(client, func(ctx context.Context) {
		var wg sync.WaitGroup
		for range checkers {
			wg.Go(func() {
				l := f.checkUntil(ctx)
				mu.Lock()
				took = append(took, l...)
				mu.Unlock()
			})
		}
		wg.Wait()
	})
	slices.Sort(took)
	return done, took
}

func (f *flood) checkUntil(ctx context.Context) (took latencies) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.p.url, "http://"))
	if err != nil {
		f.b.Error(err)
		return nil
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for ctx.Err() == nil {
		start := time.Now()
		if _, err := io.WriteString(conn, f.check); err != nil {
			f.b.Error(err)
			return took
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			f.b.Error(err)
			return took
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK || res.ContentLength < 10 {
			f.b.Errorf("the check answered %d, %v", res.StatusCode, err)
			return took
		}
		took = append(took, time.Since(start))
	}
	return took
}

// latencies are sorted.
type latencies []time.Duration

// at returns a percentile in microseconds.
func (l latencies) at(percent int) float64 {
	if len(l) == 0 {
		return 0
	}
	return float64(l[min(len(l)-1, len(l)*percent/100)].Nanoseconds()) / 1000
}

func middle(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// memory returns a line of the program's status, in KiB.
func (f *flood) memory(name string) int {
	f.b.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.p.cmd.Process.Pid))
	if err != nil {
		f.b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), name+":")
	rest, _, _ = strings.Cut(rest, "kB")
	n, err := strconv.Atoi(strings.TrimSpace(rest))
	if err != nil {
		f.b.Fatal(err)
	}
	return n
}

func (f *flood) resetPeak() {
	if runtime.GOOS == "linux" {
		// Where that is not allowed the peak is since the start, which is more.
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", f.p.cmd.Process.Pid), []byte("5"), 0)
	}
}
