package web_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"gatelodge/app/theme"
	"gatelodge/web"
)

// answer is what a browser gets for an asset.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func served(t testing.TB, assets *web.Assets, name, encoding string) answer {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, assets.URL(name), nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	assets.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.Bytes()}
}

func TestAssets(t *testing.T) {
	_, _, assets := pagesOf(t)
	for name, kind := range map[string]string{
		"gatelodge.css": "text/css; charset=utf-8",
		"theme.css":     "text/css; charset=utf-8",
		"app.js":        "text/javascript; charset=utf-8",
		"mark.svg":      "image/svg+xml",
	} {
		t.Run(name, func(t *testing.T) {
			stem, ext, _ := strings.Cut(name, ".")
			if where := assets.URL(name); !regexp.MustCompile(`^/static/` + stem + `-[0-9a-f]{8}\.` + ext + `$`).MatchString(where) {
				t.Errorf("it is at %q", where)
			}
			plain := served(t, assets, name, "br")
			for header, want := range map[string]string{
				"Content-Type": kind, "Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff",
				"Content-Encoding": "", "Content-Length": fmt.Sprint(len(plain.body)),
			} {
				if got := plain.header.Get(header); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
			small := served(t, assets, name, "deflate, gzip;q=0.8, br")
			if small.header.Get("Content-Encoding") != "gzip" {
				return // it is not worth it for a very small file
			}
			r, err := gzip.NewReader(bytes.NewReader(small.body))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(body, plain.body) {
				t.Error("compressed and plain differ")
			}
			if got := small.header.Get("Vary"); got != "Accept-Encoding" {
				t.Errorf("Vary is %q", got)
			}
		})
	}
}

func TestStylesheetIsCompressedForThoseWhoTakeIt(t *testing.T) {
	_, _, assets := pagesOf(t)
	for encoding, want := range map[string]string{
		"gzip": "gzip", "br, GZIP": "gzip", "gzip; q=0.5": "gzip", "": "", "br": "", "gzip;q=0": "", "gzip;q=0.0, br": "", "gzip;q=x": "", "xgzip": "",
	} {
		if got := served(t, assets, "gatelodge.css", encoding).header.Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q gets %q, want %q", encoding, got, want)
		}
	}
}

func TestNothingElseIsServed(t *testing.T) {
	_, _, assets := pagesOf(t)
	for _, path := range []string{"/static/", "/static/gatelodge.css", "/static/../view.go", "/static/nothing-00000000.css", "/etc/passwd"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = path
		assets.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound || strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s gets %d, want 404", path, w.Code)
		}
	}
}

func TestHeadOfAnAssetHasNoBody(t *testing.T) {
	_, _, assets := pagesOf(t)
	w := httptest.NewRecorder()
	assets.ServeHTTP(w, httptest.NewRequest(http.MethodHead, assets.URL("gatelodge.css"), nil))
	if w.Body.Len() != 0 || w.Header().Get("Content-Length") == "" {
		t.Errorf("got %d bytes, length %q", w.Body.Len(), w.Header().Get("Content-Length"))
	}
}

func TestAnotherHueIsAnotherFile(t *testing.T) {
	a, err := web.LoadAssets(205)
	if err != nil {
		t.Fatal(err)
	}
	b, err := web.LoadAssets(30)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"theme.css", "mark.svg"} {
		if a.URL(name) == b.URL(name) {
			t.Errorf("%s has one name for two hues", name)
		}
	}
	if a.URL("gatelodge.css") != b.URL("gatelodge.css") {
		t.Error("gatelodge.css depends on the hue")
	}
}

// colours are the tokens of a theme, and of the stylesheet it goes with, for
// light or dark.
func colours(css string) map[string]string {
	tokens := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z0-9-]+):\s*(#[0-9a-f]{6})`).FindAllStringSubmatch(css, -1) {
		tokens[m[1]] = m[2]
	}
	return tokens
}

func TestEveryHueCanBeRead(t *testing.T) {
	_, _, assets := pagesOf(t)
	sheet := served(t, assets, "gatelodge.css", "").body
	const dark = "@media (prefers-color-scheme"
	lightSheet, rest, _ := strings.Cut(string(sheet), dark)
	darkSheet, _, _ := strings.Cut(rest, "/* base */")
	pairs := [][2]string{
		{"accent", "surface"},
		{"accent", "bg"},
		{"accent", "sunken"},
		{"accent", "accent-soft"},
		{"accent-deep", "surface"},
		{"accent-deep", "bg"},
		{"on-accent", "accent"},
		{"on-accent", "accent-deep"},
		{"text", "accent-soft"},
	}
	for hue := range 360 {
		lightTheme, darkTheme, _ := strings.Cut(string(theme.CSS(hue)), dark)
		for side, css := range map[string]string{"light": lightSheet + lightTheme, "dark": darkSheet + darkTheme} {
			c := colours(css)
			for _, p := range pairs {
				if got := contrast(t, c[p[0]], c[p[1]]); got < 4.5 {
					t.Errorf("hue %d, %s: %s on %s is %.2f:1, want 4.5", hue, side, p[0], p[1], got)
				}
			}
		}
	}
}

// TestTheFixedColoursCanBeRead checks the stylesheet's own pairs.
func TestTheFixedColoursCanBeRead(t *testing.T) {
	_, _, assets := pagesOf(t)
	lightSheet, rest, _ := strings.Cut(string(served(t, assets, "gatelodge.css", "").body), "@media (prefers-color-scheme")
	darkSheet, _, _ := strings.Cut(rest, "/* base */")
	for side, css := range map[string]string{"light": lightSheet, "dark": darkSheet} {
		c := colours(css)
		for _, p := range [][2]string{
			{"text", "bg"},
			{"text", "surface"},
			{"text", "ok-soft"},
			{"text", "warn-soft"},
			{"muted", "bg"},
			{"muted", "surface"},
			{"muted", "sunken"},
			{"ok", "ok-soft"},
			{"warn", "warn-soft"},
			{"bad", "surface"},
		} {
			if got := contrast(t, c[p[0]], c[p[1]]); got < 4.5 {
				t.Errorf("%s: %s on %s is %.2f:1, want 4.5", side, p[0], p[1], got)
			}
		}
		if got := contrast(t, c["edge"], c["surface"]); got < 3 {
			t.Errorf("%s: the edge of an input is %.2f:1, want 3", side, got)
		}
	}
}

func TestTheMarksHueIsNearTheMark(t *testing.T) {
	light, dark, _ := strings.Cut(string(theme.CSS(theme.DefaultHue)), "@media")
	for want, css := range map[string]string{"#0f5f70": light, "#74c7d6": dark} {
		got := colours(css)["accent"]
		if d := distance(t, got, want); d > 24 {
			t.Errorf("the accent is %s, which is %d from %s", got, d, want)
		}
	}
}

// distance is the largest difference of a channel.
func distance(t *testing.T, a, b string) int {
	t.Helper()
	x, y := channels(t, a), channels(t, b)
	most := 0.0
	for i := range x {
		most = max(most, math.Abs(x[i]-y[i]))
	}
	return int(most)
}

// contrast is that of WCAG 2.2, 1.4.3.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(channels(t, a)), luminance(channels(t, b))
	return (max(x, y) + .05) / (min(x, y) + .05)
}

func luminance(c [3]float64) float64 {
	for i, v := range c {
		if v /= 255; v <= .04045 {
			c[i] = v / 12.92
		} else {
			c[i] = math.Pow((v+.055)/1.055, 2.4)
		}
	}
	return .2126*c[0] + .7152*c[1] + .0722*c[2]
}

func channels(t *testing.T, hex string) [3]float64 {
	t.Helper()
	var r, g, b int
	if _, err := fmt.Sscanf(hex, "#%02x%02x%02x", &r, &g, &b); err != nil {
		t.Fatalf("%q is no colour: %v", hex, err)
	}
	return [3]float64{float64(r), float64(g), float64(b)}
}
