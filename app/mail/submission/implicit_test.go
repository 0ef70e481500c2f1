package submission_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatelodge/app/config"
	"gatelodge/app/mail/submission"
)

// RFC 8314, 3.3: apps that know only SSL/TLS begin with it.
func TestImplicitTLS(t *testing.T) {
	t.Parallel()
	h := openWith(t, "", nil, func(c *config.Config) { c.Mail.Submission.TLS = "implicit" })
	pem, err := os.ReadFile(filepath.Join(h.app.DB.Dir(), "submission.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	conn, err := tls.Dial("tcp", h.addr, &tls.Config{ServerName: "127.0.0.1", RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	c, err := smtp.NewClient(conn, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if ok, _ := c.Extension("STARTTLS"); ok {
		t.Error("STARTTLS is offered inside TLS")
	}
	if err := c.Auth(smtp.PlainAuth("", "nas", h.password, "127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	if err := mail(c, "nas@home.example", []string{"mara@else.example"}, "From: nas@home.example\r\nSubject: Disk\r\n\r\nfull"); err != nil {
		t.Fatal(err)
	}
	if body := string(h.captured(1)[0].Body); !strings.Contains(body, "with UTF8SMTPSA id ") {
		t.Errorf("got %s", body)
	}
}

// Addresses over HTTP are written as mail programs show them.
func TestNamesOfAddressesOverHTTP(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	credentials, err := h.app.Relay.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	send := func(m submission.Mail) error {
		m.From, m.Text = "Disk watch <nas@home.example>", "full"
		_, err := h.app.Relay.Send(t.Context(), credentials[0], m)
		return err
	}
	if err := send(submission.Mail{To: []string{"Mara <mara@else.example>"}, ReplyTo: "Sam Müller <sam@home.example>"}); err != nil {
		t.Fatal(err)
	}
	want := "Reply-To: =?utf-8?q?Sam_M=C3=BCller?= <sam@home.example>\r\n"
	if m := h.captured(1)[0]; m.Rcpt != "mara@else.example" || !strings.Contains(string(m.Body), want) {
		t.Errorf("to %s:\n%s", m.Rcpt, m.Body)
	}
	for _, replyTo := range []string{"nobody", "a@b.example, c@d.example", "Sam\r\nBcc: x@y.example <sam@home.example>"} {
		if err := send(submission.Mail{To: []string{"mara@else.example"}, ReplyTo: replyTo}); err == nil {
			t.Errorf("%q is taken", replyTo)
		}
	}
}
