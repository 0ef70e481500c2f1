package submission

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gatelodge/app/email"
	"gatelodge/app/mail/header"
)

// maxLine is the longest line without its end (RFC 5322, 2.1.1).
const maxLine = 998

// origin is how a mail came, for its Received line.
type origin struct {
	helo     string // as the app called itself; "" over HTTP
	ip       netip.Addr
	protocol string // RFC 3848: "ESMTPSA"
}

// stamp is what a message is given that it does not bring.
type stamp struct {
	id   string
	host string
	from string // the envelope's sender
	now  time.Time
	origin
}

// once are the headers that must not stand there twice (RFC 5322, 3.6): a
// signature covers one, and a reader may show the other.
var once = []string{"date", "from", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references", "subject"}

// dropped are the headers that are nobody else's business: who got a blind
// copy, and what only the last server may write.
var dropped = []string{"bcc", "resent-bcc", "return-path", "content-length"}

// authorial are the fields that say who wrote a mail or passed it on.
var authorial = []string{"from", "sender", "resent-from", "resent-sender"}

// prepare checks a mail and returns it as it goes out, and the normal addresses
// that it says it is from.
func prepare(raw []byte, s stamp) (out []byte, from []string, err error) {
	if err := checkLines(raw); err != nil {
		return nil, nil, err
	}
	fields, body, err := header.Split(raw)
	switch {
	case errors.Is(err, header.ErrTooLarge):
		return nil, nil, errLongHeader
	case err != nil:
		return nil, nil, errNoHeader
	}
	seen := map[string]int{}
	for _, f := range fields {
		seen[f.Name]++
	}
	if seen["received"] > maxReceived {
		return nil, nil, errLoop
	}
	for _, name := range once {
		if seen[name] > 1 {
			return nil, nil, refuse(550, 5, 6, 0, "the header %q stands in the mail %d times", name, seen[name])
		}
	}
	var b bytes.Buffer
	b.Grow(len(raw) + 512)
	b.WriteString(s.received())
	for _, f := range fields {
		if slices.Contains(dropped, f.Name) || f.Name == "authentication-results" && s.ours(f.Value()) {
			continue
		}
		line := f.Raw
		if slices.Contains(authorial, f.Name) {
			author, err := s.author(f)
			if err != nil {
				return nil, nil, err
			}
			if !author.Exact {
				name, _, _ := strings.Cut(f.Raw, ":")
				line = name + ": " + author.String() + "\r\n"
			}
			from = append(from, author.Norm)
		} else if !utf8.ValidString(line) {
			line = valid(f)
		}
		b.WriteString(line)
	}
	if seen["from"] == 0 {
		fmt.Fprintf(&b, "From: %s\r\n", s.from)
	}
	if seen["date"] == 0 {
		fmt.Fprintf(&b, "Date: %s\r\n", s.now.UTC().Format(time.RFC1123Z))
	}
	if seen["message-id"] == 0 {
		fmt.Fprintf(&b, "Message-ID: <%s@%s>\r\n", s.id, email.DomainOf(s.from))
	}
	b.WriteString("\r\n")
	b.Write(body)
	if n := b.Len(); n > 0 && !bytes.HasSuffix(b.Bytes(), []byte("\r\n")) {
		b.WriteString("\r\n")
	}
	return b.Bytes(), from, nil
}

// author reads who a field says the author is. Where it has a name alone, as in
// mail of cron, the address is that of the envelope: no other is known to be
// the app's.
func (s stamp) author(f header.Field) (header.Author, error) {
	author, err := header.ReadAuthor(f.Value())
	if err != nil {
		return author, refuse(550, 5, 6, 0, "the header %q must hold one address that mail can come from", f.Name)
	}
	if author.Address == "" {
		author.Address = s.from
		author.Norm, err = email.Normal(s.from)
	}
	return author, err
}

// ours reports whether an Authentication-Results field claims to be of this
// server or another of our domain (RFC 8601, 5). Nothing here writes one: whoever
// reads it would believe the app.
func (s stamp) ours(value string) bool {
	id := strings.TrimSuffix(strings.ToLower(header.Token(value)), ".")
	for _, name := range []string{s.host, email.DomainOf(s.from)} {
		if name != "" && (id == name || strings.HasSuffix(id, "."+name)) {
			return true
		}
	}
	return id == "" // says nothing about where it comes from
}

// valid writes a field that is not UTF-8 as readers understand it: old devices
// write Latin-1.
func valid(f header.Field) string {
	name, _, _ := strings.Cut(f.Raw, ":")
	switch f.Name {
	case "subject", "comments":
		return name + ": " + header.Text(header.Decode(f.Value())) + "\r\n"
	case "to", "cc", "reply-to":
		if list, ok := header.Addresses(f.Value()); ok {
			return name + ": " + list + "\r\n"
		}
	}
	return header.UTF8(f.Raw)
}

// checkLines refuses what servers read in more than one way.
func checkLines(raw []byte) error {
	length := 0
	for i, c := range raw {
		switch {
		case c == 0,
			c == '\n' && (i == 0 || raw[i-1] != '\r'),
			c == '\r' && (i+1 == len(raw) || raw[i+1] != '\n'):
			return errBareBreak
		case c == '\n':
			length = 0
		case c != '\r':
			if length++; length > maxLine {
				return errLongLine
			}
		}
	}
	return nil
}

// received is the trace line (RFC 5321, 4.4). What comes over HTTP bears no
// client address: it may be a person's.
func (s stamp) received() string {
	from := ""
	if s.helo != "" {
		literal := s.ip.String()
		if s.ip.Is6() {
			literal = "IPv6:" + literal // RFC 5321, 4.1.3
		}
		from = fmt.Sprintf("from %s ([%s])\r\n\t", cleanHost(s.helo), literal)
	}
	return fmt.Sprintf("Received: %sby %s with %s id %s;\r\n\t%s\r\n", from, s.host, s.protocol, s.id, s.now.UTC().Format(time.RFC1123Z))
}

// cleanHost keeps of a name that an app gave itself what a name can have.
func cleanHost(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-:[]_", r) {
			return r
		}
		return -1
	}, name)
	if clean == "" || len(clean) > 255 {
		return "unknown"
	}
	return clean
}
