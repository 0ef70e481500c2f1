package line

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxSecret is more than anybody types.
const maxSecret = 4096

// ErrNoSecret means the input had no line to read.
var ErrNoSecret = errors.New("there was nothing to read on the standard input")

// Asks reports whether the call reads a secret, which is to be done where somebody
// types it.
func (c *Call) Asks() bool { return c.Verb.Secret.Flag != "" && c.Bool(c.Verb.Secret.Flag) }

// ReadSecret returns the first line of the standard input. On a terminal it asks, and
// what is typed is not shown.
func (c *Call) ReadSecret() (string, error) {
	if c.In == nil {
		return "", ErrNoSecret
	}
	if f, ok := c.In.(*os.File); ok {
		show, err := hide(f)
		if err == nil {
			fmt.Fprintf(c.Err, "%s: ", c.Verb.Secret.Prompt)
			defer func() {
				show()
				fmt.Fprintln(c.Err)
			}()
		}
	}
	// Byte by byte: what stands behind the line is somebody else's.
	var line strings.Builder
	for b := make([]byte, 1); line.Len() < maxSecret; {
		n, err := c.In.Read(b)
		if n == 1 && b[0] == '\n' {
			break
		}
		line.Write(b[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", fmt.Errorf("reading the standard input: %w", err)
		}
	}
	text := strings.TrimSuffix(line.String(), "\r")
	if text == "" {
		return "", ErrNoSecret
	}
	return text, nil
}
