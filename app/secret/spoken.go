package secret

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// crockford is the alphabet of codes that people read and type: no I, L, O, U.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// Spoken returns a code of 16 letters and digits, 80 bits of the given bytes,
// in groups of four: for reading off a terminal. It needs 16 bytes.
func Spoken(random []byte) string {
	var b strings.Builder
	for i := range 16 {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(crockford[random[i]&31])
	}
	return b.String()
}

// CleanSpoken brings a typed code to the form Spoken gives, forgiving case,
// spaces, and letters that look like digits. It returns "" for anything else.
func CleanSpoken(typed string) string {
	if len(typed) > 64 {
		return ""
	}
	var letters []byte
	for _, r := range strings.ToUpper(norm.NFKC.String(typed)) {
		switch {
		case betweenDigits(r):
			continue
		case r == 'O':
			r = '0'
		case r == 'I' || r == 'L':
			r = '1'
		}
		if r > 'Z' || !strings.ContainsRune(crockford, r) {
			return ""
		}
		letters = append(letters, byte(r))
	}
	if len(letters) != 16 {
		return ""
	}
	return string(letters[:4]) + "-" + string(letters[4:8]) + "-" + string(letters[8:12]) + "-" + string(letters[12:])
}
