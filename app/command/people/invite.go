package people

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"gatelodge/app"
	"gatelodge/app/command/line"
	"gatelodge/app/config"
	"gatelodge/app/email"
	"gatelodge/app/people"
	"gatelodge/store"
)

func inviteVerbs() []*line.Verb {
	return []*line.Verb{
		{
			Words: "invite add", Args: "[EMAIL...]", Max: 100, Place: line.Server, JSON: true,
			About: "Invites people. With addresses, each gets a message with their own link, which works\nonce and only for that address. Without addresses, prints a link that anyone can use;\nit is not shown again. Invited people can join whatever signup.mode is.",
			Flags: func(fs *flag.FlagSet) {
				fs.String("group", "", "`groups` for the invited people, separated by commas")
				fs.String("for", "7d", "how `long` it works: from 1h to 90d")
				fs.Int("uses", 1, "the number of `people` who can use a link")
				fs.String("language", "en", "the `language` of the mail")
			},
			Run: inviteAdd,
		},
		{Words: "invite list", Place: line.Server, JSON: true, About: "Lists the invitations, the newest first.", Run: inviteList},
		{Words: "invite show", Args: "ID", Min: 1, Max: 1, Place: line.Server, JSON: true, About: "Shows an invitation, by its id or the invited address.", Run: inviteShow},
		{
			Words: "invite revoke", Args: "ID", Min: 1, Max: 1, Place: line.Server,
			About: "Revokes an invitation, by its id or the invited address. People who have joined with\nit stay.", Run: inviteRevoke,
		},
	}
}

type inviteJSON struct {
	ID        string    `json:"id"`
	State     string    `json:"state"`
	Email     string    `json:"email,omitempty"`
	UsesLeft  int       `json:"usesLeft"`
	Groups    []string  `json:"groups"`
	By        string    `json:"by"` // an id, or "" for the command line
	CreatedAt time.Time `json:"createdAt"`
	ExpiresAt time.Time `json:"expiresAt"`
	Link      string    `json:"link,omitempty"`
}

func describeInvite(c *line.Call, v store.Invite) inviteJSON {
	j := inviteJSON{
		ID: v.ID, State: c.App.Invites.State(v), Email: v.Email, UsesLeft: v.UsesLeft, Groups: v.Groups, By: v.CreatedBy,
		CreatedAt: v.CreatedAt, ExpiresAt: v.ExpiresAt,
	}
	if j.Groups == nil {
		j.Groups = []string{}
	}
	return j
}

func inviteAdd(ctx context.Context, c *line.Call) error {
	lasts, err := config.ParseDuration(c.String("for"))
	if err != nil {
		return c.UsageError("-for: " + err.Error())
	}
	if len(c.Args) > 0 && c.Int("uses") != 1 {
		return c.UsageError("a mailed invite is for one person: -uses is for links")
	}
	ask := people.Invitation{
		Uses: c.Int("uses"), For: time.Duration(lasts), Groups: names(c.String("group")), Language: c.App.Lang.For(c.String("language")).Tag(),
	}
	if c.Int("uses") < 1 {
		ask.Uses = -1 // 0 would mean one
	}
	to := email.Distinct(email.List(strings.Join(c.Args, "\n")))
	if len(to) == 0 {
		to = []string{""}
	}
	list := []inviteJSON{}
	for _, whom := range to {
		ask.Email = whom
		v, link, err := c.App.Invites.Add(ctx, app.Operator(), ask)
		if err != nil {
			return sayWhose(whom, err)
		}
		if c.Bool("json") {
			j := describeInvite(c, v)
			j.Link = link
			list = append(list, j)
			continue
		}
		if link != "" {
			fmt.Fprintln(c.Out, link)
			continue
		}
		fmt.Fprintf(c.Out, "invited %s until %s\n", v.Email, line.Stamp(v.ExpiresAt))
	}
	if c.Bool("json") {
		return c.PrintJSON(list)
	}
	return nil
}

// sayWhose names the address of several that something was wrong with.
func sayWhose(email string, err error) error {
	if email == "" {
		return err
	}
	return &whose{email, err}
}

type whose struct {
	email string
	cause error
}

func (e *whose) Error() string { return e.cause.Error() }
func (e *whose) Unwrap() error { return e.cause }

// Hint says whom it is about.
func (e *whose) Hint() string {
	return "this is about " + e.email + "; those before were invited, those after were not"
}

func inviteList(ctx context.Context, c *line.Call) error {
	invites, err := c.App.Invites.All(ctx)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		list := make([]inviteJSON, len(invites))
		for i, v := range invites {
			list[i] = describeInvite(c, v.Invite)
		}
		return c.PrintJSON(list)
	}
	if len(invites) == 0 {
		fmt.Fprintln(c.Out, "No invitations yet.")
		return nil
	}
	w := c.Table("ID\tFOR\tSTATE\tUSES LEFT\tGROUPS\tUNTIL")
	for _, v := range invites {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", v.ID, whom(v.Invite), c.App.Invites.State(v.Invite), v.UsesLeft, line.Dash(strings.Join(v.Groups, ",")), line.Stamp(v.ExpiresAt))
	}
	return w.Flush()
}

func whom(v store.Invite) string {
	if v.Email == "" {
		return "anyone with the link"
	}
	return v.Email
}

func inviteShow(ctx context.Context, c *line.Call) error {
	v, err := c.App.Invites.Find(ctx, c.Args[0])
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.PrintJSON(describeInvite(c, v))
	}
	by := "the command line"
	if v.CreatedBy != "" {
		by = v.CreatedBy
		if u, err := c.App.Users.ByID(ctx, v.CreatedBy); err == nil {
			by = u.Called()
		}
	}
	w := c.Table("id\t" + v.ID)
	fmt.Fprintf(w, "for\t%s\nstate\t%s\nuses left\t%d\ngroups\t%s\nby\t%s\nmade\t%s\nuntil\t%s\n",
		whom(v), c.App.Invites.State(v), v.UsesLeft, line.Dash(strings.Join(v.Groups, ", ")), by, line.Stamp(v.CreatedAt), line.Stamp(v.ExpiresAt))
	return w.Flush()
}

// inviteRevoke takes back the invite with an id, or all that are open for an address.
func inviteRevoke(ctx context.Context, c *line.Call) error {
	for done := false; ; done = true {
		v, err := c.App.Invites.Find(ctx, c.Args[0])
		if err == nil {
			err = c.App.Invites.Revoke(ctx, app.Operator(), v.ID)
		}
		if done && errors.Is(err, people.ErrNoInvite) {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(c.Out, "revoked the invitation for %s\n", whom(v))
	}
}
