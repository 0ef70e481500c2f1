package submission_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatelodge/app/config"
	"gatelodge/app/mail/mailtest"
	"gatelodge/app/mail/outbox"
)

// debianPython has the packages of Debian; another python3 may come first.
const debianPython = "/usr/bin/python3"

// mailers returns the directory with the npm packages of testdata/peers.
func mailers(t *testing.T) string {
	t.Helper()
	mailtest.Peer(t, "node")
	dir := os.Getenv("GATELODGE_MAILERS")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "nodemailer")); dir == "" || err != nil {
		if os.Getenv("GATELODGE_PEERS") == "require" {
			t.Fatal("the npm packages of testdata/peers are not at GATELODGE_MAILERS")
		}
		t.Skip("GATELODGE_MAILERS names no directory with the npm packages of testdata/peers")
	}
	return dir
}

// program runs a peer's program and returns what it says and whether it was
// content.
func program(t *testing.T, dir, stdin string, env []string, name string, args ...string) (string, bool) {
	t.Helper()
	mailtest.Peer(t, name)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, append(os.Environ(), env...), strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err == nil
}

// peerText has what no program must stumble over.
const peerText = "Grüße, die Platte ist voll.\n.\n..\n"

const nodemailerScript = `
const fs = require("fs");
const mailer = require("nodemailer");
const [port, ca, user, pass, to] = process.argv.slice(1);
mailer.createTransport({host: "127.0.0.1", port: +port, requireTLS: true, tls: {ca: fs.readFileSync(ca)}, auth: {user, pass}})
  .sendMail({from: "Disk <nas@home.example>", to, subject: "Voll: Grüße", text: process.env.BODY, html: "<p>voll</p>"})
  .then(i => console.log(i.response), e => { console.log(e.message); process.exit(1); });
`

const smtplibScript = `
import os, smtplib, ssl, sys
from email.message import EmailMessage
port, ca, user, password, to = sys.argv[1:]
m = EmailMessage()
m["From"], m["To"], m["Subject"] = "Disk <nas@home.example>", to, "Voll: Grüße"
m.set_content(os.environ["BODY"], cte=os.environ.get("CTE") or None)
s = smtplib.SMTP("127.0.0.1", int(port))
try:
    s.starttls(context=ssl.create_default_context(cafile=ca))
    s.login(user, password)
    s.send_message(m)
    s.quit()
except (smtplib.SMTPException, ssl.SSLError) as e:
    print(e)
    sys.exit(1)
`

// The programs that people's apps are made of hand over mail, each with TLS by the
// certificate that was made, and a login; and none of them without.
func TestPeersHandOverMail(t *testing.T) {
	t.Parallel()
	curlMail := "From: Disk <nas@home.example>\r\nTo: %s\r\nSubject: =?utf-8?Q?Voll:_Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
		strings.ReplaceAll(peerText, "\n", "\r\n")
	for name, send := range map[string]func(t *testing.T, h *relay, port, ca, password, to string) (string, bool){
		"swaks, PLAIN": func(t *testing.T, h *relay, port, ca, password, to string) (string, bool) {
			return swaks(t, port, ca, password, to, "PLAIN")
		},
		"swaks, LOGIN": func(t *testing.T, h *relay, port, ca, password, to string) (string, bool) {
			return swaks(t, port, ca, password, to, "LOGIN")
		},
		"nodemailer": func(t *testing.T, h *relay, port, ca, password, to string) (string, bool) {
			return program(t, mailers(t), "", []string{"BODY=" + peerText}, "node", "-e", nodemailerScript, "--", port, ca, "nas", password, to)
		},
		"smtplib": func(t *testing.T, h *relay, port, ca, password, to string) (string, bool) {
			return program(t, "", "", []string{"BODY=" + peerText, "PYTHONIOENCODING=utf-8"}, debianPython, "-c", smtplibScript, port, ca, "nas", password, to)
		},
		"smtplib, 8bit": func(t *testing.T, h *relay, port, ca, password, to string) (string, bool) {
			return program(t, "", "", []string{"BODY=" + peerText, "CTE=8bit", "PYTHONIOENCODING=utf-8"}, debianPython, "-c", smtplibScript, port, ca, "nas", password, to)
		},
		"curl": func(t *testing.T, h *relay, port, ca, password, to string) (string, bool) {
			return program(t, "", fmt.Sprintf(curlMail, to), nil, "curl", "--silent", "--show-error", "--url", "smtp://127.0.0.1:"+port, "--ssl-reqd", "--cacert", ca,
				"--user", "nas:"+password, "--mail-from", "nas@home.example", "--mail-rcpt", to, "--upload-file", "-")
		},
		"net/smtp": func(t *testing.T, h *relay, port, ca, password, to string) (string, bool) {
			if password != h.password {
				return "", false // see TestFiveWrongPasswordsCloseTheDoor
			}
			err := mail(h.login(), "nas@home.example", []string{to}, strings.ReplaceAll(fmt.Sprintf(curlMail, to), "\n.", "\n.."))
			return fmt.Sprint(err), err == nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, nil)
			_, port, err := net.SplitHostPort(h.addr)
			if err != nil {
				t.Fatal(err)
			}
			ca := filepath.Join(h.app.DB.Dir(), "submission.pem")
			if said, ok := send(t, h, port, ca, "wrong", "mara@x.example"); ok {
				t.Errorf("a wrong password is good enough: %s", said)
			}
			if n := len(h.messages()); n > 0 {
				t.Fatalf("%d mails were taken without a login", n)
			}
			if said, ok := send(t, h, port, ca, h.password, "mara@x.example"); !ok {
				t.Fatalf("the mail was not taken: %s", said)
			}
			m, err := outbox.Open(h.captured(1)[0])
			if err != nil {
				t.Fatal(err)
			}
			if text := strings.ReplaceAll(m.Text, "\r\n", "\n"); m.Subject != "Voll: Grüße" || strings.TrimRight(text, "\n") != strings.TrimRight(peerText, "\n") {
				t.Errorf("what was kept is not what was sent: %q, %q", m.Subject, text)
			}
		})
	}
}

func swaks(t *testing.T, port, ca, password, to, auth string) (string, bool) {
	t.Helper()
	return program(t, "", "", nil, "swaks", "--server", "127.0.0.1", "--port", port, "--tls", "--tls-verify", "--tls-ca-path", ca,
		"--auth", auth, "--auth-user", "nas", "--auth-password", password, "--from", "nas@home.example", "--to", to, "--h-From", "Disk <nas@home.example>",
		"--h-Subject", "=?utf-8?Q?Voll:_Gr=C3=BC=C3=9Fe?=", "--add-header", "MIME-Version: 1.0", "--add-header", "Content-Type: text/plain; charset=utf-8",
		"--add-header", "Content-Transfer-Encoding: 8bit", "--body", strings.ReplaceAll(peerText, "\n", `\n`))
}

// A program made to try mail servers finds no way to send without a login.
func TestSwaksFindsNoOpenRelay(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	_, port, err := net.SplitHostPort(h.addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{
		"victim@else.example", "victim%else.example@auth.home.example", `"victim@else.example"@auth.home.example`, "@auth.home.example:victim@else.example", "else.example!victim@auth.home.example",
	} {
		for _, more := range [][]string{nil, {"--tls"}, {"--pipeline"}, {"--from", "<>"}} {
			args := append([]string{"--server", "127.0.0.1", "--port", port, "--from", "nas@home.example", "--to", to}, more...)
			if said, ok := program(t, "", "", nil, "swaks", args...); ok {
				t.Errorf("%s %v was taken:\n%s", to, more, said)
			}
		}
	}
	if n := len(h.messages()); n > 0 {
		t.Errorf("%d mails were taken", n)
	}
}

// What is read out of a mail by those who judge it.
const dkimpyScript = `
import json, sys, dkim
records = json.load(open(sys.argv[1]))
message = open(sys.argv[2], "rb").read()
def find(name, timeout=5):
    return records.get(name.decode().rstrip("."), "").encode()
d = dkim.DKIM(message)
count = sum(1 for name, _ in d.headers if name.lower() == b"dkim-signature")
def holds(i):
    try:
        return bool(d.verify(i, dnsfunc=find))
    except dkim.DKIMException:
        return False
print(json.dumps([holds(i) for i in range(count)]))
`

const mailauthScript = `
const fs = require("fs");
const dns = require("dns");
const {authenticate} = require("mailauth");
const [file, server, sender] = process.argv.slice(1);
const resolver = new dns.promises.Resolver();
resolver.setServers([server]);
authenticate(fs.readFileSync(file), {ip: "203.0.113.10", helo: "auth.home.example", mta: "mx.x.example", sender, resolver: (name, kind) => resolver.resolve(name, kind), disableArc: true, disableBimi: true})
  .then(r => console.log(JSON.stringify({
    dkim: r.dkim.results.map(s => s.status.result + " " + s.signingDomain + " " + s.algo),
    spf: r.spf.status.result, dmarc: r.dmarc.status.result, policy: r.dmarc.policy,
  })), e => { console.log(e.stack); process.exit(1); });
`

// A mail that an app handed over leaves with signatures that others hold good, and
// passes under the strictest policy. One that was changed on the way does not.
func TestPeersVerifyWhatLeaves(t *testing.T) {
	t.Parallel()
	next := mailtest.Serve(t, mailtest.Accept)
	h := openWith(t, t.TempDir(), nil, func(c *config.Config) {
		c.Mail.Mode, c.Mail.From = "smarthost", "Our house <login@home.example>"
		c.Mail.Smarthost.URL = fmt.Sprintf("smtp://127.0.0.1:%d?tls=off", next.Port)
	})
	if err := mail(h.login(), "nas@home.example", []string{"mara@x.example"}, plain); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); len(next.Messages()) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the mail did not leave")
		}
	}
	sent := next.Messages()[0]
	keys, err := h.app.DKIM.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names, records, dir := mailtest.ServeDNS(t), map[string]string{}, t.TempDir()
	var opendkimKeys strings.Builder
	for _, k := range keys {
		records[k.Name()] = k.Record
		names.TXT(k.Name(), k.Record)
		fmt.Fprintf(&opendkimKeys, "%s %s\n", k.Name(), k.Record)
	}
	names.TXT("home.example", "v=spf1 ip4:203.0.113.10 -all")
	names.TXT("_dmarc.home.example", "v=DMARC1; p=reject; adkim=s; aspf=s")
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	list, err := json.Marshal(records)
	if err != nil {
		t.Fatal(err)
	}
	dns := write("records.json", string(list))
	good, bad := write("good.eml", sent), write("bad.eml", strings.Replace(sent, "It is full.", "It is empty.", 1))

	t.Run("dkimpy", func(t *testing.T) {
		for file, want := range map[string]string{good: "[true, true]", bad: "[false, false]"} {
			if said, ok := program(t, "", "", nil, debianPython, "-c", dkimpyScript, dns, file); !ok || strings.TrimSpace(said) != want {
				t.Errorf("%s: got %s, want %s", filepath.Base(file), said, want)
			}
		}
	})
	t.Run("opendkim", func(t *testing.T) {
		conf := write("opendkim.conf", "Mode v\nTestPublicKeys "+write("keys", opendkimKeys.String())+"\nOn-BadSignature reject\n")
		for file, want := range map[string]string{good: "pass", bad: "fail"} {
			said, _ := program(t, dir, "", nil, "opendkim", "-x", conf, "-t", file)
			passed := strings.Contains(said, "verification (s=") && strings.Contains(said, "succeeded")
			if passed != (want == "pass") {
				t.Errorf("%s: want %s, it says\n%s", filepath.Base(file), want, said)
			}
		}
	})
	t.Run("mailauth", func(t *testing.T) {
		for file, want := range map[string]string{
			good: `{"dkim":["pass home.example rsa-sha256","pass home.example ed25519-sha256"],"spf":"pass","dmarc":"pass","policy":"reject"}`,
			bad:  `{"dkim":["neutral home.example rsa-sha256","neutral home.example ed25519-sha256"],"spf":"pass","dmarc":"pass","policy":"reject"}`,
		} {
			if said, ok := program(t, mailers(t), "", nil, "node", "-e", mailauthScript, "--", file, names.Address, "nas@home.example"); !ok || strings.TrimSpace(said) != want {
				t.Errorf("%s: got %s, want %s", filepath.Base(file), said, want)
			}
		}
		// A stranger's server with our name: nothing is left that is aligned.
		said, _ := program(t, mailers(t), "", nil, "node", "-e", mailauthScript, "--", bad, names.Address, "eve@evil.example")
		if !strings.Contains(said, `"dmarc":"fail"`) {
			t.Errorf("a changed mail from elsewhere: %s", said)
		}
	})
}

// Mail of another domain that an app may send as is not signed as ours.
func TestMailOfAForeignDomainIsNotSigned(t *testing.T) {
	next := mailtest.Serve(t, mailtest.Accept)
	h := openWith(t, t.TempDir(), nil, func(c *config.Config) {
		c.Mail.Mode, c.Mail.From = "smarthost", "Our house <login@home.example>"
		c.Mail.Smarthost.URL = fmt.Sprintf("smtp://127.0.0.1:%d?tls=off", next.Port)
	})
	c := h.login()
	for i, raw := range []string{"From: disk@lab.example\r\n\r\nx", "From: disk@lab.example\r\nSender: nas@home.example\r\n\r\nx", plain} {
		if err := mail(c, "nas@home.example", []string{"mara@x.example"}, raw); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); len(next.Messages()) <= i; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the mail did not leave")
			}
		}
		if signed := strings.Contains(next.Messages()[i], "DKIM-Signature"); signed != (raw == plain) {
			t.Errorf("signed: %v\n%s", signed, next.Messages()[i])
		}
	}
}
