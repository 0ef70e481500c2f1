// Package lang holds every sentence people read, by key, in every language.
//
// A sentence is whole: it has named places for values and, where a number
// decides, a form for one and a form for many. No sentence is put together from
// parts, and no language file holds markup.
package lang

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"golang.org/x/text/language"
)

//go:embed *.toml
var files embed.FS

// base is the language that every other must match key for key.
const base = "en"

// maxAccept is how many bytes of an Accept-Language header are read. Browsers send
// less than 100.
const maxAccept = 200

// Catalog is every language, ready to speak.
type Catalog struct {
	tables  []table // the base first
	matcher language.Matcher
}

func newCatalog(tables []table) (*Catalog, error) {
	tags := make([]language.Tag, len(tables))
	for i, t := range tables {
		var err error
		if tags[i], err = language.Parse(t.tag); err != nil {
			return nil, fmt.Errorf("%s.toml: %q is not the tag of a language: %w", t.tag, t.tag, err)
		}
	}
	return &Catalog{tables: tables, matcher: language.NewMatcher(tags)}, nil
}

// table is one language. In plural sentences the number is named n.
type table struct {
	tag       string // BCP 47
	sentences map[string]sentence
}

// sentence is cut at its places: text, place, text, place, text.
type sentence struct {
	one   []piece // nil unless it differs from other
	other []piece
}

type piece struct {
	text  string
	place string // name of the value that stands here; then text is ""
}

// Language is one that can be chosen.
type Language struct {
	Tag  string
	Name string // in itself: "Deutsch"
}

// Load reads the embedded languages.
func Load() (*Catalog, error) { return Read(files) }

// Read reads a language from each .toml file at the top of files, named by its
// tag. A key or a place that one of them lacks is an error, so that nobody reads
// half a translation.
func Read(files fs.FS) (*Catalog, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("listing the languages: %w", err)
	}
	names := []string{base + ".toml"}
	for _, e := range entries {
		if e.Name() != names[0] && strings.HasSuffix(e.Name(), ".toml") {
			names = append(names, e.Name())
		}
	}
	var tables []table
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("reading a language: %w", err)
		}
		t, err := parse(strings.TrimSuffix(name, ".toml"), string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		tables = append(tables, t)
	}
	for _, t := range tables[1:] {
		if err := t.matches(tables[0]); err != nil {
			return nil, fmt.Errorf("%s.toml: %w", t.tag, err)
		}
	}
	return newCatalog(tables)
}

func parse(tag, text string) (table, error) {
	t := table{tag: tag, sentences: make(map[string]sentence)}
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		return t, err
	}
	return t, t.add("", tree)
}

// add flattens the tables of a file into keys with dots. A table of "one" and
// "other" is a sentence.
func (t table) add(prefix string, tree map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		key := prefix + name
		switch v := tree[name].(type) {
		case string:
			pieces, err := cut(v)
			if err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			t.sentences[key] = sentence{other: pieces}
		case map[string]any:
			if err := t.addTable(key, v); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s: want a sentence", key)
		}
	}
	return nil
}

func (t table) addTable(key string, v map[string]any) error {
	one, isOne := v["one"].(string)
	other, isOther := v["other"].(string)
	if !isOne || !isOther || len(v) != 2 {
		return t.add(key+".", v)
	}
	onePieces, err := cut(one)
	if err != nil {
		return fmt.Errorf("%s.one: %w", key, err)
	}
	otherPieces, err := cut(other)
	if err != nil {
		return fmt.Errorf("%s.other: %w", key, err)
	}
	t.sentences[key] = sentence{one: onePieces, other: otherPieces}
	return nil
}

// cut splits a sentence at its places, {name}.
func cut(text string) ([]piece, error) {
	var pieces []piece
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if before != "" {
			pieces = append(pieces, piece{text: before})
		}
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed || name == "" || strings.ContainsAny(name, " {<") {
			return nil, fmt.Errorf("a place is not closed in %q", text)
		}
		pieces = append(pieces, piece{place: name})
		rest = tail
	}
	return pieces, nil
}

// nameKey is the sentence with the language's own name.
const nameKey = "language.name"

// check reports what is wrong with t by itself.
func (t table) check() error {
	if _, ok := t.sentences[nameKey]; !ok {
		return fmt.Errorf("%s is missing", nameKey)
	}
	for _, key := range slices.Sorted(maps.Keys(t.sentences)) {
		s := t.sentences[key]
		for _, name := range places(s.one) {
			if !slices.Contains(places(s.other), name) {
				return fmt.Errorf("%s.one: has the place {%s}, which the form for many lacks", key, name)
			}
		}
	}
	return nil
}

// matches reports the first key or place in which t and the base differ.
func (t table) matches(want table) error {
	for _, key := range slices.Sorted(maps.Keys(want.sentences)) {
		have, ok := t.sentences[key]
		if !ok {
			return fmt.Errorf("%s is missing", key)
		}
		w := want.sentences[key]
		if (have.one == nil) != (w.one == nil) {
			return fmt.Errorf("%s: one of the languages has forms for one and many, the other has not", key)
		}
		if h, w := places(have.other), places(w.other); !slices.Equal(h, w) {
			return fmt.Errorf("%s: has the places %v, want %v", key, h, w)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.sentences)) {
		if _, ok := want.sentences[key]; !ok {
			return fmt.Errorf("%s is not a key of %s", key, want.tag)
		}
	}
	return nil
}

// places returns the names of the values that stand in pieces, sorted. The form
// for one may leave the number out.
func places(pieces []piece) []string {
	var names []string
	for _, p := range pieces {
		if p.place != "" && !slices.Contains(names, p.place) {
			names = append(names, p.place)
		}
	}
	slices.Sort(names)
	return names
}

// Has reports whether there is a sentence under key.
func (c *Catalog) Has(key string) bool {
	_, ok := c.tables[0].sentences[key]
	return ok
}

// Keys returns the keys of all sentences, sorted.
func (c *Catalog) Keys() []string { return slices.Sorted(maps.Keys(c.tables[0].sentences)) }

// Languages returns the languages there are, English first.
func (c *Catalog) Languages() []Language {
	list := make([]Language, len(c.tables))
	for i := range c.tables {
		p := Printer{table: &c.tables[i]}
		list[i] = Language{Tag: p.Tag(), Name: p.Say(nameKey)}
	}
	return list
}

// For returns a printer for the best language of the first preference that can be
// met. A preference is a BCP 47 tag, a whole Accept-Language header (RFC 9110,
// 12.5.4), or "". When none can be met it is English.
func (c *Catalog) For(preferred ...string) Printer {
	for _, header := range preferred {
		tags, _, err := language.ParseAcceptLanguage(bounded(header))
		if err != nil {
			continue
		}
		if _, i, confidence := c.matcher.Match(tags...); confidence > language.No {
			return Printer{table: &c.tables[i]}
		}
	}
	return Printer{table: &c.tables[0]}
}

// bounded returns the whole items within the first maxAccept bytes of a header.
func bounded(header string) string {
	if len(header) <= maxAccept {
		return header
	}
	return header[:max(0, strings.LastIndexByte(header[:maxAccept], ','))]
}
