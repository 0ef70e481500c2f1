// Package peers_test sends our mail to mail servers that others wrote, on the
// true ports, in a small Internet of its own: two network namespaces with a
// cable between them. Ours has a public address with a name that confirms it and
// a resolver that validates, Unbound; the other has the servers, Postfix and
// Exim, with postgrey, and the names, signed by Knot.
package peers_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatelodge/app/mail/mailtest"
)

// inside says that this process is in its own network.
const inside = "GATELODGE_TEST_NETWORK"

// The addresses. They are somebody's on the Internet; in here they are ours, and
// public like those that mail really goes to.
const (
	ourIP     = "5.0.0.1"
	namesIP   = "5.0.0.53"
	postfixIP = "5.0.0.25"
	eximIP    = "5.0.0.26"
	policyIP  = "5.0.0.80"
	droppedIP = "5.9.0.1" // whoever sends there hears nothing

	ourIPv6     = "2a00:5::1"
	postfixIPv6 = "2a00:5::25"
)

// within runs this test in a network of its own and reports whether that has
// been done: the one who called then returns.
func within(t testing.TB, programs ...string) bool {
	t.Helper()
	if os.Getenv(inside) != "" {
		return false
	}
	for _, p := range programs {
		mailtest.Peer(t, p)
	}
	if os.Geteuid() != 0 {
		if os.Getenv("GATELODGE_PEERS") == "require" {
			t.Fatal("the peers start only as root")
		}
		t.Skip("the peers start only as root")
	}
	only := []string{"-test.run=^" + t.Name() + "$"}
	_, benchmark := t.(*testing.B)
	if benchmark {
		only = []string{"-test.run=^$", "-test.bench=^" + t.Name() + "$", "-test.benchtime=1x"}
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], append(only, "-test.v="+strconv.FormatBool(testing.Verbose()), "-test.timeout=5m")...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("in a network of its own: %v\n%s", err, &out)
	} else if testing.Verbose() || benchmark {
		t.Logf("\n%s", &out)
	}
	return true
}

// network is the other side of the cable.
type network struct {
	t   testing.TB
	dir string // others may pass through it
	pid int    // of a process in the other namespace
	ca  *mailtest.Authority
}

func newNetwork(t testing.TB) *network {
	t.Helper()
	dir, err := os.MkdirTemp("", "gatelodge-peers-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	n := &network{t: t, dir: dir, ca: mailtest.NewAuthority(t)}
	n.alone()
	other := exec.Command("sleep", "infinity")
	other.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Process.Kill(); other.Wait() })
	n.pid = other.Process.Pid
	n.run("ip", "link", "set", "lo", "up")
	n.run("ip", "link", "add", "cable0", "type", "veth", "peer", "name", "cable1", "netns", strconv.Itoa(n.pid))
	n.run("ip", "addr", "add", ourIP+"/8", "dev", "cable0")
	n.run("ip", "addr", "add", ourIPv6+"/64", "dev", "cable0", "nodad")
	n.run("ip", "link", "set", "cable0", "up")
	n.there("ip", "link", "set", "lo", "up")
	for _, ip := range []string{namesIP, postfixIP, eximIP, policyIP} {
		n.there("ip", "addr", "add", ip+"/8", "dev", "cable1")
	}
	n.there("ip", "addr", "add", postfixIPv6+"/64", "dev", "cable1", "nodad")
	n.there("ip", "link", "set", "cable1", "up")
	// A firewall that drops: what is sent through the other side to that network
	// ends there without a word.
	n.there("ip", "route", "add", "blackhole", "5.9.0.0/16")
	n.there("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
	n.run("ip", "route", "add", "default", "via", namesIP)
	n.run("ip", "route", "add", "5.9.0.0/16", "via", namesIP)
	n.run("ip", "-6", "route", "add", "default", "via", postfixIPv6)
	return n
}

// alone keeps what is mounted here from the rest of the machine, and lets the
// servers ask Knot for names and find the user that Debian's Exim runs as.
func (n *network) alone() {
	n.t.Helper()
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		n.t.Fatal(err)
	}
	n.overlay("/etc/resolv.conf", "nameserver "+namesIP+"\n")
	for path, line := range map[string]string{"/etc/passwd": "Debian-exim:x:990:990::/:/usr/sbin/nologin\n", "/etc/group": "Debian-exim:x:990:\n"} {
		text, err := os.ReadFile(path)
		if err != nil {
			n.t.Fatal(err)
		}
		if !strings.Contains(string(text), "Debian-exim:") {
			n.overlay(path, string(text)+line)
		}
	}
}

func (n *network) overlay(path, text string) {
	n.t.Helper()
	ours := filepath.Join(n.dir, filepath.Base(path))
	n.write(ours, text)
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		n.t.Fatal(err)
	}
	if err := syscall.Mount(ours, target, "", syscall.MS_BIND, ""); err != nil {
		n.t.Fatalf("mounting %s: %v", path, err)
	}
}

func (n *network) write(path, text string) {
	n.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

// run runs a program to its end.
func (n *network) run(name string, args ...string) string {
	n.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// there runs it on the other side.
func (n *network) there(name string, args ...string) string {
	n.t.Helper()
	return n.run("nsenter", append([]string{"-t", strconv.Itoa(n.pid), "-n", name}, args...)...)
}

// keep runs a program on this side, or the other, until the test ends. What it
// says is in the file that bears its name.
func (n *network) keep(other bool, name string, args ...string) {
	n.t.Helper()
	log, err := os.Create(filepath.Join(n.dir, filepath.Base(name)+".out"))
	if other {
		name, args = "nsenter", append([]string{"-t", strconv.Itoa(n.pid), "-n", name}, args...)
	}
	if err != nil {
		n.t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		cmd.Wait()
		log.Close()
	})
}

// answers waits until something listens at an address.
func (n *network) answers(address string, logs ...string) {
	n.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			var told strings.Builder
			for _, path := range logs {
				text, _ := os.ReadFile(filepath.Join(n.dir, path))
				fmt.Fprintf(&told, "\n%s:\n%s", path, text)
			}
			n.t.Fatalf("nobody answers at %s: %v%s", address, err, told.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// arrived waits until n messages lie in a maildir and returns them, as they
// would be on the wire.
func (n *network) arrived(maildir string, want int) []string {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), time.Minute)
	defer cancel()
	for {
		files, err := filepath.Glob(filepath.Join(maildir, "new", "*"))
		if err != nil {
			n.t.Fatal(err)
		}
		if len(files) >= want || ctx.Err() != nil {
			var list []string
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					n.t.Fatal(err)
				}
				list = append(list, strings.ReplaceAll(string(text), "\n", "\r\n"))
			}
			if len(list) != want {
				n.t.Errorf("%d messages in %s, want %d", len(list), maildir, want)
			}
			return list
		}
		time.Sleep(20 * time.Millisecond)
	}
}
