package account

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"gatelodge/app/fault"
)

// What a typed username can be told.
var (
	ErrUsernameMalformed = fault.New(fault.Invalid, "username.malformed")
	ErrUsernameTaken     = fault.New(fault.Invalid, "username.taken")
)

// maxUsername is the most characters of a username.
const maxUsername = 40

// NormalUsername returns the form of a username by which it is compared: NFKC in
// lower case. It has letters, digits, dots, dashes and underscores, begins and ends
// with a letter or digit, and is no address. Letters of one script only: names of
// mixed scripts are made to look like others.
func NormalUsername(typed string) (string, error) {
	name := norm.NFKC.String(strings.ToLower(norm.NFKC.String(strings.TrimSpace(typed))))
	if n := utf8.RuneCountInString(name); n < 2 || n > maxUsername || !utf8.ValidString(name) {
		return "", ErrUsernameMalformed
	}
	var script *unicode.RangeTable
	for _, r := range name {
		switch {
		case strings.ContainsRune("._-", r), r >= '0' && r <= '9':
		case unicode.IsLetter(r):
			if script == nil {
				script = scriptOf(r)
			}
			if script == nil || !unicode.Is(script, r) {
				return "", ErrUsernameMalformed
			}
		default:
			return "", ErrUsernameMalformed
		}
	}
	if strings.Trim(name, "._-") != name {
		return "", ErrUsernameMalformed
	}
	return name, nil
}

func scriptOf(r rune) *unicode.RangeTable {
	for _, script := range []*unicode.RangeTable{unicode.Latin, unicode.Cyrillic, unicode.Greek, unicode.Han, unicode.Arabic, unicode.Hebrew} {
		if unicode.Is(script, r) {
			return script
		}
	}
	return nil
}
