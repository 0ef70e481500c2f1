package header_test

import (
	"errors"
	"strings"
	"testing"

	"gatelodge/app/mail/header"
)

func folds(n int) []byte {
	return []byte("From: nas@home.example\r\nX-Long: a\r\n" + strings.Repeat(" b\r\n", n) + "\r\nbody\r\n")
}

// Eighty thousand folds kept a processor busy for half a minute.
func TestFoldsAreReadInLinearTime(t *testing.T) {
	raw := folds(50_000)
	if n := testing.AllocsPerRun(1, func() {
		if _, _, err := header.Split(raw); err != nil {
			t.Fatal(err)
		}
	}); n > 50 {
		t.Errorf("%v allocations for a header of two fields", n)
	}
}

func TestHeadersAreBounded(t *testing.T) {
	for name, raw := range map[string][]byte{
		"bytes":  folds(header.MaxBytes / 4),
		"fields": []byte(strings.Repeat("Content-Type: text/plain\r\n", header.MaxFields+1) + "\r\n"),
	} {
		if _, _, err := header.Split(raw); !errors.Is(err, header.ErrTooLarge) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// What was added below such a header became part of its last line.
func TestAHeaderThatEndsTooEarlyEndsInALine(t *testing.T) {
	for _, raw := range []string{"0:\r\n 0", "0:\r\n 0\r\n", "0: 0", "a: b\r\n0:\r\n\t0"} {
		fields, body, err := header.Split([]byte(raw))
		if err != nil || len(body) != 0 {
			t.Errorf("%q: got a body %q, %v", raw, body, err)
		}
		for _, f := range fields {
			if !strings.HasSuffix(f.Raw, "\r\n") {
				t.Errorf("%q: the field %q has no end", raw, f.Raw)
			}
		}
	}
}

func TestTheAuthorIsReadHoweverDevicesWriteIt(t *testing.T) {
	for value, want := range map[string]header.Author{
		"nas@home.example":                                      {Address: "nas@home.example", Exact: true},
		`"NAS" <nas@home.example>`:                              {Name: "NAS", Address: "nas@home.example", Exact: true},
		"=?windows-1252?Q?M=FCller?= <nas@home.example>":        {Name: "Müller", Address: "nas@home.example", Exact: true},
		"=?iso-8859-15?Q?100_=A4?= <nas@home.example>":          {Name: "100 €", Address: "nas@home.example", Exact: true},
		"=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?= <nas@home.example>": {Name: "日本", Address: "nas@home.example", Exact: true},
		"=?x-unheard-of?Q?M=FCller?= <nas@home.example>":        {Name: "Müller", Address: "nas@home.example", Exact: true},
		"Grüße <nas@home.example>":                              {Name: "Grüße", Address: "nas@home.example", Exact: true},
		"M\xfcller <nas@home.example>":                          {Name: "Müller", Address: "nas@home.example"},
		"nas@home.example <nas@home.example>":                   {Name: "nas@home.example", Address: "nas@home.example"},
		"UPS: main <nas@home.example>":                          {Name: "UPS: main", Address: "nas@home.example"},
		"[home] <nas@home.example>":                             {Name: "[home]", Address: "nas@home.example"},
		"NAS@home <nas@home.example>":                           {Name: "NAS@home", Address: "nas@home.example"},
		"NAS, upper floor <nas@home.example>":                   {Name: "NAS, upper floor", Address: "nas@home.example"},
		"UPS: =?utf-8?q?K=C3=BCche?= <nas@home.example>":        {Name: "UPS: Küche", Address: "nas@home.example"},
		`"a \"b\" [c" <nas@home.example`:                        {Name: `a "b" [c`, Address: "nas@home.example"},
		"<nas@home.example> NAS":                                {Name: "NAS", Address: "nas@home.example"},
		"NAS nas@home.example":                                  {Name: "NAS", Address: "nas@home.example"},
		"nas@home.example,":                                     {Address: "nas@home.example"},
		"root (Cron Daemon)":                                    {Name: "Cron Daemon"},
		"root":                                                  {Name: "root"},
		`"Cron Daemon" <root>`:                                  {Name: "Cron Daemon"},
		"":                                                      {},
		"<>":                                                    {},
	} {
		got, err := header.ReadAuthor(value)
		want.Norm = want.Address
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", value, got, err, want)
		}
	}
}

// Of two addresses another reader could take the other.
func TestTwoAuthorsAreNone(t *testing.T) {
	for _, value := range []string{
		"a@home.example, b@home.example", "[a] a@home.example b@home.example", "x <a@home.example> <b@home.example>", "[x] <a@home.example> <b@home.example>",
		"<a@home.example", "x <<a@home.example>>", "<@x.example:a@home.example>", "[x] <a b@home.example>", "a@b@home.example <>", "[] <a@@home.example>",
		strings.Repeat("x", 5000) + " <a@home.example>",
	} {
		if value == "<a@home.example" {
			continue // one address without its bracket
		}
		if got, err := header.ReadAuthor(value); err == nil && got.Address != "" {
			t.Errorf("%q: got %+v", value, got)
		}
	}
}

func TestAnAuthorIsWrittenSoThatAllReadTheSame(t *testing.T) {
	for _, name := range []string{"UPS: main", "[home]", "nas@home.example", "Müller", `a "b"`, "=?utf-8?q?a?=", "", strings.Repeat("lång ", 40)} {
		written := header.Author{Name: name, Address: "nas@home.example"}.String()
		got, err := header.ReadAuthor(strings.ReplaceAll(written, "\r\n", ""))
		if err != nil || !got.Exact || got.Address != "nas@home.example" || strings.TrimSpace(got.Name) != strings.TrimSpace(name) {
			t.Errorf("%q was written %q and read %+v, %v", name, written, got, err)
		}
	}
}

func TestTextIsDecodedForPeople(t *testing.T) {
	for raw, want := range map[string]string{
		"=?windows-1252?Q?M=FCller?=":                      "Müller",
		"=?utf-8?q?a=0d=0ab=1b[2J?=":                       "a  b [2J",
		"St\xf6rung":                                       "Störung",
		"=?utf-8?q?a?= =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=": "a日本",
	} {
		if got := header.Decode(raw); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}

func TestTheServerOfAnAuthenticationResultIsRead(t *testing.T) {
	for value, want := range map[string]string{
		"auth.home.example; none": "auth.home.example", "auth.home.example/1; none": "auth.home.example", "auth.home.example 1; none": "auth.home.example",
		"(a (b) c) auth.home.example(d); none": "auth.home.example", `"auth.home.example"; none`: "auth.home.example", "": "", "; none": "",
	} {
		if got := header.Token(value); got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}
