package password

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"strings"
	"unicode"
)

// common is a Bloom filter of the commonest passwords that have leaked; see
// makecommon. It takes one in some thousands for common that is not.
//
//go:embed common.bin
var common []byte

// CommonProbes is how many bits of the filter stand for one password.
const CommonProbes = 11

// ProbeCommon calls f with the number of each bit that stands for a word in a
// filter of so many bits, until f returns false.
func ProbeCommon(word string, bits uint64, f func(bit uint64) bool) bool {
	sum := sha256.Sum256([]byte(word))
	a, b := binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])|1
	for i := range uint64(CommonProbes) {
		if !f((a + i*b) % bits) {
			return false
		}
	}
	return true
}

func inFilter(word string) bool {
	return ProbeCommon(word, uint64(len(common))*8, func(bit uint64) bool { return common[bit/8]&(1<<(bit%8)) != 0 })
}

// isCommon reports whether a password in lower case has leaked often, or is a small
// change to one that has: what an attacker's program tries after the list itself.
func isCommon(lower string) bool {
	forms := []string{lower}
	letters := strings.Map(func(r rune) rune {
		if i := strings.IndexRune("0134578@$!", r); i >= 0 {
			return rune("oieastbasi"[i])
		}
		return r
	}, lower)
	for _, form := range []string{lower, letters} {
		core := strings.TrimFunc(form, func(r rune) bool { return !unicode.IsLetter(r) })
		squeezed := strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) || unicode.IsPunct(r) {
				return -1
			}
			return r
		}, form)
		forms = append(forms, core, squeezed, undoubled(form), undoubled(core), undoubled(squeezed))
	}
	for _, form := range forms {
		if len(form) >= MinCommon && inFilter(form) {
			return true
		}
	}
	return false
}

// MinCommon is the length of the shortest word in the filter.
const MinCommon = 6

// undoubled returns the shortest word that a text repeats: "passwordpassword" is
// "password".
func undoubled(s string) string {
	for n := 1; n <= len(s)/2; n++ {
		if len(s)%n == 0 && strings.Repeat(s[:n], len(s)/n) == s {
			return s[:n]
		}
	}
	return s
}
