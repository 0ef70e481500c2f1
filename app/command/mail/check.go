package mail

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"gatelodge/app/command/line"
	"gatelodge/app/email"
	"gatelodge/app/lang"
	"gatelodge/app/mail/check"
	"gatelodge/app/mail/dkim"
)

func checkVerbs() []*line.Verb {
	return []*line.Verb{
		{
			Words: "mail check", Args: "[ADDRESS]", Max: 1, Place: line.Server, JSON: true,
			About: "Looks at what other mail servers look at, says what each thing means and how to\nmend it. With an address, hands in a mail for it and stops before it is sent. Exits\nwith 1 when something keeps mail from arriving.", Run: mailCheck,
		},
		{
			Words: "mail dns", Place: line.Server, JSON: true, About: "Prints the records to publish so that mail arrives, as lines of a zone file.",
			Flags: func(fs *flag.FlagSet) {
				fs.Bool("panel", false, "print them for a form with fields: name, type, value")
			},
			Run: mailDNS,
		},
		{
			Words: "mail dkim", Place: line.Server, JSON: true,
			About: "Lists the keys that sign mail. To change them: -rotate makes the next pair, which\nyou publish; -switch lets it sign once DNS has it; a week later the old records can go.",
			Flags: func(fs *flag.FlagSet) {
				fs.Bool("rotate", false, "make the next pair of keys")
				fs.Bool("switch", false, "let the next pair sign, when it is in DNS")
			},
			Run: mailDKIM,
		},
	}
}

// english says what findings mean to who reads the terminal.
func english() (lang.Printer, *lang.Catalog, error) {
	catalog, err := lang.Load()
	if err != nil {
		return lang.Printer{}, nil, err
	}
	return catalog.For("en"), catalog, nil
}

type recordJSON struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
	About string `json:"about"`
}

type findingJSON struct {
	Level  check.Level `json:"level"`
	Check  string      `json:"check"`
	Text   string      `json:"text"`
	Fix    string      `json:"fix,omitempty"`
	Answer string      `json:"answer,omitempty"`
	Record *recordJSON `json:"record,omitempty"`
}

func describeRecord(p lang.Printer, r check.Record) recordJSON {
	return recordJSON{Name: r.Name, Type: r.Type, Value: r.Value, About: p.Say("mail.dns." + r.Key)}
}

func describeFinding(p lang.Printer, catalog *lang.Catalog, f check.Finding) findingJSON {
	j := findingJSON{Level: f.Level, Check: f.Key, Text: p.Say("mail.check."+f.Key, f.Args...), Answer: f.Answer}
	if fix := "mail.check." + f.Key + "_fix"; catalog.Has(fix) {
		j.Fix = p.Say(fix, f.Args...)
	}
	if f.Record != nil {
		r := describeRecord(p, *f.Record)
		j.Record = &r
	}
	return j
}

// errCheck means that something keeps mail from arriving; it has been printed.
var errCheck = errors.New("mail will not arrive everywhere: see the lines that say FAIL")

func mailCheck(ctx context.Context, c *line.Call) error {
	address := ""
	if len(c.Args) == 1 {
		read, err := email.Read(c.Args[0])
		if err != nil {
			return err
		}
		address = read.Mailbox()
	}
	p, catalog, err := english()
	if err != nil {
		return err
	}
	report := c.App.Check.Run(ctx, address)
	list := make([]findingJSON, len(report.Findings))
	for i, f := range report.Findings {
		list[i] = describeFinding(p, catalog, f)
	}
	if c.Bool("json") {
		err := c.PrintJSON(struct {
			At       time.Time     `json:"at"`
			OK       bool          `json:"ok"`
			Findings []findingJSON `json:"findings"`
		}{report.At, !report.Failed(), list})
		if err != nil {
			return err
		}
	} else {
		for _, f := range list {
			showFinding(c, f)
		}
	}
	if report.Failed() {
		return errCheck
	}
	return nil
}

func showFinding(c *line.Call, f findingJSON) {
	const indent = "      "
	fmt.Fprintf(c.Out, "%-4s  %s.\n", f.Level, f.Text)
	if f.Answer != "" {
		for line := range strings.Lines(f.Answer) {
			fmt.Fprintf(c.Out, "%s| %s\n", indent, strings.TrimRight(line, "\r\n"))
		}
	}
	if f.Fix != "" {
		fmt.Fprintln(c.Out, indent+f.Fix)
	}
	if f.Record != nil {
		r := check.Record{Name: f.Record.Name, Type: f.Record.Type, Value: f.Record.Value}
		fmt.Fprintln(c.Out, indent+r.ZoneLine())
	}
}

func mailDNS(ctx context.Context, c *line.Call) error {
	p, _, err := english()
	if err != nil {
		return err
	}
	records, err := c.App.Check.Records(ctx)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		list := make([]recordJSON, len(records))
		for i, r := range records {
			list[i] = describeRecord(p, r)
		}
		return c.PrintJSON(list)
	}
	for i, r := range records {
		if i > 0 {
			fmt.Fprintln(c.Out)
		}
		about := p.Say("mail.dns." + r.Key)
		if c.Bool("panel") {
			fmt.Fprintf(c.Out, "%s\n  name:  %s\n  type:  %s\n  value: %s\n", about, r.Name, r.Type, r.Value)
			continue
		}
		fmt.Fprintf(c.Out, "; %s\n%s\n", about, r.ZoneLine())
	}
	return nil
}

type dkimJSON struct {
	Selector  string     `json:"selector"`
	Algorithm string     `json:"algorithm"`
	State     dkim.State `json:"state"`
	Since     time.Time  `json:"since"`
	Name      string     `json:"name"`
	Record    string     `json:"record"`
}

func mailDKIM(ctx context.Context, c *line.Call) error {
	rotate, change := c.Bool("rotate"), c.Bool("switch")
	switch {
	case rotate && change:
		return c.UsageError("-rotate and -switch are two steps, with DNS between them")
	case rotate:
		if err := c.App.DKIM.Prepare(ctx); err != nil {
			return err
		}
	case change:
		if err := c.App.Check.NextPublished(ctx); err != nil {
			return err
		}
		if err := c.App.DKIM.Switch(ctx); err != nil {
			return err
		}
	}
	keys, err := c.App.DKIM.Keys(ctx)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		list := make([]dkimJSON, len(keys))
		for i, k := range keys {
			list[i] = dkimJSON{Selector: k.Selector, Algorithm: k.Algorithm, State: k.State, Since: k.Since, Name: k.Name(), Record: k.Record}
		}
		return c.PrintJSON(list)
	}
	w := c.Table("SELECTOR\tKIND\tSTATE\tSINCE\tRECORD AT")
	for _, k := range keys {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.Selector, k.Algorithm, k.State, line.Stamp(k.Since), k.Name())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	nextStep(c, keys)
	return nil
}

// nextStep says what a rotation waits for.
func nextStep(c *line.Call, keys []dkim.Key) {
	states := make(map[dkim.State]bool)
	for _, k := range keys {
		states[k.State] = true
	}
	switch {
	case states[dkim.Next]:
		fmt.Fprintln(c.Out, "\nPublish the next keys, which \"gatelodge mail dns\" prints, wait until DNS has them everywhere,\nan hour or as long as your zone says, and then: gatelodge mail dkim -switch")
	case states[dkim.Retired]:
		fmt.Fprintln(c.Out, "\nLeave the records of the retired keys in DNS: mail they signed is still on its way.")
	case states[dkim.Old]:
		fmt.Fprintln(c.Out, "\nThe records of the old keys can be removed from DNS.")
	}
}
