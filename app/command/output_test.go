package command_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"gatelodge/app/command"
)

func TestOutputIsWrittenWholeAndInOrder(t *testing.T) {
	var b bytes.Buffer
	o := command.NewOutput(&b)
	want := ""
	for i := range 1000 {
		line := strings.Repeat("x", i%50) + "\n"
		io.WriteString(o, line)
		want += line
	}
	o.Close()
	if b.String() != want {
		t.Errorf("got %d bytes, want %d", b.Len(), len(want))
	}
}

func TestOutputThatNothingReadsIsDroppedAndCounted(t *testing.T) {
	r, w := io.Pipe() // blocks until read
	o := command.NewOutput(w)
	line := []byte(strings.Repeat("x", 1023) + "\n")
	for range 5000 {
		if n, err := o.Write(line); n != len(line) || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
	}
	done := make(chan []byte)
	go func() {
		all, _ := io.ReadAll(r)
		done <- all
	}()
	o.Close()
	w.Close()
	if all := string(<-done); !regexp.MustCompile(`gatelodge: \d{4} lines were dropped here`).MatchString(all) {
		t.Errorf("nothing says what was dropped:\n%s", all[max(0, len(all)-200):])
	}
}

func TestAnEndDoesNotWaitForAReaderForEver(*testing.T) {
	_, w := io.Pipe()
	o := command.NewOutput(w)
	io.WriteString(o, "nothing reads this")
	o.Close()
}

// piped starts the program with its log going into a pipe, and returns its address
// and the pipe's other end.
func piped(t *testing.T) (url string, log *os.File, stop func() error, signal func(os.Signal) error) {
	t.Helper()
	// The name of the test makes t.TempDir too long for the admin socket.
	dir, err := os.MkdirTemp("", "gatelodge-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, cmd: call(t, dir, "serve", "-listen", "127.0.0.1:0")}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, w
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	url = s.wait(address)
	s.wait(greeted)
	return url, r, s.cmd.Wait, s.cmd.Process.Signal
}

// ask makes requests that each leave a line in the log.
func ask(t *testing.T, url string, n int) {
	t.Helper()
	for range n {
		resp, err := http.Get(url + "/nothing-is-here")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Fatalf("answered %s", resp.Status)
		}
	}
}

func TestAServerOutlivesTheReaderOfItsLog(t *testing.T) {
	for name, spoil := range map[string]func(log *os.File, signal func(os.Signal) error) error{
		"a pipe that nothing reads":   func(*os.File, func(os.Signal) error) error { return nil },
		"a pipe whose reader is gone": func(log *os.File, _ func(os.Signal) error) error { return log.Close() },
		"a signal that hangs up":      func(_ *os.File, signal func(os.Signal) error) error { return signal(syscall.SIGHUP) },
		"a signal of a broken pipe":   func(_ *os.File, signal func(os.Signal) error) error { return signal(syscall.SIGPIPE) },
	} {
		t.Run(name, func(t *testing.T) {
			url, log, stop, signal := piped(t)
			defer log.Close()
			ask(t, url, 1)
			if err := spoil(log, signal); err != nil {
				t.Fatal(err)
			}
			ask(t, url, 600) // some 120 KB of log, twice what a pipe holds
			if err := signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := stop(); err != nil {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}
