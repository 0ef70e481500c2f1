package line_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatelodge/app/command/line"
)

// terminal opens a pseudo terminal: what somebody types into and sees, and what a
// program reads.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { person.Close() })
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

func TestAPasswordThatIsTypedOnATerminalIsNotSeen(t *testing.T) {
	person, program := terminal(t)
	seen := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(person) // ends with the terminal
		seen <- string(text)
	}()
	var asked bytes.Buffer
	v := &line.Verb{Words: "x", Flags: func(fs *flag.FlagSet) { fs.Bool("stdin", false, "") }}
	v.Secret.Flag, v.Secret.Prompt = "stdin", "New password"
	c, err := v.Parse(line.Process{In: program, Out: io.Discard, Err: &asked}, []string{"-stdin"})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		// Typed once the terminal is quiet.
		for {
			now, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
			if err != nil || now.Lflag&unix.ECHO == 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		io.WriteString(person, "crimson ladder\nand more\n")
	}()
	got, err := c.ReadSecret()
	if got != "crimson ladder" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	if now, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS); err != nil || now.Lflag&unix.ECHO == 0 {
		t.Errorf("the terminal stays quiet: %v", err)
	}
	program.Close()
	person.Close()
	if text := <-seen; strings.Contains(text, "crimson") {
		t.Errorf("the terminal showed %q", text)
	}
	if asked.String() != "New password: \n" {
		t.Errorf("it asked %q", asked.String())
	}
}
