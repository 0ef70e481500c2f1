package line

import (
	"strings"

	"gatelodge/app/fault"
	"gatelodge/app/lang"
)

// Sentence says a fault in English.
func Sentence(f *fault.Fault) string {
	catalog, err := lang.Load()
	if err != nil {
		return f.Error()
	}
	p := catalog.For("en")
	for _, key := range []string{f.Text, f.Text + ".text"} {
		if catalog.Has(key) {
			return p.Say(key, append([]any{"contact", "an admin", "operator", "an admin"}, f.Args...)...)
		}
	}
	return f.Error()
}

// RefusalText says the sentence behind a fault's key, or "" when text is none.
func RefusalText(text string) string {
	if !strings.Contains(text, ".") || strings.ContainsAny(text, " @") {
		return ""
	}
	if said := Sentence(fault.New(fault.Invalid, text)); said != text {
		return said
	}
	return ""
}
