package password

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"gatelodge/app/fault"
)

// The refusals of a chosen password.
var (
	ErrEmpty     = fault.New(fault.Invalid, "password.empty")
	ErrShort     = fault.New(fault.Invalid, "password.too_short")
	ErrLong      = fault.New(fault.Invalid, "password.too_long")
	ErrMalformed = fault.New(fault.Invalid, "password.malformed")
	ErrCommon    = fault.New(fault.Invalid, "password.common")
	ErrPersonal  = fault.New(fault.Invalid, "password.personal")
	ErrSimple    = fault.New(fault.Invalid, "password.simple")
)

const (
	// MinAlone is the least length, in characters, of a password that is all it
	// takes to sign in (NIST SP 800-63B-4, 3.1.1.2).
	MinAlone = 15
	// MinWithStep is the least length when a second step is always asked for.
	MinWithStep = 8
	// maxBytes is more than anybody types, and little to hash.
	maxBytes = 1024
	// minDistinct characters make "aaaaaaaaaaaaaaa" no password.
	minDistinct = 5
	// minPersonal is the shortest name that is looked for in a password.
	minPersonal = 4
)

// Clear is a password as its owner knows it. It prints as nothing.
type Clear struct {
	typed string
	norm  string
}

// String keeps a password out of logs.
func (Clear) String() string { return "(a password)" }

// GoString keeps a password out of logs.
func (Clear) GoString() string { return "(a password)" }

// Empty reports whether nothing was typed.
func (p Clear) Empty() bool { return p.typed == "" }

// tries are the forms in which other systems may have hashed the password.
func (p Clear) tries() []string {
	if p.typed == p.norm {
		return []string{p.norm}
	}
	return []string{p.norm, p.typed}
}

// Read takes a typed password. Two keyboards may send one character in two forms,
// and a space in several; they are written in one (NFC, and spaces as U+0020: the
// OpaqueString profile of RFC 8265, 4.2). Whatever else was typed counts.
func Read(typed string) (Clear, error) {
	switch {
	case typed == "":
		return Clear{}, ErrEmpty
	case len(typed) > maxBytes:
		return Clear{}, ErrLong.With("n", maxBytes)
	case !utf8.ValidString(typed) || strings.ContainsFunc(typed, unicode.IsControl):
		return Clear{}, ErrMalformed
	}
	spaced := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Zs, r) {
			return ' '
		}
		return r
	}, typed)
	return Clear{typed: typed, norm: norm.NFC.String(spaced)}, nil
}

// Acceptable says what is wrong with a password somebody chooses, or nil. least is
// the least number of characters; personal are words of the account, such as its
// address, which an attacker tries first.
func (p Clear) Acceptable(least int, personal ...string) error {
	if n := utf8.RuneCountInString(p.norm); n < least {
		return ErrShort.With("n", least, "have", n)
	}
	lower := strings.ToLower(p.norm)
	distinct := map[rune]bool{}
	for _, r := range lower {
		distinct[r] = true
	}
	if len(distinct) < minDistinct || isRun(lower) {
		return ErrSimple
	}
	if isCommon(lower) {
		return ErrCommon
	}
	if core := withoutPersonal(lower, personal); core != lower && lettersAndDigits(core) < MinWithStep {
		return ErrPersonal
	}
	return nil
}

// withoutPersonal cuts the words of an account out of a password.
func withoutPersonal(lower string, personal []string) string {
	for _, text := range personal {
		words := append(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r)
		}), strings.ToLower(text))
		for i := len(words) - 1; i >= 0; i-- {
			if utf8.RuneCountInString(words[i]) >= minPersonal {
				lower = strings.ReplaceAll(lower, words[i], "")
			}
		}
	}
	return lower
}

func lettersAndDigits(s string) (n int) {
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// isRun reports whether each character is the next of the alphabet, of the digits,
// or of a row of the keyboard, forwards or backwards.
func isRun(lower string) bool {
	const rows = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz 01234567890123456789012345678901234567890 " +
		"qwertyuiopasdfghjklzxcvbnm qwertzuiopasdfghjklyxcvbnm 1qaz2wsx3edc4rfv5tgb6yhn7ujm"
	runes := []rune(lower)
	for i, j := 0, len(runes)-1; i < j; i, j = i+1, j-1 {
		runes[i], runes[j] = runes[j], runes[i]
	}
	return strings.Contains(rows, lower) || strings.Contains(rows, string(runes))
}
