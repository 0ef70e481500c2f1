package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gatelodge/app/command/line"
	"gatelodge/store"
)

func copyVerbs() []*line.Verb {
	return []*line.Verb{{
		Words: "copy", Args: "FROM TO", Min: 2, Max: 2, Place: line.Alone, JSON: true,
		About: "Copies everything from one database to an empty one, from SQLite to PostgreSQL or\nback: file:gatelodge-data/gatelodge.db postgres://gatelodge@db.example.com/gatelodge.\nIt compares what arrived and leaves all of it or nothing. Stop the server first, and\nafterwards set database in the configuration. Ids, sessions and secret.key stay.",
		Run:   copyDatabase,
	}}
}

func copyDatabase(ctx context.Context, c *line.Call) error {
	for i, name := range c.Args {
		if path, ok := strings.CutPrefix(name, "file:"); ok && !filepath.IsAbs(path) {
			c.Args[i] = "file:" + filepath.Join(c.Dir, path)
		}
	}
	for _, name := range c.Args {
		if !store.IsPostgres(name) {
			continue
		}
		if n, err := store.ParsePostgres(name); err == nil && n.Warning() != "" { // Copy reports an error
			fmt.Fprintln(c.Err, "gatelodge: "+n.Warning())
		}
	}
	for _, name := range c.Args {
		if !store.IsPostgres(name) && !strings.HasPrefix(name, "file:") {
			return c.UsageError(fmt.Sprintf("%q is no database: name it as file:PATH or postgres://USER@HOST/NAME", name))
		}
	}
	bar := newProgress(c.Err)
	done, err := store.Copy(ctx, c.Args[0], c.Args[1], bar.show)
	bar.end()
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.PrintJSON(struct {
			Tables int `json:"tables"`
			Rows   int `json:"rows"`
			Users  int `json:"users"`
		}{done.Tables, done.Rows, done.Users})
	}
	fmt.Fprintf(c.Out, "copied %s, %s in %d tables; counts and digests agree\n", line.Count(done.Users, "user", "users"), line.Count(done.Rows, "row", "rows"), done.Tables)
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
	w = line.Raw(w)
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
