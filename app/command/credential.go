package command

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"time"

	"gatelodge/store"
)

func credentialVerbs() []*verb {
	return []*verb{
		{
			words: "mail credential add", args: "NAME SENDER...", min: 2, max: 20, place: house, json: true,
			about: "Lets an app hand its mail to this server, and prints its password, which is shown\nthis once. SENDER is an address it may send as, or all of a domain: \"*@example.com\".",
			flags: func(fs *flag.FlagSet) {
				fs.String("to", "*", "whom it may send to: addresses, domains as \"*@example.com\", or \"users\" for our own; \"*\" is `anybody`")
				fs.Int("per-hour", 0, "the most `recipients` in an hour (default 500)")
				fs.Int("per-day", 0, "the most `recipients` in a day (default 5000)")
				fs.Int("size", 0, "the largest mail in `bytes` (default 10 MB, the most there is)")
			},
			run: credentialAdd,
		},
		{words: "mail credential list", place: house, json: true, about: "Lists the apps that may hand their mail to this server.", run: credentialList},
		{
			words: "mail credential remove", args: "NAME", min: 1, max: 1, place: house,
			about: "Ends an app's credential at once. What it has handed over is still delivered.", run: credentialRemove,
		},
	}
}

func credentialAdd(ctx context.Context, c *call) error {
	asked := store.SubmissionCredential{
		Name: c.args[0], Senders: strings.Join(c.args[1:], " "), Recipients: c.string("to"),
		PerHour: c.int("per-hour"), PerDay: c.int("per-day"), MaxBytes: c.int("size"),
	}
	password, err := c.app.Relay.Add(ctx, asked)
	if err != nil {
		return err
	}
	listen := c.app.Config.Mail.Submission.Listen
	web := strings.TrimSuffix(c.app.Config.Origin().String(), "/") + "/api/mail/send"
	if c.bool("json") {
		return c.printJSON(struct {
			Name     string `json:"name"`
			Password string `json:"password"`
			SMTP     string `json:"smtp,omitempty"`
			HTTP     string `json:"http"`
		}{asked.Name, password, listen, web})
	}
	smtp := "off: set mail.submission.listen to use it"
	if listen != "" {
		smtp = listen + ", with STARTTLS"
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

func credentialList(ctx context.Context, c *call) error {
	list, err := c.app.Relay.List(ctx)
	if err != nil {
		return err
	}
	if c.bool("json") {
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
		return c.printJSON(all)
	}
	if len(list) == 0 {
		fmt.Fprintln(c.Out, "No app may hand its mail to this server.")
		return nil
	}
	w := c.table("NAME\tMAY SEND AS\tTO\tAN HOUR\tA DAY\tLAST USED")
	for _, x := range list {
		used := "never"
		if !x.UsedAt.IsZero() {
			used = stamp(x.UsedAt)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", x.Name, x.Senders, x.Recipients, x.PerHour, x.PerDay, used)
	}
	return w.Flush()
}

func credentialRemove(ctx context.Context, c *call) error {
	if err := c.app.Relay.Remove(ctx, c.args[0]); err != nil {
		return err
	}
	fmt.Fprintln(c.Out, "removed")
	return nil
}
