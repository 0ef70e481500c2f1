package header

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/mail"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"

	"gatelodge/app/email"
)

// maxValue is the longest value in which an author is looked for: a name and an
// address need no more.
const maxValue = 4000

// ErrAuthor means that a field does not say who the author is.
var ErrAuthor = errors.New("holds no single address")

// Author is the person or program that a From or Sender field names.
type Author struct {
	Name    string // decoded; "" where there is none
	Address string // as it is written; "" where the field has a name alone
	Norm    string // the address in the form in which addresses are compared
	// Exact says that the field is written as RFC 5322 asks. Any other has to be
	// written anew before it goes out: other readers may take it for another author.
	Exact bool
}

// ReadAuthor reads a From or Sender field with one author. Printers, NAS and
// cron write names without quotes, in Latin-1, or no address at all. Two
// addresses are an error: which of them counts would depend on the reader.
func ReadAuthor(value string) (Author, error) {
	if len(value) > maxValue {
		return Author{}, ErrAuthor
	}
	valid := utf8.ValidString(value)
	value = UTF8(value)
	parser := mail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: charset}}
	var a Author
	if list, err := parser.ParseList(value); err == nil {
		if len(list) != 1 {
			return Author{}, ErrAuthor
		}
		// A list that names one may still be read in another way.
		alone := strings.TrimRight(strings.TrimLeft(value, " \t,"), " \t,;") == strings.TrimSpace(value)
		a = Author{Name: onOneLine(list[0].Name), Address: list[0].Address, Exact: valid && alone}
	} else if a.Name, a.Address, err = loose(value); err != nil {
		return Author{}, err
	}
	if a.Address == "" {
		return a, nil
	}
	address, err := email.Read(a.Address)
	if err != nil {
		return Author{}, ErrAuthor
	}
	a.Exact = a.Exact && address.Text == a.Address
	a.Address, a.Norm = address.Text, address.Norm
	return a, nil
}

// loose finds the name and the address in what is no address by RFC 5322. The
// address stands in angle brackets, or is the only word with an @.
func loose(value string) (name, address string, err error) {
	value = strings.TrimRight(value, " \t,;")
	if before, after, found := strings.Cut(value, "<"); found {
		address, rest, _ := strings.Cut(after, ">")
		name = before + " " + rest
		if strings.ContainsAny(name, "<>") || strings.Contains(address, "<") {
			return "", "", ErrAuthor
		}
		if address = strings.TrimSpace(address); address != "" && !strings.Contains(address, "@") {
			return clean(name, address), "", nil // "Cron Daemon" <root>
		}
		return clean(name, ""), address, nil
	}
	if before, comment, found := strings.Cut(value, "("); found {
		comment, rest, _ := strings.Cut(comment, ")")
		value, name = before+" "+rest, comment
	}
	var words []string
	for word := range strings.FieldsSeq(value) {
		switch {
		case !strings.Contains(word, "@"):
			words = append(words, word)
		case address != "":
			return "", "", ErrAuthor
		default:
			address = word
		}
	}
	return clean(name, strings.Join(words, " ")), address, nil
}

// clean returns the name as a person reads it, or otherwise where it is empty.
func clean(name, otherwise string) string {
	name = strings.TrimSpace(name)
	if inner, quoted := strings.CutPrefix(name, `"`); quoted {
		name = strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `\`, "")
	}
	name = strings.Join(strings.Fields(Decode(name)), " ")
	if name == "" && otherwise != "" {
		return clean(otherwise, "")
	}
	return name
}

// String writes the author as RFC 5322 asks, folded.
func (a Author) String() string {
	if strings.Contains(a.Name, "=?") {
		return Text(a.Name) + " <" + a.Address + ">"
	}
	return fold((&mail.Address{Name: a.Name, Address: a.Address}).String())
}

// Text writes words as a field holds them (RFC 2047), folded. Words that look
// like encoded ones are encoded themselves: some readers decode what they find
// wherever it stands, and would make a line break of it.
func Text(text string) string {
	if !strings.Contains(text, "=?") {
		return fold(mime.QEncoding.Encode("utf-8", text))
	}
	const most = 45 // bytes, which make a word of at most 75 characters
	var words []string
	for rest := text; rest != ""; {
		n := min(most, len(rest))
		for n < len(rest) && !utf8.RuneStart(rest[n]) {
			n--
		}
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(rest[:n]))+"?=")
		rest = rest[n:]
	}
	return fold(strings.Join(words, " "))
}

// fold breaks a field at the spaces between encoded words.
func fold(value string) string { return strings.ReplaceAll(value, "?= =?", "?=\r\n =?") }

// maxText is how much of a field is decoded to be shown.
const maxText = 8 << 10

// Decode returns a field's text as a person reads it: encoded words (RFC 2047) in
// any charset that browsers know, on one line. What cannot be decoded stays.
func Decode(text string) string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	words := mime.WordDecoder{CharsetReader: charset}
	text = UTF8(text)
	if decoded, err := words.DecodeHeader(text); err == nil {
		text = decoded
	}
	return onOneLine(text)
}

// onOneLine makes text UTF-8 without line breaks and other control characters.
func onOneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, UTF8(text))
}

// charset decodes words. One in an unknown charset is read as its bytes: it must
// not hide the address that stands behind it.
func charset(label string, r io.Reader) (io.Reader, error) { return Charset(label, r), nil }

// Charset reads text in a charset as UTF-8, and in an unknown one as it is.
func Charset(label string, r io.Reader) io.Reader {
	e, err := htmlindex.Get(label)
	if err != nil {
		return r
	}
	return e.NewDecoder().Reader(r)
}

// Addresses writes a list of addresses as RFC 5322 asks, or reports that there
// is none to be read.
func Addresses(value string) (written string, ok bool) {
	parser := mail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: charset}}
	list, err := parser.ParseList(UTF8(value))
	if err != nil {
		return "", false
	}
	var all []string
	for _, a := range list {
		all = append(all, Author{Name: onOneLine(a.Name), Address: a.Address}.String())
	}
	return strings.Join(all, ",\r\n "), true
}

// Token returns the first word of a value, behind any comments: the authserv-id
// of Authentication-Results (RFC 8601, 2.2). A backslash stands for the character
// behind it (RFC 5322, 3.2.1).
func Token(value string) string {
	depth := 0
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\' && depth > 0:
			i++
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth > 0 || c == ' ' || c == '\t':
		case c == '"':
			return strings.TrimSpace(quoted(value[i+1:]))
		default:
			end := strings.IndexAny(value[i:], " \t;(/")
			if end < 0 {
				return value[i:]
			}
			return value[i : i+end]
		}
	}
	return ""
}

// quoted returns the text up to the closing quote.
func quoted(text string) string {
	var b strings.Builder
	for i := 0; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// UTF8 takes what is not UTF-8 for the charset that old devices write.
func UTF8(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	decoded, err := charmap.Windows1252.NewDecoder().String(text)
	if err != nil {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	return decoded
}
