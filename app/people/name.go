package people

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxName is the longest name in characters, wherever it comes from.
const MaxName = 100

// CleanName returns a typed name as one line: NFC, single spaces, without control
// characters and without what cannot be seen. It keeps the joiners and selectors that
// scripts and emoji are written with. ErrNameTooLong above 100 characters.
func CleanName(name string) (string, error) {
	name = oneLine(name)
	if utf8.RuneCountInString(name) > MaxName {
		return "", ErrNameTooLong
	}
	return name, nil
}

// ShortName returns a name that another system reports as CleanName does, cut to 100
// characters, and whether it was cut.
func ShortName(name string) (short string, cut bool) {
	name = oneLine(name)
	runes := []rune(name)
	if len(runes) <= MaxName {
		return name, false
	}
	end := MaxName
	for end > 0 && sticks(runes, end) {
		end--
	}
	if end == 0 {
		end = MaxName // a hundred marks on one letter
	}
	return strings.TrimSpace(string(runes[:end])), true
}

func oneLine(name string) string {
	runes := []rune(norm.NFC.String(strings.ToValidUTF8(name, "")))
	kept := make([]rune, 0, len(runes))
	for i, r := range runes {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			kept = append(kept, ' ')
		case !ignorable(r) || i > 0 && shapes(runes, i):
			kept = append(kept, r)
		}
	}
	return strings.Join(strings.Fields(string(kept)), " ")
}

// ignorable reports whether a character shows nothing by itself. Number signs of
// Arabic are format characters that can be seen.
func ignorable(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) &&
		!unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// shapes reports whether the ignorable character at i changes how its neighbours look:
// a joiner between letters of Arabic or the scripts of India or between emoji, the
// selector behind an emoji or ideograph, the tags of a flag. Direction marks and
// characters that only hide are none of these.
func shapes(runes []rune, i int) bool {
	r, before := runes[i], runes[i-1]
	switch {
	case r == '\u200c' || r == '\u200d':
		return i+1 < len(runes) && joinable(before) && joinable(runes[i+1])
	case unicode.Is(unicode.Variation_Selector, r):
		return !unicode.IsSpace(before) && !ignorable(before)
	case isTag(r):
		return before == '\U0001f3f4' || isTag(before)
	}
	return false
}

// joinable reports whether a character may stand beside a joiner.
func joinable(r rune) bool {
	return r == '\ufe0f' || isTag(r) || r > unicode.MaxLatin1 && !unicode.IsSpace(r) && !ignorable(r)
}

func isTag(r rune) bool { return r >= '\U000e0020' && r <= '\U000e007f' }

// sticks reports whether the character at i belongs to the one before it, so that a cut
// between them would change what is seen (UAX 29, simplified).
func sticks(runes []rune, i int) bool {
	r, before := runes[i], runes[i-1]
	if regional(r) && regional(before) { // two make a flag
		n := 0
		for j := i - 1; j >= 0 && regional(runes[j]); j-- {
			n++
		}
		return n%2 == 1
	}
	return before == '\u200d' || unicode.Is(unicode.M, r) || ignorable(r) || r >= '\U0001f3fb' && r <= '\U0001f3ff'
}

func regional(r rune) bool { return r >= '\U0001f1e6' && r <= '\U0001f1ff' }
