package people

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"gatelodge/app/email"
	"gatelodge/app/fault"
)

// The refusals of a typed username.
var (
	ErrUsernameMalformed = fault.New(fault.Invalid, "username.malformed")
	ErrUsernameTaken     = fault.New(fault.Invalid, "username.taken")
)

// maxUsername is the most characters of a username.
const maxUsername = 40

// maxMarks is the most combining marks that follow one another in a username: no
// script writes more, and a pile of them covers its neighbours.
const maxMarks = 4

// NormalUsername returns the form of a username by which it is compared: NFKC in
// lower case. It has letters with their marks, digits, dots, dashes and underscores,
// begins and ends with a letter or digit, and is no address. Letters of one script
// only: names of mixed scripts are made to look like others. Japanese and Korean are
// written in several, which count as one (UTS 39, 5.1).
func NormalUsername(typed string) (string, error) {
	name := norm.NFKC.String(strings.ToLower(norm.NFKC.String(email.Visible(typed))))
	if n := utf8.RuneCountInString(name); n < 2 || n > maxUsername || !utf8.ValidString(name) {
		return "", ErrUsernameMalformed
	}
	fits := ^uint32(0) // a bit for everything that all letters so far may be part of
	marks := 0
	var before rune
	for _, r := range name {
		mark := unicode.Is(unicode.M, r)
		marks++
		if !mark {
			marks = 0
		}
		switch {
		case strings.ContainsRune("._-", r), r >= '0' && r <= '9':
		case mark && (marks > maxMarks || r == before || !unicode.In(before, unicode.L, unicode.M)):
			return "", ErrUsernameMalformed
		case mark, unicode.IsLetter(r):
			if fits &= writingsOf(r); fits == 0 {
				return "", ErrUsernameMalformed
			}
		default:
			return "", ErrUsernameMalformed
		}
		before = r
	}
	if strings.Trim(name, "._-") != name {
		return "", ErrUsernameMalformed
	}
	return name, nil
}

// longVowel is the sign of Japanese for a long vowel, which Unicode gives to two
// scripts at once.
const longVowel = '\u30fc'

// Bits for what one name may be written in. Han counts for all that use it.
const (
	latin uint32 = 1 << iota
	cyrillic
	greek
	arabic
	hebrew
	japanese
	korean
	bopomofo
	others // the first of blocks
)

// writingsOf returns a bit for everything that a letter or mark may be part of.
func writingsOf(r rune) uint32 {
	for i, block := range blocks {
		if r >= block.first && r <= block.last {
			return others << i
		}
	}
	switch {
	case unicode.Is(unicode.Latin, r):
		return latin
	case unicode.Is(unicode.Cyrillic, r):
		return cyrillic
	case unicode.Is(unicode.Greek, r):
		return greek
	case unicode.Is(unicode.Arabic, r):
		return arabic
	case unicode.Is(unicode.Hebrew, r):
		return hebrew
	case unicode.Is(unicode.Han, r):
		return japanese | korean | bopomofo
	case unicode.In(r, unicode.Hiragana, unicode.Katakana), r == longVowel:
		return japanese
	case unicode.Is(unicode.Hangul, r):
		return korean
	case unicode.Is(unicode.Bopomofo, r):
		return bopomofo
	}
	return 0
}

// blocks are the other scripts that people write today (UAX 31, table 5), each by the
// block of Unicode where its letters are.
var blocks = [...]struct{ first, last rune }{
	{0x0530, 0x058f}, // Armenian
	{0x0780, 0x07bf}, // Thaana
	{0x0900, 0x097f}, // Devanagari
	{0x0980, 0x09ff}, // Bengali
	{0x0a00, 0x0a7f}, // Gurmukhi
	{0x0a80, 0x0aff}, // Gujarati
	{0x0b00, 0x0b7f}, // Oriya
	{0x0b80, 0x0bff}, // Tamil
	{0x0c00, 0x0c7f}, // Telugu
	{0x0c80, 0x0cff}, // Kannada
	{0x0d00, 0x0d7f}, // Malayalam
	{0x0d80, 0x0dff}, // Sinhala
	{0x0e00, 0x0e7f}, // Thai
	{0x0e80, 0x0eff}, // Lao
	{0x0f00, 0x0fff}, // Tibetan
	{0x1000, 0x109f}, // Myanmar
	{0x10a0, 0x10ff}, // Georgian
	{0x1200, 0x137f}, // Ethiopic
	{0x1780, 0x17ff}, // Khmer
}
