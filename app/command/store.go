package command

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"gatelodge/app"
	"gatelodge/app/audit"
	"gatelodge/store"
)

func storeVerbs() []*verb {
	return []*verb{
		{
			words: "backup", args: "[FILE]", max: 1, place: house, paths: []int{0}, json: true,
			about: "Writes a copy of the database to FILE while everything goes on. It never\noverwrites. Without FILE the copy goes where the scheduled ones go, and like these\nis removed when there are newer ones (backup.keep). The key, secret.key in the data directory, is not in it: keep a copy\nof that in another place.", run: backup,
		},
		{
			words: "restore", args: "FILE", min: 1, max: 1, place: alone, paths: []int{0}, json: true,
			about: "Puts a backup into a data directory that has no database. The server must not be\nrunning, and the secret.key that belongs to the backup must lie in the directory.", run: restore,
		},
		{
			words: "why", args: "REF", min: 1, max: 1, place: house, json: true,
			about: "Explains a Reference, such as GL-7F3K-92QD, that somebody saw on a page: what\nhappened, from where, and what the log knows.", run: why,
		},
	}
}

func backup(ctx context.Context, c *call) error {
	path, err := c.backUp(ctx)
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
	if c.bool("json") {
		return c.printJSON(contentsOf(path, held, info.Size()))
	}
	fmt.Fprintf(c.Out, "wrote %s: %s, %s, %d bytes\n", path, count(held.Users, "user", "users"), count(held.Sessions, "session", "sessions"), info.Size())
	fmt.Fprintf(c.Out, "keep %s too, in another place: without it the backup cannot be read\n", filepath.Join(c.app.DB.Dir(), "secret.key"))
	return nil
}

// backUp writes a backup where the call says and returns its path.
func (c *call) backUp(ctx context.Context) (string, error) {
	if len(c.args) > 0 {
		return c.args[0], c.app.DB.Backup(ctx, c.args[0])
	}
	made, err := c.app.Backups.Make(ctx, app.Operator(), audit.ByAdmin)
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

func restore(ctx context.Context, c *call) error {
	loaded, err := c.load()
	if err != nil {
		return err
	}
	held, err := store.Restore(ctx, store.Options{Dir: loaded.DataDir, Database: loaded.Database.Reveal()}, c.args[0])
	if err != nil {
		return err
	}
	if c.bool("json") {
		return c.printJSON(contentsOf(c.args[0], held, 0))
	}
	fmt.Fprintf(c.Out, "restored %s and %s", count(held.Users, "user", "users"), count(held.Sessions, "session", "sessions"))
	if !held.ChangedAt.IsZero() {
		fmt.Fprintf(c.Out, ", as of %s", stamp(held.ChangedAt))
	}
	fmt.Fprintf(c.Out, ", into %s\n", loaded.DataDir)
	return nil
}

var referenceForm = regexp.MustCompile(`^GL-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$`)

type eventJSON struct {
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`
	What      string    `json:"what"`
	UserID    string    `json:"userId,omitempty"`
	Actor     string    `json:"actor"`
	IP        string    `json:"ip"`
	Device    string    `json:"device"`
	Reference string    `json:"reference"`
	Detail    string    `json:"detail,omitempty"`
	Route     string    `json:"route,omitempty"`
	Status    int       `json:"status,omitempty"`
	Cause     string    `json:"cause,omitempty"`
}

func describeEvents(events []store.Event) []eventJSON {
	list := make([]eventJSON, len(events))
	for i, e := range events {
		list[i] = eventJSON{
			At: e.At, Kind: e.Kind, What: what(e.Kind, e.Detail), UserID: e.UserID, Actor: e.Actor, IP: e.IP, Device: e.Device,
			Reference: e.Reference, Detail: e.Detail,
		}
	}
	return list
}

// sentences say each kind of event.
var sentences = map[string]string{
	audit.SetUp:          "The server was set up and the first admin made.",
	audit.SetUpRefused:   "Somebody tried to set the server up with a wrong code.",
	audit.LinkAsked:      "Somebody asked for a sign-in mail.",
	audit.LinkLimited:    "A sign-in mail was refused because too many were asked for.",
	audit.SignedIn:       "Signed in.",
	audit.SignInRefused:  "A sign-in was refused.",
	audit.LinkVoided:     "A sign-in link was voided by somebody who had not asked for it.",
	audit.SignedOut:      "Signed out.",
	audit.SessionEnded:   "A device was signed out.",
	audit.SessionsEnded:  "Devices were signed out.",
	audit.AppEntered:     "Signed in to an app.",
	audit.UserChanged:    "The user changed their profile.",
	audit.UserAdded:      "The user was added.",
	audit.UserLinked:     "An operator made a sign-in link for the user.",
	audit.UserDisabled:   "The user's access was closed.",
	audit.UserEnabled:    "The user's access was opened again.",
	audit.UserRemoved:    "The user was removed.",
	audit.UserImported:   "The user was taken over from another system.",
	audit.Imported:       "People were taken over from another system.",
	audit.Exported:       "An operator exported the people.",
	audit.KeyRotated:     "A new sealing key was made.",
	audit.KeyDropped:     "Sealing keys with which nothing was sealed were removed.",
	audit.BackupMade:     "A backup was made.",
	audit.BackupFailed:   "A backup failed.",
	audit.RequestRefused: "A request was refused.",
	audit.RequestFailed:  "A request failed on this server's side.",
}

func what(kind, detail string) string {
	text := sentences[kind]
	if text == "" {
		text = kind
	}
	if said := refusalText(detail); said != "" {
		text += " " + said
	}
	return text
}

func (c *call) printEvents(events []store.Event) error {
	for _, e := range describeEvents(events) {
		if _, err := fmt.Fprintf(c.Out, "%s  %s\n                      %s, %s, %s\n", stamp(e.At), e.What, e.IP, e.Device, e.Reference); err != nil {
			return err
		}
	}
	return nil
}

func why(ctx context.Context, c *call) error {
	ref := strings.ToUpper(strings.TrimSpace(c.args[0]))
	if !referenceForm.MatchString(ref) {
		return c.usageError("a Reference looks like GL-7F3K-92QD")
	}
	c.app.Audit.Flush()
	var events []store.Event
	err := c.app.DB.View(ctx, func(tx *store.Tx) (err error) {
		events, err = tx.EventsByReference(ref)
		return err
	})
	if err != nil {
		return err
	}
	list := describeEvents(events)
	for i := range list {
		if list[i].UserID != "" {
			if u, err := c.app.Users.Find(ctx, list[i].UserID); err == nil {
				list[i].What += " User: " + u.Email + "."
			}
		}
	}
	for _, r := range c.app.Recent.Find(ref) {
		list = append(list, eventJSON{
			At: r.At, Kind: audit.RequestRefused, What: refusalText(r.What), Actor: audit.ByVisitor, IP: r.From.IP, Device: r.From.Device,
			Reference: ref, Detail: r.What, Route: r.Route, Status: r.Status, Cause: r.Cause,
		})
	}
	if len(list) == 0 {
		return &unknownReference{ref}
	}
	if c.bool("json") {
		return c.printJSON(list)
	}
	for _, e := range list {
		fmt.Fprintf(c.Out, "%s  %s\n  from %s, %s\n", stamp(e.At), e.What, e.IP, e.Device)
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
