package peers_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/mailtest"
	"gatelodge/app/mail/post"
	"gatelodge/app/mail/queue"
	"gatelodge/store"
)

// BenchmarkComposeAndSign writes a sign-in mail and signs it twice, as each
// attempt does.
func BenchmarkComposeAndSign(b *testing.B) {
	c := config.Default()
	c.DataDir, c.PublicURL = b.TempDir(), "https://auth.home.example"
	c.Mail.Mode, c.Mail.From = "direct", "Our house <login@home.example>"
	a, err := app.Open(b.Context(), &c, app.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { a.Close() })
	b.ReportAllocs()
	before := busy(os.Getpid())
	for b.Loop() {
		m, err := a.Post.Write(compose.Test{}, post.Terms{To: "mara@else.example", Awaited: true})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := a.DKIM.Sign(b.Context(), m.Body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
	b.ReportMetric(float64((busy(os.Getpid())-before).Microseconds())/float64(b.N), "µs-CPU/op")
}

// BenchmarkSignInBesideADeadDomain sends sign-in mail while ten thousand messages
// wait for a domain whose server drops every connection, and reports how long a
// mail takes from the request to the server's 250, and how the heap grew.
func BenchmarkSignInBesideADeadDomain(b *testing.B) {
	dns := mailtest.ServeDNS(b)
	dns.MX("else.example", 10, "mx.else.example")
	dns.MX("dead.example", 10, "mx.dead.example")
	server := mailtest.ServeOn(b, "127.0.0.2:0", mailtest.AcceptTLS(mailtest.NewAuthority(b).Certificate(b, "mx.else.example", time.Hour)))
	dns.A("mx.else.example", "127.0.0.2")
	dns.A("mx.dead.example", "127.0.0.3")
	mailtest.Drop(b, net.JoinHostPort("127.0.0.3", strconv.Itoa(server.Port)))
	c := config.Default()
	c.DataDir, c.PublicURL = b.TempDir(), "https://auth.home.example"
	c.Mail.Mode, c.Mail.From, c.Mail.Resolver = "direct", "Our house <login@home.example>", dns.Address
	c.Mail.MXPort, c.Mail.AllowPrivateDestinations = server.Port, true
	a, err := app.Open(b.Context(), &c, app.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < 10_000; i += 500 {
		err := a.DB.Update(b.Context(), func(tx *store.Tx) error {
			for j := range 500 {
				err := a.Queue.Add(tx, queue.Mail{
					ID: fmt.Sprint("dead", i+j), Class: queue.ClassRelayed, Purpose: "relayed/x", To: "a@dead.example", RcptHash: []byte("a"), Addressed: true,
					Body: make([]byte, 4<<10), NotAfter: time.Now().Add(48 * time.Hour),
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { a.Queue.Run(ctx) })
	b.Cleanup(func() {
		stop()
		running.Wait()
		a.Close()
	})
	time.Sleep(time.Second) // the dead domain has its sessions
	before := heap()
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		m, err := a.Post.Write(compose.Test{}, post.Terms{To: "mara@else.example", Awaited: true})
		if err != nil {
			b.Fatal(err)
		}
		if err := a.DB.Update(b.Context(), func(tx *store.Tx) error { return a.Queue.Add(tx, m) }); err != nil {
			b.Fatal(err)
		}
		a.Queue.Wake()
		for len(server.Messages()) <= len(took) {
			time.Sleep(200 * time.Microsecond)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
	b.ReportMetric(float64(heap()-before)/(1<<20), "heap-growth-MiB")
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkToPostfix delivers a thousand queued messages to a Postfix on this
// machine: from our queue, two connections at a time, under TLS and signed; from
// another Postfix's queue; and by Postfix's smtp-source, which has none. It
// reports, of the one who sends, messages a second, the time on the processor for
// each, and memory.
func BenchmarkToPostfix(b *testing.B) {
	if within(b, "postfix", "smtp-source", "knotd", "keymgr", "unbound", "ip", "nsenter", "postgrey") {
		return
	}
	const messages = 300
	n := newNetwork(b)
	cert := n.ca.Certificate(b, certified[0], time.Hour, certified[1:]...)
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		b.Fatal(err)
	}
	n.names(leaf, nil)
	n.postfix(cert)
	report := func(who string, took, busy time.Duration, memory string) {
		fmt.Printf("BenchmarkToPostfix/%s\t%d messages\t%.0f messages/s\t%.2f ms CPU/message\t%s\n",
			who, messages, messages/took.Seconds(), float64(busy.Microseconds())/1000/messages, memory)
	}
	taken := func() int {
		return strings.Count(n.logOf("postfix/log"), "relay=none, delay=") + strings.Count(n.logOf("postfix/log"), "status=sent (sink.lab)")
	}
	await := func(want int) {
		for taken() < want {
			time.Sleep(20 * time.Millisecond)
		}
	}

	done := taken()
	start := time.Now()
	n.run("smtp-source", "-s", "2", "-m", strconv.Itoa(messages), "-l", "4200", "-M", "auth.home.example", "-f", "login@home.example", "-t", "mara@sink.lab", postfixIP+":25")
	took := time.Since(start)
	await(done + messages)
	report("smtp-source, 2 connections, in clear, no queue", took, 0, "")

	l := n.lodge()
	queued := func(who string, class int) {
		done := taken()
		err := l.DB.Update(b.Context(), func(tx *store.Tx) error {
			for range messages {
				m, err := l.Post.Write(compose.Test{}, post.Terms{To: "mara@sink.lab", Awaited: true, NotAfter: l.Now().Add(2 * time.Hour)})
				if err != nil {
					return err
				}
				m.Class = class
				if err := l.Queue.Add(tx, m); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		start, before := time.Now(), busy(os.Getpid())
		l.Queue.Wake()
		for {
			err := l.DB.View(b.Context(), func(tx *store.Tx) error {
				_, err := tx.NextDue(class, nil, l.Now())
				return err
			})
			if errors.Is(err, store.ErrNotFound) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		took, used := time.Since(start), busy(os.Getpid())-before
		await(done + messages)
		report("Gatelodge's queue, "+who+", TLS, two signatures", took, used, memoryOf(os.Getpid()))
	}
	queued("sign-in mail, 2 connections", queue.ClassSignIn)
	queued("relayed mail, 1 connection", queue.ClassRelayed)

	for _, connections := range []int{2, 20} {
		done := taken()
		pid, start := n.relay(connections, messages)
		before := busy(family(pid)...)
		await(done + messages)
		took := time.Since(start)
		report(fmt.Sprintf("Postfix's queue, %d connections, TLS, no signature", connections), took, busy(family(pid)...)-before, memoryOf(family(pid)...))
		n.run("postfix", "-c", filepath.Join(n.dir, "relay"), "stop")
	}
}

const relayMain = `compatibility_level = 3.6
queue_directory = %[1]s/spool
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = auth.home.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
mydestination =
relayhost = [%[2]s]
smtp_tls_security_level = may
defer_transports = smtp
default_destination_concurrency_limit = %[3]d
initial_destination_concurrency = %[3]d
`

// relay starts a second Postfix on our side whose queue holds the messages, lets
// it send them, and returns its process and when it began.
func (n *network) relay(connections, messages int) (pid int, start time.Time) {
	n.t.Helper()
	dir := filepath.Join(n.dir, "relay")
	owner, _ := account(n.t, "postfix")
	n.write(filepath.Join(dir, "main.cf"), fmt.Sprintf(relayMain, dir, postfixIP, connections))
	n.write(filepath.Join(dir, "master.cf"), "10025 inet n - n - - smtpd\nsmtp unix - - n - - smtp\npickup unix n - n 60 1 pickup\nflush unix n - n 1000? 0 flush\nshowq unix n - n - - showq\n"+strings.SplitN(postfixMaster, "\n", 2)[1])
	n.owned(filepath.Join(dir, "spool"), 0)
	n.owned(filepath.Join(dir, "data"), owner)
	n.run("postfix", "-c", dir, "start")
	n.answers("127.0.0.1:10025", "relay/log")
	n.run("smtp-source", "-s", "4", "-m", strconv.Itoa(messages), "-l", "4200", "-M", "auth.home.example", "-f", "login@home.example", "-t", "mara@sink.lab", "127.0.0.1:10025")
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if strings.Count(n.logOf("relay/log"), "status=deferred") >= messages {
			break
		}
	}
	n.run("postconf", "-c", dir, "-e", "defer_transports=")
	n.run("postfix", "-c", dir, "reload")
	start = time.Now()
	n.run("postqueue", "-c", dir, "-f")
	text, err := os.ReadFile(filepath.Join(dir, "spool/pid/master.pid"))
	if err != nil {
		n.t.Fatal(err)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
		n.t.Fatal(err)
	}
	return pid, start
}

// family returns a process with its children.
func family(pid int) []int {
	list := []int{pid}
	out, err := exec.Command("pgrep", "-P", strconv.Itoa(pid)).Output()
	if err != nil {
		return list // it has none
	}
	for _, word := range strings.Fields(string(out)) {
		if child, err := strconv.Atoi(word); err == nil {
			list = append(list, child)
		}
	}
	return list
}

// memoryOf returns what processes take, shared pages divided among those who
// share them.
func memoryOf(pids ...int) string {
	total := 0
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
				kb, err := strconv.Atoi(f[1])
				if err == nil {
					total += kb
				}
			}
		}
	}
	return fmt.Sprintf("%.1f MiB", float64(total)/1024)
}

// busy returns how long processes, and the children they have seen end, were on
// a processor (proc(5), stat).
func busy(pids ...int) time.Duration {
	const tick = 10 * time.Millisecond
	total := time.Duration(0)
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, field := range fields[11:15] { // utime, stime, cutime, cstime
			if n, err := strconv.Atoi(field); err == nil {
				total += time.Duration(n) * tick
			}
		}
	}
	return total
}
