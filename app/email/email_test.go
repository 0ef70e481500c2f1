package email_test

import (
	"slices"
	"strings"
	"testing"

	"gatelodge/app/email"
)

// What a person cannot see, and what copying adds, is not part of an address.
func TestReadRemovesWhatCannotBeSeen(t *testing.T) {
	const want = "Mara@home.example"
	for name, typed := range map[string]string{
		"a zero width space in front":    "\u200bMara@home.example",
		"a byte order mark":              "\ufeffMara@home.example",
		"a left-to-right embedding":      "\u202aMara@home.example\u202c",
		"isolates":                       "\u2068Mara@home.example\u2069",
		"a no-break space":               "\u00a0Mara@home.example\u00a0",
		"an ideographic space":           "\u3000Mara@home.example",
		"a line separator":               "Mara@home.example\u2028",
		"a soft hyphen inside":           "Ma\u00adra@home.example",
		"a zero width space inside":      "Mara@\u200bhome.\u200bexample",
		"a zero width joiner inside":     "Ma\u200dra@ho\u200dme.example",
		"a zero width non-joiner at end": "Mara@home.example\u200c",
		"a word joiner":                  "Mara\u2060@home.example",
		"a variation selector":           "Mara\ufe0f@home.example",
		"a Hangul filler":                "Mara\u3164@home.example",
		"a grapheme joiner":              "Mara\u034f@home.example",
		"a tag character":                "Mara@home.example\U000e0020",
		"brackets":                       "<Mara@home.example>",
		"a name":                         "Mara Olsen <Mara@home.example>",
		"a name in quotes with a comma":  `"Olsen, Mara" <Mara@home.example>`,
		"a name with a comma":            "Olsen, Mara <Mara@home.example>",
		"the address as its name":        "Mara@home.example <Mara@home.example>",
		"a name with hidden characters":  "\u202aMara\u202c\u00a0<\u200bMara@home.example\u200b>",
		"an Outlook link":                "Mara@home.example<mailto:Mara@home.example>",
		"mailto":                         "mailto:Mara@home.example?subject=Hello",
		"quotes around":                  `'Mara@home.example'`,
		"a final comma":                  "Mara@home.example, ",
		"a final semicolon":              "<Mara@home.example>;",
	} {
		t.Run(name, func(t *testing.T) {
			a, err := email.Read(typed)
			if err != nil || a.Text != want || a.Norm != strings.ToLower(want) || a.Mailbox() != want {
				t.Errorf("%q is %+v, %v", typed, a, err)
			}
		})
	}
}

// Addresses that mail servers deliver are accepted.
func TestReadAcceptsWhatMailServersDeliver(t *testing.T) {
	long := "reply+" + strings.Repeat("a", 70)
	for typed, want := range map[string]email.Address{
		"user@ab--cd.com":               {Text: "user@ab--cd.com", Norm: "user@ab--cd.com"},
		"user@r3---sn.example":          {Text: "user@r3---sn.example", Norm: "user@r3---sn.example"},
		long + "@tickets.example":       {Text: long + "@tickets.example", Norm: long + "@tickets.example"},
		"a..b@docomo.example":           {Text: "a..b@docomo.example", Norm: "a..b@docomo.example"},
		"Mara.@ezweb.example":           {Text: "Mara.@ezweb.example", Norm: "mara.@ezweb.example"},
		".mara@ezweb.example":           {Text: ".mara@ezweb.example", Norm: ".mara@ezweb.example"},
		`"a..b"@docomo.example`:         {Text: "a..b@docomo.example", Norm: "a..b@docomo.example"},
		"o'brien@home.example":          {Text: "o'brien@home.example", Norm: "o'brien@home.example"},
		"mara@BÜCHER.example":           {Text: "mara@BÜCHER.example", Norm: "mara@xn--bcher-kva.example"},
		"mara@faß.example":              {Text: "mara@faß.example", Norm: "mara@xn--fa-hia.example"},
		"用户@例子。example":                 {Text: "用户@例子。example", Norm: "用户@xn--fsqu00a.example"},
		"!#$%&'*+-/=?^_`{|}~@h.example": {Text: "!#$%&'*+-/=?^_`{|}~@h.example", Norm: "!#$%&'*+-/=?^_`{|}~@h.example"},
	} {
		if a, err := email.Read(typed); err != nil || a != want {
			t.Errorf("%q is %+v, %v", typed, a, err)
		}
	}
}

// A text that names two addresses, or none, names nobody.
func TestReadRefusesTwoAddresses(t *testing.T) {
	for _, typed := range []string{
		"a@b.example, c@d.example", "a@b.example c@d.example", "a@b.example <c@d.example>", "A <a@b.example>, C <c@d.example>",
		"<a@b.example><c@d.example>", "A <<a@b.example>>", "A <>", "Mara <mara>", "mara@home.example>", "..@home.example",
		"a@-home.example", "a@xn--.example", "a@home..example", "a\u0000@home.example", "a\tb@home.example",
		"عل\u200cی@home.example",                                                // a joiner that can be seen: not the mailbox without it
		"\u212aim@home.example", "İm@home.example", "o\u1fefbrien@home.example", // they become ASCII: another's mailbox
		strings.Repeat("a", 260) + "@home.example", "mailto:", "@", "<@>",
	} {
		if a, err := email.Read(typed); err == nil {
			t.Errorf("%q is %+v", typed, a)
		}
	}
	for _, typed := range []string{"", " ", "\u200b", "\ufeff \u202a"} {
		if _, err := email.Read(typed); err != email.ErrEmpty {
			t.Errorf("%q: %v", typed, err)
		}
	}
}

func TestExactReportsWhatWasRemovedInside(t *testing.T) {
	for typed, want := range map[string]bool{
		"mara@home.example": true, "\ufeffMara@home.example\n": true, "ma\u200bra@home.example": false, "X <mara@home.example>": false,
	} {
		a, err := email.Read(typed)
		if err != nil || a.Exact(typed) != want {
			t.Errorf("%q: %v, %v", typed, a.Exact(typed), err)
		}
	}
}

func TestListNamesEveryAddressOnce(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                    nil,
		" ,;\n":                               nil,
		"i17@EXAMPLE.com, I17@example.com":    {"i17@EXAMPLE.com"},
		"a@x.example b@x.example;c@x.example": {"a@x.example", "b@x.example", "c@x.example"},
		"a@x.example\r\n\r\nA <a@x.example>":  {"a@x.example"},
		"Olsen, Mara <a@x.example>, Bo <b@x.example>":  {"Olsen Mara <a@x.example>", "Bo <b@x.example>"},
		"\"Olsen; Mara\" <a@x.example>; b@x.example":   {"\"Olsen; Mara\" <a@x.example>", "b@x.example"},
		"a@x.example, Bo Berg <b@x.example>":           {"a@x.example", "Bo Berg <b@x.example>"},
		"A <a@x.example> B <b@x.example>\nc@x.example": {"A <a@x.example>", "B <b@x.example>", "c@x.example"},
		"mara, a@x.example":                            {"mara", "a@x.example"},
		"\u200ba@x.example,a@x.example\u200b":          {"\u200ba@x.example"},
	} {
		if got := email.Distinct(email.List(text)); !slices.Equal(got, want) {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("Mara <mara@HOME.example>")
	f.Add("\u200ba..b@ab--cd.example")
	f.Add("\"a.\"@x.example;")
	f.Add("'mailto:<\u202aa@b.example>,")
	f.Fuzz(func(t *testing.T, typed string) {
		a, err := email.Read(typed)
		if err != nil {
			return
		}
		if again, err := email.Read(a.Norm); err != nil || again.Norm != a.Norm {
			t.Errorf("%q becomes %+v, then %+v, %v", typed, a, again, err)
		}
		if again, err := email.Read(a.Text); err != nil || again != a {
			t.Errorf("%q becomes %+v, then %+v, %v", typed, a, again, err)
		}
		if strings.ContainsAny(a.Mailbox(), " \r\n\t<>\"()[]\\,;:") {
			t.Errorf("%q is mailed as %q", typed, a.Mailbox())
		}
	})
}
