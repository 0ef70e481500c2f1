package line

import (
	"fmt"
	"io"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Clean is a writer for a terminal or a log. Words from outside stand in all that
// the program prints: answers of mail servers, names, subjects, addresses. Clean
// shows the characters that would make a terminal do something, or show words in
// another order, as \u001b and the like. Inside the strings of JSON that is the
// same character, so JSON stays the JSON it was.
type Clean struct {
	W io.Writer

	mu   sync.Mutex
	rest []byte // the beginning of a character, or of a line end
}

// Write writes b. It reports all of b as written, although more may have been.
func (c *Clean) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := append(c.rest, b...)
	c.rest = nil
	clean := make([]byte, 0, len(text))
	for len(text) > 0 {
		if !utf8.FullRune(text) || len(text) == 1 && text[0] == '\r' {
			c.rest = append([]byte(nil), text...)
			break
		}
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			clean = append(clean, "\uFFFD"...)
		case r == '\r' && text[1] == '\n':
			clean = append(clean, '\r')
		case acts(r):
			clean = fmt.Appendf(clean, `\u%04x`, r)
		default:
			clean = append(clean, text[:size]...)
		}
		text = text[size:]
	}
	if _, err := c.W.Write(clean); err != nil {
		return 0, err
	}
	return len(b), nil
}

// acts reports whether a character does something but be seen: the control
// characters, those of writing direction, and Unicode's own line ends.
func acts(r rune) bool {
	return r != '\n' && r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// Raw returns the writer beneath, for output that is meant for a terminal: a
// line of progress that is written over.
func Raw(w io.Writer) io.Writer {
	if c, ok := w.(*Clean); ok {
		return c.W
	}
	return w
}

// Cleaned returns the process with clean output.
func (p Process) Cleaned() Process {
	p.Out, p.Err = cleaned(p.Out), cleaned(p.Err)
	return p
}

func cleaned(w io.Writer) io.Writer {
	if _, ok := w.(*Clean); ok || w == nil {
		return w
	}
	return &Clean{W: w}
}
