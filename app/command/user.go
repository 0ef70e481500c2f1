package command

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"text/tabwriter"
	"time"

	"gatelodge/app"
	"gatelodge/app/audit"
	"gatelodge/store"
)

func userVerbs() []*verb {
	return []*verb{
		{
			words: "user add", args: "EMAIL", min: 1, max: 1, place: house, json: true,
			about: "Adds a user and prints a link to sign in with. The link works once, for as long\nas any sign-in link. Nothing is mailed.",
			flags: func(fs *flag.FlagSet) {
				fs.Bool("admin", false, "let this user manage the server")
				fs.String("name", "", "the user's `name`")
			},
			run: userAdd,
		},
		{words: "user list", place: house, json: true, about: "Lists the users.", run: userList},
		{words: "user show", args: "EMAIL", min: 1, max: 1, place: house, json: true, about: "Shows a user and what happened lately. The user may be named by address or id.", run: userShow},
		{
			words: "user link", args: "EMAIL", min: 1, max: 1, place: house, json: true,
			about: "Prints a link to sign in as the user. It works once. Nothing is mailed.\nWho opens it is asked first, since no browser asked for it.", run: userLink,
		},
		{
			words: "user password", args: "EMAIL", min: 1, max: 1, place: house,
			about: "Prints a link with which the user chooses a new password, or with -remove takes\nthe password away. The link works once; it signs nobody in. Nobody but the user\nshould have it.",
			flags: func(fs *flag.FlagSet) { fs.Bool("remove", false, "remove the password instead") },
			run:   userPassword,
		},
		{
			words: "user disable", args: "EMAIL", min: 1, max: 1, place: house,
			about: "Closes the user's access. All their sessions end at once. \"user enable\" undoes it.", run: userDisable,
		},
		{words: "user enable", args: "EMAIL", min: 1, max: 1, place: house, about: "Opens the user's access again.", run: userEnable},
		{
			words: "user remove", args: "EMAIL", min: 1, max: 1, place: house,
			about: "Removes the user for good, with sessions and links. The audit log stays.\nTo keep somebody out for a while use \"user disable\".",
			flags: func(fs *flag.FlagSet) { fs.Bool("yes", false, "really remove") },
			run:   userRemove,
		},
		{words: "user sessions", args: "EMAIL", min: 1, max: 1, place: house, json: true, about: "Lists where the user is signed in.", run: userSessions},
		{
			words: "user sign-out", args: "EMAIL", min: 1, max: 1, place: house,
			about: "Signs the user out everywhere, or of one session only. The browsers are out at\ntheir next request.",
			flags: func(fs *flag.FlagSet) { fs.String("session", "", "the `id` of one session, from \"user sessions\"") },
			run:   userSignOut,
		},
	}
}

// userJSON is a user as scripts read it.
type userJSON struct {
	ID            string     `json:"id"`
	Email         string     `json:"email"`
	EmailVerified bool       `json:"emailVerified"`
	Name          string     `json:"name"`
	Admin         bool       `json:"admin"`
	Disabled      bool       `json:"disabled"`
	CreatedAt     time.Time  `json:"createdAt"`
	Link          string     `json:"link,omitempty"`
	LinkUntil     *time.Time `json:"linkUntil,omitempty"`
}

func describe(u store.User) userJSON {
	return userJSON{
		ID: u.ID, Email: u.Email, EmailVerified: !u.EmailVerifiedAt.IsZero(), Name: u.Name, Admin: u.Admin,
		Disabled: u.Disabled(), CreatedAt: u.CreatedAt,
	}
}

func (c *call) printJSON(v any) error {
	enc := json.NewEncoder(c.Out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (c *call) table(heads string) *tabwriter.Writer {
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, heads)
	return w
}

// stamp is how moments stand in tables.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func status(u store.User) string {
	switch {
	case u.Disabled():
		return "disabled"
	case u.EmailVerifiedAt.IsZero():
		return "not signed in yet"
	}
	return "active"
}

func userAdd(ctx context.Context, c *call) error {
	from := app.Operator()
	u, err := c.app.Users.Add(ctx, from, c.args[0], c.string("name"), c.bool("admin"))
	if err != nil {
		return err
	}
	return c.giveLink(ctx, from, u)
}

func userLink(ctx context.Context, c *call) error {
	u, err := c.app.Users.Find(ctx, c.args[0])
	if err != nil {
		return err
	}
	return c.giveLink(ctx, app.Operator(), u)
}

func userPassword(ctx context.Context, c *call) error {
	u, err := c.app.Users.Find(ctx, c.args[0])
	if err != nil {
		return err
	}
	if c.bool("remove") {
		if err := c.app.Owner.RemovePassword(ctx, app.Operator(), audit.ByAdmin, u.ID, ""); err != nil {
			return err
		}
		fmt.Fprintf(c.Out, "%s has no password now\n", u.Called())
		return nil
	}
	link, _, err := c.app.Owner.ResetLink(ctx, app.Operator(), u)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.Out, link)
	return nil
}

// giveLink prints a link to sign in as u.
func (c *call) giveLink(ctx context.Context, from audit.From, u store.User) error {
	link, until, err := c.app.Login.LinkFor(ctx, from, u)
	if err != nil {
		return err
	}
	if c.bool("json") {
		j := describe(u)
		j.Link, j.LinkUntil = link, &until
		return c.printJSON(j)
	}
	fmt.Fprintln(c.Out, link)
	return nil
}

func userList(ctx context.Context, c *call) error {
	list := []userJSON{}
	w := c.table("EMAIL\tNAME\tADMIN\tSTATUS\tSINCE")
	err := c.app.Users.All(ctx, func(u store.User) error {
		if c.bool("json") {
			list = append(list, describe(u))
			return nil
		}
		_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", u.Email, dash(u.Name), yes(u.Admin), status(u), stamp(u.CreatedAt))
		return err
	})
	if err != nil {
		return err
	}
	if c.bool("json") {
		return c.printJSON(list)
	}
	return w.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func userShow(ctx context.Context, c *call) error {
	u, err := c.app.Users.Find(ctx, c.args[0])
	if err != nil {
		return err
	}
	sessions, err := c.app.Sessions.Of(ctx, u.ID)
	if err != nil {
		return err
	}
	c.app.Audit.Flush()
	var events []store.Event
	err = c.app.DB.View(ctx, func(tx *store.Tx) (err error) {
		events, err = tx.EventsOf(u.ID, 20)
		return err
	})
	if err != nil {
		return err
	}
	if c.bool("json") {
		return c.printJSON(struct {
			userJSON
			Sessions []sessionJSON `json:"sessions"`
			Events   []eventJSON   `json:"events"`
		}{describe(u), describeSessions(sessions), describeEvents(events)})
	}
	w := c.table("email\t" + u.Email)
	fmt.Fprintf(w, "name\t%s\nid\t%s\nadmin\t%s\nstatus\t%s\nsince\t%s\nsigned in\t%d times now\n",
		dash(u.Name), u.ID, yes(u.Admin), status(u), stamp(u.CreatedAt), len(sessions))
	if err := w.Flush(); err != nil {
		return err
	}
	if len(events) > 0 {
		fmt.Fprintln(c.Out, "\nlately:")
		return c.printEvents(events)
	}
	return nil
}

func userDisable(ctx context.Context, c *call) error {
	return c.change(ctx, c.app.Users.Disable, "closed the access of %s and ended their sessions\n")
}

func userEnable(ctx context.Context, c *call) error {
	return c.change(ctx, c.app.Users.Enable, "opened the access of %s\n")
}

func userRemove(ctx context.Context, c *call) error {
	if !c.bool("yes") {
		return c.usageError("this cannot be undone: say -yes, or use \"user disable\"")
	}
	return c.change(ctx, c.app.Users.Remove, "removed %s\n")
}

func (c *call) change(ctx context.Context, f func(context.Context, audit.From, store.User) error, done string) error {
	u, err := c.app.Users.Find(ctx, c.args[0])
	if err != nil {
		return err
	}
	if err := f(ctx, app.Operator(), u); err != nil {
		return err
	}
	fmt.Fprintf(c.Out, done, u.Email)
	return nil
}

type sessionJSON struct {
	ID         string    `json:"id"`
	Device     string    `json:"device"`
	IP         string    `json:"ip"`
	Means      string    `json:"means"`
	SignedInAt time.Time `json:"signedInAt"`
	LastUsedAt time.Time `json:"lastUsedAt"`
	ExpiresAt  time.Time `json:"expiresAt"`
}

func describeSessions(rows []store.Session) []sessionJSON {
	list := make([]sessionJSON, len(rows))
	for i, s := range rows {
		list[i] = sessionJSON{s.ID, s.Device, s.IP, s.AMR, s.AuthAt, s.SeenAt, s.ExpiresAt}
	}
	return list
}

func userSessions(ctx context.Context, c *call) error {
	u, err := c.app.Users.Find(ctx, c.args[0])
	if err != nil {
		return err
	}
	rows, err := c.app.Sessions.Of(ctx, u.ID)
	if err != nil {
		return err
	}
	if c.bool("json") {
		return c.printJSON(describeSessions(rows))
	}
	w := c.table("ID\tDEVICE\tNETWORK\tSIGNED IN\tLAST USED")
	for _, s := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.ID, s.Device, s.IP, stamp(s.AuthAt), stamp(s.SeenAt))
	}
	return w.Flush()
}

func userSignOut(ctx context.Context, c *call) error {
	u, err := c.app.Users.Find(ctx, c.args[0])
	if err != nil {
		return err
	}
	if id := c.string("session"); id != "" {
		if err := c.app.Sessions.End(ctx, app.Operator(), audit.ByAdmin, u.ID, id); err != nil {
			return err
		}
		fmt.Fprintf(c.Out, "signed %s out of that session\n", u.Email)
		return nil
	}
	n, err := c.app.Sessions.EndAll(ctx, app.Operator(), audit.ByAdmin, u.ID, "")
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "signed %s out of %s\n", u.Email, count(n, "session", "sessions"))
	return nil
}

func count(n int, one, other string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, other)
}
