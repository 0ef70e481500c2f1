// Package mail is the verbs about mail: whether it arrives, what waits, and which
// apps may send.
package mail

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gatelodge/app"
	"gatelodge/app/command/line"
	"gatelodge/app/email"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/outbox"
	"gatelodge/store"
)

// Verbs are those about mail.
func Verbs() []*line.Verb { return slices.Concat(mailVerbs(), credentialVerbs(), checkVerbs()) }

func mailVerbs() []*line.Verb {
	return []*line.Verb{
		{
			Words: "mail test", Args: "ADDRESS", Min: 1, Max: 1, Place: line.Server,
			About: "Sends a test mail to the address now, past the queue, and shows each step of the\nconversation with the mail server.", Run: mailTest,
		},
		{
			Words: "mail queue", Place: line.Server, JSON: true, About: "Lists the mail in the queue, and whether it can be sent.",
			Flags: func(fs *flag.FlagSet) { fs.Bool("all", false, "list the newest mail of every state") },
			Run:   mailQueue,
		},
		{
			Words: "mail retry", Args: "[ID]", Max: 1, Place: line.Server,
			About: "Tries waiting mail again now: the one with that id, or all. Mail that was paused\nbecause the smarthost refused us goes on.", Run: mailRetry,
		},
		mailDomainVerb(),
		{
			Words: "mail hold", Args: "ID", Min: 1, Max: 1, Place: line.Server,
			About: "Keeps a waiting mail from being sent until \"gatelodge mail retry ID\".", Run: mailHold,
		},
		{
			Words: "mail suppressed", Args: "[ADDRESS]", Max: 1, Place: line.Server, JSON: true,
			About: "Lists the addresses that get no mail because their server refused it. With -clear\nand an ADDRESS, lets mail go there again.",
			Flags: func(fs *flag.FlagSet) { fs.Bool("clear", false, "let mail to the address go again") }, Run: mailSuppressed,
		},
		{Words: "mail cancel", Args: "ID", Min: 1, Max: 1, Place: line.Server, About: "Cancels a message in the queue.", Run: mailCancel},
		{
			Words: "mail template", Place: line.Local,
			About: "Prints the template of our messages, to begin your own with: put it into the\ndirectory mail.templates as NAME.txt, or with -html as NAME.html, and change it.\nThe names are " + strings.Join(compose.Names(), ", ") + ".",
			Flags: func(fs *flag.FlagSet) { fs.Bool("html", false, "print the HTML") }, Run: mailTemplate,
		},
		{
			Words: "mail show", Args: "[ID]", Max: 1, Place: line.Server,
			About: "Shows a captured mail: the one with that id, or the newest. Only while mail is\ncaptured: mail that was sent is not kept.", Run: mailShow,
		},
	}
}

type messageJSON struct {
	ID        string     `json:"id"`
	Class     string     `json:"class"`
	Purpose   string     `json:"purpose"`
	To        string     `json:"to,omitempty"`
	Domain    string     `json:"domain"`
	State     string     `json:"state"`
	Attempts  int        `json:"attempts"`
	NextAt    *time.Time `json:"nextAt,omitempty"`
	NotAfter  time.Time  `json:"notAfter"`
	Code      int        `json:"code,omitempty"`
	Answer    string     `json:"answer,omitempty"`
	TLS       string     `json:"tls,omitempty"`
	Reference string     `json:"reference"`
	CreatedAt time.Time  `json:"createdAt"`
	DoneAt    *time.Time `json:"doneAt,omitempty"`
}

var classNames = [...]string{"sign-in", "notice", "relayed", "report"}

func describeMessage(m store.Message) messageJSON {
	j := messageJSON{
		ID: m.ID, Class: classNames[m.Class], Purpose: m.Purpose, To: m.Rcpt, Domain: m.Domain, State: m.State, Attempts: m.Attempts,
		NotAfter: m.NotAfter, Code: m.LastCode, Answer: m.LastText, TLS: m.TLS, Reference: m.Reference, CreatedAt: m.CreatedAt,
	}
	if m.DoneAt.IsZero() {
		j.NextAt = &m.DueAt
	} else {
		j.DoneAt = &m.DoneAt
	}
	return j
}

type wayJSON struct {
	Name   string     `json:"name"`
	Down   bool       `json:"down"`
	Since  *time.Time `json:"since,omitempty"`
	Until  *time.Time `json:"nextProbe,omitempty"`
	Reason string     `json:"reason,omitempty"`
}

type waitingJSON struct {
	Domain string    `json:"domain"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
}

// queueJSON is the queue for scripts. Messages are the first of those that wait,
// or with -all the newest, and Waiting is how many wait in all.
type queueJSON struct {
	Way      wayJSON       `json:"way"`
	Standby  *wayJSON      `json:"standby,omitempty"` // where it refuses us
	Domains  []waitingJSON `json:"domains"`
	Waiting  int           `json:"waiting"`
	Messages []messageJSON `json:"messages"`
}

func mailQueue(ctx context.Context, c *line.Call) error {
	list, err := c.App.Outbox.List(ctx, c.Bool("all"))
	if err != nil {
		return err
	}
	domains, err := c.App.Outbox.Waiting(ctx)
	if err != nil {
		return err
	}
	stats, err := c.App.Outbox.Statistics(ctx)
	if err != nil {
		return err
	}
	way, standby := c.App.Queue.Way(), c.App.Queue.Standby()
	waits := make(map[string]store.MailDomain)
	for _, d := range domains {
		waits[d.Domain] = d
	}
	for i, m := range list {
		list[i].DueAt = waits[m.Domain].NextAt(m.Class, m.DueAt)
	}
	if c.Bool("json") {
		j := queueJSON{
			Way: wayJSON{Name: way.Name, Down: way.Down, Reason: way.Reason}, Waiting: stats.Waiting,
			Domains: make([]waitingJSON, len(domains)), Messages: make([]messageJSON, len(list)),
		}
		if way.Down {
			j.Way.Since, j.Way.Until = &way.Since, &way.Until
		}
		if standby.Down {
			j.Standby = &wayJSON{standby.Name, true, &standby.Since, &standby.Until, standby.Reason}
		}
		for i, d := range domains {
			j.Domains[i] = waitingJSON{d.Domain, d.Until, d.Reason}
		}
		for i, m := range list {
			j.Messages[i] = describeMessage(m)
		}
		return c.PrintJSON(j)
	}
	if at := c.App.InboxURL(""); at != "" && c.Live {
		fmt.Fprintf(c.Out, "Mail is captured. Read it at %s\n\n", at)
	}
	if way.Down {
		fmt.Fprintf(c.Out, "The %s has been down since %s: %s\nNext try at %s, or now with \"gatelodge mail retry\".\n\n",
			way.Name, line.Stamp(way.Since), way.Reason, line.Stamp(way.Until))
	}
	if standby.Down {
		fmt.Fprintf(c.Out, "The standby smarthost has refused this server since %s: %s\nIt is retried at %s, or now with \"gatelodge mail retry\".\n\n",
			line.Stamp(standby.Since), standby.Reason, line.Stamp(standby.Until))
	}
	for _, d := range domains {
		fmt.Fprintf(c.Out, "Mail to %s waits until %s, sign-ins look once a minute: %s\n", d.Domain, line.Stamp(d.Until), d.Reason)
	}
	if len(list) == 0 {
		fmt.Fprintln(c.Out, "The queue is empty.")
		return nil
	}
	w := c.Table("ID\tCLASS\tTO\tSTATE\tTRIES\tNEXT\tLAST ANSWER")
	for _, m := range list {
		next := "-"
		if m.DoneAt.IsZero() {
			next = line.Stamp(m.DueAt)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", m.ID, classNames[m.Class], recipient(m), m.State, m.Attempts, next, line.Dash(answer(m)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	switch {
	case c.Bool("all"):
		fmt.Fprintf(c.Out, "\nThe newest %d; %s.\n", len(list), line.Count(stats.Waiting, "is waiting", "are waiting"))
	case len(list) < stats.Waiting:
		fmt.Fprintf(c.Out, "\nThese are the first %d of %d that wait.\n", len(list), stats.Waiting)
	}
	return nil
}

// recipient is the address while the mail waits; afterwards only its domain is
// kept.
func recipient(m store.Message) string {
	if m.Rcpt != "" {
		return m.Rcpt
	}
	return "@" + m.Domain
}

func answer(m store.Message) string {
	if m.LastCode == 0 {
		return m.LastText
	}
	return fmt.Sprintf("%d %s", m.LastCode, m.LastText)
}

func mailRetry(ctx context.Context, c *line.Call) error {
	id := ""
	if len(c.Args) == 1 {
		id = c.Args[0]
	}
	n, err := c.App.Outbox.Retry(ctx, app.Operator(), id)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "%s due now\n", line.Count(n, "message is", "messages are"))
	return nil
}

func mailHold(ctx context.Context, c *line.Call) error {
	if err := c.App.Outbox.Hold(ctx, app.Operator(), c.Args[0]); err != nil {
		return err
	}
	fmt.Fprintln(c.Out, "held")
	return nil
}

func mailSuppressed(ctx context.Context, c *line.Call) error {
	address := ""
	if len(c.Args) == 1 {
		norm, err := email.Normal(c.Args[0])
		if err != nil {
			return err
		}
		address = norm
	}
	if c.Bool("clear") {
		if address == "" {
			return c.UsageError("-clear takes an ADDRESS")
		}
		if err := c.App.Outbox.Unsuppress(ctx, app.Operator(), address); err != nil {
			return err
		}
		if c.Bool("json") {
			return c.PrintJSON(struct {
				Address string `json:"address"`
				Cleared bool   `json:"cleared"`
			}{address, true})
		}
		fmt.Fprintln(c.Out, "mail goes there again")
		return nil
	}
	list, err := c.App.Outbox.Suppressed(ctx, address)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		type row struct {
			Address   string    `json:"address"`
			Reason    string    `json:"reason"`
			CreatedAt time.Time `json:"createdAt"`
			ExpiresAt time.Time `json:"expiresAt"`
		}
		all := make([]row, len(list))
		for i, s := range list {
			all[i] = row{s.Rcpt, s.Reason, s.CreatedAt, s.ExpiresAt}
		}
		return c.PrintJSON(all)
	}
	if len(list) == 0 {
		fmt.Fprintln(c.Out, "Nothing is suppressed.")
		return nil
	}
	w := c.Table("ADDRESS\tUNTIL\tREASON")
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Rcpt, line.Stamp(s.ExpiresAt), s.Reason)
	}
	return w.Flush()
}

func mailCancel(ctx context.Context, c *line.Call) error {
	if err := c.App.Outbox.Cancel(ctx, app.Operator(), c.Args[0]); err != nil {
		return err
	}
	fmt.Fprintln(c.Out, "cancelled")
	return nil
}

func mailTemplate(_ context.Context, c *line.Call) error {
	text, err := compose.Source(c.Bool("html"))
	if err != nil {
		return err
	}
	_, err = io.WriteString(c.Out, text)
	return err
}

func mailShow(ctx context.Context, c *line.Call) error {
	if len(c.Args) == 0 {
		list, err := c.App.Outbox.Captured(ctx)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			fmt.Fprintln(c.Out, "No mail has been captured.")
			return nil
		}
		c.Args = []string{list[0].ID}
	}
	m, err := c.App.Outbox.Message(ctx, c.Args[0])
	if errors.Is(err, outbox.ErrUnknown) {
		return fmt.Errorf("no captured mail has the id %q", c.Args[0])
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "To: %s\nSubject: %s\n\n%s", m.Rcpt, m.Subject, strings.ReplaceAll(m.Text, "\r\n", "\n"))
	return nil
}

func mailTest(ctx context.Context, c *line.Call) error {
	address, err := email.Read(c.Args[0])
	if err != nil {
		return err
	}
	to := address.Mailbox()
	if c.App.Outbox.Capture {
		return &captured{}
	}
	now := c.App.Now()
	id := store.NewID(now)
	body, err := c.App.Composer.Write(compose.Head{To: to, ID: id, Now: now}, compose.Test{})
	if err != nil {
		return err
	}
	through := "the recipient's own server"
	if c.App.Direct == nil {
		through = fmt.Sprintf("%s:%d", c.App.Smarthost.Host, c.App.Smarthost.Port)
	}
	fmt.Fprintf(c.Out, "Sending a test mail to %s through %s\n\n", to, through)
	e := deliver.Envelope{From: c.App.Composer.From.Address, To: to, Body: body, NotAfter: now.Add(time.Hour)}
	result := c.App.Send(ctx, e, func() error { return nil }, func(s deliver.Step) { tellStep(c, s) })
	fmt.Fprintln(c.Out)
	if result.Class != deliver.Sent {
		return &notAccepted{result, c.App.Direct != nil}
	}
	by := "smarthost"
	if c.App.Direct != nil && result.Way != "smarthost" {
		by = "recipient's server"
	}
	fmt.Fprintf(c.Out, "Accepted by the %s (%s). Whether it arrives is now up to the servers behind it.\n", by, line.Dash(result.TLS))
	return nil
}

// tellStep prints one step of the conversation.
func tellStep(c *line.Call, s deliver.Step) {
	at := fmt.Sprintf("%6.3fs", s.At.Seconds())
	for _, said := range []struct{ mark, text string }{{"  ", s.Note}, {"> ", s.Sent}, {"< ", s.Received}} {
		for part := range strings.Lines(said.text) {
			fmt.Fprintf(c.Out, "%s %s%s\n", at, said.mark, strings.TrimRight(part, "\r\n"))
		}
	}
}

type captured struct{}

func (*captured) Error() string { return "mail is captured, so there is no server to test" }

// Hint says how to send for real.
func (*captured) Hint() string {
	return "set mail.mode = \"direct\", or \"smarthost\" and mail.smarthost.url, in the configuration, then restart"
}

type notAccepted struct {
	r      deliver.Result
	direct bool
}

func (e *notAccepted) Error() string {
	if e.r.Code != 0 {
		return fmt.Sprintf("not accepted at %s: %d %s %s", e.r.Stage, e.r.Code, e.r.Enhanced, e.r.Text)
	}
	text := e.r.Text
	if e.r.Err != nil && !strings.Contains(text, e.r.Err.Error()) {
		text = strings.TrimPrefix(text+": "+e.r.Err.Error(), ": ")
	}
	return fmt.Sprintf("not accepted at %s: %s", e.r.Stage, text)
}

// Hint says what the answer means.
func (e *notAccepted) Hint() string {
	if e.direct {
		return "\"gatelodge mail check\" checks why other servers might refuse mail from this one"
	}
	switch e.r.Class {
	case deliver.Paused:
		switch {
		case e.r.Stage == deliver.AtTLS:
			return "the smarthost offers no STARTTLS on this port: use smtps:// with port 465, or the port that your provider names for STARTTLS"
		case e.r.Stage == deliver.AtAuth && e.r.Code == 0:
			return "Gatelodge logs in with PLAIN or LOGIN: enable one of them at the smarthost, or choose a port where it is offered"
		case e.r.Stage != deliver.AtAuth:
			return "the smarthost wants a login first: put the user into mail.smarthost.url and name mail.smarthost.password_file"
		}
		return "the smarthost refuses our login: check the user in mail.smarthost.url and the password"
	case deliver.Permanent:
		return "the smarthost refuses this address or message for good"
	case deliver.Temporary:
		if e.r.Stage == deliver.AtTLS && e.r.Code == 0 {
			return "a smarthost needs TLS 1.2 or newer with a certificate for its name: check the name in mail.smarthost.url, smtps:// for port 465 and smtp:// for 587, and update the server if it is old"
		}
		if e.r.Code == 0 {
			return "check mail.smarthost.url: host, port, and smtps:// for port 465 or smtp:// for 587"
		}
	}
	return ""
}
