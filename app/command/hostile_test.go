package command_test

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// A mail server that is asked by "mail test" speaks to the terminal of the admin.
func TestAMailServerCannotWriteToTheTerminal(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "554 5.7.1 \x1b]0;owned\x07 \u202etxt.exe \xc2\x9b31m\r\n")
			c.Close()
		}
	}()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.toml"), "[mail]\nmode = \"smarthost\"\nfrom = \"a@home.example\"\n[mail.smarthost]\nurl = \"smtp://"+l.Addr().String()+"\"\n", 0o600)
	use(t, dir, "user", "add", "mara@home.example")
	got := use(t, dir, "mail", "test", "mara@home.example")
	all := got.out + got.err
	if !strings.Contains(all, `\u001b]0;owned`) || strings.ContainsAny(all, "\x1b\x07\u202e\u009b") {
		t.Errorf("got %q", all)
	}
}
