package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gatelodge/store"
)

func copyVerbs() []*verb {
	return []*verb{{
		words: "copy", args: "FROM TO", min: 2, max: 2, place: alone, json: true,
		about: "Copies everything from one database to an empty one, from SQLite to PostgreSQL or\nback: file:gatelodge-data/gatelodge.db postgres://gatelodge@db.example.com/gatelodge.\nIt compares what arrived and leaves all of it or nothing. Stop the server first, and\nafterwards set database in the configuration. Ids, sessions and secret.key stay.",
		run:   copyDatabase,
	}}
}

func copyDatabase(ctx context.Context, c *call) error {
	for i, name := range c.args {
		if path, ok := strings.CutPrefix(name, "file:"); ok && !filepath.IsAbs(path) {
			c.args[i] = "file:" + filepath.Join(c.Dir, path)
		}
	}
	line := newProgress(c.Err)
	done, err := store.Copy(ctx, c.args[0], c.args[1], line.show)
	line.end()
	if err != nil {
		return err
	}
	if c.bool("json") {
		return c.printJSON(struct {
			Tables int `json:"tables"`
			Rows   int `json:"rows"`
			Users  int `json:"users"`
		}{done.Tables, done.Rows, done.Users})
	}
	fmt.Fprintf(c.Out, "copied %s, %s in %d tables; counts and digests agree\n", count(done.Users, "user", "users"), count(done.Rows, "row", "rows"), done.Tables)
	fmt.Fprintln(c.Out, "keep using the same secret.key: it opens the copy too")
	return nil
}

// progress is a line on a terminal that says how far long work is. Elsewhere it
// says nothing.
type progress struct {
	w     io.Writer
	drawn bool
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	if !ok {
		return &progress{}
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return &progress{}
	}
	return &progress{w: w}
}

func (p *progress) show(what string, done, total int) {
	if p.w == nil {
		return
	}
	p.drawn = true
	fmt.Fprintf(p.w, "\r\x1b[K%s: %d of %d", what, done, total)
}

func (p *progress) end() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
