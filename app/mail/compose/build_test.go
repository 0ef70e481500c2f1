package compose_test

import (
	"flag"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"
	"github.com/google/go-cmp/cmp"

	"gatelodge/app/lang"
	"gatelodge/app/mail/compose"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func composer(t testing.TB) *compose.Composer {
	t.Helper()
	c, err := lang.Load()
	if err != nil {
		t.Fatal(err)
	}
	return &compose.Composer{From: mail.Address{Name: "Häuschen", Address: "login@home.example"}, Site: "home.example", Host: "auth.home.example", Lang: c}
}

var now = time.Date(2026, 11, 23, 14, 12, 8, 0, time.UTC)

func signIn(language string) compose.SignIn {
	return compose.SignIn{
		To: "mara@home.example", Link: "https://auth.home.example/signin/link/9vQ2", Code: "482913", Device: "Firefox on Linux",
		Language: language, LinkUntil: now.Add(2 * time.Hour), CodeUntil: now.Add(15 * time.Minute), Now: now, ID: "01kb",
	}
}

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

func TestSignInMail(t *testing.T) {
	for _, language := range []string{"en", "de"} {
		t.Run(language, func(t *testing.T) {
			raw, err := composer(t).SignIn(signIn(language))
			if err != nil {
				t.Fatal(err)
			}
			header, bodies := parts(t, raw)
			if len(bodies) != 2 {
				t.Fatalf("got %d parts, want text and HTML", len(bodies))
			}
			subject, err := header.Text("Subject")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, language, "Subject: "+subject+"\n\n"+bodies[0])
			for _, want := range []string{"482 913", "https://auth.home.example/signin/link/9vQ2"} {
				for i, body := range bodies {
					if !strings.Contains(body, want) {
						t.Errorf("part %d lacks %q", i, want)
					}
				}
			}
			if len(raw) > 20<<10 {
				t.Errorf("got %d bytes, want below 20 KiB", len(raw))
			}
			if regexp.MustCompile(`(?i)<img|https?://`).ReplaceAllString(strings.ReplaceAll(bodies[1], "https://auth.home.example/signin/link/9vQ2", ""), "!") !=
				strings.ReplaceAll(bodies[1], "https://auth.home.example/signin/link/9vQ2", "") {
				t.Error("the HTML loads or names something else than the link")
			}
			for name, want := range map[string]string{
				"Message-Id": "<01kb@home.example>", "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All",
				"Content-Language": language, "To": "mara@home.example", "Date": "Mon, 23 Nov 2026 14:12:08 +0000",
			} {
				if got := header.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			wire(t, raw)
		})
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

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "signin-"+name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("differs from %s (-want +got):\n%s", path, diff)
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
		if got := m.Header.Get("To"); got != to {
			t.Errorf("To %q came back as %q", to, got)
		}
		wire(t, []byte(strings.SplitN(string(raw), "\r\n\r\n", 2)[1]))
	})
}
