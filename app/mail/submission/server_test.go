package submission_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-message"

	"gatelodge/app/mail/queue"
	"gatelodge/store"
)

const plain = "From: Disk watch <nas@home.example>\r\nTo: mara@x.example\r\nSubject: Disk\r\n\r\nIt is full.\r\n.. and so on"

func TestMailOfAnAppIsKeptForEachRecipient(t *testing.T) {
	h := open(t, nil)
	c := h.login()
	if err := mail(c, "nas@home.example", []string{"Mara@x.example", "jin@y.example", "mara@x.example"}, plain); err != nil {
		t.Fatal(err)
	}
	list := h.captured(2)
	if len(list) != 2 {
		t.Fatalf("got %d messages, want one for each recipient", len(list))
	}
	for _, w := range list {
		if w.Class != queue.ClassRelayed || w.EnvFrom != "nas@home.example" || w.Purpose != "relayed/nas" {
			t.Errorf("got class %d from %q for %q", w.Class, w.EnvFrom, w.Purpose)
		}
		if w.Rcpt != "Mara@x.example" && w.Rcpt != "jin@y.example" {
			t.Errorf("it goes to %q", w.Rcpt)
		}
		e, err := message.Read(strings.NewReader(string(w.Body)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(e.Body)
		if err != nil {
			t.Fatal(err)
		}
		if string(body) != "It is full.\r\n. and so on\r\n" {
			t.Errorf("the body is %q", body)
		}
		if got := e.Header.Get("Received"); !strings.HasPrefix(got, "from localhost ([127.0.0.1]) by auth.home.example with UTF8SMTPSA id ") {
			t.Errorf("Received: %q", got)
		}
		if got := e.Header.Get("Date"); got != "Mon, 23 Nov 2026 12:00:00 +0000" {
			t.Errorf("Date: %q", got)
		}
		if got := e.Header.Get("Message-Id"); !strings.HasSuffix(got, "@home.example>") {
			t.Errorf("Message-ID: %q", got)
		}
	}
}

// Row 35: without a login nothing is relayed, however the address is written.
func TestOpenRelayProbesAreRefused(t *testing.T) {
	h := open(t, nil)
	for _, probe := range [][2]string{
		{"<>", "<victim@else.example>"},
		{"<spam@auth.home.example>", "<victim@else.example>"},
		{"<nas@home.example>", "<victim@else.example>"},
		{"<nas@home.example>", "<victim%else.example@auth.home.example>"},
		{"<nas@home.example>", "<victim%else.example@[127.0.0.1]>"},
		{"<nas@home.example>", `<"victim@else.example">`},
		{"<nas@home.example>", `<"victim%else.example">`},
		{"<nas@home.example>", `<"victim@else.example"@auth.home.example>`},
		{"<nas@home.example>", "<@auth.home.example:victim@else.example>"},
		{"<nas@home.example>", "<else.example!victim>"},
		{"<nas@home.example>", "<else.example!victim@auth.home.example>"},
		{"<postmaster@localhost>", "<victim@else.example>"},
		{"<nas>", "<victim@else.example>"},
	} {
		for _, secure := range []bool{false, true} {
			c, err := smtp.Dial(h.addr)
			if secure {
				c, err = h.dial(), nil
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Hello("else.example"); err != nil && !secure {
				t.Fatal(err)
			}
			for _, line := range []string{"MAIL FROM:" + probe[0], "RCPT TO:" + probe[1], "DATA", "BDAT 5 LAST\r\nhello"} {
				if code, text := say(c, line); code < 500 {
					t.Errorf("%s, %s: %d %s", probe, line, code, text)
				}
			}
			c.Close()
		}
	}
	if list := h.messages(); len(list) > 0 {
		t.Errorf("%d messages were taken", len(list))
	}
}

// Row 34 and the four ways to hide a second mail in a first one. A server that
// took the first would hand on the second as if it came from here.
func TestSmuggledMailIsRefused(t *testing.T) {
	h := open(t, nil)
	hidden := "MAIL FROM:<nas@home.example>\r\nRCPT TO:<victim@else.example>\r\nDATA\r\nFrom: nas@home.example\r\n\r\nsmuggled"
	for name, end := range map[string]string{
		"LF dot LF": "\n.\n", "LF dot CRLF": "\n.\r\n", "CR dot CR": "\r.\r", "CRLF dot LF": "\r\n.\n", "CR dot CRLF": "\r.\r\n",
		"a bare LF": "\n", "a bare CR": "\r", "a NUL": "\x00",
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, mail(h.login(), "nas@home.example", []string{"mara@x.example"}, plain+end+hidden), "550 5.6.0")
		})
	}
	if list := h.messages(); len(list) > 0 {
		t.Errorf("%d messages were taken", len(list))
	}
}

// A second MAIL had the library count the first one's recipients and us none: 250
// for a mail that went to nobody.
func TestASecondMAILLosesNoMail(t *testing.T) {
	h := open(t, nil)
	c := h.login()
	if err := c.Mail("nas@home.example"); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt("mara@x.example"); err != nil {
		t.Fatal(err)
	}
	if code, text := say(c, "MAIL FROM:<nas@home.example>"); code != 503 || !strings.HasPrefix(text, "5.5.1") {
		t.Errorf("a second MAIL: got %d %s, want 503 5.5.1", code, text)
	}
	// The first one goes on as if nothing had been.
	if code, text := say(c, "DATA"); code != 354 {
		t.Fatalf("DATA: got %d %s", code, text)
	}
	if code, text := say(c, plain+"\r\n."); code != 250 {
		t.Fatalf("the mail: got %d %s", code, text)
	}
	if list := h.captured(1); list[0].Rcpt != "mara@x.example" {
		t.Errorf("it goes to %q", list[0].Rcpt)
	}
	// Behind RSET there is none under way.
	for _, line := range []string{"MAIL FROM:<nas@home.example>", "RSET", "MAIL FROM:<nas@home.example>", "EHLO again", "MAIL FROM:<nas@home.example>"} {
		if code, text := say(c, line); code != 250 {
			t.Errorf("%s: got %d %s", line, code, text)
		}
	}
}

// An app whose one mail has more recipients than it may ever reach in an hour is
// told so, instead of to try again for ever.
func TestAMailThatNeverFitsIsRefusedForGood(t *testing.T) {
	h := open(t, func(c *store.SubmissionCredential) { c.PerHour = 2 })
	refused(t, mail(h.login(), "nas@home.example", []string{"a@x.example", "b@x.example", "c@x.example"}, plain), "550 5.5.3")
	if err := mail(h.login(), "nas@home.example", []string{"a@x.example", "b@x.example"}, plain); err != nil {
		t.Fatal(err)
	}
}

func TestReceivedSaysThatAddressesMayBeBeyondASCII(t *testing.T) {
	h := open(t, nil)
	c := h.login()
	if code, text := say(c, "MAIL FROM:<nas@home.example> SMTPUTF8"); code != 250 {
		t.Fatalf("got %d %s", code, text)
	}
	for _, line := range []string{"RCPT TO:<grün@x.example>", "DATA", plain + "\r\n."} {
		if code, text := say(c, line); code != 250 && code != 354 {
			t.Fatalf("%s: got %d %s", line, code, text)
		}
	}
	if body := string(h.captured(1)[0].Body); !strings.Contains(body, " with UTF8SMTPSA id ") {
		t.Errorf("Received does not say so:\n%s", body)
	}
}

// What is said in clear before TLS must not count behind it (CVE-2011-0411).
func TestCommandsBeforeTLSAreForgotten(t *testing.T) {
	h := open(t, nil)
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "EHLO x\r\nSTARTTLS\r\nMAIL FROM:<nas@home.example>\r\n")
	clear := bufio.NewReader(conn)
	for line := ""; !strings.HasPrefix(line, "220 2.0.0"); {
		if line, err = clear.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // what matters is the order of the answers
	fmt.Fprint(secure, "EHLO y\r\n")
	if line, err := bufio.NewReader(secure).ReadString('\n'); line != "250-Hello y\r\n" {
		t.Errorf("the first answer behind TLS is %q, %v", line, err)
	}
}

// Row 34: a foreign From, and recipients that are not allowed.
func TestAnAppSendsAsItselfToWhomItMay(t *testing.T) {
	h := open(t, func(c *store.SubmissionCredential) { c.Recipients = "users *@x.example" })
	if _, err := h.app.Users.Add(t.Context(), audit(), "mara@home.example", "Mara", false); err != nil {
		t.Fatal(err)
	}
	c := h.login()
	for name, try := range map[string]struct{ from, to, raw, reply string }{
		"another sender":         {"sam@home.example", "a@x.example", plain, "553 5.7.1"},
		"no sender":              {"", "a@x.example", plain, "553 5.1.7"},
		"another author":         {"nas@home.example", "a@x.example", "From: sam@home.example\r\n\r\nx", "553 5.7.1"},
		"another Sender":         {"nas@home.example", "a@x.example", "From: nas@home.example\r\nSender: sam@home.example\r\n\r\nx", "553 5.7.1"},
		"two authors":            {"nas@home.example", "a@x.example", "From: nas@home.example, sam@home.example\r\n\r\nx", "550 5.6.0"},
		"two From":               {"nas@home.example", "a@x.example", "From: nas@home.example\r\nFrom: sam@home.example\r\n\r\nx", "550 5.6.0"},
		"two From, one in vain":  {"nas@home.example", "a@x.example", "From: nas@home.example\r\nfrom : sam@home.example\r\n\r\nx", "550 5.6.0"},
		"a name as author":       {"nas@home.example", "a@x.example", "From: \"sam@home.example\" <nas@home.example>\r\n\r\nx", ""},
		"a stranger":             {"nas@home.example", "a@y.example", plain, "553 5.7.1"},
		"a stranger, percented":  {"nas@home.example", "a%y.example@z.example", plain, "553 5.7.1"},
		"one of our users":       {"nas@home.example", "Mara@home.example", plain, ""},
		"all of a domain":        {"disk@lab.example", "a@x.example", "From: <disk@lab.example>\r\n\r\nx", ""},
		"below the domain":       {"disk@sub.lab.example", "a@x.example", plain, "553 5.7.1"},
		"no header":              {"nas@home.example", "a@x.example", "\r\nhello", "550 5.6.0"},
		"words for a header":     {"nas@home.example", "a@x.example", "hello there\r\n\r\nx", "550 5.6.0"},
		"a line of 999":          {"nas@home.example", "a@x.example", plain + "\r\n" + strings.Repeat("x", 999), "550 5.6.0"},
		"a line of 100,000":      {"nas@home.example", "a@x.example", plain + "\r\n" + strings.Repeat("x", 100_000), "550 5.6.0"},
		"a line of 998":          {"nas@home.example", "a@x.example", plain + "\r\n" + strings.Repeat("x", 998), ""},
		"twenty-six servers":     {"nas@home.example", "a@x.example", strings.Repeat("Received: from x by y\r\n", 26) + plain, "554 5.4.6"},
		"twenty-five servers":    {"nas@home.example", "a@x.example", strings.Repeat("Received: from x by y\r\n", 25) + plain, ""},
		"a folded line of blank": {"nas@home.example", "a@x.example", "From: nas@home.example\r\nSubject: x\r\n \r\nBcc: y@x.example\r\n\r\nx", "550 5.6.0"},
	} {
		t.Run(name, func(t *testing.T) {
			err := mail(c, try.from, []string{try.to}, try.raw)
			if try.reply != "" {
				refused(t, err, try.reply)
			} else if err != nil {
				t.Error(err)
			}
			if err := c.Reset(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestBlindCopiesAreNotTold(t *testing.T) {
	h := open(t, nil)
	raw := "From: nas@home.example\r\nBcc: secret@x.example\r\nbcc : x@x.example\r\n\r\nx"
	refused(t, mail(h.login(), "nas@home.example", []string{"a@x.example"}, raw), "550 5.6.0") // "bcc :" is none that a reader would know
	if err := mail(h.login(), "nas@home.example", []string{"a@x.example"}, strings.Replace(raw, "bcc : x@x.example\r\n", "", 1)); err != nil {
		t.Fatal(err)
	}
	if body := h.captured(1)[0].Body; strings.Contains(string(body), "secret@") {
		t.Errorf("the blind copy is told:\n%s", body)
	}
}

// Row 34: 101 recipients, and more bytes than may be.
func TestRatesSizesAndRecipientsAreBounded(t *testing.T) {
	h := open(t, func(c *store.SubmissionCredential) { c.PerHour, c.PerDay, c.MaxBytes = 110, 120, 4096 })
	c := h.login()
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprintf("u%d@x.example", i))
	}
	refused(t, mail(c, "nas@home.example", many, plain), "452 4.5.3")
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	refused(t, mail(c, "nas@home.example", many[:1], plain+strings.Repeat("\r\nlong", 1000)), "552 5.3.4")
	if code, _ := say(c, "MAIL FROM:<nas@home.example> SIZE=5000"); code != 552 {
		t.Errorf("a size that is announced: got %d, want 552", code)
	}
	if err := mail(c, "nas@home.example", many[:100], plain); err != nil {
		t.Fatal(err)
	}
	refused(t, mail(c, "nas@home.example", many[:11], plain), "451 4.7.1")
	if err := mail(c, "nas@home.example", many[:10], plain); err != nil {
		t.Fatal(err)
	}
	refused(t, mail(c, "nas@home.example", many[:1], plain), "451 4.7.1")
	h.pass(61 * time.Minute)
	if err := mail(c, "nas@home.example", many[:10], plain); err != nil {
		t.Fatal(err)
	}
	refused(t, mail(c, "nas@home.example", many[:1], plain), "451 4.7.1") // the day
}

// Row 34: six wrong passwords.
func TestFiveWrongPasswordsCloseTheDoor(t *testing.T) {
	h := open(t, nil)
	for i := range 6 {
		c := h.dial()
		err := c.Auth(smtp.PlainAuth("", "nas", "wrong", "127.0.0.1"))
		if i < 5 {
			refused(t, err, "535 5.7.8")
			continue
		}
		refused(t, err, "421 4.7.0")
		// The client has said QUIT by then, which nobody reads any more.
		if _, err := c.Text.ReadLine(); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the connection is still there: %v", err)
		}
	}
	// The right one is refused too: a guess must not be told from a hit.
	refused(t, h.dial().Auth(smtp.PlainAuth("", "nas", h.password, "127.0.0.1")), "421 4.7.0")
	h.pass(11 * time.Minute)
	h.login()
}

// Guesses at the same moment are as few as guesses one after the other.
func TestGuessesAtOnceAreCounted(t *testing.T) {
	h := open(t, nil)
	var answered atomic.Int32
	var guessing sync.WaitGroup
	for range 40 {
		guessing.Go(func() {
			_, err := h.app.Relay.Login(t.Context(), "192.0.2.7", false, "nas", "wrong")
			if strings.HasPrefix(err.Error(), "535") {
				answered.Add(1)
			}
		})
	}
	guessing.Wait()
	if n := answered.Load(); n != 5 {
		t.Errorf("%d guesses were answered, want 5", n)
	}
}

func TestARemovedCredentialIsOfNoUse(t *testing.T) {
	h := open(t, nil)
	c := h.login()
	if err := h.app.Relay.Remove(t.Context(), "nas"); err != nil {
		t.Fatal(err)
	}
	refused(t, mail(c, "nas@home.example", []string{"a@x.example"}, plain), "535 5.7.8")
	refused(t, h.dial().Auth(smtp.PlainAuth("", "nas", h.password, "127.0.0.1")), "535 5.7.8")
}

func TestLoginByLOGIN(t *testing.T) {
	h := open(t, nil)
	c := h.dial()
	if err := c.Auth(&login{"nas", h.password}); err != nil {
		t.Fatal(err)
	}
	if err := mail(c, "nas@home.example", []string{"a@x.example"}, plain); err != nil {
		t.Fatal(err)
	}
	refused(t, h.dial().Auth(&login{"nas", "wrong"}), "535 5.7.8")
}

// login is AUTH LOGIN as old programs speak it.
type login struct{ name, password string }

func (l *login) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

func (l *login) Next(challenge []byte, more bool) ([]byte, error) {
	switch {
	case !more:
		return nil, nil
	case string(challenge) == "Username:":
		return []byte(l.name), nil
	}
	return []byte(l.password), nil
}

// A hundred connections that say nothing closed the port for every app.
func TestStrangersKeepNoAppOut(t *testing.T) {
	h := open(t, nil)
	before := h.login()
	var strangers []net.Conn
	for range 150 {
		c, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(c).ReadString('\n'); !strings.HasPrefix(line, "220 ") {
			t.Fatalf("got %q, %v", line, err)
		}
		strangers = append(strangers, c)
	}
	for _, c := range []*smtp.Client{before, h.login()} {
		if err := mail(c, "nas@home.example", []string{"a@x.example"}, plain); err != nil {
			t.Error(err)
		}
	}
	// They are bounded all the same: those who came first had to go.
	if _, err := strangers[0].Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the first stranger is still there: %v", err)
	}
}

func TestManyAppsAtOnce(t *testing.T) {
	h := open(t, nil)
	var sending sync.WaitGroup
	for i := range 20 {
		sending.Go(func() {
			c := h.login()
			for n := range 5 {
				if err := mail(c, "nas@home.example", []string{fmt.Sprintf("u%d-%d@x.example", i, n)}, plain); err != nil {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	h.captured(100)
}

// The key of a certificate that we make is nobody else's, and it lasts.
func TestOwnCertificateIsKept(t *testing.T) {
	h := open(t, nil)
	path := filepath.Join(h.app.DB.Dir(), "submission.pem")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v", info.Mode())
	}
}
