// Package guide holds the pages of the guide, in Markdown, so that a running server
// shows admins the guide of its own version. Package web renders them.
package guide

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

//go:embed *.md
var pages embed.FS

// Index is the name of the page that lists the others.
const Index = "index"

// ErrUnknown means that the guide has no page with that name.
var ErrUnknown = errors.New("the guide has no such page")

// Page returns the Markdown of the page with a name, such as "mail" for mail.md.
func Page(name string) ([]byte, error) {
	text, err := pages.ReadFile(path.Base(name) + ".md")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("reading the page %s of the guide: %w", name, err)
	}
	return text, nil
}
