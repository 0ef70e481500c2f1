package compose_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"net/mail"
	"os/exec"
	"strings"
	"testing"

	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/mailtest"
)

// parserScript reads messages, a line each in base64, and says what Python's own
// parser finds in them.
const parserScript = `
import base64, email, email.policy, json, sys
for line in sys.stdin:
    m = email.message_from_bytes(base64.b64decode(line), policy=email.policy.default)
    found = m["From"].addresses[0]
    print(json.dumps({
        "headers": sorted(k.lower() for k in m.keys()), "defects": len(m.defects), "subject": m["Subject"],
        "name": found.display_name, "from": found.addr_spec, "authors": len(m["From"].addresses), "to": m["To"],
        "text": m.get_body(("plain",)).get_content().replace("\r\n", "\n"),
        "html": m.get_body(("html",)).get_content().replace("\r\n", "\n"),
    }))
`

// Row 33 of the fault table, read by a parser that others wrote: whatever people are
// called and whatever they write, a message has the headers that we gave it, and
// says what we said.
func TestPythonReadsWhatWeWrote(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3"
	mailtest.Peer(t, python)
	type words struct{ name, subject, text, html string }
	pieces := []string{
		"Mara", "Müller", "\"", "\\", "<x@evil.example>", ",", ";", ":", "(", ")", " ", "  ", "=?utf-8?q?=0ABcc:_x?=", "@", "ß", "名前", "😀", ".", "\u00a0", "e\u0301", "Bcc: x@evil.example",
		"=", "=\u00fc", "--", "From ", "\n", "\n.\n", "\n\n", "<b>", "&amp;", strings.Repeat("lang", 30), strings.Repeat("ü ", 60),
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same in every run
	some := func(most int, breaks bool) string {
		var b strings.Builder
		for range random.IntN(most + 1) {
			piece := pieces[random.IntN(len(pieces))]
			if breaks || !strings.Contains(piece, "\n") {
				b.WriteString(piece)
			}
		}
		return b.String()
	}
	var sent []words
	var raw bytes.Buffer
	for range 500 {
		w := words{strings.Join(strings.Fields(some(4, false)), " "), strings.Join(strings.Fields(some(6, false)), " "), some(12, true) + "\n", some(12, true) + "\n"}
		b, err := compose.Build(compose.Header{
			From: mail.Address{Name: w.name, Address: "login@home.example"}, To: "mara@home.example", Subject: w.subject, Date: now, ID: "id", Language: "en",
		}, w.text, w.html)
		if err != nil {
			t.Fatalf("%q: %v", w, err)
		}
		sent = append(sent, w)
		raw.WriteString(base64.StdEncoding.EncodeToString(b) + "\n")
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", parserScript)
	cmd.Stdin = &raw
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	const headers = "auto-submitted content-language content-type date from message-id mime-version subject to x-auto-response-suppress"
	read := json.NewDecoder(bytes.NewReader(out))
	for _, w := range sent {
		var got struct {
			Headers                             []string
			Defects, Authors                    int
			Subject, Name, From, To, Text, HTML string
		}
		if err := read.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if strings.Join(got.Headers, " ") != headers || got.Defects > 0 || got.Authors != 1 || got.From != "login@home.example" || got.To != "mara@home.example" {
			t.Errorf("%q became %+v", w, got)
		}
		// This parser leaves spaces between the pieces of a long name.
		name := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if got.Subject != w.subject || name(got.Name) != name(w.name) || got.Text != w.text || got.HTML != w.html {
			t.Errorf("sent %q, read %+v", w, got)
		}
	}
}
