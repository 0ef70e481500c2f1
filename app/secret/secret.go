// Package secret makes and recognises what opens doors: random tokens, the
// 6-digit codes that stand for them, and the codes a person reads off a
// terminal.
//
// A token has 256 random bits, so its plain SHA-256 is safe to store. A code
// has 20, so it is stored as an HMAC with a key the database does not hold.
package secret

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const tokenSize = 32

// tokenLen is the length of a token as text.
var tokenLen = base64.RawURLEncoding.EncodedLen(tokenSize)

// Token returns a new token of 32 random bytes in base64url. It never begins
// with a dash: people write tokens behind the options of commands, and some of
// those would take one for an option of theirs.
func Token() string {
	for {
		if token := base64.RawURLEncoding.EncodeToString(Random(tokenSize)); token[0] != '-' {
			return token
		}
	}
}

// Random returns n random bytes.
func Random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// Hash returns what is stored of a token. ok is false for text that cannot be
// a token, so that nobody looks it up.
func Hash(token string) (hash []byte, ok bool) {
	if len(token) != tokenLen {
		return nil, false
	}
	var raw [tokenSize]byte
	// Strict: two texts must not be one token.
	n, err := base64.RawURLEncoding.Strict().Decode(raw[:], []byte(token))
	if err != nil || n != tokenSize {
		return nil, false
	}
	sum := sha256.Sum256(raw[:])
	return sum[:], true
}

// A token that another system made is text: a UUID of 36 characters, 64
// hexadecimal digits. What is shorter than 32 could be guessed.
const (
	minForeign = 32
	maxForeign = 255
)

// SessionHash is Hash for the token of a session, which may also be one that
// another system made before its sessions were taken over.
func SessionHash(token string) (hash []byte, ok bool) {
	if hash, ok = Hash(token); ok {
		return hash, true
	}
	return hashForeign(token)
}

// hashForeign hashes the text behind a mark of its own, so that it never equals
// the hash of one of our tokens.
func hashForeign(token string) (hash []byte, ok bool) {
	if len(token) < minForeign || len(token) > maxForeign {
		return nil, false
	}
	for i := range len(token) {
		c := token[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("-._~+/=", c) < 0 {
			return nil, false
		}
	}
	sum := sha256.Sum256([]byte("gatelodge foreign token\x00" + token))
	return sum[:], true
}

// MAC returns the HMAC-SHA-256 of the parts, each with its length, so that no
// two lists of parts are one.
func MAC(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	var size [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

// Equal compares two secrets in constant time.
func Equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// Code returns the 6 digits that stand for a token. They follow from the token
// and the key, so that a page which was reached with the token can show them
// though the store holds neither.
func Code(key []byte, token string) string {
	n := binary.BigEndian.Uint64(MAC(key, "code", token)) // bias below 2^-44
	return fmt.Sprintf("%06d", n%1_000_000)
}

// CleanCode returns the six digits in a text that a person typed or pasted, in the
// digits of any script: "985 864", "９８５８６４" or the whole sentence "Your code is
// 985 864!". ok is false when the text does not hold one number of six digits.
func CleanCode(typed string) (code string, ok bool) {
	if len(typed) > maxTypedCode {
		return "", false
	}
	var digits []byte
	end := func() bool {
		number := string(digits)
		digits = digits[:0]
		if len(number) != 6 {
			return true
		}
		fits := code == "" || code == number
		code = number
		return fits
	}
	for _, r := range norm.NFKC.String(strings.ToValidUTF8(typed, " ")) {
		switch {
		case unicode.IsDigit(r):
			digits = append(digits, digit(r))
		case !betweenDigits(r) && !end():
			return "", false // two numbers of six digits
		}
	}
	if !end() {
		return "", false
	}
	return code, code != ""
}

// maxTypedCode bounds the sentence that a code is pasted with.
const maxTypedCode = 100

// betweenDigits reports whether people and mail programs write the character within a
// code: spaces, dashes and what cannot be seen.
func betweenDigits(r rune) bool { return unicode.IsSpace(r) || unicode.In(r, unicode.Pd, unicode.Cf) }

// digit returns the ASCII digit of a decimal digit. Unicode puts the ten digits of a
// script next to one another.
func digit(r rune) byte {
	zero := r
	for r-zero < 9 && unicode.IsDigit(zero-1) {
		zero--
	}
	return byte('0' + r - zero)
}

// GroupCode writes a code as it is read: "482 913".
func GroupCode(code string) string {
	if len(code) != 6 {
		return code
	}
	return code[:3] + " " + code[3:]
}
