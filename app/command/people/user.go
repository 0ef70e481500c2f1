// Package people is the verbs about people: users, groups, invites, and who waits
// to be let in.
package people

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatelodge/app"
	"gatelodge/app/account"
	"gatelodge/app/audit"
	"gatelodge/app/command/line"
	"gatelodge/app/factor"
	"gatelodge/app/gate"
	"gatelodge/app/people"
	"gatelodge/store"
)

// Verbs are those about people.
func Verbs() []*line.Verb {
	return slices.Concat(userVerbs(), waitingVerbs(), groupVerbs(), inviteVerbs())
}

func userVerbs() []*line.Verb {
	return []*line.Verb{
		{
			Words: "user add", Creates: true, Args: "EMAIL", Min: 1, Max: 1, Place: line.Server, JSON: true,
			About: "Adds a user and prints a sign-in link. The link works once, and expires like any\nsign-in link. Nothing is mailed.",
			Flags: func(fs *flag.FlagSet) {
				fs.Bool("admin", false, "let this user manage the server")
				fs.String("name", "", "the user's `name`")
				fs.String("group", "", "the `groups` to put the user into, with commas between them")
			},
			Run: userAdd,
		},
		{
			Words: "user list", Place: line.Server, JSON: true, About: "Lists the users.",
			Flags: func(fs *flag.FlagSet) {
				fs.String("search", "", "only those with this `text` in a name, address or group")
				fs.String("status", "", "only the \"active\", \"new\" (never signed in), \"disabled\" or \"closing\" ones")
			},
			Run: userList,
		},
		{Words: "user show", Args: "EMAIL", Min: 1, Max: 1, Place: line.Server, JSON: true, About: "Shows a user: how they sign in, their addresses and groups, when they were seen, and\nwhat happened lately. Name the user by address, username or id.", Run: userShow},
		{
			Words: "user link", Args: "EMAIL", Min: 1, Max: 1, Place: line.Server, JSON: true,
			About: "Prints a link to sign in as the user. It works once. Nothing is mailed.\nThe browser that opens it asks for confirmation first.", Run: userLink,
		},
		{
			Words: "user password", Args: "EMAIL", Min: 1, Max: 1, Place: line.Server, JSON: true,
			About: "Prints a link to choose a new password, or removes the password with -remove.\nThe link works once and does not sign in. Give it only to the user. With -stdin the\npassword is the first line of standard input; a terminal prompts for it without\nshowing it.",
			Flags: func(fs *flag.FlagSet) {
				fs.Bool("remove", false, "remove the password instead")
				fs.Bool("stdin", false, "read the new password")
			},
			Secret: struct{ Flag, Prompt string }{"stdin", "New password"},
			Run:    userPassword,
		},
		{
			Words: "user suspend", Args: "EMAIL", Min: 1, Max: 1, Place: line.Server,
			About: "Suspends the user. All their sessions end at once. \"user unsuspend\" undoes it.", Run: userDisable,
		},
		{Words: "user unsuspend", Args: "EMAIL", Min: 1, Max: 1, Place: line.Server, About: "Reactivates a suspended user, or one who closed their account.", Run: userEnable},
		{
			Words: "user remove", Args: "EMAIL", Min: 1, Max: 1, Place: line.Server,
			About: "Deletes the user permanently, with sessions and links. The audit log stays.\nTo block a user for a while, use \"user suspend\".",
			Flags: func(fs *flag.FlagSet) { fs.Bool("yes", false, "really remove") },
			Run:   userRemove,
		},
		{Words: "user sessions", Args: "EMAIL", Min: 1, Max: 1, Place: line.Server, JSON: true, About: "Lists where the user is signed in.", Run: userSessions},
		{
			Words: "user sign-out", Args: "EMAIL", Min: 1, Max: 1, Place: line.Server,
			About: "Signs the user out everywhere, or ends one session with -session. It takes effect at\nthe next request of the browser.",
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
	Username      string     `json:"username"`
	Admin         bool       `json:"admin"`
	Disabled      bool       `json:"disabled"`
	Status        string     `json:"status"`
	Groups        []string   `json:"groups"`
	SignInMethods []string   `json:"ways"`
	LastSeenAt    *time.Time `json:"lastSeenAt"`
	CreatedAt     time.Time  `json:"createdAt"`
	Link          string     `json:"link,omitempty"`
	LinkUntil     *time.Time `json:"linkUntil,omitempty"`
}

func describe(p store.Person) userJSON {
	j := userJSON{
		ID: p.ID, Email: p.Email, EmailVerified: !p.EmailVerifiedAt.IsZero(), Name: p.Name, Username: p.Username, Admin: p.Admin,
		Disabled: p.Disabled(), Status: p.Status(), Groups: p.Groups, SignInMethods: signInMethods(p), CreatedAt: p.CreatedAt,
	}
	if j.Groups == nil {
		j.Groups = []string{}
	}
	if !p.SeenAt.IsZero() {
		j.LastSeenAt = &p.SeenAt
	}
	return j
}

// signInMethods lists how a user can sign in.
func signInMethods(p store.Person) []string {
	list := []string{}
	if p.HasEmail() {
		list = append(list, "email")
	}
	if p.Password {
		list = append(list, "password")
	}
	if p.Passkeys > 0 {
		list = append(list, "passkey")
	}
	return append(list, p.Upstreams...)
}

// names reads a list with commas between its items.
func names(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func status(u store.User) string {
	if s := u.Status(); s != "new" {
		return s
	}
	return "not signed in yet"
}

// find returns the user that a command names, and warns when that is by an address
// which is not confirmed.
func find(ctx context.Context, c *line.Call, name string) (store.User, error) {
	u, err := c.App.Users.Find(ctx, name)
	if err != nil {
		return store.User{}, err
	}
	return u, warnUnconfirmed(ctx, c, u, name)
}

func warnUnconfirmed(ctx context.Context, c *line.Call, u store.User, name string) error {
	unconfirmed, err := c.App.Users.Unconfirmed(ctx, u, name)
	if err != nil || !unconfirmed {
		return err
	}
	fmt.Fprintf(c.Err, "warning: the address %s is not confirmed. The account was imported and may belong to another person\n"+
		"hint: ask the owner of the address to sign in with an emailed link; this removes all other sign-in methods\n", name)
	return nil
}

func userAdd(ctx context.Context, c *line.Call) error {
	from := app.Operator()
	u, err := c.App.Users.Add(ctx, from, c.Args[0], c.String("name"), c.Bool("admin"), names(c.String("group"))...)
	if errors.Is(err, people.ErrTaken) {
		_, failed := find(ctx, c, c.Args[0]) // say whether the address is confirmed
		return errors.Join(err, failed)
	}
	if err != nil {
		return err
	}
	return giveLink(ctx, c, from, u)
}

func userLink(ctx context.Context, c *line.Call) error {
	u, err := find(ctx, c, c.Args[0])
	if err != nil {
		return err
	}
	return giveLink(ctx, c, app.Operator(), u)
}

func userPassword(ctx context.Context, c *line.Call) error {
	u, err := find(ctx, c, c.Args[0])
	if err != nil {
		return err
	}
	if c.Bool("remove") && c.Asks() {
		return c.UsageError("-remove and -stdin are two different things")
	}
	if c.Bool("remove") {
		if err := c.App.Account.RemovePassword(ctx, app.Operator(), audit.ByAdmin, u.ID, ""); err != nil {
			return err
		}
		return passwordDone(ctx, c, u, "%s has no password now\n")
	}
	if c.Asks() {
		typed, err := c.ReadSecret()
		if err != nil {
			return err
		}
		if err := c.App.Account.SetPassword(ctx, app.Operator(), audit.ByAdmin, u.ID, account.NewPassword{Typed: typed}); err != nil {
			return err
		}
		return passwordDone(ctx, c, u, "%s has a new password, and is signed out everywhere\n")
	}
	link, until, err := c.App.Account.ResetLink(ctx, app.Operator(), u)
	if err != nil {
		return err
	}
	return printLink(ctx, c, u, link, until)
}

func passwordDone(ctx context.Context, c *line.Call, u store.User, done string) error {
	if c.Bool("json") {
		return printUser(ctx, c, u, func(*userJSON) {})
	}
	fmt.Fprintf(c.Out, done, u.Called())
	return nil
}

// giveLink prints a link to sign in as u.
func giveLink(ctx context.Context, c *line.Call, from audit.Origin, u store.User) error {
	link, until, err := c.App.Login.LinkFor(ctx, from, u)
	switch {
	case errors.Is(err, gate.ErrSuspended):
		return fmt.Errorf("the account is suspended: \"gatelodge user unsuspend %s\" reactivates it", handle(u))
	case errors.Is(err, gate.ErrClosing):
		return fmt.Errorf("the account is closed: \"gatelodge user unsuspend %s\" reopens it", handle(u))
	}
	if err != nil {
		return err
	}
	return printLink(ctx, c, u, link, until)
}

// printLink prints a link that is u's.
func printLink(ctx context.Context, c *line.Call, u store.User, link string, until time.Time) error {
	if !c.Bool("json") {
		fmt.Fprintln(c.Out, link)
		return nil
	}
	return printUser(ctx, c, u, func(j *userJSON) { j.Link, j.LinkUntil = link, &until })
}

// printUser prints u as scripts read it, with what more adds.
func printUser(ctx context.Context, c *line.Call, u store.User, more func(*userJSON)) error {
	p, _, err := c.App.Users.Person(ctx, u.ID)
	if err != nil {
		return err
	}
	j := describe(p)
	more(&j)
	return c.PrintJSON(j)
}

// handle is what commands find a user by. What people call themselves may look like
// somebody's address, and finds nobody.
func handle(u store.User) string { return cmp.Or(u.Email, u.Username, u.ID) }

// statuses are those of store.User.Status.
var statuses = []string{"active", "new", "disabled", "closing"}

func userList(ctx context.Context, c *line.Call) error {
	if asked := c.String("status"); asked != "" && !slices.Contains(statuses, asked) {
		return c.UsageError("-status: there is no status " + asked + ": it is one of " + strings.Join(statuses, ", "))
	}
	list, err := c.List("EMAIL\tNAME\tGROUPS\tSTATUS\tLAST SEEN")
	if err != nil {
		return err
	}
	filter := store.PeopleFilter{Search: c.String("search"), Status: c.String("status")}
	err = c.App.Users.People(ctx, filter, func(p store.Person) error {
		return list.Add(describe(p), handle(p.User), line.Dash(p.Name), line.Dash(strings.Join(p.Groups, ",")), status(p.User), line.Stamp(p.SeenAt))
	})
	if err != nil {
		return err
	}
	return list.Close()
}

func userShow(ctx context.Context, c *line.Call) error {
	u, err := find(ctx, c, c.Args[0])
	if err != nil {
		return err
	}
	c.App.Sessions.Flush()
	p, emails, err := c.App.Users.Person(ctx, u.ID)
	if err != nil {
		return err
	}
	sessions, err := c.App.Sessions.Of(ctx, u.ID)
	if err != nil {
		return err
	}
	c.App.Audit.Flush()
	var events []store.Event
	var accounts []accountJSON
	err = c.App.DB.View(ctx, func(tx *store.Tx) (err error) {
		if accounts, err = accountsOf(c, tx, u); err != nil {
			return err
		}
		events, err = tx.EventsOf(u.ID, 20)
		return err
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.PrintJSON(struct {
			userJSON
			Emails   []emailJSON      `json:"emails"`
			Apps     []string         `json:"apps"`
			Accounts []accountJSON    `json:"accounts"`
			Sessions []sessionJSON    `json:"sessions"`
			Events   []line.EventJSON `json:"events"`
		}{describe(p), describeEmails(emails), appsOf(c, p), accounts, describeSessions(sessions), c.DescribeEvents(events)})
	}
	w := c.Table("email\t" + line.Dash(u.Email) + confirmed(emails, u.EmailNorm))
	for _, e := range emails {
		if e.Norm != u.EmailNorm {
			fmt.Fprintf(w, "also\t%s%s\n", e.Email, confirmed(emails, e.Norm))
		}
	}
	fmt.Fprintf(w, "name\t%s\nusername\t%s\nid\t%s\nadmin\t%s\ngroups\t%s\napps\t%s\nsigns in by\t%s\nstatus\t%s\nsince\t%s\nlast seen\t%s\nsigned in\t%d times now\n",
		line.Dash(p.Name), line.Dash(p.Username), p.ID, line.Yes(p.Admin), line.Dash(strings.Join(p.Groups, ", ")), line.Dash(strings.Join(appsOf(c, p), ", ")), line.Dash(strings.Join(signInMethods(p), ", ")),
		status(p.User), line.Stamp(p.CreatedAt), line.Stamp(p.SeenAt), len(sessions))
	for _, a := range accounts {
		fmt.Fprintf(w, "connected\t%s, %s, %s\n", a.Provider, line.Dash(a.Email), a.state())
	}
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
		return c.UsageError("this cannot be undone: add -yes to confirm, or use \"user suspend\"")
	}
	return changeUser(ctx, c, c.App.Users.Remove, "removed %s\n")
}

func changeUser(ctx context.Context, c *line.Call, f func(context.Context, audit.Origin, store.User) error, done string) error {
	u, err := find(ctx, c, c.Args[0])
	if err != nil {
		return err
	}
	if err := f(ctx, app.Operator(), u); err != nil {
		return err
	}
	fmt.Fprintf(c.Out, done, u.Called())
	return nil
}

// confirmed marks an address that is not confirmed.
func confirmed(emails []store.Email, norm string) string {
	if slices.ContainsFunc(emails, func(e store.Email) bool { return e.Norm == norm && e.VerifiedAt.IsZero() }) {
		return " (not confirmed)"
	}
	return ""
}

// appsOf returns the names of the apps that the user may use.
func appsOf(c *line.Call, p store.Person) []string {
	list := []string{}
	for _, app := range c.App.Apps.Snapshot().All() {
		if gate.Decide(app, gate.Person{User: p.User, Groups: p.Groups}) == nil {
			list = append(list, app.Name)
		}
	}
	return list
}

type emailJSON struct {
	Email    string `json:"email"`
	Verified bool   `json:"verified"`
}

func describeEmails(rows []store.Email) []emailJSON {
	list := make([]emailJSON, len(rows))
	for i, e := range rows {
		list[i] = emailJSON{e.Email, !e.VerifiedAt.IsZero()}
	}
	return list
}

type sessionJSON struct {
	ID         string    `json:"id"`
	Device     string    `json:"device"`
	IP         string    `json:"ip"`
	Means      string    `json:"means"`
	AMR        []string  `json:"amr"` // the means in the words of RFC 8176
	SignedInAt time.Time `json:"signedInAt"`
	LastUsedAt time.Time `json:"lastUsedAt"`
	ExpiresAt  time.Time `json:"expiresAt"`
}

func describeSessions(rows []store.Session) []sessionJSON {
	list := make([]sessionJSON, len(rows))
	for i, s := range rows {
		list[i] = sessionJSON{s.ID, s.Device, s.IP, s.AMR, factor.Read(s.AMR).AMR(), s.CreatedAt, s.SeenAt, s.ExpiresAt}
	}
	return list
}

func userSessions(ctx context.Context, c *line.Call) error {
	u, err := find(ctx, c, c.Args[0])
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
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.ID, s.Device, s.IP, line.Stamp(s.CreatedAt), line.Stamp(s.SeenAt))
	}
	return w.Flush()
}

func userSignOut(ctx context.Context, c *line.Call) error {
	u, err := find(ctx, c, c.Args[0])
	if err != nil {
		return err
	}
	if id := c.String("session"); id != "" {
		// A browser that ends a session twice has what it wants. A person who mistypes an
		// id thinks that a device is signed out.
		rows, err := c.App.Sessions.Of(ctx, u.ID)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(rows, func(s store.Session) bool { return s.ID == id }) {
			return &noSession{u, id}
		}
		if err := c.App.Sessions.End(ctx, app.Operator(), audit.ByAdmin, u.ID, id); err != nil {
			return err
		}
		fmt.Fprintf(c.Out, "signed %s out of that session\n", u.Called())
		return nil
	}
	n, err := c.App.Sessions.EndAll(ctx, app.Operator(), audit.ByAdmin, u.ID, "")
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "signed %s out of %s\n", u.Called(), line.Count(n, "session", "sessions"))
	return nil
}

// noSession means that a user has no session with that id.
type noSession struct {
	user store.User
	id   string
}

func (e *noSession) Error() string {
	return fmt.Sprintf("%s has no session %s; nothing was ended", e.user.Called(), e.id)
}

// Hint says where the ids are.
func (e *noSession) Hint() string {
	return "list the sessions: gatelodge user sessions " + handle(e.user)
}
