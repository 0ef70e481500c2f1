package outbox

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"strings"

	"gatelodge/app/mail/header"
	"gatelodge/store"
)

// Message is a captured message, opened for reading.
type Message struct {
	store.Message
	Subject string
	Text    string
	HTML    string
	Source  string
	Link    string // the first address in the text, or ""
}

var firstLink = regexp.MustCompile(`https?://[^\s<>"]+`)

// Open takes apart a message of ours, or of another app as far as it is text. An
// app's message that cannot be read has its source alone.
func Open(w store.Work) (Message, error) {
	m := Message{Message: w.Message, Source: string(w.Body)}
	err := m.read(w.Body)
	if err != nil && w.SubmissionID == "" {
		return m, fmt.Errorf("reading message %s: %w", w.ID, err)
	}
	m.Link = firstLink.FindString(m.Text)
	return m, nil
}

func (m *Message) read(body []byte) error {
	parsed, err := mail.ReadMessage(bytes.NewReader(body))
	if err != nil {
		return err
	}
	m.Subject = header.Decode(parsed.Header.Get("Subject"))
	return m.part(parsed.Header.Get("Content-Type"), parsed.Header.Get("Content-Transfer-Encoding"), parsed.Body, maxDepth)
}

// maxDepth is how deep parts may lie in one another.
const maxDepth = 5

// part takes the first text and the first HTML it finds.
func (m *Message) part(kind, encoding string, body io.Reader, depth int) error {
	if kind == "" {
		kind = "text/plain"
	}
	media, params, err := mime.ParseMediaType(kind)
	if err != nil {
		return err
	}
	if strings.HasPrefix(media, "multipart/") {
		if depth == 0 {
			return errors.New("parts within parts without an end")
		}
		parts := multipart.NewReader(body, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := m.part(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part, depth-1); err != nil {
				return err
			}
		}
	}
	var to *string
	switch {
	case media == "text/plain" && m.Text == "":
		to = &m.Text
	case media == "text/html" && m.HTML == "":
		to = &m.HTML
	default:
		return nil // something to keep, not to show
	}
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	b, err := io.ReadAll(header.Charset(params["charset"], body))
	*to = header.UTF8(string(b))
	return err
}

// Notice returns a captured message in two lines, for a terminal.
func Notice(w store.Work) (string, error) {
	m, err := Open(w)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("Mail for %s: %s", m.Rcpt, m.Subject)
	if m.Link != "" {
		text += "\n  " + m.Link
	}
	return text, nil
}
