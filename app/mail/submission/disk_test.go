package submission_test

import (
	"os"
	"path/filepath"
	"testing"

	"gatelodge/app/programtest"
)

// Row 27: on a disk that is nearly full an app is told to come back, and nothing is half kept.
func TestADiskThatIsNearlyFullTakesNoMail(t *testing.T) {
	dir := programtest.SmallDisk(t, "256m")
	h := openIn(t, dir, nil)
	c := h.login()
	if err := mail(c, "nas@home.example", []string{"a@x.example"}, plain); err != nil {
		t.Fatal(err)
	}
	h.captured(1)
	// What is left is for signing in.
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 64<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, mail(c, "nas@home.example", []string{"b@x.example"}, plain), "452 4.3.1")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if list := h.messages(); len(list) != 1 {
		t.Errorf("%d messages are kept, want the first alone", len(list))
	}
	c = h.login()
	if err := mail(c, "nas@home.example", []string{"c@x.example"}, plain); err != nil {
		t.Errorf("with space again: %v", err)
	}
}
