package e2e

import (
	"bytes"
	"flag"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

var updatePictures = flag.Bool("pictures", false, "take the pictures of the README again")

// The README shows the sign-in page in both colour schemes. With -pictures the test takes
// them; without, it checks that they are there in the size of today's page.
func TestThePicturesOfTheREADME(t *testing.T) {
	t.Parallel()
	p := start(t, "name = \"Example\"\n")
	p.command("user", "add", "mara@example.com", "-admin")
	b := person(t)
	b.open(p.url + "/signin")
	b.see("Sign in")
	for _, v := range views[:2] {
		_, scheme, _ := strings.Cut(v.name, " ")
		b.look(v)
		var taken []byte
		b.run(chromedp.CaptureScreenshot(&taken))
		path := filepath.Join("..", "..", "app", "doc", "guide", "images", "signin-"+scheme+".png")
		if *updatePictures {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, taken, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("take it with: go test ./web/e2e -run Pictures -pictures: %v", err)
			continue
		}
		was, err := png.DecodeConfig(bytes.NewReader(kept))
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		is, err := png.DecodeConfig(bytes.NewReader(taken))
		if err != nil || was.Width != is.Width || was.Height != is.Height {
			t.Errorf("%s has %d x %d, the page %d x %d, %v", path, was.Width, was.Height, is.Width, is.Height, err)
		}
	}
}
