package lang_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"gatelodge/app/lang"
)

func load(t testing.TB) *lang.Catalog {
	t.Helper()
	c, err := lang.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLanguageIsTheFirstWishThatCanBeMet(t *testing.T) {
	c := load(t)
	tests := map[string]struct {
		wishes []string
		want   string
	}{
		"nothing asked":           {nil, "en"},
		"a tag":                   {[]string{"de"}, "de"},
		"a regional tag":          {[]string{"de-AT"}, "de"},
		"a choice over a header":  {[]string{"en", "de"}, "en"},
		"no choice, a header":     {[]string{"", "fr;q=0.9, de;q=0.8, en;q=0.1"}, "de"},
		"a language nobody wrote": {[]string{"tlh"}, "en"},
		"the gladly read first":   {[]string{"en;q=0.2, fr, de ; q=0.8"}, "de"},
		"one not read at all":     {[]string{"de;q=0, en;q=0.1"}, "en"},
		"any language":            {[]string{"*"}, "en"},
		"another script, region":  {[]string{"de-Latn-CH-x-a"}, "de"},
		"capitals":                {[]string{"DE-at"}, "de"},
		"not German":              {[]string{"deu, d, de_AT"}, "en"},
		"garbage":                 {[]string{"\x00;;;q=", "%%%"}, "en"},
		"an endless header":       {[]string{"de, " + strings.Repeat("fr-CA;q=0.5, ", 10_000)}, "de"},
		"one endless tag":         {[]string{strings.Repeat("a", 10_000), "de"}, "de"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := c.For(tt.wishes...).Tag(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSentences(t *testing.T) {
	c := load(t)
	en, de := c.For("en"), c.For("de")
	now := time.Date(2026, 11, 23, 14, 12, 8, 0, time.UTC)
	berlin, tehran, saoPaulo := zone(t, "Europe/Berlin"), zone(t, "Asia/Tehran"), zone(t, "America/Sao_Paulo")
	tests := map[string]struct{ got, want string }{
		"one":                {en.Say("code.wrong", "n", 1), "That code did not match. 1 try left."},
		"many":               {en.Say("code.wrong", "n", 4), "That code did not match. 4 tries left."},
		"German":             {de.Say("code.wrong", "n", 4), "Dieser Code stimmt nicht. Noch 4 Versuche."},
		"a key not there":    {en.Say("no.such"), "[no.such]"},
		"a value not given":  {en.Say("signin.contact"), "No account? Ask [contact], who runs this server."},
		"clock today":        {en.Clock(now, now), "14:12 UTC"},
		"clock tomorrow":     {en.Clock(now.Add(24*time.Hour), now), "24 Nov 2026, 14:12 UTC"},
		"moment":             {de.Moment(now), "23. Nov. 2026, 14:12:08 UTC"},
		"until, no zone":     {en.Until(now.Add(2*time.Hour), now), "in 2 hours"},
		"until, UTC chosen":  {en.In(time.UTC).Until(now.Add(2*time.Hour), now), "in 2 hours (16:12 UTC)"},
		"until, in a zone":   {en.In(berlin).Until(now.Add(2*time.Hour), now), "in 2 hours (17:12 CET)"},
		"until, an offset":   {en.In(tehran).Until(now.Add(time.Hour), now), "in 1 hour (18:42 UTC+3:30)"},
		"until, a moment on": {en.Until(now.Add(2*time.Hour-20*time.Second), now), "in 2 hours"},
		"until, in minutes":  {en.Until(now.Add(89*time.Minute), now), "in 89 minutes"},
		"until now":          {en.Until(now, now), "in 1 second"},
		"until a date":       {de.Until(now.Add(7*24*time.Hour), now), "in 7 Tagen (30. Nov. 2026, 14:12 UTC)"},
		"since, no zone":     {en.Since(now.Add(-2*time.Minute), now), "2 minutes ago"},
		"since, in a zone":   {en.In(berlin).Since(now.Add(-2*time.Minute), now), "2 minutes ago (15:10 CET)"},
		"since a date":       {en.Since(now.Add(-50*time.Hour), now), "2 days ago (21 Nov 2026, 12:12 UTC)"},
		"a moment's offset":  {en.In(saoPaulo).Moment(now), "23 Nov 2026, 11:12:08 UTC-3"},
		"ago":                {en.Ago(now.Add(-61*time.Second), now), "1 minute ago"},
		"days ago":           {de.Ago(now.Add(-49*time.Hour), now), "vor 2 Tagen"},
		"just now":           {en.Ago(now, now.Add(59*time.Second)), "just now"},
		"a clock ahead":      {en.Ago(now.Add(time.Minute), now), "just now"},
		"minutes":            {en.Lasts(15 * time.Minute), "15 minutes"},
		"one hour":           {de.Lasts(time.Hour), "1 Stunde"},
		"seconds":            {en.Lasts(30 * time.Second), "30 seconds"},
		"a day in hours":     {en.Lasts(24 * time.Hour), "24 hours"},
		"days":               {de.Lasts(50 * time.Hour), "2 Tage"},
		"a German date":      {de.Date(now), "23. Nov. 2026"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}

func TestPartsTellValuesFromWords(t *testing.T) {
	parts := load(t).For("en").Parts("mail.signin.heading", "site", "{host}<b>")
	if len(parts) != 2 || parts[0].Place != "" || parts[1].Place != "site" || parts[1].Text != "{host}<b>" {
		t.Errorf("got %+v", parts)
	}
}

func TestLanguagesNameThemselves(t *testing.T) {
	got := load(t).Languages()
	if len(got) != 2 || got[0] != (lang.Language{Tag: "en", Name: "English"}) || got[1] != (lang.Language{Tag: "de", Name: "Deutsch"}) {
		t.Errorf("got %v", got)
	}
}

func TestHalfATranslationIsRefused(t *testing.T) {
	const en = "language.name = \"English\"\nhello = \"Hello {name}.\"\n[tries]\none = \"{n} try\"\nother = \"{n} tries\"\n"
	const de = "language.name = \"Deutsch\"\n"
	tests := map[string]struct{ en, de, want string }{
		"a key is missing":             {en, de + "hello = \"Hallo {name}.\"", "tries is missing"},
		"a key too many":               {en, de + "hello = \"Hallo {name}.\"\nmore = \"x\"\n[tries]\none = \"{n}\"\nother = \"{n}\"", "more is not a key"},
		"a place is unknown":           {en, de + "hello = \"Hallo {nom}.\"\n[tries]\none = \"{n}\"\nother = \"{n}\"", "hello: has the places [nom], want [name]"},
		"a place is missing":           {en, de + "hello = \"Hallo.\"\n[tries]\none = \"{n}\"\nother = \"{n}\"", "hello: has the places [], want [name]"},
		"no form for one":              {en, de + "hello = \"Hallo {name}.\"\ntries = \"{n}\"", "tries: one of the languages"},
		"no form for many":             {en, de + "hello = \"Hallo {name}.\"\n[tries]\none = \"{n}\"", "tries is missing"},
		"the form for one has a place": {en, de + "hello = \"Hallo {name}.\"\n[tries]\none = \"{m}\"\nother = \"{n}\"", "tries.one: has the place {m}"},
		"a place is not closed":        {en, de + "hello = \"Hallo {name.\"", "hello: a place is not closed"},
		"a number for a sentence":      {en, de + "hello = 3", "hello: want a sentence"},
		"no name":                      {en, "hello = \"Hallo {name}.\"", "language.name is missing"},
		"no TOML":                      {en, "hello", "de.toml: "},
		"no English":                   {"", de, "en.toml: language.name is missing"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := lang.Read(fstest.MapFS{"en.toml": {Data: []byte(tt.en)}, "de.toml": {Data: []byte(tt.de)}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestPseudoIsLonger(t *testing.T) {
	c := load(t).WithPseudo()
	p := c.For(lang.Pseudo)
	for _, key := range c.Keys() {
		was, is := len([]rune(c.For("en").Say(key))), len([]rune(p.Say(key)))
		if key != "time.date" && is <= was { // which is all values
			t.Errorf("%s is %q", key, p.Say(key))
		}
	}
	if got, want := p.Say("signin.contact", "contact", "Sam"), "Sam"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
	if got := load(t).For(lang.Pseudo).Tag(); got != "en" {
		t.Errorf("outside tests got %s, want en", got)
	}
}

// FuzzFor finds headers that take long or panic.
func FuzzFor(f *testing.F) {
	c := load(f)
	for _, seed := range []string{"", "de", "en-GB,en;q=0.9,de;q=0.8", "*", "x-y-z", "de-1996-1901-x-" + strings.Repeat("a-", 90)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if got := c.For(header).Tag(); got != "en" && got != "de" {
			t.Errorf("got %q", got)
		}
	})
}

func BenchmarkFor(b *testing.B) {
	c := load(b)
	for b.Loop() {
		c.For("", "de-AT,de;q=0.9,en-GB;q=0.8,en;q=0.7")
	}
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, ok := lang.ZoneOf(name)
	if !ok {
		t.Fatalf("there is no zone %s", name)
	}
	return z
}
