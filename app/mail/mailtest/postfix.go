package mailtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Peer skips the test when a program it talks to is not installed, or fails it
// where GATELODGE_PEERS says that all must be.
func Peer(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("GATELODGE_PEERS") == "require" {
		t.Fatalf("the peer %s is not installed", program)
	}
	t.Skipf("the peer %s is not installed", program)
}

// PostfixServer is a Postfix of the test's own: a smarthost that wants TLS and a
// login, and keeps what it gets.
type PostfixServer struct {
	Host           string // as its certificate says
	Port           int
	User, Password string
	CA             *Authority
	CAFile         string
	dir            string
}

const postfixMain = `compatibility_level = 3.6
queue_directory = %[1]s/spool
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.test
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks =
alias_maps =
local_recipient_maps =
mydestination =
virtual_mailbox_domains = else.example
virtual_mailbox_base = %[1]s/mail
virtual_mailbox_maps = inline:{ {mara@else.example = mara/} {full@else.example = full/} {slow@else.example = slow/} }
virtual_uid_maps = static:%[2]s
virtual_gid_maps = static:%[3]s
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = %[1]s/cert.pem
smtpd_tls_key_file = %[1]s/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = mail.test
cyrus_sasl_config_path = %[1]s/sasl
smtpd_helo_required = yes
smtpd_helo_restrictions = reject_non_fqdn_helo_hostname
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access inline:{ {full@else.example = 552 5.2.2 mailbox full} {slow@else.example = 450 4.7.1 greylisted} }, reject_unlisted_recipient, permit_sasl_authenticated, reject
smtpd_client_restrictions = permit_sasl_authenticated, reject
smtpd_delay_reject = yes
`

const postfixMaster = `%[1]d      inet  n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
proxymap  unix  - - n - - proxymap
error     unix  - - n - - error
retry     unix  - - n - - error
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
`

// Postfix starts one. It needs Debian's postfix and sasl2-bin, and to be root.
func Postfix(t testing.TB) *PostfixServer {
	t.Helper()
	Peer(t, "postfix")
	Peer(t, "saslpasswd2")
	if os.Geteuid() != 0 {
		if os.Getenv("GATELODGE_PEERS") == "require" {
			t.Fatal("the peer postfix starts only as root")
		}
		t.Skip("the peer postfix starts only as root")
	}
	p := &PostfixServer{Host: "127.0.0.1", User: "gatelodge", Password: "correct horse", CA: NewAuthority(t)}
	var err error
	// Postfix's own users must be able to pass through, unlike through t.TempDir.
	if p.dir, err = os.MkdirTemp("", "gatelodge-postfix-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(p.dir) })
	p.configure(t)
	p.run(t, "postfix", "-c", p.dir, "start")
	t.Cleanup(func() { p.run(t, "postfix", "-c", p.dir, "stop") })
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", net.JoinHostPort(p.Host, strconv.Itoa(p.Port)))
		if err == nil {
			conn.Close()
			return p
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
			t.Fatalf("Postfix does not answer: %v\n%s", err, log)
		}
	}
}

func (p *PostfixServer) configure(t testing.TB) {
	t.Helper()
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(nobody.Uid)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(nobody.Gid)
	if err != nil {
		t.Fatal(err)
	}
	postfix, err := user.Lookup("postfix")
	if err != nil {
		t.Fatal(err)
	}
	owner, err := strconv.Atoi(postfix.Uid)
	if err != nil {
		t.Fatal(err)
	}
	p.Port = freePort(t)
	p.CAFile, _, _ = p.CA.WritePEM(t, p.dir, p.Host)
	for name, own := range map[string][2]int{"": {0, 0}, "spool": {0, 0}, "data": {owner, 0}, "mail": {uid, gid}, "sasl": {0, 0}} {
		dir := filepath.Join(p.dir, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, own[0], own[1]); err != nil {
			t.Fatal(err)
		}
	}
	db := filepath.Join(p.dir, "sasldb2")
	for name, text := range map[string]string{
		"main.cf":         fmt.Sprintf(postfixMain, p.dir, nobody.Uid, nobody.Gid),
		"master.cf":       fmt.Sprintf(postfixMaster, p.Port),
		"sasl/smtpd.conf": "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: " + db + "\nmech_list: PLAIN LOGIN\n",
	} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "saslpasswd2", "-p", "-c", "-f", db, "-u", "mail.test", p.User)
	cmd.Stdin = strings.NewReader(p.Password)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("saslpasswd2: %v\n%s", err, out)
	}
	if err := os.Chown(db, owner, 0); err != nil {
		t.Fatal(err)
	}
}

func (p *PostfixServer) run(t testing.TB, name string, args ...string) {
	t.Helper()
	// Not the test's context: the stop has to run when that has ended.
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
		t.Errorf("%s %s: %v\n%s\n%s", name, strings.Join(args, " "), err, out, log)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Messages returns what has arrived for mara@else.example once there are n
// messages, as they would be on the wire.
func (p *PostfixServer) Messages(t testing.TB, n int) [][]byte {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(p.dir, "mail", "mara", "new", "*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) >= n {
			var list [][]byte
			for _, file := range files {
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")))
			}
			return list
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
			t.Fatalf("got %d messages, want %d\n%s", len(files), n, log)
		}
	}
}
