package compose

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"gatelodge/app/email"
	"gatelodge/app/mail/header"
)

// Header is what stands above a message.
type Header struct {
	From     mail.Address
	To       string       // one address, or "" when the recipients shall not see each other
	ReplyTo  mail.Address // zero where answers go to From
	Subject  string
	Date     time.Time
	ID       string // local part of the Message-ID
	Language string
}

// errHeader means that a value would break out of its header.
var errHeader = errors.New("holds a control character")

// Build returns a message of two parts, text and HTML (RFC 2046, 5.1.4), or of
// text alone when html is "", as it goes over the wire: ASCII, CRLF, no line above 76 characters but the names in
// the header. A value that could begin another header is an error.
func Build(h Header, text, html string) ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	boundary := "gl-" + rand.Text()
	kind := `multipart/alternative; boundary="` + boundary + `"`
	if html == "" {
		kind = "text/plain; charset=utf-8"
	}
	to := bare(h.To)
	if to == "" {
		to = "undisclosed-recipients:;"
	}
	var b bytes.Buffer
	_, domain, _ := strings.Cut(h.From.Address, "@")
	for _, line := range [][2]string{
		{"From", header.Author{Name: h.From.Name, Address: h.From.Address}.String()},
		{"To", to},
		{"Reply-To", h.replyTo()},
		{"Subject", header.Text(h.Subject)},
		{"Date", h.Date.UTC().Format(time.RFC1123Z)},
		{"Message-ID", "<" + h.ID + "@" + domain + ">"},
		{"MIME-Version", "1.0"},
		{"Content-Type", kind},
		{"Content-Language", h.Language},
		// Vacation programs answer neither of these.
		{"Auto-Submitted", "auto-generated"},
		{"X-Auto-Response-Suppress", "All"},
	} {
		if line[1] != "" || line[0] == "Subject" {
			fmt.Fprintf(&b, "%s: %s\r\n", line[0], line[1])
		}
	}
	if html == "" {
		b.WriteString("Content-Transfer-Encoding: quoted-printable\r\n\r\n")
		err := quote(&b, text)
		return b.Bytes(), err
	}
	for _, part := range [][2]string{{"text/plain", text}, {"text/html", html}} {
		fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", boundary, part[0])
		if err := quote(&b, part[1]); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(&b, "\r\n--%s--\r\n", boundary)
	return b.Bytes(), nil
}

func (h Header) check() error {
	for name, value := range map[string]string{
		"From name": h.From.Name, "From": h.From.Address, "To": h.To, "Reply-To": h.ReplyTo.Address, "Reply-To name": h.ReplyTo.Name, "Subject": h.Subject, "Message-ID": h.ID, "Content-Language": h.Language,
	} {
		if !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("the header %s %w", name, errHeader)
		}
	}
	for i, address := range []string{h.From.Address, h.To, h.ReplyTo.Address} {
		if i > 0 && address == "" {
			continue
		}
		if parsed, err := mail.ParseAddress(bare(address)); err != nil || parsed.Address != address || parsed.Name != "" {
			return fmt.Errorf("%q is not one bare address", address)
		}
	}
	if strings.ContainsAny(h.ID, " <>@") || h.ID == "" {
		return fmt.Errorf("the header Message-ID cannot be made of %q", h.ID)
	}
	return nil
}

func (h Header) replyTo() string {
	if h.ReplyTo.Name == "" {
		return bare(h.ReplyTo.Address)
	}
	return header.Author{Name: h.ReplyTo.Name, Address: h.ReplyTo.Address}.String()
}

// bare writes an address without a name. What RFC 5322 takes between quotes only, such
// as two dots in a row, is quoted.
func bare(address string) string {
	if a, err := email.Read(address); err != nil || a.Text != address {
		return address // check refuses what is not one address
	}
	return strings.Trim((&mail.Address{Address: address}).String(), "<>")
}

func quote(b *bytes.Buffer, text string) error {
	w := quotedprintable.NewWriter(b)
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	return w.Close()
}
