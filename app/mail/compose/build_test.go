package compose_test

import (
	"io"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"

	"gatelodge/app/lang"
	"gatelodge/app/mail/compose"
)

func composer(t testing.TB) *compose.Composer {
	t.Helper()
	c, err := lang.Load()
	if err != nil {
		t.Fatal(err)
	}
	return &compose.Composer{From: mail.Address{Name: "Häuschen", Address: "login@home.example"}, Site: "home.example", Host: "auth.home.example", Lang: c}
}

var now = time.Date(2026, 11, 23, 14, 12, 8, 0, time.UTC)

// parts reads a message with a parser that is not ours.
func parts(t testing.TB, raw []byte) (message.Header, []string) {
	t.Helper()
	e, err := message.Read(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	r := e.MultipartReader()
	if r == nil {
		t.Fatal("not a multipart message")
	}
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			return e.Header, bodies
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, strings.ReplaceAll(string(b), "\r\n", "\n"))
	}
}

// wire checks what every server is promised: ASCII, CRLF, short lines.
func wire(t testing.TB, raw []byte) {
	t.Helper()
	for n, line := range strings.SplitAfter(string(raw), "\r\n") {
		bare := strings.TrimSuffix(line, "\r\n")
		if strings.ContainsAny(bare, "\r\n") || len(bare) > 200 {
			t.Fatalf("line %d breaks the rules: %q", n+1, bare)
		}
		for i := range len(bare) {
			if bare[i] >= 0x80 || bare[i] == 0 {
				t.Fatalf("line %d is not ASCII: %q", n+1, bare)
			}
		}
	}
}

// Row 33 of the fault table: nothing that people type may begin a header.
func FuzzHeaderInjection(f *testing.F) {
	f.Add("Name", "Subject", "mara@home.example")
	f.Add("N\r\nBcc: x@evil.example", "S\nX: 1", "a@b.example\r\nBcc: c@d.example")
	f.Add("\"\\", "=?utf-8?q?=0aX:?=", "a@b.example, c@d.example")
	f.Add("名前", strings.Repeat("ü ", 200), "ü@bücher.example")
	f.Fuzz(func(t *testing.T, name, subject, to string) {
		raw, err := compose.Build(compose.Header{
			From: mail.Address{Name: name, Address: "login@home.example"}, To: to, Subject: subject, Date: now, ID: "id", Language: "en",
		}, "text", "<p>html</p>")
		if err != nil {
			return
		}
		m, err := mail.ReadMessage(strings.NewReader(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"Auto-Submitted", "Content-Language", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To", "X-Auto-Response-Suppress"}
		if len(m.Header) != len(want) {
			t.Fatalf("got %d headers, want %d: %v", len(m.Header), len(want), m.Header)
		}
		from, err := m.Header.AddressList("From")
		if err != nil || len(from) != 1 || from[0].Name != name && strings.TrimSpace(name) == name {
			t.Errorf("From %q came back as %v, %v", name, from, err)
		}
		switch got, err := m.Header.AddressList("To"); {
		case to == "": // an empty group (RFC 5322, 3.4)
			if m.Header.Get("To") != "undisclosed-recipients:;" {
				t.Errorf("no address came back as %q", m.Header.Get("To"))
			}
		case err != nil || len(got) != 1 || got[0].Address != to:
			t.Errorf("To %q came back as %v, %v", to, got, err)
		}
		wire(t, []byte(strings.SplitN(string(raw), "\r\n\r\n", 2)[1]))
	})
}
