package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"gatelodge/app/theme"
)

//go:embed static
var staticFiles embed.FS

// staticPath is where the assets are served.
const staticPath = "/static/"

// Assets are the files that pages load: stylesheets, script and mark. Each has
// a hash of its content in its name, so that a browser may keep it for good.
type Assets struct {
	urls   map[string]string // by plain name
	byPath map[string]asset  // by path
}

type asset struct {
	kind  string
	plain []byte
	small func() []byte // gzip, or nil where that saves nothing; made when first asked for, since a start should not wait for it
}

// LoadAssets reads the embedded files and makes the theme of a hue.
func LoadAssets(hue int) (*Assets, error) {
	a := &Assets{urls: make(map[string]string), byPath: make(map[string]asset)}
	files, err := fs.ReadDir(staticFiles, "static")
	if err != nil {
		return nil, fmt.Errorf("listing the static files: %w", err)
	}
	for _, f := range files {
		body, err := staticFiles.ReadFile("static/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the static files: %w", err)
		}
		if f.Name() == "mark.svg" {
			body = bytes.ReplaceAll(body, []byte("currentColor"), []byte(theme.MarkColour(hue)))
		}
		if err := a.add(f.Name(), body); err != nil {
			return nil, err
		}
	}
	return a, a.add("theme.css", theme.CSS(hue))
}

func (a *Assets) add(name string, body []byte) error {
	sum := sha256.Sum256(body)
	ext := path.Ext(name)
	where := staticPath + strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:4]) + ext
	kind, ok := kinds[ext]
	if !ok {
		return fmt.Errorf("the static file %s is of no known kind", name)
	}
	a.urls[name] = where
	a.byPath[where] = asset{kind: kind, plain: body, small: sync.OnceValue(func() []byte { return compress(body) })}
	return nil
}

// compress returns body as gzip, or nil where that saves less than a tenth.
func compress(body []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil
	}
	_, err = w.Write(body)
	if err := errors.Join(err, w.Close()); err != nil || b.Len() >= len(body)*9/10 {
		return nil // the plain form serves as well
	}
	return b.Bytes()
}

// kinds are the types of our files. The machine's own table is not asked: it
// differs from one to the next, and a browser that must not guess obeys it.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// URL returns the path of an asset by its plain name, "gatelodge.css", or "" when
// there is none.
func (a *Assets) URL(name string) string { return a.urls[name] }

// ServeHTTP implements http.Handler for everything below /static/.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.byPath[r.URL.Path]
	if !ok {
		http.Error(w, "There is nothing here.", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	body := f.plain
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		if small := f.small(); small != nil {
			h.Set("Content-Encoding", "gzip")
			body = small
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // whoever asked has gone away
	}
}

// acceptsGzip reads Accept-Encoding as far as it matters here: gzip is named
// and not refused.
func acceptsGzip(header string) bool {
	for item := range strings.SplitSeq(header, ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(item), ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, found := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
		if !found {
			return true
		}
		v, err := strconv.ParseFloat(q, 64)
		return err == nil && v > 0
	}
	return false
}
