// Package people is the verbs about people: users, groups, invites, and who waits
// to be let in.
package people

import (
	"context"
	"flag"
	"fmt"
	"time"

	"gatelodge/app"
	"gatelodge/app/audit"
	"gatelodge/app/command/line"
	"gatelodge/store"
)

// Verbs are those about people.
func Verbs() []*line.Verb {
	return []*line.Verb{
		{
			Words: "user add", Creates: true, Args: "EMAIL", Min: 1, Max: 1, Place: line.House, JSON: true,
			About: "Adds a user and prints a link to sign in with. The link works once, for as long\nas any sign-in link. Nothing is mailed.",
			Flags: func(fs *flag.FlagSet) {
				fs.Bool("admin", false, "let this user manage the server")
				fs.String("name", "", "the user's `name`")
			},
			Run: userAdd,
		},
		{Words: "user list", Place: line.House, JSON: true, About: "Lists the users.", Run: userList},
		{Words: "user show", Args: "EMAIL", Min: 1, Max: 1, Place: line.House, JSON: true, About: "Shows a user and what happened lately. The user may be named by address or id.", Run: userShow},
		{
			Words: "user link", Args: "EMAIL", Min: 1, Max: 1, Place: line.House, JSON: true,
			About: "Prints a link to sign in as the user. It works once. Nothing is mailed.\nWho opens it is asked first, since no browser asked for it.", Run: userLink,
		},
		{
			Words: "user password", Args: "EMAIL", Min: 1, Max: 1, Place: line.House,
			About: "Prints a link with which the user chooses a new password, or with -remove takes\nthe password away. The link works once; it signs nobody in. Nobody but the user\nshould have it.",
			Flags: func(fs *flag.FlagSet) { fs.Bool("remove", false, "remove the password instead") },
			Run:   userPassword,
		},
		{
			Words: "user disable", Args: "EMAIL", Min: 1, Max: 1, Place: line.House,
			About: "Closes the user's access. All their sessions end at once. \"user enable\" undoes it.", Run: userDisable,
		},
		{Words: "user enable", Args: "EMAIL", Min: 1, Max: 1, Place: line.House, About: "Opens the user's access again.", Run: userEnable},
		{
			Words: "user remove", Args: "EMAIL", Min: 1, Max: 1, Place: line.House,
			About: "Removes the user for good, with sessions and links. The audit log stays.\nTo keep somebody out for a while use \"user disable\".",
			Flags: func(fs *flag.FlagSet) { fs.Bool("yes", false, "really remove") },
			Run:   userRemove,
		},
		{Words: "user sessions", Args: "EMAIL", Min: 1, Max: 1, Place: line.House, JSON: true, About: "Lists where the user is signed in.", Run: userSessions},
		{
			Words: "user sign-out", Args: "EMAIL", Min: 1, Max: 1, Place: line.House,
			About: "Signs the user out everywhere, or of one session only. The browsers are out at\ntheir next request.",
			Flags: func(fs *flag.FlagSet) { fs.String("session", "", "the `id` of one session, from \"user sessions\"") },
			Run:   userSignOut,
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

func status(u store.User) string {
	switch {
	case u.Disabled():
		return "disabled"
	case u.EmailVerifiedAt.IsZero():
		return "not signed in yet"
	}
	return "active"
}

func userAdd(ctx context.Context, c *line.Call) error {
	from := app.Operator()
	u, err := c.App.Users.Add(ctx, from, c.Args[0], c.String("name"), c.Bool("admin"))
	if err != nil {
		return err
	}
	return giveLink(ctx, c, from, u)
}

func userLink(ctx context.Context, c *line.Call) error {
	u, err := c.App.Users.Find(ctx, c.Args[0])
	if err != nil {
		return err
	}
	return giveLink(ctx, c, app.Operator(), u)
}

func userPassword(ctx context.Context, c *line.Call) error {
	u, err := c.App.Users.Find(ctx, c.Args[0])
	if err != nil {
		return err
	}
	if c.Bool("remove") {
		if err := c.App.Owner.RemovePassword(ctx, app.Operator(), audit.ByAdmin, u.ID, ""); err != nil {
			return err
		}
		fmt.Fprintf(c.Out, "%s has no password now\n", u.Called())
		return nil
	}
	link, _, err := c.App.Owner.ResetLink(ctx, app.Operator(), u)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.Out, link)
	return nil
}

// giveLink prints a link to sign in as u.
func giveLink(ctx context.Context, c *line.Call, from audit.From, u store.User) error {
	link, until, err := c.App.Login.LinkFor(ctx, from, u)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		j := describe(u)
		j.Link, j.LinkUntil = link, &until
		return c.PrintJSON(j)
	}
	fmt.Fprintln(c.Out, link)
	return nil
}

func userList(ctx context.Context, c *line.Call) error {
	list := []userJSON{}
	w := c.Table("EMAIL\tNAME\tADMIN\tSTATUS\tSINCE")
	err := c.App.Users.All(ctx, func(u store.User) error {
		if c.Bool("json") {
			list = append(list, describe(u))
			return nil
		}
		_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", u.Email, line.Dash(u.Name), line.Yes(u.Admin), status(u), line.Stamp(u.CreatedAt))
		return err
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.PrintJSON(list)
	}
	return w.Flush()
}

func userShow(ctx context.Context, c *line.Call) error {
	u, err := c.App.Users.Find(ctx, c.Args[0])
	if err != nil {
		return err
	}
	sessions, err := c.App.Sessions.Of(ctx, u.ID)
	if err != nil {
		return err
	}
	c.App.Audit.Flush()
	var events []store.Event
	err = c.App.DB.View(ctx, func(tx *store.Tx) (err error) {
		events, err = tx.EventsOf(u.ID, 20)
		return err
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.PrintJSON(struct {
			userJSON
			Sessions []sessionJSON    `json:"sessions"`
			Events   []line.EventJSON `json:"events"`
		}{describe(u), describeSessions(sessions), line.DescribeEvents(events)})
	}
	w := c.Table("email\t" + u.Email)
	fmt.Fprintf(w, "name\t%s\nid\t%s\nadmin\t%s\nstatus\t%s\nsince\t%s\nsigned in\t%d times now\n",
		line.Dash(u.Name), u.ID, line.Yes(u.Admin), status(u), line.Stamp(u.CreatedAt), len(sessions))
	if err := w.Flush(); err != nil {
		return err
	}
	if len(events) > 0 {
		fmt.Fprintln(c.Out, "\nlately:")
		return c.PrintEvents(events)
	}
	return nil
}

func userDisable(ctx context.Context, c *line.Call) error {
	return changeUser(ctx, c, c.App.Users.Disable, "closed the access of %s and ended their sessions\n")
}

func userEnable(ctx context.Context, c *line.Call) error {
	return changeUser(ctx, c, c.App.Users.Enable, "opened the access of %s\n")
}

func userRemove(ctx context.Context, c *line.Call) error {
	if !c.Bool("yes") {
		return c.UsageError("this cannot be undone: say -yes, or use \"user disable\"")
	}
	return changeUser(ctx, c, c.App.Users.Remove, "removed %s\n")
}

func changeUser(ctx context.Context, c *line.Call, f func(context.Context, audit.From, store.User) error, done string) error {
	u, err := c.App.Users.Find(ctx, c.Args[0])
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

func userSessions(ctx context.Context, c *line.Call) error {
	u, err := c.App.Users.Find(ctx, c.Args[0])
	if err != nil {
		return err
	}
	rows, err := c.App.Sessions.Of(ctx, u.ID)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.PrintJSON(describeSessions(rows))
	}
	w := c.Table("ID\tDEVICE\tNETWORK\tSIGNED IN\tLAST USED")
	for _, s := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.ID, s.Device, s.IP, line.Stamp(s.AuthAt), line.Stamp(s.SeenAt))
	}
	return w.Flush()
}

func userSignOut(ctx context.Context, c *line.Call) error {
	u, err := c.App.Users.Find(ctx, c.Args[0])
	if err != nil {
		return err
	}
	if id := c.String("session"); id != "" {
		if err := c.App.Sessions.End(ctx, app.Operator(), audit.ByAdmin, u.ID, id); err != nil {
			return err
		}
		fmt.Fprintf(c.Out, "signed %s out of that session\n", u.Email)
		return nil
	}
	n, err := c.App.Sessions.EndAll(ctx, app.Operator(), audit.ByAdmin, u.ID, "")
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "signed %s out of %s\n", u.Email, line.Count(n, "session", "sessions"))
	return nil
}
