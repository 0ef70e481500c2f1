package email_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"gatelodge/app/email"
)

func TestNormalEmail(t *testing.T) {
	tests := map[string]struct {
		typed, want string
		err         error
	}{
		"as it is":                 {"mara@home.example", "mara@home.example", nil},
		"upper case and spaces":    {"  Mara@HOME.Example\n", "mara@home.example", nil},
		"a plus and dots":          {"m.a+x@home.example", "m.a+x@home.example", nil},
		"a domain in any script":   {"mara@bücher.example", "mara@xn--bcher-kva.example", nil},
		"a composed letter":        {"mu\u0308ller@home.example", "müller@home.example", nil},
		"a final dot":              {"mara@home.example.", "mara@home.example", nil},
		"a host without a dot":     {"admin@localhost", "admin@localhost", nil},
		"nothing":                  {" ", "", email.ErrEmpty},
		"a dotted capital I":       {"vİctim@home.example", "", email.ErrMalformed},
		"no at":                    {"mara", "", email.ErrMalformed},
		"no name":                  {"@home.example", "", email.ErrMalformed},
		"no domain":                {"mara@", "", email.ErrMalformed},
		"two of them":              {"a@b.example, c@d.example", "", email.ErrMalformed},
		"a line break":             {"mara@home.example\r\nBcc: x@y.example", "", email.ErrMalformed},
		"brackets":                 {"<mara@home.example>", "mara@home.example", nil},
		"quotes":                   {`"a b"@home.example`, "", email.ErrMalformed},
		"two dots":                 {"a..b@home.example", "a..b@home.example", nil},
		"an empty label":           {"a@home..example", "", email.ErrMalformed},
		"a host with an underline": {"a@ho_me.example", "", email.ErrMalformed},
		"an address literal":       {"a@[127.0.0.1]", "", email.ErrMalformed},
		"too long":                 {strings.Repeat("a", 250) + "@home.example", "", email.ErrMalformed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := email.Normal(tt.typed)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v, want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

// Mail goes where the owner said, not where a look-alike was typed: a Turkish
// dotless i that some comparison folds into an i is another address here.
func TestALookAlikeIsAnotherAddress(t *testing.T) {
	for _, pair := range [][2]string{{"mıke@home.example", "mike@home.example"}, {"mike@gıthub.example", "mike@github.example"}} {
		a, errA := email.Normal(pair[0])
		b, errB := email.Normal(pair[1])
		if errA == nil && errB == nil && a == b {
			t.Errorf("%q and %q are both %q", pair[0], pair[1], a)
		}
	}
}

func FuzzNormalEmail(f *testing.F) {
	f.Add("Mara@HOME.example")
	f.Add("a@b.example\r\nBcc: c@d.example")
	f.Add("\u212a@x.example")
	f.Fuzz(func(t *testing.T, typed string) {
		got, err := email.Normal(typed)
		if err != nil {
			return
		}
		if strings.ContainsFunc(got, func(r rune) bool {
			return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("<>,;:\"()[]\\", r)
		}) {
			t.Errorf("%q became %q", typed, got)
		}
		if again, err := email.Normal(got); err != nil || again != got {
			t.Errorf("%q becomes %q, then %q, %v", typed, got, again, err)
		}
	})
}

// Mailbox is for counting: two addresses of one mailbox are one, two mailboxes never.
func TestMailbox(t *testing.T) {
	for address, want := range map[string]string{
		"mara@home.example":           "mara@home.example",
		"mara+shop@home.example":      "mara@home.example",
		"mara+a+b@home.example":       "mara@home.example",
		"mara+@home.example":          "mara@home.example",
		"+mara@home.example":          "+mara@home.example",
		"+@home.example":              "+@home.example",
		"m.ara@home.example":          "m.ara@home.example",
		"m.a.ra+x@gmail.com":          "mara@gmail.com",
		"mara@googlemail.com":         "mara@gmail.com",
		"m.ara@gmail.com.example":     "m.ara@gmail.com.example",
		"mara-shop@home.example":      "mara-shop@home.example",
		"müller+x@xn--bcher-kva.info": "müller@xn--bcher-kva.info",
	} {
		if got := email.MailboxKey(address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}
