package people_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"gatelodge/app/people"
)

func TestANameKeepsWhatItIsWrittenWith(t *testing.T) {
	for _, name := range []string{
		"علی\u200cرضا", "क्\u200dष", "ශ්\u200dරී", "👨\u200d👩\u200d👧", "❤\ufe0f\u200d🔥", "👩🏽\u200d💻", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
		"葛\U000e0100城", "1\ufe0f\u20e3", "José", "O'Brien-Núñez, jr.",
	} {
		if got, err := people.CleanName(name); got != name || err != nil {
			t.Errorf("%+q became %+q, %v", name, got, err)
		}
	}
}

func TestANameLosesWhatCannotBeSeen(t *testing.T) {
	for typed, want := range map[string]string{
		"\u202eMara\u202c": "Mara", "\ufeffMara": "Mara", "Ma\u200bra": "Mara", "Ma\u200dra": "Mara", "Mara\u200d": "Mara", "\u200c\u200d": "", "\u3164\u3164": "",
		"Ma\u00adra": "Mara", "Mara\r\n\u0000 Olsen": "Mara Olsen", "Mara\u2028Olsen": "Mara Olsen", "علی\u200c\u200c": "علی", "A\U000e0041": "A", "\ufe0fA": "A",
		"\u2066Mara\u2069 \u00a0 Olsen": "Mara Olsen",
	} {
		if got, err := people.CleanName(typed); got != want || err != nil {
			t.Errorf("%+q became %+q, %v, want %+q", typed, got, err, want)
		}
	}
}

// A name from elsewhere is cut at 100 characters, never within one that is seen.
func TestALongNameIsCutBetweenCharacters(t *testing.T) {
	for name, tt := range map[string]struct{ typed, want string }{
		"letters of Cyrillic": {strings.Repeat("я", 60), strings.Repeat("я", 60)},
		"100":                 {strings.Repeat("я", 100), strings.Repeat("я", 100)},
		"101":                 {strings.Repeat("я", 101), strings.Repeat("я", 100)},
		"a mark":              {strings.Repeat("a", 99) + "x\u0323\u0323", strings.Repeat("a", 99)},
		"a family":            {strings.Repeat("a", 97) + "👨\u200d👩\u200d👧", strings.Repeat("a", 97)},
		"a skin":              {strings.Repeat("a", 99) + "👩🏽", strings.Repeat("a", 99)},
		"a flag":              {strings.Repeat("a", 99) + "🇳🇴", strings.Repeat("a", 99)},
		"flags":               {strings.Repeat("🇳🇴", 60), strings.Repeat("🇳🇴", 50)},
		"a space":             {strings.Repeat("a", 99) + " b", strings.Repeat("a", 99)},
		"marks alone":         {"a" + strings.Repeat("\u0301", 200), "á" + strings.Repeat("\u0301", 99)},
	} {
		got, cut := people.ShortName(tt.typed)
		if got != tt.want || cut != (utf8.RuneCountInString(tt.typed) > 100) {
			t.Errorf("%s: %q, %v", name, got, cut)
		}
		if again, err := people.CleanName(got); again != got || err != nil {
			t.Errorf("%s: %q becomes %q, %v", name, got, again, err)
		}
	}
}

func FuzzShortName(f *testing.F) {
	f.Add("علی\u200cرضا", "👨\u200d👩\u200d👧")
	f.Add("\U0001f3f4\U000e0067", "\u200d\ufe0f\u202e")
	f.Fuzz(func(t *testing.T, a, b string) {
		got, _ := people.ShortName(strings.Repeat(a, 20) + b)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > 100 || strings.ContainsAny(got, "\r\n\x00\u202e\u200b") {
			t.Errorf("%q", got)
		}
	})
}
