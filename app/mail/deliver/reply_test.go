package deliver

import (
	"bufio"
	"strings"
	"testing"
)

// Whatever a server says, reading it ends, within the bounds, in a reply that
// means what its digits say or in an error.
func FuzzReply(f *testing.F) {
	f.Add("250 ok\r\n")
	f.Add("250-a\r\n250-b\r\n250 c\r\n")
	f.Add("550 5.1.1 no such user\r\n")
	f.Add("250-a\r\n550 b\r\n")
	f.Add("SSH-2.0\r\n")
	f.Add("999 x\r\n250\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := readReply(bufio.NewReaderSize(strings.NewReader(text), maxLine))
		if err != nil {
			return
		}
		if r.code < 200 || r.code > 599 || len(r.lines) == 0 || !strings.Contains(text, r.String()[:3]) {
			t.Errorf("%q is read as %+v", text, r)
		}
		if r.enhanced != "" && r.enhanced[0] != byte('0'+r.code/100) {
			t.Errorf("%q: the enhanced code %s contradicts %d", text, r.enhanced, r.code)
		}
		if got := scrub(r.text(), "mara@home.example"); len(got) > maxText || strings.ContainsAny(got, "\r\n\x00\x1b") {
			t.Errorf("%q is scrubbed to %q", text, got)
		}
	})
}
