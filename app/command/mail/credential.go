package mail

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"time"

	"gatelodge/app/command/line"
	"gatelodge/app/links"
	"gatelodge/store"
)

func credentialVerbs() []*line.Verb {
	return []*line.Verb{
		{
			Words: "mail credential add", Args: "NAME SENDER...", Min: 2, Max: 20, Place: line.Server, JSON: true,
			About: "Lets an app hand its mail to this server, and prints its password, which is shown\nthis once. SENDER is an address it may send as, or all of a domain: \"*@example.com\".",
			Flags: func(fs *flag.FlagSet) {
				fs.String("to", "*", "allowed `recipients`: addresses, domains as \"*@example.com\", \"users\" for the users here, or \"*\" for all")
				fs.Int("per-hour", 0, "the most `recipients` in an hour (default 500)")
				fs.Int("per-day", 0, "the most `recipients` in a day (default 5000)")
				fs.Int("size", 0, "the largest mail in `bytes` (default 10 MB, the most there is)")
			},
			Run: credentialAdd,
		},
		{Words: "mail credential list", Place: line.Server, JSON: true, About: "Lists the apps that can submit mail to this server.", Run: credentialList},
		{
			Words: "mail credential remove", Args: "NAME", Min: 1, Max: 1, Place: line.Server,
			About: "Ends an app's credential at once. What it has handed over is still delivered.", Run: credentialRemove,
		},
	}
}

func credentialAdd(ctx context.Context, c *line.Call) error {
	asked := store.SubmissionCredential{
		Name: c.Args[0], Senders: strings.Join(c.Args[1:], " "), Recipients: c.String("to"),
		PerHour: c.Int("per-hour"), PerDay: c.Int("per-day"), MaxBytes: c.Int("size"),
	}
	password, err := c.App.Relay.Add(ctx, asked)
	if err != nil {
		return err
	}
	listen := c.App.Config.Mail.Submission.Listen
	web := strings.TrimSuffix(c.App.Config.Origin().String(), "/") + links.MailAPI
	if c.Bool("json") {
		return c.PrintJSON(struct {
			Name     string `json:"name"`
			Password string `json:"password"`
			SMTP     string `json:"smtp,omitempty"`
			HTTP     string `json:"http"`
		}{asked.Name, password, listen, web})
	}
	smtp := "off: set mail.submission.listen to use it"
	if listen != "" {
		smtp = listen + ", with STARTTLS"
		if c.App.Config.Mail.Submission.TLS == "implicit" {
			smtp = listen + ", with TLS from the start (SSL/TLS)"
		}
	}
	fmt.Fprintf(c.Out, "user:     %s\npassword: %s\nSMTP:     %s\nHTTP:     %s\n\nThe password is not shown again.\n", asked.Name, password, smtp, web)
	return nil
}

type credentialJSON struct {
	Name       string     `json:"name"`
	Senders    []string   `json:"senders"`
	Recipients []string   `json:"recipients"`
	PerHour    int        `json:"perHour"`
	PerDay     int        `json:"perDay"`
	MaxBytes   int        `json:"maxBytes"`
	CreatedAt  time.Time  `json:"createdAt"`
	UsedAt     *time.Time `json:"usedAt,omitempty"`
}

func credentialList(ctx context.Context, c *line.Call) error {
	list, err := c.App.Relay.List(ctx)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		all := make([]credentialJSON, len(list))
		for i, x := range list {
			all[i] = credentialJSON{
				Name: x.Name, Senders: strings.Fields(x.Senders), Recipients: strings.Fields(x.Recipients),
				PerHour: x.PerHour, PerDay: x.PerDay, MaxBytes: x.MaxBytes, CreatedAt: x.CreatedAt,
			}
			if !x.UsedAt.IsZero() {
				all[i].UsedAt = &x.UsedAt
			}
		}
		return c.PrintJSON(all)
	}
	if len(list) == 0 {
		fmt.Fprintln(c.Out, "No app may hand its mail to this server.")
		return nil
	}
	w := c.Table("NAME\tMAY SEND AS\tTO\tAN HOUR\tA DAY\tLAST USED")
	for _, x := range list {
		used := "never"
		if !x.UsedAt.IsZero() {
			used = line.Stamp(x.UsedAt)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", x.Name, x.Senders, x.Recipients, x.PerHour, x.PerDay, used)
	}
	return w.Flush()
}

func credentialRemove(ctx context.Context, c *line.Call) error {
	if err := c.App.Relay.Remove(ctx, c.Args[0]); err != nil {
		return err
	}
	fmt.Fprintln(c.Out, "removed")
	return nil
}
