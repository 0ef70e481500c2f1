package peers_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatelodge/app/mail/mailtest"
)

const postfixMain = `compatibility_level = 3.6
queue_directory = %[1]s/spool
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.postfix.example
inet_interfaces = %[4]s
inet_protocols = all
mynetworks =
alias_maps =
local_recipient_maps =
mydestination =
virtual_mailbox_domains = example.com sink.lab postfix.example danebad.example postfix.lab both.lab sts.lab stsbad.lab ststest.lab dropped.lab dropped.example x.bogus
virtual_mailbox_base = %[1]s/mail
virtual_mailbox_maps = inline:{ %[5]s }
transport_maps = inline:{ {sink.lab = discard:sink.lab} }
virtual_uid_maps = static:%[2]s
virtual_gid_maps = static:%[3]s
smtpd_tls_security_level = may
smtpd_tls_chain_files = %[1]s/key.pem, %[1]s/cert.pem
smtpd_helo_required = yes
smtpd_client_restrictions = reject_unknown_client_hostname
smtpd_helo_restrictions = reject_non_fqdn_helo_hostname, reject_unknown_helo_hostname
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{ {full@postfix.lab = 552 5.2.2 mailbox full} {policy@postfix.lab = 554 5.7.1 we do not know you} {grey@postfix.lab = greylist} }, reject_unlisted_recipient
smtpd_restriction_classes = greylist
greylist = check_policy_service inet:127.0.0.1:10023
`

const postfixMaster = `smtp      inet  n - n - - smtpd
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
proxymap  unix  - - n - - proxymap
error     unix  - - n - - error
discard   unix  - - n - - discard
retry     unix  - - n - - error
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
`

// postfix starts a Postfix, with postgrey beside it, that refuses whoever has no
// name that is confirmed.
func (n *network) postfix(cert tls.Certificate) {
	n.t.Helper()
	dir := filepath.Join(n.dir, "postfix")
	uid, gid := account(n.t, "nobody")
	owner, _ := account(n.t, "postfix")
	var boxes strings.Builder
	for _, domain := range []string{"postfix.example", "danebad.example", "postfix.lab", "both.lab", "sts.lab", "stsbad.lab", "ststest.lab", "dropped.lab"} {
		fmt.Fprintf(&boxes, "{mara@%[1]s = %[1]s/mara/} ", domain)
	}
	boxes.WriteString("{me@example.com = example.com/me/} {mara@sink.lab = sink/} {full@postfix.lab = full/} {policy@postfix.lab = policy/} {grey@postfix.lab = postfix.lab/grey/}")
	n.write(filepath.Join(dir, "main.cf"), fmt.Sprintf(postfixMain, dir, strconv.Itoa(uid), strconv.Itoa(gid), postfixIP+", ["+postfixIPv6+"]", boxes.String()))
	n.write(filepath.Join(dir, "master.cf"), postfixMaster)
	n.certificate(dir, cert)
	for name, own := range map[string]int{"spool": 0, "data": owner, "mail": uid} {
		n.owned(filepath.Join(dir, name), own)
	}
	n.keep(true, "postgrey", "--inet=127.0.0.1:10023", "--delay=2", "--dbdir="+n.owned(filepath.Join(n.dir, "grey"), uid), "--user=nobody", "--group=nogroup", "--pidfile="+filepath.Join(n.dir, "grey", "pid"))
	n.there("postfix", "-c", dir, "start")
	n.t.Cleanup(func() {
		out, err := exec.Command("nsenter", "-t", strconv.Itoa(n.pid), "-n", "postfix", "-c", dir, "stop").CombinedOutput()
		if err != nil {
			n.t.Errorf("stopping Postfix: %v\n%s", err, out)
		}
	})
	n.answers(postfixIP+":25", "postfix/log")
}

func account(t testing.TB, name string) (uid, gid int) {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err = strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	if gid, err = strconv.Atoi(u.Gid); err != nil {
		t.Fatal(err)
	}
	return uid, gid
}

// owned makes a directory of somebody's.
func (n *network) owned(dir string, uid int) string {
	n.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Chown(dir, uid, -1); err != nil {
		n.t.Fatal(err)
	}
	return dir
}

// certificate writes a certificate with its authority, and its key, into a
// directory.
func (n *network) certificate(dir string, cert tls.Certificate) {
	n.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		n.t.Fatal(err)
	}
	chain := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), n.ca.PEM...)
	n.write(filepath.Join(dir, "cert.pem"), string(chain))
	n.write(filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

const eximConfig = `primary_hostname = mx.exim.example
local_interfaces = %[2]s
daemon_smtp_ports = 25
spool_directory = %[1]s/spool
log_file_path = %[1]s/log/%%slog
pid_file_path = %[1]s/spool/pid
never_users =
deliver_drop_privilege = true
timezone = UTC
tls_advertise_hosts = *
tls_certificate = %[1]s/cert.pem
tls_privatekey = %[1]s/key.pem
helo_verify_hosts = *
keep_environment =
domainlist ours = exim.example : exim.lab
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  deny local_parts = full
       message = 552 5.2.2 mailbox full
  deny domains = !+ours
       message = 550 5.7.1 not a relay
  deny local_parts = ! mara
       message = 550 5.1.1 no such user
  accept
begin routers
box:
  driver = accept
  domains = +ours
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = %[1]s/mail/$domain_data
  maildir_format
  create_directory
`

// eximPath is where Debian's Exim is: on its own, for its package does not go
// together with Postfix's.
func eximPath(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("GATELODGE_EXIM")
	if dir == "" {
		dir = "/var/cache/gatelodge-exim"
	}
	path := filepath.Join(dir, "usr/sbin/exim4")
	mailtest.Peer(t, path)
	return path
}

func (n *network) exim(cert tls.Certificate) {
	n.t.Helper()
	dir := filepath.Join(n.dir, "exim")
	uid, _ := account(n.t, "Debian-exim")
	n.write(filepath.Join(dir, "config"), fmt.Sprintf(eximConfig, dir, eximIP))
	n.certificate(dir, cert)
	for _, name := range []string{"", "spool", "log", "mail"} {
		n.owned(filepath.Join(dir, name), uid)
	}
	n.keep(true, eximPath(n.t), "-C", filepath.Join(dir, "config"), "-bdf")
	n.answers(eximIP+":25", "exim4.out", "exim/log/mainlog", "exim/log/paniclog")
}

// policies serves the MTA-STS policies of the domains, by a second run of this
// program on the other side.
func (n *network) policies() {
	n.t.Helper()
	cert := n.ca.Certificate(n.t, "mta-sts.sts.lab", time.Hour, "mta-sts.stsbad.lab", "mta-sts.ststest.lab")
	n.certificate(filepath.Join(n.dir, "policies"), cert)
	n.keep(true, "env", "GATELODGE_TEST_POLICIES="+filepath.Join(n.dir, "policies"), os.Args[0])
	n.answers(policyIP+":443", "env.out")
}

func TestMain(m *testing.M) {
	if dir := os.Getenv("GATELODGE_TEST_POLICIES"); dir != "" {
		fmt.Fprintln(os.Stderr, servePolicies(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func servePolicies(dir string) error {
	modes := map[string]string{"mta-sts.sts.lab": "enforce", "mta-sts.stsbad.lab": "enforce", "mta-sts.ststest.lab": "testing"}
	return http.ListenAndServeTLS(policyIP+":443", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"),
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mode, known := modes[r.Host]
			if !known || r.URL.Path != "/.well-known/mta-sts.txt" {
				http.NotFound(w, r)
				return
			}
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprintf(w, "version: STSv1\r\nmode: %s\r\nmx: mx.%s\r\nmax_age: 86400\r\n", mode, strings.TrimPrefix(r.Host, "mta-sts."))
		}))
}
