package people

import (
	"context"
	"flag"
	"fmt"
	"time"

	"gatelodge/app"
	"gatelodge/app/command/line"
	"gatelodge/store"
)

func waitingVerbs() []*line.Verb {
	return []*line.Verb{
		{
			Words: "user waiting", Place: line.Server, JSON: true,
			About: "Lists requests for an account, the oldest first (signup.mode = \"approve\").", Run: userWaiting,
		},
		{
			Words: "user approve", Args: "EMAIL", Min: 1, Max: 1, Place: line.Server, JSON: true,
			About: "Approves a request for an account, also one that was declined before. A user with\na confirmed address is notified by mail.",
			Flags: func(fs *flag.FlagSet) {
				fs.String("group", "", "the `groups` to put them into, with commas between them")
			},
			Run: userApprove,
		},
		{
			Words: "user refuse", Args: "EMAIL", Min: 1, Max: 1, Place: line.Server,
			About: "Declines a request for an account. Nothing is mailed. The person can ask again after\n90 days; \"user approve\" undoes it until then.", Run: userRefuse,
		},
	}
}

type applicantJSON struct {
	Email    string    `json:"email"`
	Name     string    `json:"name"`
	Upstream string    `json:"upstream,omitempty"`
	Claimed  string    `json:"claimed,omitempty"` // the address that the upstream tells; nobody has confirmed it
	IP       string    `json:"ip"`
	Device   string    `json:"device"`
	AskedAt  time.Time `json:"askedAt"`
}

// calledOf names somebody who waits so that "user approve" finds them.
func calledOf(a store.Applicant) string {
	if a.Email == "" {
		return a.EmailNorm
	}
	return a.Email
}

// byOf says by what somebody came who waits, and what it says of an address that
// nobody has confirmed.
func byOf(a store.Applicant) string {
	if a.Email == "" && a.Claimed != "" {
		return a.Provider + " (says " + a.Claimed + ")"
	}
	return line.Dash(a.Provider)
}

func userWaiting(ctx context.Context, c *line.Call) error {
	list, err := c.App.Applicants.All(ctx)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		all := make([]applicantJSON, len(list))
		for i, a := range list {
			all[i] = applicantJSON{calledOf(a), a.Name, a.Provider, a.Claimed, a.IP, a.Device, a.CreatedAt}
			if a.Email != "" {
				all[i].Claimed = ""
			}
		}
		return c.PrintJSON(all)
	}
	if len(list) == 0 {
		fmt.Fprintln(c.Out, "No pending requests.")
		return nil
	}
	w := c.Table("EMAIL\tNAME\tBY\tFROM\tASKED")
	for _, a := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s, %s\t%s\n", calledOf(a), line.Dash(a.Name), byOf(a), a.IP, a.Device, line.Stamp(a.CreatedAt))
	}
	return w.Flush()
}

func userApprove(ctx context.Context, c *line.Call) error {
	u, err := c.App.Applicants.Approve(ctx, app.Operator(), c.Args[0], names(c.String("group"))...)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		p, _, err := c.App.Users.Person(ctx, u.ID)
		if err != nil {
			return err
		}
		return c.PrintJSON(describe(p))
	}
	fmt.Fprintf(c.Out, "approved %s\n", u.Called())
	return nil
}

func userRefuse(ctx context.Context, c *line.Call) error {
	if err := c.App.Applicants.Decline(ctx, app.Operator(), c.Args[0]); err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "declined %s\n", c.Args[0])
	return nil
}
