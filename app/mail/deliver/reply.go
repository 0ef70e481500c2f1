package deliver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

const (
	maxLine  = 2000     // RFC 5321 allows 512; servers write more
	maxReply = 64 << 10 // a server that never stops talking is cut off here
)

// reply is a server's answer to one command.
type reply struct {
	code     int
	enhanced string
	lines    []string // without code
}

func (r reply) text() string { return strings.Join(r.lines, " ") }

// String is the answer as it came, for the trace.
func (r reply) String() string {
	var b strings.Builder
	for i, line := range r.lines {
		sep := "-"
		if i == len(r.lines)-1 {
			sep = " "
		}
		fmt.Fprintf(&b, "%03d%s%s\n", r.code, sep, line)
	}
	return b.String()
}

var errReply = errors.New("not an SMTP reply")

var enhancedForm = regexp.MustCompile(`^([245]\.\d{1,3}\.\d{1,3})(?: |$)`)

// errUnfinished means that a reply began with complete lines of one code and went
// on with something else, or broke off.
var errUnfinished = errors.New("the reply was not finished")

// readReply reads one reply of one or more lines (RFC 5321, 4.2). Every line
// must bear the same code. With errUnfinished it returns the lines before.
func readReply(r *bufio.Reader) (reply, error) {
	var all reply
	size := 0
	for {
		line, err := readLine(r)
		if err != nil && len(all.lines) > 0 {
			return all, fmt.Errorf("%w: %w", errUnfinished, err)
		}
		if err != nil {
			return reply{}, err
		}
		if size += len(line); size > maxReply {
			return all, fmt.Errorf("%w: longer than %d bytes: %w", errReply, maxReply, errUnfinished)
		}
		code, text, last, ok := cutReply(line)
		if !ok && len(all.lines) > 0 {
			return all, fmt.Errorf("%w: %q", errUnfinished, scrub(line, ""))
		}
		if !ok || all.lines != nil && code != all.code {
			return reply{}, fmt.Errorf("%w: %q", errReply, scrub(line, ""))
		}
		all.code = code
		all.lines = append(all.lines, text)
		if last {
			break
		}
	}
	if m := enhancedForm.FindStringSubmatch(all.lines[0]); m != nil && m[1][0] == byte('0'+all.code/100) {
		all.enhanced = m[1]
		for i := range all.lines {
			all.lines[i] = strings.TrimSpace(strings.TrimPrefix(all.lines[i], m[1]))
		}
	}
	return all, nil
}

// readLine returns the next line, cut where it is longer than any server has
// reason to write.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	kept, size := string(line), len(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		if line, err = r.ReadSlice('\n'); size > maxReply {
			return "", fmt.Errorf("%w: a line longer than %d bytes", errReply, maxReply)
		}
		size += len(line)
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	return strings.TrimRight(kept, "\r\n"), nil
}

// cutReply takes a reply line apart: three digits, a space or a dash, text. Some
// servers leave the space out.
func cutReply(line string) (code int, text string, last, ok bool) {
	if len(line) < 3 || len(line) > 3 && line[3] >= '0' && line[3] <= '9' {
		return 0, "", false, false
	}
	for i := range 3 {
		if line[i] < '0' || line[i] > '9' {
			return 0, "", false, false
		}
		code = code*10 + int(line[i]-'0')
	}
	if code < 200 || code > 599 {
		return 0, "", false, false
	}
	if len(line) == 3 {
		return code, "", true, true
	}
	if line[3] != ' ' && line[3] != '-' {
		return code, line[3:], true, true
	}
	return code, line[4:], line[3] == ' ', true
}
