package line

import (
	"cmp"
	"regexp"
	"strings"

	"gatelodge/app/fault"
	"gatelodge/app/lang"
)

// Sentence says a fault in English.
func Sentence(f *fault.Fault) string {
	text, _ := sentence(f)
	return text
}

// sentence says a fault in English, and whether it has all that it names.
func sentence(f *fault.Fault, about ...any) (text string, whole bool) {
	catalog, err := lang.Load()
	if err != nil {
		return f.Error(), true
	}
	p := catalog.For("en")
	args := append(append([]any{}, about...), "contact", "an admin", "operator", "an admin")
	for _, key := range []string{f.Text, f.Text + ".text", f.Text + ".title"} {
		if catalog.Has(key) {
			text = p.Say(key, append(args, f.Args...)...)
			if !hole.MatchString(text) {
				return text, true
			}
		}
	}
	if text == "" {
		return f.Error(), true
	}
	return text, false
}

// hole replaces a missing argument in a sentence.
var hole = regexp.MustCompile(`\[[a-z_]+\]`)

// About returns what sentences name of this server.
func (c *Call) About() []any {
	config := c.App.Config
	return []any{"url", config.Origin().String(), "instance", config.Name, "contact", cmp.Or(config.Contact, "an admin"), "operator", cmp.Or(config.Contact, "an admin")}
}

// RefusalText says the sentence behind a fault's key, or "" when text is none. Of a
// sentence that names what is not known any more, such as how long to wait, it says
// the title.
func RefusalText(text string, about ...any) string {
	if !strings.Contains(text, ".") || strings.ContainsAny(text, " @") {
		return ""
	}
	said, whole := sentence(fault.New(fault.Invalid, text), about...)
	if said == text || !whole {
		return ""
	}
	return said
}
