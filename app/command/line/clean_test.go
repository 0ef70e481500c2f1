package line_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"gatelodge/app/command/line"
)

const hostile = "a\x1b]0;owned\x07b\x9b2Jc\u009b31md\u202egnp.exe\u2066e\rf\u2028g\x7fh\x00"

func TestWordsFromOutsideDoNothingToATerminal(t *testing.T) {
	for _, step := range []int{1, 2, 3, len(hostile)} {
		var out bytes.Buffer
		w := &line.Clean{W: &out}
		for rest := hostile; rest != ""; {
			n := min(step, len(rest))
			if written, err := w.Write([]byte(rest[:n])); written != n || err != nil {
				t.Fatal(written, err)
			}
			rest = rest[n:]
		}
		const want = `a\u001b]0;owned\u0007b` + "\uFFFD" + `2Jc\u009b31md\u202egnp.exe\u2066e\u000df\u2028g\u007fh\u0000`
		if got := out.String(); got != want {
			t.Errorf("by %d: got %q, want %q", step, got, want)
		}
	}
}

func TestNamesOfTheWorldStayAsTheyAre(t *testing.T) {
	const names = "Müller\tعلی\u200cرضا 👨\u200d👩\u200d👧 日本\r\n\r\n"
	for step := 1; step < 5; step++ {
		var out bytes.Buffer
		w := &line.Clean{W: &out}
		for i := 0; i < len(names); i += step {
			if _, err := w.Write([]byte(names[i:min(i+step, len(names))])); err != nil {
				t.Fatal(err)
			}
		}
		if out.String() != names {
			t.Errorf("by %d: got %q", step, out.String())
		}
	}
}

func TestJSONStaysJSON(t *testing.T) {
	was := strings.ToValidUTF8(hostile, "?")
	var out bytes.Buffer
	c := &line.Call{Process: line.Process{Out: &line.Clean{W: &out}}}
	if err := c.PrintJSON(map[string]string{"x": was}); err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got["x"] != was {
		t.Errorf("got %q, %v, want %q", got["x"], err, was)
	}
	if strings.ContainsAny(out.String(), "\u202e\u009b\x7f") {
		t.Errorf("it is there as it was: %q", out.String())
	}
}
