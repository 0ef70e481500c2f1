// Package header reads the header of a mail, for every part of Gatelodge that
// has to: the relay that checks an app's mail, the signature, and the page that
// shows captured mail. Because they share one reader, the author that was
// checked is the author that is signed and sent.
//
// Reading takes time in proportion to the header, whatever is in it.
package header

import (
	"bytes"
	"errors"
	"strings"
)

const (
	// MaxBytes is the longest header read. Postfix takes 100 KB for a single field.
	MaxBytes = 256 << 10
	// MaxFields is how many fields a header may have.
	MaxFields = 1000
)

// Errors of Split.
var (
	ErrMalformed = errors.New("the mail does not begin with a header")
	ErrTooLarge  = errors.New("the header is too large")
)

// Field is one header field with its continuation lines and their line ends.
type Field struct {
	Name string // lower case
	Raw  string
}

// Value returns what follows the colon, unfolded.
func (f Field) Value() string {
	_, value, _ := strings.Cut(f.Raw, ":")
	return strings.TrimSpace(strings.ReplaceAll(value, "\r\n", ""))
}

// Line returns the field unfolded, with its line end.
func (f Field) Line() string { return strings.ReplaceAll(f.Raw, "\r\n", "") + "\r\n" }

// Split takes a mail apart. Its lines must end in CR LF; the last may lack its
// end. The body is not copied: it may have ten megabytes.
func Split(raw []byte) (fields []Field, body []byte, err error) {
	head := raw
	if end := bytes.Index(raw, []byte("\r\n\r\n")); end >= 0 {
		head, body = raw[:end+2], raw[end+4:]
	}
	if len(head) > MaxBytes {
		return nil, nil, ErrTooLarge
	}
	text := strings.TrimSuffix(string(head), "\r\n") + "\r\n"
	// mail(1) and old spools begin with the line that divides the mails of an mbox.
	if strings.HasPrefix(text, "From ") || strings.HasPrefix(text, ">From ") {
		_, text, _ = strings.Cut(text, "\r\n")
	}
	start, at := 0, 0 // of the field, of the line
	for at < len(text) {
		next := at + strings.Index(text[at:], "\r\n") + 2
		line := text[at:next]
		folded := line[0] == ' ' || line[0] == '\t'
		switch {
		case folded && (at == 0 || strings.TrimSpace(line) == ""):
			return nil, nil, ErrMalformed
		case !folded && !named(line):
			return nil, nil, ErrMalformed
		}
		if at = next; at == len(text) || text[at] != ' ' && text[at] != '\t' {
			if len(fields) == MaxFields {
				return nil, nil, ErrTooLarge
			}
			field := text[start:at]
			name, _, _ := strings.Cut(field, ":")
			fields = append(fields, Field{strings.ToLower(name), field})
			start = at
		}
	}
	if len(fields) == 0 {
		return nil, nil, ErrMalformed
	}
	return fields, body, nil
}

// named reports whether a line begins with the name of a field (RFC 5322, 3.6.8).
func named(line string) bool {
	name, _, found := strings.Cut(line, ":")
	return found && name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
