// Package line is what the verbs of the command line share: how their words are
// read, where they run, and how they print.
//
// A verb is written once and cannot tell whether it runs in the server or in a
// process of its own; package command decides that.
package line

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gatelodge/app"
	"gatelodge/app/config"
)

// ErrUsage means the words were wrong; usage has been printed.
var ErrUsage = errors.New("usage")

// Process is what surrounds the command line.
type Process struct {
	// In is the standard input; nil has nothing to read.
	In  io.Reader
	Out io.Writer
	Err io.Writer
	Env []string // os.Environ() form
	Dir string   // the working directory, absolute
	// Example is a configuration with every setting.
	Example string
	// Reload asks a running server to read its Apps again; nil never does.
	Reload <-chan os.Signal
}

// Place says where a verb runs.
type Place int

// The places.
const (
	Local  Place = iota // needs no store
	Server              // needs the store: through the server, or under its lock
	Alone               // needs the store's files while no process has them
)

// Verb is one command.
type Verb struct {
	Words   string // "user add"
	Args    string // "EMAIL"
	About   string // whole sentences
	Min     int    // arguments
	Max     int
	Place   Place
	Creates bool  // may make a data directory: a mistyped -data must not
	JSON    bool  // takes -json
	Paths   []int // the arguments that name files
	// Secret names the flag with which the verb reads a line that is not shown, and
	// what to ask for on a terminal.
	Secret struct{ Flag, Prompt string }
	Flags  func(*flag.FlagSet)
	Run    func(context.Context, *Call) error
}

// Call is one use of a verb.
type Call struct {
	Process
	Verb  *Verb
	Flags *flag.FlagSet
	Args  []string
	App   *app.App // for verbs at the Server
	Live  bool     // App is that of the running server
}

// Bool returns the value of a flag, which the verb has to have.
func (c *Call) Bool(name string) bool { return c.Flags.Lookup(name).Value.(flag.Getter).Get().(bool) }

// Int returns the value of a flag.
func (c *Call) Int(name string) int { return c.Flags.Lookup(name).Value.(flag.Getter).Get().(int) }

// String returns the value of a flag as text.
func (c *Call) String(name string) string { return c.Flags.Lookup(name).Value.String() }

func newFlags(v *Verb) *flag.FlagSet {
	fs := flag.NewFlagSet(v.Words, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.String("config", "", "the configuration `file` (default ./config.toml where there is one)")
	fs.String("data", "", "the data `directory`")
	if v.JSON {
		fs.Bool("json", false, "print JSON")
	}
	if v.Flags != nil {
		v.Flags(fs)
	}
	return fs
}

// Parse reads flags and arguments in any order.
func (v *Verb) Parse(p Process, words []string) (*Call, error) {
	c := &Call{Process: p, Verb: v, Flags: newFlags(v)}
	for {
		if err := c.Flags.Parse(words); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, c.UsageError(err.Error())
		}
		if c.Flags.NArg() == 0 {
			break
		}
		c.Args = append(c.Args, c.Flags.Arg(0))
		words = c.Flags.Args()[1:]
	}
	if len(c.Args) < v.Min || len(c.Args) > v.Max {
		return nil, c.UsageError(fmt.Sprintf("%q takes %s", v.Words, wanted(v)))
	}
	for _, i := range v.Paths {
		if i < len(c.Args) && !filepath.IsAbs(c.Args[i]) {
			c.Args[i] = filepath.Join(p.Dir, c.Args[i])
		}
	}
	return c, nil
}

func wanted(v *Verb) string {
	if v.Args == "" {
		return "no argument"
	}
	return v.Args
}

// UsageError says what is wrong with the words, prints the usage and returns
// ErrUsage.
func (c *Call) UsageError(what string) error {
	fmt.Fprintf(c.Err, "gatelodge: %s\n\n", what)
	c.Verb.Usage(c.Err)
	return ErrUsage
}

// Usage prints what the verb does and takes.
func (v *Verb) Usage(w io.Writer) {
	line := "usage: gatelodge " + v.Words + " [flags]"
	if v.Args != "" {
		line += " " + v.Args
	}
	fmt.Fprintf(w, "%s\n\n%s\n\n", line, v.About)
	fs := newFlags(v)
	fs.SetOutput(w)
	fs.PrintDefaults()
}

// Load reads the configuration that the call names.
func (c *Call) Load() (*config.Loaded, error) { return LoadConfig(c.Process, c.Flags) }

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
	return config.Load(config.Source{File: config.Find(p.Dir, fs.Lookup("config").Value.String()), Env: p.Env, Flags: flags, Dir: p.Dir})
}
