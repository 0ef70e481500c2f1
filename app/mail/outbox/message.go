package outbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"

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

// Open takes apart a message that package compose put together.
func Open(w store.Work) (Message, error) {
	m := Message{Message: w.Message, Source: string(w.Body)}
	parsed, err := mail.ReadMessage(bytes.NewReader(w.Body))
	if err != nil {
		return m, fmt.Errorf("reading message %s: %w", w.ID, err)
	}
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject")); err != nil {
		return m, fmt.Errorf("reading the subject of message %s: %w", w.ID, err)
	}
	_, params, err := mime.ParseMediaType(parsed.Header.Get("Content-Type"))
	if err != nil {
		return m, fmt.Errorf("reading message %s: %w", w.ID, err)
	}
	parts := multipart.NewReader(parsed.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return m, fmt.Errorf("reading message %s: %w", w.ID, err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			return m, fmt.Errorf("reading message %s: %w", w.ID, err)
		}
		kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil {
			return m, fmt.Errorf("reading message %s: %w", w.ID, err)
		}
		if kind == "text/html" {
			m.HTML = string(body)
		} else {
			m.Text = string(body)
		}
	}
	m.Link = firstLink.FindString(m.Text)
	return m, nil
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
