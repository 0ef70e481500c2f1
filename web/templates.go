package web

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"gatelodge/app/lang"
	"gatelodge/web/shell"
)

//go:embed templates
var templateFiles embed.FS

// Templates are the pages, one set for each language.
type Templates struct {
	byTag map[string]*template.Template
}

// ParseTemplates parses the pages for every language of the catalogue, with the
// addresses of the assets in them. They are parsed once; a language has a copy, since
// what a page says is bound to the set.
func ParseTemplates(c *lang.Catalog, assets *Assets) (*Templates, error) {
	t := &Templates{byTag: make(map[string]*template.Template)}
	var first *template.Template
	for _, l := range c.Languages() {
		own := words(c, c.For(l.Tag), assets)
		var err error
		if first == nil {
			first, err = template.New("").Funcs(own).ParseFS(templateFiles, "templates/*.html", "templates/parts/*.html", "templates/pages/*.html")
			t.byTag[l.Tag] = first
		} else if t.byTag[l.Tag], err = first.Clone(); err == nil {
			t.byTag[l.Tag].Funcs(own)
		}
		if err != nil {
			return nil, fmt.Errorf("parsing the pages: %w", err)
		}
	}
	return t, nil
}

// words returns what templates can call. Values in sentences are escaped like
// any other text: say gives a string, and parts the stretches of a sentence for
// the template "sentence", which alone knows the markup of values.
func words(c *lang.Catalog, p lang.Printer, assets *Assets) template.FuncMap {
	return template.FuncMap{
		"say":   p.Say,
		"parts": p.Parts,
		// Times are shown in the zone of the reader's now, which a layout brings.
		"clock":     func(t, now time.Time) string { return p.In(now.Location()).Clock(t, now) },
		"moment":    func(t time.Time, now ...time.Time) string { return p.In(zoneOf(now)).Moment(t) },
		"until":     func(t, now time.Time) string { return p.In(now.Location()).Until(t, now) },
		"since":     func(t, now time.Time) string { return p.In(now.Location()).Since(t, now) },
		"date":      func(t time.Time, now ...time.Time) string { return p.In(zoneOf(now)).Date(t) },
		"ago":       p.Ago,
		"lasts":     func(d time.Duration) string { return p.Lasts(shell.RoundUp(max(d, time.Second))) },
		"tag":       p.Tag,
		"dir":       p.Dir,
		"languages": c.Languages,
		"regions":   lang.Regions,
		"asset":     assets.URL,
		"segment":   shell.Segment,
		"headed":    headed,
		"link":      func(text, href string) Link { return Link{Text: text, Href: href} },
		"field":     newField,
		"sure": func(word, object, text, yes, action, name, value string) sure {
			return sure{word, object, text, yes, action, name, value}
		},
		"copied":    func(text, what string) copied { return copied{text, what} },
		"grouped":   grouped,
		"countdown": countdown,
	}
}

// zoneOf returns the zone of the reader's now; without one it is UTC.
func zoneOf(now []time.Time) *time.Location {
	if len(now) == 0 {
		return time.UTC
	}
	return now[0].Location()
}

// Render writes the page of that name, such as "signin.html", in the printer's
// language. data is the page's struct from view.go.
func (t *Templates) Render(w io.Writer, p lang.Printer, name string, data any) error {
	set, ok := t.byTag[p.Tag()]
	if !ok {
		return fmt.Errorf("no pages in the language %s", p.Tag())
	}
	return set.ExecuteTemplate(w, name, data)
}

// sure is a button that asks before it does something that its reader cannot undo: pressed,
// it shows Text and the button Yes, which posts Name and Value to Action.
type sure struct{ Word, Object, Text, Yes, Action, Name, Value string }

// copied is text with a button that copies it, and the words that tell the button from others.
type copied struct{ Text, What string }

// field is one labelled input, for the template of that name.
type field struct {
	Kind    string // how it behaves: "email", "name", "username", "password", "new_password", "choose_password" (optional), "new_email", "typed", "needed_name", "group", "code" or "setup_code"
	Name    string
	Label   string
	Value   string
	Problem string      // a sentence, or ""
	Hint    []lang.Part // a sentence, or nothing
	Focus   bool        // the cursor starts here
}

func newField(kind, name, label, value, problem string) field {
	return field{Kind: kind, Name: name, Label: label, Value: value, Problem: problem, Focus: problem != ""}
}

// First returns the field with the cursor in it, for a page with one thing to type.
func (f field) First() field {
	f.Focus = true
	return f
}

// Secret reports whether what is typed is not to be seen, nor sent back.
func (f field) Secret() bool {
	return f.Kind == "password" || f.Kind == "new_password" || f.Kind == "choose_password"
}

// WithHint returns the field with a sentence below it.
func (f field) WithHint(hint []lang.Part) field {
	f.Hint = hint
	return f
}

// After returns the field below others: the cursor starts in the first that has
// a problem.
func (f field) After(problems ...string) field {
	f.Focus = f.Focus && strings.Join(problems, "") == ""
	return f
}

// DescribedBy returns the ids of the sentences about the input.
func (f field) DescribedBy() string {
	var ids []string
	if f.Problem != "" {
		ids = append(ids, f.Name+"-problem")
	}
	if f.Hint != nil {
		ids = append(ids, f.Name+"-hint")
	}
	return strings.Join(ids, " ")
}

// grouped writes a six-digit code so that it can be read out: "482 913".
func grouped(code string) string {
	if len(code) != 6 {
		return code
	}
	return code[:3] + " " + code[3:]
}

// countdown writes seconds as a clock: "0:42".
func countdown(seconds int) string { return fmt.Sprintf("%d:%02d", seconds/60, seconds%60) }
