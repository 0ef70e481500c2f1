package people_test

import (
	"strings"
	"testing"

	"gatelodge/app/people"
)

func TestAUsernameIsWrittenInAnyOneScript(t *testing.T) {
	for typed, want := range map[string]string{
		"Mara.O": "mara.o", "jörg_2": "jörg_2", "Ｍａｒａ": "mara", "марина": "марина", "μαρία": "μαρία", "מיכל": "מיכל", "محمد": "محمد",
		"हिन्दी": "हिन्दी", "தமிழ்": "தமிழ்", "ไทย": "ไทย", "မြန်မာ": "မြန်မာ", "ქეთი": "ქეთი", "한국어": "한국어", "韓國어": "韓國어",
		"田中": "田中", "たなか": "たなか", "タナカ": "タナカ", "ユーザー": "ユーザー", "鈴木さん": "鈴木さん", "佐々木": "佐々木", "ㄅㄆ": "ㄅㄆ",
	} {
		got, err := people.NormalUsername(typed)
		// A decomposed spelling is the same name.
		if again, err2 := people.NormalUsername(got); err != nil || err2 != nil || got != again || got != want && !strings.EqualFold(got, want) {
			t.Errorf("%s: got %q, %v, then %q, %v", typed, got, err, again, err2)
		}
	}
}

func TestAUsernameOfMixedScriptsIsRefused(t *testing.T) {
	for name, typed := range map[string]string{
		"Latin with a Cyrillic а":       "mаra",
		"Greek with a Latin o":          "μαρίo",
		"Han with Latin":                "田中mara",
		"Hangul with kana":              "한たな",
		"Hangul with Bopomofo":          "한ㄅ",
		"Thai with Lao":                 "ไทຍ",
		"Latin with the sign of kana":   "ma\u30fcra",
		"Latin that looks like another": "m\u0300\u0300ara",
		"a mark in front":               "\u0e34\u0e44\u0e17",
		"a mark on a digit":             "7\u0e34\u0e44",
		"a pile of marks":               "กิ" + strings.Repeat("\u0e35\u0e36", 3),
		"one mark twice":                "ก\u0e34\u0e34ก",
		"a joiner that nobody sees":     "ma\u200dra",
		"a script of old":               "\U00010330\U00010331\U00010332",
		"digits of another script":      "กข๑",
		"a sign":                        "ma♥ra",
	} {
		if got, err := people.NormalUsername(typed); err == nil {
			t.Errorf("%s: %q is taken as %q", name, typed, got)
		}
	}
}
