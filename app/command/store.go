package command

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gatelodge/app"
	"gatelodge/app/audit"
	"gatelodge/app/command/line"
	"gatelodge/store"
)

func storeVerbs() []*line.Verb {
	return []*line.Verb{
		{
			Words: "backup", Args: "[FILE]", Max: 1, Place: line.Server, Paths: []int{0}, JSON: true,
			About: "Backs up the database to FILE while the server runs. It never overwrites a file.\nWithout FILE the backup goes to the scheduled ones, and is removed like them when\nthere are newer ones (backup.keep). The key, secret.key in the data directory, is not\nincluded: keep a copy of it in another place.", Run: backup,
		},
		{
			Words: "restore", Args: "FILE", Min: 1, Max: 1, Place: line.Alone, Paths: []int{0}, JSON: true,
			About: "Restores a backup into a data directory without a database. The server must not run,\nand the directory must contain the secret.key of the backup.", Run: restore,
		},
		{
			Words: "why", Args: "REF", Min: 1, Max: 1, Place: line.Server, JSON: true,
			About: "Explains the Reference of an error page, such as GL-7F3K-92QD: what happened, from\nwhere, and why.", Run: why,
		},
	}
}

func backup(ctx context.Context, c *line.Call) error {
	path, err := backUp(ctx, c)
	if err != nil {
		return err
	}
	held, err := store.Inspect(ctx, path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.PrintJSON(contentsOf(path, held, info.Size()))
	}
	fmt.Fprintf(c.Out, "wrote %s: %s, %s, %d bytes\n", path, line.Count(held.Users, "user", "users"), line.Count(held.Sessions, "session", "sessions"), info.Size())
	fmt.Fprintf(c.Out, "keep %s too, in another place: without it the backup cannot be read\n", filepath.Join(c.App.DB.Dir(), "secret.key"))
	return nil
}

// backUp writes a backup where the call says and returns its path.
func backUp(ctx context.Context, c *line.Call) (string, error) {
	if len(c.Args) > 0 {
		return c.Args[0], c.App.DB.Backup(ctx, c.Args[0])
	}
	made, err := c.App.Backups.Make(ctx, app.Operator(), audit.ByAdmin)
	return made.Path, err
}

type contentsJSON struct {
	File     string `json:"file"`
	Schema   int    `json:"schema"`
	Users    int    `json:"users"`
	Sessions int    `json:"sessions"`
	Bytes    int64  `json:"bytes,omitempty"`
}

func contentsOf(file string, held store.Contents, size int64) contentsJSON {
	return contentsJSON{file, held.Schema, held.Users, held.Sessions, size}
}

func restore(ctx context.Context, c *line.Call) error {
	loaded, err := c.Load()
	if err != nil {
		return err
	}
	held, err := store.Restore(ctx, store.Options{Dir: loaded.DataDir, Database: loaded.Database.Reveal()}, c.Args[0])
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.PrintJSON(contentsOf(c.Args[0], held, 0))
	}
	fmt.Fprintf(c.Out, "restored %s and %s", line.Count(held.Users, "user", "users"), line.Count(held.Sessions, "session", "sessions"))
	if !held.ChangedAt.IsZero() {
		fmt.Fprintf(c.Out, ", as of %s", line.Stamp(held.ChangedAt))
	}
	fmt.Fprintf(c.Out, ", into %s\n", loaded.DataDir)
	return nil
}

var referenceForm = regexp.MustCompile(`^GL-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$`)

func why(ctx context.Context, c *line.Call) error {
	ref := strings.ToUpper(strings.TrimSpace(c.Args[0]))
	if !referenceForm.MatchString(ref) {
		return c.UsageError("a Reference looks like GL-7F3K-92QD")
	}
	c.App.Audit.Flush()
	var events []store.Event
	err := c.App.DB.View(ctx, func(tx *store.Tx) (err error) {
		events, err = tx.EventsByReference(ref)
		return err
	})
	if err != nil {
		return err
	}
	list := c.DescribeEvents(events)
	for i := range list {
		if list[i].UserID != "" {
			if u, err := c.App.Users.ByID(ctx, list[i].UserID); err == nil {
				list[i].What += " User: " + u.Called() + "."
			}
		}
	}
	for _, r := range c.App.Recent.Find(ref) {
		list = append(list, line.EventJSON{
			At: r.At, Kind: audit.RequestRefused, What: line.RefusalText(r.What, c.About()...), Actor: audit.ByVisitor, IP: r.From.IP, Device: r.From.Device,
			Reference: ref, Detail: r.What, Route: r.Route, Status: r.Status, Cause: r.Cause,
		})
	}
	if len(list) == 0 {
		return &unknownReference{ref}
	}
	if c.Bool("json") {
		return c.PrintJSON(list)
	}
	for _, e := range list {
		fmt.Fprintf(c.Out, "%s  %s\n  from %s, %s\n", line.Stamp(e.At), e.What, e.IP, e.Device)
		if e.Route != "" {
			fmt.Fprintf(c.Out, "  at %s, answered %d (%s)\n", e.Route, e.Status, e.Detail)
		}
		if e.Cause != "" {
			fmt.Fprintf(c.Out, "  because %s\n", e.Cause)
		}
	}
	return nil
}

type unknownReference struct{ ref string }

func (e *unknownReference) Error() string { return "nothing is known under " + e.ref }

// Hint says where it may be.
func (e *unknownReference) Hint() string {
	return "what was refused before the last restart is only in the log: look for ref=" + e.ref
}
