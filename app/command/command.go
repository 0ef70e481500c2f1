// Package command is the command line, every verb but serve.
//
// A verb that needs the store runs in the process that has it: when a server
// runs, the command line sends it the words through the admin socket and shows
// what comes back; when none does, it opens the store itself, under its lock.
// The verb is written once and cannot tell the difference.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/app/fault"
	"gatelodge/app/lang"
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
)

// ErrUsage means the words were wrong; usage has been printed.
var ErrUsage = errors.New("usage")

// ErrPort means the address to listen on cannot be had.
var ErrPort = errors.New("cannot listen")

// Process is what surrounds the command line.
type Process struct {
	Out io.Writer
	Err io.Writer
	Env []string // os.Environ() form
	Dir string   // the working directory, absolute
}

// place says where a verb runs.
type place int

const (
	local place = iota // needs no store
	house              // needs the store: through the server, or under its lock
	alone              // needs the store's files while nobody has them
)

// verb is one command.
type verb struct {
	words string // "user add"
	args  string // "EMAIL"
	about string // whole sentences
	min   int    // arguments
	max   int
	place place
	json  bool  // takes -json
	paths []int // the arguments that name files
	flags func(*flag.FlagSet)
	run   func(context.Context, *call) error
}

// call is one use of a verb.
type call struct {
	Process
	verb  *verb
	flags *flag.FlagSet
	args  []string
	app   *app.App // for verbs of the house
}

func (c *call) bool(name string) bool { return c.flags.Lookup(name).Value.(flag.Getter).Get().(bool) }

func (c *call) int(name string) int       { return c.flags.Lookup(name).Value.(flag.Getter).Get().(int) }
func (c *call) string(name string) string { return c.flags.Lookup(name).Value.String() }

func verbs() []*verb {
	return slices.Concat(setUpVerbs(), userVerbs(), appVerbs(), mailVerbs(), credentialVerbs(), mailCheckVerbs(), storeVerbs(), copyVerbs(), keyVerbs(), configVerbs(), moveVerbs(), healthVerbs())
}

// Run runs the command line args and returns the exit code.
func Run(ctx context.Context, p Process, args []string) int {
	return finish(p, dispatch(ctx, p, args, nil))
}

// finish prints what went wrong and returns the exit code for it.
func finish(p Process, err error) int {
	if told := (*remoteError)(nil); err != nil && !errors.Is(err, ErrUsage) && !errors.As(err, &told) {
		fmt.Fprint(p.Err, Explain(err))
	}
	return ExitCode(err)
}

// dispatch finds the verb and runs it: in a, when that is the server's own
// house, else wherever the store is.
func dispatch(ctx context.Context, p Process, args []string, a *app.App) error {
	v, rest := find(args)
	if v == nil && listGroup(p.Err, args) {
		return ErrUsage
	}
	if v == nil {
		fmt.Fprintf(p.Err, "gatelodge: there is no command %q\nhint: \"gatelodge help\" lists them\n", strings.Join(args, " "))
		return ErrUsage
	}
	c, err := v.parse(p, rest)
	if errors.Is(err, flag.ErrHelp) {
		v.usage(p.Out, newFlags(v))
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case v.place != house:
		return v.run(ctx, c)
	case a != nil:
		c.app = a
		return v.run(ctx, c)
	}
	return c.atHome(ctx, args)
}

// find returns the verb that args begin with, the longest first.
func find(args []string) (*verb, []string) {
	for n := min(3, len(args)); n > 0; n-- {
		words := strings.Join(args[:n], " ")
		for _, v := range verbs() {
			if v.words == words {
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
		group, _, isGroup := strings.Cut(v.words, " ")
		if !isGroup || len(args) == 0 || group != args[0] {
			continue
		}
		if !found {
			fmt.Fprintf(w, "usage:\n")
		}
		found = true
		fmt.Fprintf(w, "  gatelodge %s %s\n", v.words, v.args)
	}
	return found
}

func newFlags(v *verb) *flag.FlagSet {
	fs := flag.NewFlagSet(v.words, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.String("config", "", "the configuration `file` (default ./config.toml where there is one)")
	fs.String("data", "", "the data `directory`")
	if v.json {
		fs.Bool("json", false, "print JSON")
	}
	if v.flags != nil {
		v.flags(fs)
	}
	return fs
}

// parse reads flags and arguments in any order.
func (v *verb) parse(p Process, words []string) (*call, error) {
	c := &call{Process: p, verb: v, flags: newFlags(v)}
	for {
		if err := c.flags.Parse(words); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, c.usageError(err.Error())
		}
		if c.flags.NArg() == 0 {
			break
		}
		c.args = append(c.args, c.flags.Arg(0))
		words = c.flags.Args()[1:]
	}
	if len(c.args) < v.min || len(c.args) > v.max {
		return nil, c.usageError(fmt.Sprintf("%q takes %s", v.words, wanted(v)))
	}
	for _, i := range v.paths {
		if i < len(c.args) && !filepath.IsAbs(c.args[i]) {
			c.args[i] = filepath.Join(p.Dir, c.args[i])
		}
	}
	return c, nil
}

func wanted(v *verb) string {
	if v.args == "" {
		return "no argument"
	}
	return v.args
}

func (c *call) usageError(what string) error {
	fmt.Fprintf(c.Err, "gatelodge: %s\n\n", what)
	c.verb.usage(c.Err, newFlags(c.verb))
	return ErrUsage
}

func (v *verb) usage(w io.Writer, fs *flag.FlagSet) {
	line := "usage: gatelodge " + v.words + " [flags]"
	if v.args != "" {
		line += " " + v.args
	}
	fmt.Fprintf(w, "%s\n\n%s\n\n", line, v.about)
	fs.SetOutput(w)
	fs.PrintDefaults()
}

// load reads the configuration that the call names.
func (c *call) load() (*config.Loaded, error) { return LoadConfig(c.Process, c.flags) }

// LoadConfig reads the configuration for a command line with the flags
// -config, -data and, where there is one, -listen.
func LoadConfig(p Process, fs *flag.FlagSet) (*config.Loaded, error) {
	flags := map[string]string{}
	fs.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "data":
			flags["data_dir"] = f.Value.String()
		case "listen":
			flags["listen"] = f.Value.String()
		}
	})
	return config.Load(config.Source{File: config.Find(p.Dir, fs.Lookup("config").Value.String()), Env: p.Env, Flags: flags})
}

// Explain says what went wrong in one sentence, and below it what to try.
func Explain(err error) string {
	text := err.Error()
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		text = Sentence(f)
	}
	text = "gatelodge: " + text + "\n"
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" {
		text += "hint: " + hinted.Hint() + "\n"
	}
	return text
}

// Sentence says a fault in English.
func Sentence(f *fault.Fault) string {
	catalog, err := lang.Load()
	if err != nil {
		return f.Error()
	}
	p := catalog.For("en")
	for _, key := range []string{f.Text, f.Text + ".text"} {
		if catalog.Has(key) {
			return p.Say(key, append([]any{"contact", "an admin"}, f.Args...)...)
		}
	}
	return f.Error()
}

// ExitCode returns the exit code for err.
func ExitCode(err error) int {
	var told *remoteError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &told):
		return told.code
	case errors.Is(err, ErrUsage), errors.As(err, new(config.Errors)):
		return ExitUsage
	case errors.Is(err, ErrPort):
		return ExitPort
	case errors.Is(err, store.ErrLocked):
		return ExitLocked
	case errors.Is(err, store.ErrKey):
		return ExitKey
	case errors.Is(err, store.ErrReadOnly), errors.Is(err, store.ErrNetwork):
		return ExitReadOnly
	case errors.Is(err, store.ErrNewer):
		return ExitNewer
	case errors.Is(err, store.ErrFull):
		return ExitFull
	case errors.Is(err, store.ErrUnreachable):
		return ExitDatabase
	case errors.Is(err, store.ErrCorrupt), errors.Is(err, store.ErrForeign):
		return ExitDamaged
	}
	return ExitFailed
}

// refusalText says the sentence behind a fault's key, or "" when text is none.
func refusalText(text string) string {
	if !strings.Contains(text, ".") || strings.ContainsAny(text, " @") {
		return ""
	}
	if said := Sentence(fault.New(fault.Invalid, text)); said != text {
		return said
	}
	return ""
}
