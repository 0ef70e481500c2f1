package submission

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message/mail"

	"gatelodge/app/mail/header"
)

// RFC 5321, 4.1.3: an IPv6 address is told from a name.
func TestReceivedTellsOfAnIPv6Address(t *testing.T) {
	s := stamp{id: "01", host: "auth.home.example", now: time.Unix(0, 0), origin: origin{"app", netip.MustParseAddr("2001:db8::7"), "ESMTPSA"}}
	if got := s.received(); !strings.HasPrefix(got, "Received: from app ([IPv6:2001:db8::7])\r\n\tby auth.home.example with ESMTPSA id 01;") {
		t.Errorf("got %q", got)
	}
}

// Row 33 for what other apps send: whatever comes in, what goes out reads the
// same way to a parser that is not ours, with one author, whom we checked.
func FuzzPrepare(f *testing.F) {
	for _, seed := range []string{
		"From: nas@home.example\r\n\r\nhello", "From: a@b.example\r\nFrom: c@d.example\r\n\r\n", "From: a@b.example, c@d.example\r\n\r\nx",
		"from: =?utf-8?q?a=0d=0aBcc:?= <a@b.example>\r\nSubject: x\r\n y\r\n\r\n", "From: \"a@b.example\" <c@d.example>\r\n\r\n.\r\n",
		"From: a@b.example\n\nx", "From : a@b.example\r\n\r\nx", ": x\r\n\r\n", "\r\n\r\n", "From: group: a@b.example;\r\n\r\nx", "0:\r\n 0", "From: [x] <a@b.example>\r\nFrom a\r\n\r\nx",
		"From: a@b.example (c@d.example)\r\n\r\nx", "From:\r\n a@b.example\r\n\r\nx", "Sender: a@b.example\r\n\r\nx", "From: <@x.example:a@b.example>\r\n\r\nx",
	} {
		f.Add([]byte(seed))
	}
	s := stamp{id: "01", host: "auth.home.example", from: "nas@home.example", now: time.Unix(0, 0), origin: origin{"app\r\nX: 1", netip.MustParseAddr("127.0.0.1"), "ESMTPSA"}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, from, err := prepare(raw, s)
		if err != nil {
			return
		}
		if err := checkLines(out); err != nil {
			t.Fatalf("%v:\n%q", err, out)
		}
		fields, _, err := header.Split(out)
		if err != nil {
			t.Fatalf("what went out cannot be read again: %v\n%q", err, out)
		}
		seen := map[string]int{}
		for _, f := range fields {
			seen[f.Name]++
		}
		for _, name := range []string{"from", "date", "message-id"} {
			if seen[name] != 1 {
				t.Fatalf("%d times %s:\n%q", seen[name], name, out)
			}
		}
		if seen["bcc"] != 0 || !strings.HasPrefix(string(out), "Received: from appX:1 ([127.0.0.1])") {
			t.Fatalf("the header is wrong:\n%q", out)
		}
		r, err := mail.CreateReader(strings.NewReader(string(out)))
		if err != nil {
			return // a body that is no MIME is the app's own business
		}
		theirs, err := r.Header.AddressList("From")
		if err != nil {
			return
		}
		checked := slices.ContainsFunc(append(from, s.from), func(a string) bool {
			return len(theirs) == 1 && (strings.EqualFold(theirs[0].Address, a) || strings.Contains(a, "xn--"))
		})
		if !checked {
			t.Fatalf("we checked %q, they read %v:\n%q", from, theirs, out)
		}
	})
}
