package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"gatelodge/app"
	"gatelodge/app/audit"
	"gatelodge/app/command/line"
	"gatelodge/app/move"
	"gatelodge/store"
)

func moveVerbs() []*line.Verb {
	return []*line.Verb{
		{
			Words: "import authjs", Creates: true, Args: "DSN", Min: 1, Max: 1, Place: line.Server, JSON: true,
			About: "Imports users, linked accounts, passkeys and sessions from the database of an\nAuth.js or NextAuth app: file:PATH or postgres://USER:PASSWORD@HOST/NAME, as the\napp names it. Without -yes it only reports what it would do. Ids and sessions\nare kept, and known users stay as they are, so it can run again. A user\nwhose id another user has here gets a new one, which the report names.",
			Flags: func(fs *flag.FlagSet) {
				fs.Bool("yes", false, "really import")
				fs.String("app", "", "the `name` of the App whose cookies have the sessions (default the only one)")
				fs.Bool("no-sessions", false, "import no sessions: everyone signs in again")
				fs.String("map", "", "tables and columns that have other `names`, as in User=members,Account.provider=site;\nSession=- leaves a table out")
				fs.String("source", "", "a `name` for that database, to recognize it when it is imported again from another\naddress (default its address)")
				fs.String("password-column", "", "the `column` of users with bcrypt or argon2id hashes")
			},
			Run: importAuthJS,
		},
		{
			Words: "export", Args: "[FILE]", Max: 1, Place: line.Server, JSON: true, Paths: []int{0},
			About: "Writes users, accounts and passkeys to FILE, which must not exist yet, or to the\nterminal: as JSON Lines, or as a SQLite database in the shape that Auth.js uses\nwith Prisma. Sessions cannot be exported: only hashes of their tokens are kept.",
			Flags: func(fs *flag.FlagSet) {
				fs.String("format", "jsonl", "jsonl or prisma: the `format`")
				fs.Bool("secrets", false, "with the upstreams' tokens and the password hashes: guard the file")
			},
			Run: export,
		},
	}
}

func importAuthJS(ctx context.Context, c *line.Call) error {
	mapped, err := readMap(c.String("map"))
	if err != nil {
		return c.UsageError(err.Error())
	}
	inApp, err := sessionsApp(c)
	if err != nil {
		return err
	}
	source, err := move.Open(ctx, c.Args[0], move.Reading{Dir: c.Dir, Name: c.String("source"), Map: mapped, PasswordColumn: c.String("password-column")})
	if err != nil {
		return err
	}
	if warning := source.Warning(); warning != "" {
		fmt.Fprintln(c.Err, "gatelodge: "+warning)
	}
	if unknown := source.Unrecognized(); len(unknown) > 0 && c.Bool("yes") {
		return errors.Join(&unrecognized{unknown[0]}, source.Close())
	}
	if err := mindSessions(ctx, c, source, inApp); err != nil {
		return errors.Join(err, source.Close())
	}
	line := newProgress(c.Err)
	show := func(done, total int) { line.show("users", done, total) }
	s := c.App.Config.Session
	m := &move.Importer{
		DB: c.App.DB, Audit: c.App.Audit, Now: c.App.Now, App: inApp,
		Rolling: min(time.Duration(s.Lifetime), time.Duration(s.MaxLifetime)), Max: time.Duration(s.MaxLifetime),
	}
	var r *move.Report
	if c.Bool("yes") {
		r, err = m.Import(ctx, app.Operator(), source, show)
		err = errors.Join(err, c.App.ExpectForms(ctx))
	} else {
		r, err = m.Plan(ctx, source, show)
	}
	line.end()
	if err := errors.Join(err, source.Close()); err != nil {
		return stopped(r, err)
	}
	if c.Bool("json") {
		return c.PrintJSON(r)
	}
	return printReport(c, r)
}

// sessionsApp returns the App whose cookies hold the sessions of the database,
// or "".
func sessionsApp(c *line.Call) (string, error) {
	all, name := c.App.Apps.Snapshot(), c.String("app")
	switch {
	case c.Bool("no-sessions"):
		return "", nil
	case name != "" && all.Find(name) == nil:
		return "", &noSuchApp{name}
	case name != "":
		return all.Find(name).ID, nil
	case len(all.All()) == 1:
		return all.All()[0].ID, nil
	}
	return "", nil
}

// mindSessions stops an import that would sign everybody out by oversight:
// sessions come with their user or never.
func mindSessions(ctx context.Context, c *line.Call, source *move.Source, inApp string) error {
	if !c.Bool("yes") || c.Bool("no-sessions") || inApp != "" {
		return nil
	}
	n, err := source.Sessions(ctx)
	if err == nil && n > 0 {
		return &sessionsLost{n}
	}
	return err
}

type noSuchApp struct{ name string }

func (e *noSuchApp) Error() string { return fmt.Sprintf("there is no App %q", e.name) }

// Hint says where Apps are.
func (e *noSuchApp) Hint() string {
	return "add it to the configuration as an [[app]] with that name"
}

type sessionsLost struct{ n int }

func (e *sessionsLost) Error() string {
	return line.Count(e.n, "session", "sessions") + " would be skipped, because their app is not named: nothing was imported"
}

// Hint says how to take them along, or not.
func (e *sessionsLost) Hint() string {
	return "add the app to the configuration as an [[app]] and name it with -app, or add -no-sessions: then everyone signs in again"
}

// unrecognized stops an import that would leave out a whole table by oversight:
// linked accounts come with their user or never.
type unrecognized struct{ move.Unrecognized }

func (e *unrecognized) Error() string { return unread(e.Unrecognized) + ": nothing was imported" }

// Hint says how to map the table.
func (e *unrecognized) Hint() string { return howToMap(e.Unrecognized) }

func unread(u move.Unrecognized) string {
	return fmt.Sprintf("the table %s is called like Auth.js's %s and has no column like %s", u.Table, u.Model, strings.Join(u.Lacks, ", "))
}

func howToMap(u move.Unrecognized) string {
	pairs := make([]string, len(u.Lacks))
	for i, column := range u.Lacks {
		pairs[i] = u.Model + "." + column + "=COLUMN"
	}
	return fmt.Sprintf("name its columns with -map %s=%s,%s (it has %s), or leave it out with -map %s=-",
		u.Model, u.Table, strings.Join(pairs, ","), strings.Join(u.Columns, ", "), u.Model)
}

// readMap reads "User=members,Account.provider=site".
func readMap(text string) (map[string]string, error) {
	mapped := make(map[string]string)
	for pair := range strings.SplitSeq(text, ",") {
		if pair == "" {
			continue
		}
		model, table, ok := strings.Cut(pair, "=")
		if !ok || model == "" || table == "" {
			return nil, fmt.Errorf("-map takes pairs such as User=members, not %q", pair)
		}
		mapped[strings.TrimSpace(model)] = strings.TrimSpace(table)
	}
	return mapped, nil
}

// stopped says how far an import came before an error.
func stopped(r *move.Report, err error) error {
	if r == nil || r.DryRun || r.Users.Taken == 0 {
		return err
	}
	return &importStopped{r.Users.Taken, err}
}

type importStopped struct {
	users int
	cause error
}

func (e *importStopped) Error() string {
	return fmt.Sprintf("the import stopped after %s: %v", line.Count(e.users, "user", "users"), e.cause)
}
func (e *importStopped) Unwrap() error { return e.cause }

// Hint says how to go on.
func (e *importStopped) Hint() string {
	return "those who came are here and whole; run it again, and it goes on with the others"
}

// printReport says what an import did or would do.
func printReport(c *line.Call, r *move.Report) error {
	taken := "IMPORTED"
	if r.DryRun {
		taken = "TO IMPORT"
	}
	fmt.Fprintf(c.Out, "%s: %s\n\n", r.Shape, strings.Join(r.Tables, ", "))
	w := c.Table("\tFOUND\t" + taken)
	for _, row := range []struct {
		what string
		n    move.Counted
	}{{"users", r.Users}, {"accounts", r.Accounts}, {"passkeys", r.Passkeys}, {"passwords", r.Passwords}, {"sessions", r.Sessions}} {
		fmt.Fprintf(w, "%s\t%d\t%d\n", row.what, row.n.Read, row.n.Taken)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.Here > 0 {
		fmt.Fprintf(c.Out, "\n%s known here and left unchanged\n", line.Count(r.Here, "user is", "users are"))
	}
	if len(r.Mapped) > 0 {
		fmt.Fprintf(c.Out, "\n%s an id that another user has here, and a new one:\n", line.Count(len(r.Mapped), "user has", "users have"))
		for _, m := range r.Mapped {
			fmt.Fprintf(c.Out, "  %s -> %s %s\n", m.ID, m.NewID, m.Email)
		}
	}
	for _, u := range r.Unknown {
		fmt.Fprintf(c.Out, "\n%s\n  -> %s\n", unread(u), howToMap(u))
	}
	printReasons(c, "left out", r.LeftOut)
	printReasons(c, "coming with less", r.Less)
	if len(r.Ignored) > 0 {
		fmt.Fprintf(c.Out, "\ncolumns without a counterpart: %s\n", strings.Join(r.Ignored, ", "))
	}
	if len(r.Providers) > 0 {
		fmt.Fprintln(c.Out, "\nan [[upstream]] with the same id takes over the accounts of:")
		for _, id := range slices.Sorted(maps.Keys(r.Providers)) {
			fmt.Fprintf(c.Out, "  %s (%d)\n", id, r.Providers[id])
		}
	}
	if r.DryRun {
		fmt.Fprintln(c.Out, "\nnothing was changed: stop the app, and add -yes to import")
	} else {
		fmt.Fprintln(c.Out, "\nthe import was read back and is complete")
	}
	return nil
}

func printReasons(c *line.Call, head string, list []move.Reason) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(c.Out, "\n%s:\n", head)
	for _, r := range list {
		fmt.Fprintf(c.Out, "  %s: %s\n", line.Count(r.Count, r.Kind, r.Kind+"s"), r.Why)
		if len(r.Examples) > 0 {
			more := ""
			if r.Count > len(r.Examples) {
				more = " …"
			}
			fmt.Fprintf(c.Out, "    user %s%s\n", strings.Join(r.Examples, ", "), more)
		}
	}
}

func export(ctx context.Context, c *line.Call) error {
	e := &move.Exporter{DB: c.App.DB, Secrets: c.Bool("secrets")}
	file := ""
	if len(c.Args) > 0 {
		file = c.Args[0]
	}
	var h move.Handed
	var err error
	switch format := c.String("format"); {
	case format != "jsonl" && format != "prisma":
		return c.UsageError(fmt.Sprintf("there is no format %q: it is jsonl or prisma", format))
	case format == "prisma" && file == "":
		return c.UsageError("-format prisma needs a FILE to write")
	case format == "prisma":
		h, err = e.Prisma(ctx, file)
	case file == "":
		h, err = e.Lines(ctx, c.Out, c.App.Now())
	default:
		h, err = linesTo(ctx, e, file, c.App.Now())
	}
	if errors.Is(err, fs.ErrExist) {
		return &fileThere{file}
	}
	if err != nil {
		return err
	}
	if err := recordExport(ctx, c, h, e.Secrets); err != nil {
		return err
	}
	return printHanded(c, h, file)
}

// linesTo writes the lines to a new file, readable by its owner alone, that is
// not there after an error.
func linesTo(ctx context.Context, e *move.Exporter, path string, now time.Time) (move.Handed, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return move.Handed{}, err
	}
	h, err := e.Lines(ctx, f, now)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		err = errors.Join(err, os.Remove(path))
	}
	return h, err
}

// recordExport leaves a line in the audit log: who has the file has the people.
func recordExport(ctx context.Context, c *line.Call, h move.Handed, secrets bool) error {
	detail := fmt.Sprintf("%d users, %d accounts, %d passkeys, without secrets", h.Users, h.Accounts, h.Passkeys)
	if secrets {
		detail = fmt.Sprintf("%d users, %d accounts with tokens, %d passkeys, %d password hashes", h.Users, h.Accounts, h.Passkeys, h.Passwords)
	}
	return c.App.DB.Update(ctx, func(tx *store.Tx) error {
		return c.App.Audit.Record(tx, app.Operator(), audit.Exported, audit.ByAdmin, "", detail)
	})
}

// printHanded says what was written: on the terminal's other half when the
// lines themselves went to the output.
func printHanded(c *line.Call, h move.Handed, file string) error {
	w := c.Out
	if file == "" {
		w = c.Err
	} else if c.Bool("json") {
		return c.PrintJSON(h)
	} else {
		fmt.Fprintf(w, "wrote %s: ", file)
	}
	fmt.Fprintf(w, "%s, %s, %s", line.Count(h.Users, "user", "users"), line.Count(h.Accounts, "account", "accounts"), line.Count(h.Passkeys, "passkey", "passkeys"))
	if c.Bool("secrets") {
		fmt.Fprintf(w, ", %s\nit contains provider tokens and password hashes: protect it, and delete it after use\n", line.Count(h.Passwords, "password hash", "password hashes"))
	} else {
		fmt.Fprintln(w, "\nwithout provider tokens and password hashes: -secrets adds them")
	}
	fmt.Fprintln(w, "sessions are "+move.NoSessions)
	return nil
}

type fileThere struct{ path string }

func (e *fileThere) Error() string { return e.path + " exists already" }

// Hint says what to do.
func (e *fileThere) Hint() string { return "choose another name, or move it away" }
