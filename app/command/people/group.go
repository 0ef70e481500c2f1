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

func groupVerbs() []*line.Verb {
	return []*line.Verb{
		{
			Words: "group add", Args: "NAME", Min: 1, Max: 1, Place: line.Server, JSON: true,
			About: "Creates a group. Apps can be limited to it (allow = [\"group:NAME\"]) and receive it.", Run: groupAdd,
		},
		{Words: "group list", Place: line.Server, JSON: true, About: "Lists the groups. Members of \"admins\" manage this server.", Run: groupList},
		{Words: "group show", Args: "NAME", Min: 1, Max: 1, Place: line.Server, JSON: true, About: "Shows the members of a group.", Run: groupShow},
		{
			Words: "group remove", Args: "NAME", Min: 1, Max: 1, Place: line.Server,
			About: "Deletes a group. Its members keep their accounts.",
			Flags: func(fs *flag.FlagSet) { fs.Bool("yes", false, "really remove") },
			Run:   groupRemove,
		},
		{
			Words: "group member add", Args: "NAME EMAIL...", Min: 2, Max: 500, Place: line.Server,
			About: "Adds users to a group. Members of \"admins\" manage this server.", Run: groupJoin,
		},
		{
			Words: "group member remove", Args: "NAME EMAIL...", Min: 2, Max: 500, Place: line.Server,
			About: "Removes users from a group. The last admin cannot be removed.", Run: groupLeave,
		},
	}
}

type groupJSON struct {
	Name      string     `json:"name"`
	Members   int        `json:"members"`
	CreatedAt *time.Time `json:"createdAt,omitempty"` // not of "admins"
}

func describeGroup(g store.Group) groupJSON {
	j := groupJSON{Name: g.Name, Members: g.Members}
	if g.Name != store.Admins {
		j.CreatedAt = &g.CreatedAt
	}
	return j
}

func groupAdd(ctx context.Context, c *line.Call) error {
	g, err := c.App.Users.AddGroup(ctx, app.Operator(), c.Args[0])
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.PrintJSON(describeGroup(g))
	}
	fmt.Fprintf(c.Out, "created the group %s\n", g.Name)
	return nil
}

func groupList(ctx context.Context, c *line.Call) error {
	list, err := c.App.Users.Groups(ctx)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		all := make([]groupJSON, len(list))
		for i, g := range list {
			all[i] = describeGroup(g)
		}
		return c.PrintJSON(all)
	}
	w := c.Table("NAME\tMEMBERS")
	for _, g := range list {
		fmt.Fprintf(w, "%s\t%d\n", g.Name, g.Members)
	}
	return w.Flush()
}

func groupShow(ctx context.Context, c *line.Call) error {
	g, err := c.App.Users.Group(ctx, c.Args[0])
	if err != nil {
		return err
	}
	if g.Members == 0 && !c.Bool("json") {
		fmt.Fprintf(c.Out, "%s has no members.\n", g.Name)
		return nil
	}
	list, err := c.ListIn(describeGroup(g), "who", "EMAIL\tNAME\tSTATUS")
	if err != nil {
		return err
	}
	type memberJSON struct {
		ID    string `json:"id"`
		Email string `json:"email"`
		Name  string `json:"name"`
	}
	err = c.App.Users.Members(ctx, g.Name, func(u store.User) error {
		return list.Add(memberJSON{u.ID, u.Email, u.Name}, u.Called(), line.Dash(u.Name), status(u))
	})
	if err != nil {
		return err
	}
	return list.Close()
}

func groupRemove(ctx context.Context, c *line.Call) error {
	if !c.Bool("yes") {
		return c.UsageError("its members lose the access it gives: add -yes to confirm")
	}
	if err := c.App.Users.RemoveGroup(ctx, app.Operator(), c.Args[0]); err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "deleted the group %s\n", c.Args[0])
	return nil
}

func groupJoin(ctx context.Context, c *line.Call) error {
	return moveMembers(ctx, c, c.App.Users.Join, "put %s into %s\n")
}

func groupLeave(ctx context.Context, c *line.Call) error {
	return moveMembers(ctx, c, c.App.Users.Leave, "took %s out of %s\n")
}

func moveMembers(ctx context.Context, c *line.Call, move func(context.Context, audit.Origin, string, ...store.User) (int, error), done string) error {
	var users []store.User
	for _, named := range c.Args[1:] {
		u, err := find(ctx, c, named)
		if err != nil {
			return fmt.Errorf("%s: %w", named, err)
		}
		users = append(users, u)
	}
	n, err := move(ctx, app.Operator(), c.Args[0], users...)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, done, line.Count(n, "user", "users"), c.Args[0])
	return nil
}
