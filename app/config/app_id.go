package config

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// AppID returns the id of an App whose configuration sets none: its name in lower case,
// with dashes for what is neither a letter nor a digit, and without accents. A name in
// another script has no such form: its id is "app-" and a hash of the name.
func AppID(name string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(norm.NFKD.String(name)) {
		text, known := spelled[r]
		switch {
		case unicode.Is(unicode.Mn, r):
			continue // an accent
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			text = string(r)
		case !known && (unicode.IsLetter(r) || unicode.IsNumber(r)):
			return hashedID(name)
		case !known:
			dash = b.Len() > 0
			continue
		}
		if dash {
			b.WriteByte('-')
		}
		dash = false
		b.WriteString(text)
	}
	if id := b.String(); validAppID(id) {
		return id
	}
	return hashedID(name)
}

// spelled are the letters of Latin alphabets that are no letter with an accent.
var spelled = map[rune]string{'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'đ': "d", 'ð': "d", 'ł': "l", 'þ': "th", 'ı': "i", 'ħ': "h"}

func hashedID(name string) string {
	sum := sha256.Sum256([]byte(norm.NFC.String(name)))
	return "app-" + hex.EncodeToString(sum[:5])
}

// validAppID reports whether an id fits into rows, addresses and the names of cookies.
func validAppID(id string) bool {
	other := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	return id != "" && len(id) <= maxName && !strings.ContainsFunc(id, other) && id == strings.Trim(id, "-")
}
