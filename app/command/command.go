// Package command is the command line, every verb but serve.
//
// A verb that needs the store runs in the process that has it: when a server
// runs, the command line sends it the words through the admin socket and shows
// what comes back; when none does, it opens the store itself, under its lock.
// The verb is written once and cannot tell the difference.
package command

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"gatelodge/app"
	"gatelodge/app/command/line"
	"gatelodge/app/command/mail"
	"gatelodge/app/command/people"
	"gatelodge/app/config"
	"gatelodge/app/fault"
	"gatelodge/store"
)

// The exit codes besides 0. Each condition that a script or a person may want
// to tell apart has its own.
const (
	ExitFailed   = 1
	ExitUsage    = 2
	ExitPort     = 3
	ExitLocked   = 4
	ExitKey      = 5
	ExitReadOnly = 6
	ExitNewer    = 7
	ExitFull     = 8
	ExitDamaged  = 9
	ExitDatabase = 10
	ExitEncoding = 11
	ExitGrant    = 12
)

// ErrPort means the address to listen on cannot be had.
var ErrPort = errors.New("cannot listen")

// Process is what surrounds the command line.
type Process = line.Process

// ErrUsage means the words were wrong; usage has been printed.
var ErrUsage = line.ErrUsage

func verbs() []*line.Verb {
	return slices.Concat(setUpVerbs(), people.Verbs(), appVerbs(), mail.Verbs(), storeVerbs(), copyVerbs(), keyVerbs(), configVerbs(), moveVerbs(), healthVerbs())
}

// Run runs the command line args and returns the exit code.
func Run(ctx context.Context, p Process, args []string) int {
	p = p.Cleaned()
	return finish(p, dispatch(ctx, p, args, nil))
}

// finish prints what went wrong and returns the exit code for it.
func finish(p Process, err error) int {
	if remote := (*remoteError)(nil); err != nil && !errors.Is(err, ErrUsage) && !errors.As(err, &remote) {
		fmt.Fprint(p.Err, Explain(err))
	}
	return ExitCode(err)
}

// dispatch finds the verb and runs it: in a, when that is the server's own
// process, else wherever the store is.
func dispatch(ctx context.Context, p Process, args []string, a *app.App) error {
	v, rest := find(args)
	if v == nil && listGroup(p.Err, args) {
		return ErrUsage
	}
	if v == nil {
		fmt.Fprintf(p.Err, "gatelodge: there is no command %q\nhint: \"gatelodge help\" lists them\n", strings.Join(args, " "))
		return ErrUsage
	}
	c, err := v.Parse(p, rest)
	if errors.Is(err, flag.ErrHelp) {
		v.Usage(p.Out)
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case v.Place != line.Server:
		return v.Run(ctx, c)
	case a != nil:
		c.App, c.Live = a, true
		return v.Run(ctx, c)
	}
	return atHome(ctx, c, args)
}

// older are earlier names of commands, which keep working.
var older = map[string]string{"user disable": "user suspend", "user enable": "user unsuspend"}

// find returns the verb that args begin with, the longest first.
func find(args []string) (*line.Verb, []string) {
	for n := min(3, len(args)); n > 0; n-- {
		words := strings.Join(args[:n], " ")
		words = cmp.Or(older[words], words)
		for _, v := range verbs() {
			if v.Words == words {
				return v, args[n:]
			}
		}
	}
	return nil, nil
}

// listGroup prints the verbs that begin with the first word, such as "user", and
// reports whether there are any.
func listGroup(w io.Writer, args []string) bool {
	found := false
	for _, v := range verbs() {
		group, _, isGroup := strings.Cut(v.Words, " ")
		if !isGroup || len(args) == 0 || group != args[0] {
			continue
		}
		if !found {
			fmt.Fprintf(w, "usage:\n")
		}
		found = true
		fmt.Fprintf(w, "  gatelodge %s %s\n", v.Words, v.Args)
	}
	return found
}

// LoadConfig reads the configuration for a command line with the flags
// -config, -data and, where there is one, -listen.
func LoadConfig(p Process, fs *flag.FlagSet) (*config.Loaded, error) { return line.LoadConfig(p, fs) }

// Explain says what went wrong in one sentence, and below it what to try.
func Explain(err error) string {
	text := err.Error()
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		text = line.Sentence(f)
	}
	text = "gatelodge: " + text + "\n"
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" {
		text += "hint: " + hinted.Hint() + "\n"
	}
	return text
}

// ExitCode returns the exit code for err.
func ExitCode(err error) int {
	var remote *remoteError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &remote):
		return remote.code
	case errors.Is(err, ErrUsage), errors.As(err, new(config.Errors)):
		return ExitUsage
	case errors.Is(err, ErrPort):
		return ExitPort
	case errors.Is(err, store.ErrLocked), errors.Is(err, store.ErrBusy):
		return ExitLocked
	case errors.Is(err, store.ErrKey):
		return ExitKey
	case errors.Is(err, store.ErrReadOnly), errors.Is(err, store.ErrExposed), errors.Is(err, store.ErrNetwork):
		return ExitReadOnly
	case errors.Is(err, store.ErrNewer):
		return ExitNewer
	case errors.Is(err, store.ErrFull):
		return ExitFull
	case errors.Is(err, store.ErrEncoding):
		return ExitEncoding
	case errors.Is(err, store.ErrPrivilege):
		return ExitGrant
	case errors.Is(err, store.ErrUnreachable):
		return ExitDatabase
	case errors.Is(err, store.ErrCorrupt), errors.Is(err, store.ErrForeign), errors.Is(err, store.ErrEmptied):
		return ExitDamaged
	}
	return ExitFailed
}
