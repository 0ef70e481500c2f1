package peers_test

import (
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatelodge/app/programtest"
)

const soa = "$TTL 1\n@ SOA ns.lab. root.lab. 1 60 60 600 1\n@ NS ns.lab.\n"

// TestFromABareMachineToMailThatArrives runs the ten commands of the guide as
// they are written, with the built program, as root on a machine of its own, and
// publishes what "mail dns" prints.
func TestFromABareMachineToMailThatArrives(t *testing.T) {
	t.Parallel()
	if within(t, "postfix", "postgrey", "knotd", "knotc", "keymgr", "unbound", "ip", "nsenter", "curl") {
		return
	}
	n := newNetwork(t)
	zones := map[string]string{
		"example.com":      soa + "@ MX 10 mx\nmx A " + postfixIP + "\n",
		"5.in-addr.arpa":   soa,
		"0.0.a.2.ip6.arpa": soa,
	}
	for _, big := range []string{"gmail.com", "outlook.com", "yahoo.com"} {
		zones[big] = soa + "@ MX 10 mx\nmx A " + postfixIP + "\n"
	}
	cert := n.ca.Certificate(t, "mx.example.com", time.Hour)
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	n.names(leaf, zones)
	n.postfix(cert)
	program := programtest.Build(t)
	// What the commands change is this test's alone.
	for _, dir := range []string{"/etc", "/usr/local/bin", "/var/lib"} {
		n.scratch(dir)
	}

	n.write(filepath.Join(n.dir, "ca.pem"), string(n.ca.PEM))
	unit, commands := n.guide()
	n.write("/etc/systemd/system/gatelodge.service", unit)
	if len(commands) != 10 {
		t.Fatalf("%d commands: %q", len(commands), commands)
	}
	dir := filepath.Dir(program)
	for _, command := range commands {
		switch {
		case strings.HasPrefix(command, "apt-get "), strings.Contains(command, "systemctl reload caddy"):
			continue // no Internet, and nobody looks in from outside
		case command == "systemctl enable --now gatelodge":
			n.serve(unit)
			continue
		}
		run := n.shell
		if strings.Contains(command, "mail check") {
			run = n.atLast
		}
		out := run(&dir, command)
		switch {
		case strings.Contains(command, "mail dns"):
			n.publish(zones, out)
		case strings.Contains(command, "mail check"):
			if strings.Contains(out, "FAIL") || !strings.Contains(out, "OK") {
				t.Errorf("%s:\n%s", command, out)
			}
		case strings.Contains(command, "mail test") && !strings.Contains(out, "Accepted by the recipient's server (TLS 1.3"):
			t.Errorf("%s:\n%s", command, out)
		}
	}

	// And a person signs in.
	n.shell(&dir, "gatelodge user add me@example.com -data /var/lib/gatelodge")
	if got := n.shell(&dir, "curl -s -o /dev/null -w '%{http_code}' -H 'Host: auth.example.com' -d identifier=me@example.com http://127.0.0.1:8080/signin"); got != "303" {
		t.Errorf("asking for a link: got %s", got)
	}
	for _, text := range n.arrived(filepath.Join(n.dir, "postfix/mail/example.com/me"), 2) {
		if strings.Count(text, "DKIM-Signature:") != 2 || !strings.Contains(text, "auth.example.com") {
			t.Errorf("got\n%s", text)
		}
	}
	if t.Failed() {
		t.Logf("Gatelodge:\n%s\nPostfix:\n%s", n.logOf("gatelodge.out"), n.logOf("postfix/log"))
	}
}

// scratch lets a directory be changed by this test without changing it.
func (n *network) scratch(dir string) {
	n.t.Helper()
	over := filepath.Join(n.dir, "scratch", strings.ReplaceAll(dir, "/", "_"))
	if err := os.MkdirAll(over, 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", over, "tmpfs", 0, ""); err != nil {
		n.t.Fatal(err)
	}
	for _, part := range []string{"upper", "work"} {
		if err := os.Mkdir(filepath.Join(over, part), 0o755); err != nil {
			n.t.Fatal(err)
		}
	}
	// What is mounted over files in there would be hidden.
	kept := make(map[string]string)
	if dir == "/etc" {
		for _, path := range []string{"/etc/resolv.conf", "/etc/passwd", "/etc/group"} {
			kept[path] = filepath.Join(n.dir, filepath.Base(path))
		}
	}
	if err := syscall.Mount("overlay", dir, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%[2]s/work", dir, over)); err != nil {
		n.t.Fatalf("laying a scratch copy over %s: %v", dir, err)
	}
	for path, ours := range kept {
		text, err := os.ReadFile(ours)
		if err != nil {
			continue // it was as it is
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			n.t.Fatal(err)
		}
	}
	n.t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			n.t.Error(err)
		}
		if err := syscall.Unmount(over, syscall.MNT_DETACH); err != nil {
			n.t.Error(err)
		}
	})
}

// guide returns the systemd unit and the ten commands.
func (n *network) guide() (unit string, commands []string) {
	n.t.Helper()
	install, err := os.ReadFile("../../doc/guide/install.md")
	if err != nil {
		n.t.Fatal(err)
	}
	mail, err := os.ReadFile("../../doc/guide/mail.md")
	if err != nil {
		n.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(install), "```ini\n[Unit]\n")
	unit, _, foundUnit := strings.Cut(rest, "```\n")
	_, rest, _ = strings.Cut(string(mail), "## Mail without a provider")
	_, rest, _ = strings.Cut(rest, "```\n")
	list, _, found := strings.Cut(rest, "```\n")
	if !foundUnit || !found {
		n.t.Fatal("the guide has no such unit or commands")
	}
	return "[Unit]\n" + unit, strings.Split(strings.TrimSuffix(list, "\n"), "\n")
}

// serve does what systemd does with the unit, as far as it matters here.
func (n *network) serve(unit string) {
	n.t.Helper()
	_, line, _ := strings.Cut(unit, "ExecStart=")
	line, _, _ = strings.Cut(line, "\n")
	if err := os.MkdirAll("/var/lib/gatelodge", 0o700); err != nil {
		n.t.Fatal(err)
	}
	words := strings.Fields(line)
	n.keep(false, "env", slices.Concat([]string{"-i"}, n.environment(), words)...)
	for deadline := time.Now().Add(time.Minute); !strings.Contains(n.logOf("env.out"), "/setup?code="); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			n.t.Fatalf("it does not start: %s", n.logOf("env.out"))
		}
	}
}

// environment is what the program and its owner's shell have: nothing of the tests'
// own. The recipient's certificate is of our own authority.
func (n *network) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + n.dir, "GATELODGE_MAIL_CA_FILE=" + filepath.Join(n.dir, "ca.pem")}
}

// shell runs a command as a person types it, in the directory where the last
// one left them.
func (n *network) shell(dir *string, command string) string {
	n.t.Helper()
	out, err := n.try(dir, command)
	if err != nil {
		n.t.Fatalf("%s: %v\n%s\n%s", command, err, out, n.logOf("env.out"))
	}
	return out
}

// atLast runs a command again until it succeeds, for half a minute: what was asked
// for before it was published is not there until whoever remembers that forgets.
func (n *network) atLast(dir *string, command string) string {
	n.t.Helper()
	for range 30 {
		if out, err := n.try(dir, command); err == nil {
			return out
		}
		time.Sleep(time.Second)
	}
	return n.shell(dir, command)
}

func (n *network) try(dir *string, command string) (string, error) {
	n.t.Helper()
	cmd := exec.Command("sh", "-c", command+"\nstatus=$?; pwd >&3; exit $status")
	cmd.Dir = *dir
	cmd.Env = n.environment()
	r, w, err := os.Pipe()
	if err != nil {
		n.t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{w}
	out, err := cmd.CombinedOutput()
	w.Close()
	defer r.Close()
	if err != nil {
		return string(out), err
	}
	where := make([]byte, 4096)
	m, err := r.Read(where)
	if err != nil {
		n.t.Fatal(err)
	}
	*dir = strings.TrimSpace(string(where[:m]))
	return string(out), nil
}

// publish puts the lines into the zones they belong to, as whoever keeps them
// would.
func (n *network) publish(zones map[string]string, lines string) {
	n.t.Helper()
	for line := range strings.Lines(lines) {
		name, _, found := strings.Cut(line, ". 3600 IN ")
		if !found {
			continue
		}
		for zone := range zones {
			if strings.HasSuffix(name, zone) {
				zones[zone] += line
			}
		}
	}
	serial := strconv.FormatInt(time.Now().Unix(), 10)
	for zone, text := range zones {
		n.write(filepath.Join(n.dir, "knot", zone+".zone"), strings.Replace(text, "root.lab. 1 ", "root.lab. "+serial+" ", 1))
	}
	n.there("knotc", "-c", filepath.Join(n.dir, "knot", "knot.conf"), "-b", "zone-reload")
	time.Sleep(1500 * time.Millisecond) // what Unbound has learnt ends
}
