package lang

import (
	"slices"
	"strings"
)

// Pseudo is the tag of the language that Pseudo adds.
const Pseudo = "en-XA"

// WithPseudo returns the catalogue with one more language, English with accents
// and two fifths longer. It is for tests: a sentence on a page that is not
// written so does not come from here, and a page that holds it holds any.
func (c *Catalog) WithPseudo() *Catalog {
	t := table{tag: Pseudo, sentences: make(map[string]sentence)}
	for key, s := range c.tables[0].sentences {
		t.sentences[key] = sentence{one: stretch(s.one), other: stretch(s.other)}
	}
	catalog, err := newCatalog(append(slices.Clip(c.tables), t))
	if err != nil {
		panic(err) // the tag is a constant
	}
	return catalog
}

var accents = strings.NewReplacer("a", "á", "e", "é", "i", "ï", "o", "ô", "u", "ü", "n", "ñ", "c", "ç", "A", "Á", "E", "É", "O", "Ö", "S", "Š")

// stretch puts accents on the words and doubles vowels until there are two
// fifths more letters. Values stay as they are.
func stretch(pieces []piece) []piece {
	var out []piece
	for _, p := range pieces {
		if p.place != "" {
			out = append(out, p)
			continue
		}
		var b strings.Builder
		letters, added := 0, 0
		for _, r := range p.text {
			b.WriteRune(r)
			letters++
			if strings.ContainsRune("aeiou", r) && added*5 < letters*2 {
				b.WriteRune(r)
				added++
			}
		}
		for ; added*5 < letters*2 && strings.TrimSpace(p.text) != ""; added++ {
			b.WriteRune('~')
		}
		out = append(out, piece{text: accents.Replace(b.String())})
	}
	return out
}
