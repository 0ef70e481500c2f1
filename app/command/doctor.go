package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatelodge/app"
	"gatelodge/app/command/line"
	"gatelodge/store"
)

// The states of a finding.
const (
	fine = "ok"
	warn = "warn" // works, but somebody should look
	sick = "fail"
)

// finding is one line of the doctor's.
type finding struct {
	What  string `json:"what"`
	State string `json:"state"`
	Text  string `json:"text"`
	Fix   string `json:"fix,omitempty"`
}

// examinations are the doctor's lines in their order. Each says how one thing
// fares, and an error is a failing of that thing. A finding without a state is no line.
func examinations() []examination {
	return []examination{
		{"store", examineStore},
		{"pages", examinePages},
		{"key", examineKey},
		{"backups", examineBackups},
		{"disk", examineDisk},
		{"clock", examineClock},
		{"mail", examineMail},
		{"relay", examineRelay},
		{"proxies", examineProxies},
		{"apps", examineApps},
	}
}

type examination struct {
	what    string
	examine func(context.Context, *app.App) (finding, error)
}

func doctor(ctx context.Context, c *line.Call) error {
	findings := make([]finding, 0, len(examinations()))
	failing := 0
	for _, e := range examinations() {
		f, err := e.examine(ctx, c.App)
		if err != nil {
			f = failingOf(err)
		}
		if f.State == "" {
			continue
		}
		f.What = e.what
		if f.State == sick {
			failing++
		}
		findings = append(findings, f)
	}
	if err := tellFindings(c, findings); err != nil {
		return err
	}
	if failing > 0 {
		return &ill{failing}
	}
	return nil
}

func tellFindings(c *line.Call, findings []finding) error {
	if c.Bool("json") {
		return c.PrintJSON(findings)
	}
	for _, f := range findings {
		fmt.Fprintf(c.Out, "%-4s  %-8s %s\n", f.State, f.What, f.Text)
		if f.Fix != "" {
			fmt.Fprintf(c.Out, "%-4s  %-8s -> %s\n", "", "", f.Fix)
		}
	}
	return nil
}

// failingOf turns an error into a line, with its hint as the fix.
func failingOf(err error) finding {
	f := finding{State: sick, Text: err.Error()}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		f.Fix = hinted.Hint()
	}
	return f
}

type ill struct{ n int }

func (e *ill) Error() string { return line.Count(e.n, "thing needs", "things need") + " mending" }

func examineStore(ctx context.Context, a *app.App) (finding, error) {
	if err := a.DB.Ready(ctx); err != nil {
		return finding{}, err
	}
	if a.DB.Shared() {
		return finding{State: fine, Text: "the PostgreSQL database takes writes"}, nil
	}
	size, err := a.DB.Size()
	return finding{State: fine, Text: fmt.Sprintf("takes writes; %d MB in %s", (size+1<<20-1)>>20, a.DB.Dir())}, err
}

func examinePages(ctx context.Context, a *app.App) (finding, error) {
	if a.DB.Shared() {
		return finding{State: fine, Text: "PostgreSQL looks after them"}, nil
	}
	return finding{State: fine, Text: "every page of the database is whole"}, a.DB.Check(ctx)
}

func examineKey(ctx context.Context, a *app.App) (finding, error) {
	keys, err := a.DB.Keys(ctx)
	if err != nil {
		return finding{}, err
	}
	moving := 0
	for _, k := range keys {
		switch {
		case !k.InFile:
			return finding{
				State: sick, Text: fmt.Sprintf("%s with the key %s, which is not in secret.key", line.Count(k.Total(), "value is sealed", "values are sealed"), k.ID),
				Fix: "put its line back below the first one, from your copy of secret.key",
			}, nil
		case !k.Seals:
			moving += k.Total()
		}
	}
	if moving > 0 {
		return finding{State: warn, Text: line.Count(moving, "value has", "values have") + " yet to be sealed with the newest key", Fix: "the server does it by itself; watch \"gatelodge key list\""}, nil
	}
	return finding{State: fine, Text: "secret.key opens everything; is there a copy of it in another place?"}, nil
}

func examineBackups(_ context.Context, a *app.App) (finding, error) {
	s, err := a.Backups.State()
	switch {
	case err != nil:
		return finding{}, err
	case s.Failed != nil:
		return failingOf(s.Failed), nil
	case s.Every == 0:
		return finding{State: warn, Text: "none is made by itself", Fix: "set backup.every, or make them yourself with: gatelodge backup FILE"}, nil
	case len(s.Kept) == 0:
		return finding{State: warn, Text: "there is none yet in " + s.Dir, Fix: "the server makes the first within minutes; now: gatelodge backup"}, nil
	}
	age := a.Now().Sub(s.Kept[0].At)
	text := fmt.Sprintf("%s in %s, the newest of %s", line.Count(len(s.Kept), "is kept", "are kept"), s.Dir, line.Stamp(s.Kept[0].At))
	if age > 2*s.Every+time.Hour {
		return finding{State: warn, Text: text, Fix: "one was due long ago: is a server running? Now: gatelodge backup"}, nil
	}
	return finding{State: fine, Text: text}, nil
}

// Below these the disk is about to be full, or will be some day soon.
const (
	diskLeast = 16 << 20
	diskSmall = 200 << 20
)

func examineDisk(_ context.Context, a *app.App) (finding, error) {
	free, err := store.FreeSpace(a.DB.Dir())
	f := finding{State: fine, Text: fmt.Sprintf("%d MB free in %s", free>>20, a.DB.Dir())}
	if free < diskSmall {
		f.State, f.Fix = warn, "free some space: sign-in stops when the disk is full"
	}
	if free < diskLeast {
		f.State = sick
	}
	return f, err
}

func examineClock(_ context.Context, a *app.App) (finding, error) {
	if a.Clock.Doubtful() {
		return finding{State: warn, Text: "the clock has leapt ahead of where the last run left it, to " + line.Stamp(a.Now()), Fix: "if that is not the time, set the clock; nothing is removed for a day"}, nil
	}
	if behind := a.Clock.Behind(); behind > 0 {
		return finding{State: warn, Text: fmt.Sprintf("the clock is %s behind a time that it showed before", behind.Round(time.Second)), Fix: "set the clock; meanwhile the later time counts"}, nil
	}
	return finding{State: fine, Text: "it is " + line.Stamp(a.Now())}, nil
}

func examineMail(ctx context.Context, a *app.App) (finding, error) {
	if a.Outbox.Capture {
		return finding{State: warn, Text: "captured: sign-in mail is not sent", Fix: "set mail.mode, or give people links with: gatelodge user link EMAIL"}, nil
	}
	if way := a.Queue.Way(); way.Down {
		return finding{State: sick, Text: fmt.Sprintf("the %s has been down since %s: %s", way.Name, line.Stamp(way.Since), way.Reason), Fix: "fix it, then run: gatelodge mail retry"}, nil
	}
	h, err := a.Outbox.Health(ctx)
	if err != nil {
		return finding{}, err
	}
	text := fmt.Sprintf("in the last hour: %d waiting, %d failed", h.Waiting, h.Failed)
	slow, err := a.Outbox.Slow(ctx)
	if slow || h.Failed > 0 {
		return finding{State: warn, Text: text, Fix: "see why with: gatelodge mail queue -all"}, err
	}
	if report := a.Check.Run(ctx, ""); err == nil && report.Failed() {
		return finding{State: sick, Text: line.Count(report.Failures(), "thing keeps mail", "things keep mail") + " from arriving everywhere", Fix: "see what to do with: gatelodge mail check"}, nil
	}
	return finding{State: fine, Text: text}, err
}

// examineRelay tells of the port where apps hand over mail, which only the server
// that runs has.
func examineRelay(_ context.Context, a *app.App) (finding, error) {
	if a.Listener == nil {
		return finding{State: fine, Text: "apps may hand over mail over HTTP; mail.submission.listen opens a port for SMTP"}, nil
	}
	return finding{State: fine, Text: "apps hand over mail at " + a.Listener.Address}, a.Listener.Trouble().Err
}

// proxyTroubleFor is how long the doctor reports a header that could not be read: a proxy
// that was fixed since is no trouble.
const proxyTroubleFor = time.Hour

// examineProxies reports what the running server could not read of its proxies' headers.
// examineApps reports a configuration that was not taken over.
func examineApps(_ context.Context, a *app.App) (finding, error) {
	refused := a.RefusedReload()
	if refused == nil {
		return finding{}, nil
	}
	return finding{
		State: sick, Text: fmt.Sprintf("not reloaded at %s; the earlier apps stay in use: %v", line.Stamp(refused.At), refused.Err),
		Fix: `correct the configuration, check it with "gatelodge config check", and send the server SIGHUP`,
	}, nil
}

func examineProxies(_ context.Context, a *app.App) (finding, error) {
	for _, t := range slices.Backward(a.Proxies.Troubles()) {
		if a.Now().Sub(t.At) < proxyTroubleFor {
			return finding{State: warn, Text: t.Text + ", at " + line.Stamp(t.At), Fix: t.Fix}, nil
		}
	}
	return finding{}, nil
}
