package command

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatelodge/app"
	"gatelodge/app/command/line"
	"gatelodge/store"
)

func keyVerbs() []*line.Verb {
	return []*line.Verb{
		{
			Words: "key list", Place: line.Server, JSON: true,
			About: "Lists the sealing keys of secret.key: which one seals, and how many values of the\ndatabase each still opens.", Run: keyList,
		},
		{
			Words: "key rotate", Place: line.Server,
			About: "Creates a new key in secret.key and seals all secrets again with it, in small parts\nwhile the server runs. Sessions and codes stay valid. The older keys stay in the file\nuntil -drop, because earlier backups need them.",
			Flags: func(fs *flag.FlagSet) {
				fs.Bool("drop", false, "make no key; remove the older keys with which nothing is sealed any more")
			},
			Run: keyRotate,
		},
	}
}

type keyJSON struct {
	ID     string         `json:"id"`
	Seals  bool           `json:"seals"`
	InFile bool           `json:"inFile"`
	Total  int            `json:"total"`
	Values map[string]int `json:"values"` // by "table.column"
}

func keyList(ctx context.Context, c *line.Call) error {
	keys, err := c.App.DB.Keys(ctx)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		list := make([]keyJSON, len(keys))
		for i, k := range keys {
			list[i] = keyJSON{k.ID, k.Seals, k.InFile, k.Total(), k.Values}
		}
		return c.PrintJSON(list)
	}
	w := c.Table("KEY\tUSE\tVALUES\tWHERE")
	for _, k := range keys {
		places := make([]string, 0, len(k.Values))
		for _, place := range slices.Sorted(maps.Keys(k.Values)) {
			places = append(places, fmt.Sprintf("%s %d", place, k.Values[place]))
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", k.ID, useOf(k), k.Total(), line.Dash(strings.Join(places, ", ")))
	}
	return w.Flush()
}

func useOf(k store.Key) string {
	switch {
	case k.Seals:
		return "seals"
	case !k.InFile:
		return "missing from secret.key"
	case k.Total() == 0:
		return "may be dropped"
	}
	return "opens"
}

const progressEvery = time.Second

func keyRotate(ctx context.Context, c *line.Call) error {
	if c.Bool("drop") {
		return keyDrop(ctx, c)
	}
	id, err := c.App.Keys.Rotate(ctx, app.Operator())
	if err != nil {
		return err
	}
	file := filepath.Join(c.App.DB.Dir(), "secret.key")
	if c.App.DB.Shared() {
		fmt.Fprintf(c.Out, "wrote the key %s into %s\ncopy that file to every other server of this database now, and then restart them all, one after another\n", id, file)
		return nil
	}
	fmt.Fprintf(c.Out, "the key %s seals from now on\n", id)
	shown := time.Now()
	done, err := c.App.Keys.Reseal(ctx, func(r store.Resealed) {
		if time.Since(shown) >= progressEvery {
			shown = time.Now()
			fmt.Fprintf(c.Err, "%s sealed again ...\n", line.Count(r.Done, "value", "values"))
		}
	})
	if err != nil {
		return &halfRotated{err}
	}
	if done.Lost > 0 {
		return &lostValues{done.Lost}
	}
	fmt.Fprintf(c.Out, "everything is sealed with it\nkeep a copy of %s now, in another place\n", file)
	fmt.Fprintln(c.Out, "the older key stays in it for the backups made so far; \"gatelodge key rotate -drop\" removes it")
	return nil
}

// halfRotated means that the new key seals, and older values are still to move.
type halfRotated struct{ cause error }

func (e *halfRotated) Error() string {
	return "some secrets still need the old key: " + e.cause.Error()
}
func (e *halfRotated) Unwrap() error { return e.cause }

// Hint says what becomes of the rest.
func (*halfRotated) Hint() string {
	return "nothing is lost: the older key opens the rest, and the server goes on with it by itself"
}

type lostValues struct{ n int }

func (e *lostValues) Error() string {
	return line.Count(e.n, "value opens", "values open") + " with no key of secret.key and stay as they are"
}

// Hint says where a key may be.
func (*lostValues) Hint() string {
	return "\"gatelodge key list\" shows which keys are missing; put their lines back below the first one, from your copy of secret.key"
}

func keyDrop(ctx context.Context, c *line.Call) error {
	ids, err := c.App.Keys.Drop(ctx, app.Operator())
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		fmt.Fprintln(c.Out, "nothing to drop: every key of the file opens something")
		return nil
	}
	fmt.Fprintf(c.Out, "dropped %s\n", strings.Join(ids, ", "))
	fmt.Fprintln(c.Out, "backups that were made before the rotation need a copy of the secret.key of that time")
	return nil
}
