package submission

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gatelodge/app/account"
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

// field is one header with its continuation lines and their ends.
type field struct {
	name string // lower case
	raw  string
}

// value is what stands behind the colon, unfolded.
func (f field) value() string {
	_, value, _ := strings.Cut(f.raw, ":")
	return strings.TrimSpace(strings.NewReplacer("\r\n", "").Replace(value))
}

// once are the headers that must not stand there twice (RFC 5322, 3.6): a
// signature covers one, and a reader may show the other.
var once = []string{"date", "from", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references", "subject"}

// dropped are the headers that are nobody else's business: who got a blind
// copy, and what only the last server may write.
var dropped = []string{"bcc", "resent-bcc", "return-path", "content-length"}

// prepare checks a mail and returns it as it goes out, and the normal addresses
// that it says it is from.
func prepare(raw []byte, s stamp) (out []byte, from []string, err error) {
	if err := checkLines(raw); err != nil {
		return nil, nil, err
	}
	fields, body, err := split(raw)
	if err != nil {
		return nil, nil, err
	}
	seen := map[string]int{}
	for _, f := range fields {
		seen[f.name]++
	}
	if seen["received"] > maxReceived {
		return nil, nil, errLoop
	}
	for _, name := range once {
		if seen[name] > 1 {
			return nil, nil, refuse(550, 5, 6, 0, "the header %q stands in the mail %d times", name, seen[name])
		}
	}
	if from, err = authors(fields); err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	b.Grow(len(raw) + 512)
	b.WriteString(s.received())
	for _, f := range fields {
		if !slices.Contains(dropped, f.name) {
			b.WriteString(f.raw)
		}
	}
	if seen["from"] == 0 {
		fmt.Fprintf(&b, "From: %s\r\n", s.from)
	}
	if seen["date"] == 0 {
		fmt.Fprintf(&b, "Date: %s\r\n", s.now.UTC().Format(time.RFC1123Z))
	}
	if seen["message-id"] == 0 {
		fmt.Fprintf(&b, "Message-ID: <%s@%s>\r\n", s.id, account.Domain(s.from))
	}
	b.WriteString("\r\n")
	b.Write(body)
	if n := b.Len(); n > 0 && !bytes.HasSuffix(b.Bytes(), []byte("\r\n")) {
		b.WriteString("\r\n")
	}
	return b.Bytes(), from, nil
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

// split takes the header apart, and leaves the body where it is: it may be ten
// megabytes. The lines have been checked.
func split(raw []byte) (fields []field, body []byte, err error) {
	header := raw
	if end := bytes.Index(raw, []byte("\r\n\r\n")); end >= 0 {
		header, body = raw[:end+2], raw[end+4:]
	}
	for line := range strings.SplitAfterSeq(string(header), "\r\n") {
		if line == "" {
			break // behind the last end
		}
		if line[0] == ' ' || line[0] == '\t' {
			if len(fields) == 0 || strings.TrimSpace(line) == "" {
				return nil, nil, errNoHeader
			}
			fields[len(fields)-1].raw += line
			continue
		}
		name, _, found := strings.Cut(line, ":")
		if !found || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return nil, nil, errNoHeader
		}
		if !strings.HasSuffix(line, "\r\n") {
			line += "\r\n" // the last line lacks its end
		}
		fields = append(fields, field{strings.ToLower(name), line})
	}
	if len(fields) == 0 {
		return nil, nil, errNoHeader
	}
	return fields, body, nil
}

// authors returns the normal addresses of From and Sender.
func authors(fields []field) ([]string, error) {
	// What charset a display name has does not matter here.
	parser := mail.AddressParser{WordDecoder: &mime.WordDecoder{
		CharsetReader: func(_ string, r io.Reader) (io.Reader, error) { return r, nil },
	}}
	var list []string
	for _, f := range fields {
		if f.name != "from" && f.name != "sender" {
			continue
		}
		addresses, err := parser.ParseList(f.value())
		if err != nil || len(addresses) != 1 {
			return nil, refuse(550, 5, 6, 0, "the header %q must hold one address", f.name)
		}
		norm, err := account.NormalEmail(addresses[0].Address)
		if err != nil {
			return nil, refuse(550, 5, 6, 0, "the header %q holds no address that mail can come from", f.name)
		}
		list = append(list, norm)
	}
	return list, nil
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
