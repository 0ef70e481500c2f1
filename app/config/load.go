package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// Source is where a configuration comes from, the later over the earlier.
type Source struct {
	File  string            // "" for none
	Env   []string          // as os.Environ gives it
	Flags map[string]string // by key; "listen" is the flag -listen, "data_dir" is -data
	Dir   string            // the working directory
}

// Loaded is a configuration that has been checked.
type Loaded struct {
	Config
	File     string   // "" when there was none
	Warnings []string // what works but should be known
	origins  map[string]string
}

// Setting is one key of a loaded configuration, for showing.
type Setting struct {
	Key    string
	Value  string // as TOML; secrets are masked
	Origin string // "default", "config.toml:12", "environment GATELODGE_LISTEN", "flag -listen"
}

// Errors are all that is wrong with a configuration, a line each.
type Errors []error

// Error returns the lines.
func (e Errors) Error() string { return errors.Join(e...).Error() }

// Hint says what to do.
func (e Errors) Hint() string {
	return "\"gatelodge config example\" shows every setting with its default"
}

// prefix begins the names of all variables of ours.
const prefix = "GATELODGE_"

// others are variables that begin like settings but are read elsewhere.
var others = []string{"GATELODGE_NPM", "GATELODGE_PEERS"}

// Find returns the file that -config names, or ./config.toml where there is
// one, or "".
func Find(dir, given string) string {
	if given != "" {
		if filepath.IsAbs(given) {
			return given
		}
		return filepath.Join(dir, given)
	}
	usual := filepath.Join(dir, "config.toml")
	if _, err := os.Stat(usual); err != nil {
		return ""
	}
	return usual
}

// Load reads and checks a configuration. What is wrong comes back as Errors.
func Load(s Source) (*Loaded, error) {
	l := &Loaded{Config: Default(), File: s.File, origins: make(map[string]string)}
	errs := l.readFile()
	errs = append(errs, l.readEnv(s.Env)...)
	errs = append(errs, l.readFlags(s.Flags)...)
	if beside := filepath.Dir(l.File); l.File != "" && s.Dir != "" && beside != s.Dir && l.origins["data_dir"] == "" {
		// A file of another directory belongs to another server, with its data beside it.
		l.DataDir = filepath.Join(beside, l.DataDir)
	}
	if len(errs) == 0 {
		errs = l.check()
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return l, nil
}

// Settings returns every key with its value and origin, in the file's order.
func (l *Loaded) Settings() []Setting {
	var list []Setting
	for _, s := range settings() {
		origin := l.origins[s.key]
		if origin == "" {
			origin = "default"
		}
		list = append(list, Setting{Key: s.key, Value: s.value(&l.Config), Origin: origin})
	}
	return append(list, l.shown()...)
}

func (l *Loaded) readFile() Errors {
	if l.File == "" {
		return nil
	}
	text, err := os.ReadFile(l.File)
	if errors.Is(err, fs.ErrNotExist) {
		return Errors{fmt.Errorf("there is no configuration file %s", l.File)}
	}
	if err != nil {
		return Errors{fmt.Errorf("reading the configuration: %w", err)}
	}
	errs := l.readTOML(filepath.Base(l.File), string(text))
	info, err := os.Stat(l.File)
	if err == nil && info.Mode().Perm()&0o077 != 0 && l.holdsSecret() {
		l.Warnings = append(l.Warnings, fmt.Sprintf("%s contains a password or a secret and can be read by other users: chmod 600 %s, or use password_file, secret_file and client_secret_file", l.File, l.File))
	}
	return errs
}

// holdsSecret reports whether a secret stands in the file itself.
func (l *Loaded) holdsSecret() bool {
	for i := range l.Apps {
		if l.origins[appKey(i, "app.authjs.secret")] != "" {
			return true
		}
	}
	for i := range l.Upstreams {
		if l.origins[tableKey(i, "upstream", "upstream.client_secret")] != "" {
			return true
		}
	}
	return l.origins["mail.smarthost.password"] != ""
}

func (l *Loaded) readTOML(name, text string) Errors {
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		if p, ok := errors.AsType[toml.ParseError](err); ok {
			return Errors{fmt.Errorf("%s:%d: %s", name, p.Position.Line, p.Message)}
		}
		return Errors{fmt.Errorf("%s: %w", name, err)}
	}
	var errs Errors
	lines := linesOf(text)
	for _, t := range lists() {
		if value, ok := tree[t.name]; ok {
			errs = append(errs, l.readTables(t, name, value, lines, filepath.Dir(l.File))...)
			delete(tree, t.name)
		}
	}
	flat := make(map[string]any)
	flatten("", tree, flat)
	known := settings()
	for _, key := range slices.Sorted(maps.Keys(flat)) {
		at := fmt.Sprintf("%s:%d", name, lines[key])
		i := slices.IndexFunc(known, func(s setting) bool { return s.key == key })
		if i < 0 {
			errs = append(errs, fmt.Errorf("%s: %s is not a setting%s", at, key, meant(key)))
			continue
		}
		if err := known[i].set(&l.Config, flat[key]); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s %w", at, key, err))
			continue
		}
		l.origins[key] = at
		l.anchor(known[i], filepath.Dir(l.File))
	}
	return errs
}

// anchor makes a relative path of the file relative to the file's directory.
func (l *Loaded) anchor(s setting, dir string) {
	if p, ok := s.ptr(&l.Config).(*string); ok && s.path && *p != "" && !filepath.IsAbs(*p) {
		*p = filepath.Join(dir, *p)
	}
}

func flatten(prefix string, tree map[string]any, into map[string]any) {
	for name, value := range tree {
		if sub, ok := value.(map[string]any); ok {
			flatten(prefix+name+".", sub, into)
			if len(sub) > 0 || isSection(prefix+name) {
				continue
			}
		}
		into[prefix+name] = value
	}
}

// isSection reports whether a key is the table of settings: an empty one is
// no mistake.
func isSection(key string) bool {
	return slices.ContainsFunc(settings(), func(s setting) bool { return strings.HasPrefix(s.key, key+".") })
}

// linesOf finds the line of each key. The parser does not tell, so this reads
// the forms that people write: [table], [[list]] and key = value. The keys of the
// second [[list]] begin with list#1.
func linesOf(text string) map[string]int {
	lines := make(map[string]int)
	table := ""
	seen := make(map[string]int)
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			name, _, _ := strings.Cut(strings.Trim(line, "[ "), "]")
			table = strings.TrimSpace(name)
			first, rest, _ := strings.Cut(table, ".")
			if strings.HasPrefix(line, "[[") {
				seen[table]++
				setLine(lines, table, n+1)
			}
			if count := seen[first]; count > 0 {
				table = fmt.Sprintf("%s#%d", first, count-1)
				if rest != "" {
					table += "." + rest
				}
			}
			setLine(lines, table, n+1)
			table += "."
			continue
		}
		if key, _, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			setLine(lines, table+strings.Trim(strings.TrimSpace(key), `"'`), n+1)
		}
	}
	return lines
}

func setLine(lines map[string]int, key string, n int) {
	if _, ok := lines[key]; !ok {
		lines[key] = n
	}
}

func envName(key string) string { return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_")) }

func (l *Loaded) readEnv(env []string) Errors {
	var errs Errors
	known := settings()
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		// An empty one counts as not set: container files pass those on.
		if !strings.HasPrefix(name, prefix) || value == "" || slices.Contains(others, name) {
			continue
		}
		i := slices.IndexFunc(known, func(s setting) bool { return envName(s.key) == name })
		if i < 0 {
			key := strings.ToLower(strings.TrimPrefix(name, prefix))
			errs = append(errs, fmt.Errorf("the environment variable %s is not a setting%s", name, meantEnv(key)))
			continue
		}
		if err := known[i].parse(&l.Config, value); err != nil {
			errs = append(errs, fmt.Errorf("the environment variable %s %w", name, err))
			continue
		}
		l.origins[known[i].key] = "environment " + name
	}
	return errs
}

func (l *Loaded) readFlags(flags map[string]string) Errors {
	var errs Errors
	names := map[string]string{"data_dir": "-data", "listen": "-listen"}
	for _, s := range settings() {
		value, ok := flags[s.key]
		if !ok {
			continue
		}
		if err := s.parse(&l.Config, value); err != nil {
			errs = append(errs, fmt.Errorf("the flag %s %w", names[s.key], err))
			continue
		}
		l.origins[s.key] = "flag " + names[s.key]
	}
	return errs
}

// meant suggests the setting that a wrong key was near to.
func meant(key string) string {
	if hint := meaningOf(key); hint != "" {
		return hint
	}
	if best := nearest(key, func(s setting) string { return s.key }); best != "" {
		return "; did you mean " + best + "?"
	}
	return ""
}

func meantEnv(key string) string {
	if hint := meaningOf(key); hint != "" {
		return hint
	}
	if best := nearest(key, func(s setting) string { return strings.ReplaceAll(s.key, ".", "_") }); best != "" {
		return "; did you mean " + prefix + strings.ToUpper(best) + "?"
	}
	return ""
}

func nearest(key string, name func(setting) string) string {
	best, least := "", 2+len(key)/3
	for _, s := range settings() {
		if d := distance(key, name(s)); d < least {
			best, least = name(s), d
		} else if lastName(s.key) == lastName(key) && best == "" {
			best = name(s)
		}
	}
	return best
}

// distance counts the letters to change, add or remove (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
