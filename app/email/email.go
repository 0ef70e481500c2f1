// Package email reads email addresses that people type or paste and that other
// programs report. Every part of Gatelodge that takes an address uses Read, so an
// address that works in one place works in all of them.
//
// Read removes what a person cannot see, such as a zero width space, and what copying
// adds around an address: a display name with angle brackets, "mailto:", quotes, a
// final comma. It accepts what mail servers deliver in practice, and leaves out quoted
// local parts with spaces and address literals.
package email

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"gatelodge/app/fault"
)

// The faults of a typed address.
var (
	ErrEmpty     = fault.New(fault.Invalid, "email.empty")
	ErrMalformed = fault.New(fault.Invalid, "email.malformed")
)

const (
	// maxAddress is the longest address SMTP carries (RFC 5321, 4.5.3.1.3, less the
	// angle brackets). Its limit of 64 octets for the local part is not applied: reply
	// addresses of ticket systems are longer, and mail servers accept them.
	maxAddress = 254
	// maxTyped bounds an address with everything that copying adds.
	maxTyped = 2000
)

// Address is one email address.
type Address struct {
	Text string // as its owner writes it, without what cannot be seen
	Norm string // for comparison: NFC, lower case, the domain as IDNA A-labels
}

// Mailbox returns the address that mail is sent to: the local part as written, for
// servers that distinguish its case, and the domain in ASCII.
func (a Address) Mailbox() string {
	local, _, _ := cutLast(a.Text, "@")
	return local + "@" + DomainOf(a.Norm)
}

// DomainOf returns the part of a normal address after its last @.
func DomainOf(norm string) string {
	_, domain, _ := cutLast(norm, "@")
	return domain
}

// Normal returns the form of an address by which it is compared. Mail goes to the
// address as its owner wrote it, never to what a visitor typed.
func Normal(typed string) (string, error) {
	a, err := Read(typed)
	return a.Norm, err
}

// MailboxKey returns a key for the mailbox that a normal address leads to at most
// providers, for counting: the address without what follows a plus sign, and at Gmail
// without dots. Mail is never sent to it.
func MailboxKey(norm string) string {
	domain := DomainOf(norm)
	local := strings.TrimSuffix(norm, "@"+domain)
	if at := strings.IndexByte(local, '+'); at > 0 {
		local = local[:at]
	}
	if domain == "gmail.com" || domain == "googlemail.com" {
		local, domain = strings.ReplaceAll(local, ".", ""), "gmail.com"
	}
	return local + "@" + domain
}

// Read returns the address in a text. Addresses that look alike but are not equal
// stay different addresses.
func Read(typed string) (Address, error) {
	if len(typed) > maxTyped || !utf8.ValidString(typed) {
		return Address{}, ErrMalformed
	}
	if trim(typed) == "" {
		return Address{}, ErrEmpty
	}
	text, ok := unwrap(typed)
	if !ok {
		return Address{}, ErrMalformed
	}
	local, host, found := cutLast(text, "@")
	local = unquote(visible(local))
	if !found || !localOK(local) { // before NFC makes an ASCII K of the Kelvin sign
		return Address{}, ErrMalformed
	}
	local = norm.NFC.String(local)
	domain, ok := Domain(host)
	if !ok {
		return Address{}, ErrMalformed
	}
	a := Address{Text: local + "@" + norm.NFC.String(visible(host)), Norm: norm.NFC.String(strings.ToLower(local)) + "@" + domain}
	if len(a.Norm) > maxAddress || len(a.Mailbox()) > maxAddress {
		return Address{}, ErrMalformed
	}
	return a, nil
}

// List returns the addresses in a text as separate texts for Read. Commas, semicolons,
// spaces and line breaks separate them; a display name stays with the address behind
// it.
func List(text string) []string {
	var list []string
	name := "" // the parts of a display name, until its address
	for _, part := range separate(text) {
		if trim(part) == "" {
			continue
		}
		if strings.Contains(part, "<") {
			list = append(list, name+strings.TrimSpace(part))
			name = ""
			continue
		}
		if !strings.Contains(part, "@") && strings.Contains(text, "<") {
			name += strings.TrimSpace(part) + " " // "Olsen, Mara <mara@home.example>"
			continue
		}
		list = append(list, strings.Fields(name+part)...)
		name = ""
	}
	return append(list, strings.Fields(name)...)
}

// Distinct returns the list without the addresses that occur in it before, however they
// are written.
func Distinct(list []string) []string {
	var kept []string
	seen := make(map[string]bool)
	for _, typed := range list {
		key := typed
		if a, err := Read(typed); err == nil {
			key = a.Norm
		}
		if !seen[key] {
			seen[key] = true
			kept = append(kept, typed)
		}
	}
	return kept
}

// separate cuts a text at commas, semicolons and line breaks outside of quotes and
// angle brackets, and after each closing bracket.
func separate(text string) []string {
	var parts []string
	var quoted, angled bool
	start := 0
	for i, r := range text {
		switch {
		case r == '\n' || r == '\r':
			quoted, angled = false, false
			parts, start = append(parts, text[start:i]), i+1
		case r == '"' && !angled:
			quoted = !quoted
		case quoted:
		case r == '<':
			angled = true
		case r == '>':
			angled = false
			parts, start = append(parts, text[start:i+1]), i+1
		case (r == ',' || r == ';') && !angled:
			parts, start = append(parts, text[start:i]), i+1
		}
	}
	return append(parts, text[start:])
}

// Domain returns a typed domain as IDNA A-labels in lower case, without a final dot,
// and whether it is one.
func Domain(typed string) (string, bool) {
	typed = strings.TrimSuffix(trim(typed), ".")
	domain, err := hosts.ToASCII(typed)
	if err != nil {
		domain, err = hosts.ToASCII(strings.TrimSuffix(visible(typed), "."))
	}
	if err != nil || !domainOK(domain) {
		return "", false
	}
	return strings.ToLower(domain), true
}

// hosts maps domains as idna.Lookup does, but takes two hyphens in the third and fourth
// place. IDNA reserves them, and domains with them are registered and get mail.
var hosts = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckHyphens(false))

// Visible returns a text without the characters at its ends that a person cannot see.
func Visible(typed string) string { return trim(typed) }

// Exact reports whether Read changed nothing inside the typed address. A server that
// reports an address with something hidden inside may have verified another mailbox.
func (a Address) Exact(typed string) bool { return a.Text == norm.NFC.String(trim(typed)) }

func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || invisible(r) })
}

// visible removes the invisible characters of a text. A joiner between letters beyond
// ASCII stays: Persian and the scripts of India show it.
func visible(s string) string {
	if strings.IndexFunc(s, invisible) < 0 {
		return s
	}
	runes := []rune(s)
	kept := make([]rune, 0, len(runes))
	for i, r := range runes {
		joins := (r == '\u200c' || r == '\u200d') && i > 0 && i < len(runes)-1 && foreign(runes[i-1]) && foreign(runes[i+1])
		if joins || !invisible(r) {
			kept = append(kept, r)
		}
	}
	return string(kept)
}

func foreign(r rune) bool { return r >= 0x80 && unicode.In(r, unicode.L, unicode.M) }

// invisible reports whether a character shows nothing by itself: format characters,
// variation selectors, fillers. Number signs of Arabic are formats that can be seen.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) &&
		!unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// unwrap removes what copying adds around an address. ok is false for a text that
// names several addresses.
func unwrap(typed string) (text string, ok bool) {
	text = trim(strings.TrimRight(trim(typed), ",;"))
	if strings.HasSuffix(text, ">") {
		name, inner, found := strings.Cut(text[:len(text)-1], "<")
		if !found || strings.ContainsAny(name, ">") || strings.ContainsAny(inner, "<>") {
			return "", false
		}
		if text, ok = unwrap(inner); !ok {
			return "", false
		}
		// Mail programs repeat the address as its name. Another one there is a list.
		if strings.Contains(name, "@") && !strings.EqualFold(trim(strings.Trim(trim(name), `"'`)), text) {
			return "", false
		}
		return text, true
	}
	if len(text) > 2 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0] {
		text = trim(text[1 : len(text)-1])
	}
	const scheme = "mailto:"
	if len(text) > len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
		text, _, _ = strings.Cut(text[len(scheme):], "?")
		if plain, err := url.PathUnescape(text); err == nil {
			text = plain
		}
	}
	return text, true
}

// unquote removes the quotes of a local part that only its dots need (RFC 5321, 4.1.2).
// "a..b"@home.example and a..b@home.example are one mailbox.
func unquote(local string) string {
	inner, quoted := strings.CutPrefix(local, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	dots := strings.HasPrefix(inner, ".") || strings.HasSuffix(inner, ".") || strings.Contains(inner, "..")
	if quoted && closed && dots {
		return inner
	}
	return local
}

// localOK accepts the letters of RFC 5322's dot-atoms and their Unicode kin (RFC 6531).
// Dots may stand anywhere: Japanese mobile networks gave out addresses such as
// a..b@ and a.@. What needs quotes for another reason is refused: spaces and brackets
// would reach places that split on them.
func localOK(local string) bool {
	if strings.Trim(local, ".") == "" {
		return false
	}
	for _, r := range local {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", r):
		case r >= 0x80 && unicode.ToLower(r) < 0x80:
			return false // İ: in lower case it would stand for another mailbox
		case r >= 0x80 && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)):
		default:
			return false
		}
	}
	return true
}

// domainOK accepts host names, with or without a dot: "localhost" and the names of a
// home network are real here.
func domainOK(domain string) bool {
	if domain == "" || len(domain) > 253 {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
