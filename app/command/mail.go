package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"gatelodge/app/account"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/deliver"
	"gatelodge/store"
)

func mailVerbs() []*verb {
	return []*verb{
		{
			words: "mail test", args: "ADDRESS", min: 1, max: 1, place: house,
			about: "Sends a test mail to the address now, past the queue, and shows each step of the\nconversation with the mail server.", run: mailTest,
		},
		{
			words: "mail queue", place: house, json: true, about: "Lists the mail that waits, and how the way out is.",
			flags: func(fs *flag.FlagSet) { fs.Bool("all", false, "list the newest mail of every state") },
			run:   mailQueue,
		},
		{
			words: "mail retry", args: "[ID]", max: 1, place: house,
			about: "Tries waiting mail again now: the one with that id, or all. Mail that was paused\nbecause the smarthost refused us goes on.", run: mailRetry,
		},
		mailDomainVerb(),
		{
			words: "mail hold", args: "ID", min: 1, max: 1, place: house,
			about: "Keeps a waiting mail from being sent until \"gatelodge mail retry ID\".", run: mailHold,
		},
		{
			words: "mail suppressed", args: "[ADDRESS]", max: 1, place: house, json: true,
			about: "Lists the addresses that get no mail because their server refused it. With -clear\nand an ADDRESS, lets mail go there again.",
			flags: func(fs *flag.FlagSet) { fs.Bool("clear", false, "let mail to the address go again") }, run: mailSuppressed,
		},
		{words: "mail cancel", args: "ID", min: 1, max: 1, place: house, about: "Takes a waiting mail back.", run: mailCancel},
		{
			words: "mail template", place: local,
			about: "Prints the template of our messages, to begin your own with: put it into the\ndirectory mail.templates as NAME.txt, or with -html as NAME.html, and change it.\nThe names are " + strings.Join(compose.Names(), ", ") + ".",
			flags: func(fs *flag.FlagSet) { fs.Bool("html", false, "print the HTML") }, run: mailTemplate,
		},
		{
			words: "mail show", args: "[ID]", max: 1, place: house,
			about: "Shows a captured mail: the one with that id, or the newest. Only while mail is\ncaptured: mail that was sent is not kept.", run: mailShow,
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

func mailQueue(ctx context.Context, c *call) error {
	list, err := c.app.Outbox.List(ctx, c.bool("all"))
	if err != nil {
		return err
	}
	way := c.app.Queue.Way()
	if c.bool("json") {
		j := wayJSON{Name: way.Name, Down: way.Down, Reason: way.Reason}
		if way.Down {
			j.Since, j.Until = &way.Since, &way.Until
		}
		messages := make([]messageJSON, len(list))
		for i, m := range list {
			messages[i] = describeMessage(m)
		}
		return c.printJSON(struct {
			Way      wayJSON       `json:"way"`
			Messages []messageJSON `json:"messages"`
		}{j, messages})
	}
	if way.Down {
		fmt.Fprintf(c.Out, "The %s has been down since %s: %s\nNext try at %s, or now with \"gatelodge mail retry\".\n\n",
			way.Name, stamp(way.Since), way.Reason, stamp(way.Until))
	}
	waiting, err := c.app.Outbox.Waiting(ctx)
	if err != nil {
		return err
	}
	for _, d := range waiting {
		fmt.Fprintf(c.Out, "Mail to %s waits until %s, sign-ins look once a minute: %s\n", d.Domain, stamp(d.Until), d.Reason)
	}
	if len(list) == 0 {
		fmt.Fprintln(c.Out, "No mail is waiting.")
		return nil
	}
	w := c.table("ID\tTO\tSTATE\tTRIES\tNEXT\tLAST ANSWER")
	for _, m := range list {
		next := "-"
		if m.DoneAt.IsZero() {
			next = stamp(m.DueAt)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", m.ID, recipient(m), m.State, m.Attempts, next, dash(answer(m)))
	}
	return w.Flush()
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

func mailRetry(ctx context.Context, c *call) error {
	id := ""
	if len(c.args) == 1 {
		id = c.args[0]
	}
	n, err := c.app.Outbox.Retry(ctx, id)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "%s due now\n", count(n, "message is", "messages are"))
	return nil
}

func mailHold(ctx context.Context, c *call) error {
	if err := c.app.Outbox.Hold(ctx, c.args[0]); err != nil {
		return err
	}
	fmt.Fprintln(c.Out, "held")
	return nil
}

func mailSuppressed(ctx context.Context, c *call) error {
	address := ""
	if len(c.args) == 1 {
		norm, err := account.NormalEmail(c.args[0])
		if err != nil {
			return err
		}
		address = norm
	}
	if c.bool("clear") {
		if address == "" {
			return c.usageError("-clear takes an ADDRESS")
		}
		if err := c.app.Outbox.Unsuppress(ctx, address); err != nil {
			return err
		}
		fmt.Fprintln(c.Out, "mail goes there again")
		return nil
	}
	list, err := c.app.Outbox.Suppressed(ctx, address)
	if err != nil {
		return err
	}
	if c.bool("json") {
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
		return c.printJSON(all)
	}
	if len(list) == 0 {
		fmt.Fprintln(c.Out, "Nothing is suppressed.")
		return nil
	}
	w := c.table("ADDRESS\tUNTIL\tREASON")
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Rcpt, stamp(s.ExpiresAt), s.Reason)
	}
	return w.Flush()
}

func mailCancel(ctx context.Context, c *call) error {
	if err := c.app.Outbox.Cancel(ctx, c.args[0]); err != nil {
		return err
	}
	fmt.Fprintln(c.Out, "cancelled")
	return nil
}

func mailTemplate(_ context.Context, c *call) error {
	text, err := compose.Source(c.bool("html"))
	if err != nil {
		return err
	}
	_, err = io.WriteString(c.Out, text)
	return err
}

func mailShow(ctx context.Context, c *call) error {
	if len(c.args) == 0 {
		list, err := c.app.Outbox.Captured(ctx)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			fmt.Fprintln(c.Out, "No mail has been captured.")
			return nil
		}
		c.args = []string{list[0].ID}
	}
	m, err := c.app.Outbox.Message(ctx, c.args[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "To: %s\nSubject: %s\n\n%s", m.Rcpt, m.Subject, strings.ReplaceAll(m.Text, "\r\n", "\n"))
	return nil
}

func mailTest(ctx context.Context, c *call) error {
	to, err := account.NormalEmail(c.args[0])
	if err != nil {
		return err
	}
	if c.app.Outbox.Capture {
		return &captured{}
	}
	now := c.app.Now()
	id := store.NewID(now)
	body, err := c.app.Composer.Write(compose.Head{To: to, ID: id, Now: now}, compose.Test{})
	if err != nil {
		return err
	}
	through := "the recipient's own server"
	if c.app.Direct == nil {
		through = fmt.Sprintf("%s:%d", c.app.Smarthost.Host, c.app.Smarthost.Port)
	}
	fmt.Fprintf(c.Out, "Sending a test mail to %s through %s\n\n", to, through)
	e := deliver.Envelope{From: c.app.Composer.From.Address, To: to, Body: body, NotAfter: now.Add(time.Hour)}
	result := c.app.Send(ctx, e, func() error { return nil }, c.step)
	fmt.Fprintln(c.Out)
	if result.Class != deliver.Sent {
		return &notAccepted{result, c.app.Direct != nil}
	}
	by := "smarthost"
	if c.app.Direct != nil && result.Way != "smarthost" {
		by = "recipient's server"
	}
	fmt.Fprintf(c.Out, "Accepted by the %s (%s). Whether it arrives is now up to the servers behind it.\n", by, dash(result.TLS))
	return nil
}

// step prints one step of the conversation.
func (c *call) step(s deliver.Step) {
	at := fmt.Sprintf("%6.3fs", s.At.Seconds())
	for _, line := range []struct{ mark, text string }{{"  ", s.Note}, {"> ", s.Sent}, {"< ", s.Received}} {
		for part := range strings.Lines(line.text) {
			fmt.Fprintf(c.Out, "%s %s%s\n", at, line.mark, strings.TrimRight(part, "\r\n"))
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
	return errors.Join(fmt.Errorf("not accepted at %s: %s", e.r.Stage, e.r.Text), e.r.Err).Error()
}

// Hint says what the answer means.
func (e *notAccepted) Hint() string {
	if e.direct {
		return "\"gatelodge mail check\" looks for what other servers mind about this one"
	}
	switch e.r.Class {
	case deliver.Paused:
		return "the smarthost refuses our login: check the user in mail.smarthost.url and the password"
	case deliver.Permanent:
		return "the smarthost refuses this address or message for good"
	case deliver.Temporary:
		if e.r.Code == 0 {
			return "check mail.smarthost.url: host, port, and smtps:// for port 465 or smtp:// for 587"
		}
	}
	return ""
}
