package secret_test

import (
	"strings"
	"testing"

	"gatelodge/app/secret"
)

func TestHashTakesTokensOnly(t *testing.T) {
	token := secret.Token()
	hash, ok := secret.Hash(token)
	if !ok || len(hash) != 32 {
		t.Fatalf("a token of ours is refused")
	}
	if again, _ := secret.Hash(token); !secret.Equal(hash, again) {
		t.Error("one token has two hashes")
	}
	for name, text := range map[string]string{
		"nothing": "", "short": token[:42], "long": token + "A", "another alphabet": strings.Repeat("+", 43),
		"bits that do not count": strings.Repeat("A", 42) + "B",
	} {
		if _, ok := secret.Hash(text); ok {
			t.Errorf("%s is taken for a token", name)
		}
	}
}

// One in 64 would, if it were left to chance.
func TestNoTokenLooksLikeAnOption(t *testing.T) {
	for range 2000 {
		if token := secret.Token(); strings.HasPrefix(token, "-") {
			t.Fatal(token)
		}
	}
}

func TestSessionsFromElsewhereKeepTheirTokens(t *testing.T) {
	ours := secret.Token()
	want, _ := secret.Hash(ours)
	if got, ok := secret.SessionHash(ours); !ok || !secret.Equal(got, want) {
		t.Error("a token of ours has another hash as a session's")
	}
	seen := make(map[string]string)
	for _, token := range []string{
		ours, "7a4e596f-74d5-4e06-b419-1af3fc6cb904", strings.Repeat("0f", 32), strings.Repeat("A", 43), strings.Repeat("A", 42) + "B",
		// 32 letters, and the token of ours that stands for the same bytes.
		strings.Repeat("a", 32), "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE",
	} {
		hash, ok := secret.SessionHash(token)
		if !ok || len(hash) != 32 {
			t.Errorf("%q is refused", token)
		}
		if other, found := seen[string(hash)]; found {
			t.Errorf("%q and %q have one hash", token, other)
		}
		seen[string(hash)] = token
	}
	for name, text := range map[string]string{
		"nothing": "", "one that can be guessed": strings.Repeat("a", 31), "a long one": strings.Repeat("a", 256),
		"spaces": strings.Repeat("a ", 20), "beyond ASCII": strings.Repeat("é", 20), "a NUL": strings.Repeat("a", 40) + "\x00",
	} {
		if _, ok := secret.SessionHash(text); ok {
			t.Errorf("%s is taken for a token", name)
		}
	}
}

func TestMACDoesNotConfuseParts(t *testing.T) {
	key := []byte("key")
	if secret.Equal(secret.MAC(key, "ab", "c"), secret.MAC(key, "a", "bc")) {
		t.Error("two lists of parts have one MAC")
	}
}

func TestCleanCode(t *testing.T) {
	for typed, want := range map[string]string{"482913": "482913", " 482 913": "482913", "482-913": "482913", "４８２９１３": "482913"} {
		if got, ok := secret.CleanCode(typed); !ok || got != want {
			t.Errorf("%q: got %q, %v", typed, got, ok)
		}
	}
	for _, typed := range []string{"", "48291", "4829133", "48291a", strings.Repeat(" ", 100) + "482913"} {
		if got, ok := secret.CleanCode(typed); ok {
			t.Errorf("%q is taken for %q", typed, got)
		}
	}
}

// A code is pasted as the mail shows it, and typed in the digits of one's own keyboard.
func TestACodeIsFoundInWhatIsPasted(t *testing.T) {
	for _, typed := range []string{
		"Your code is 985 864!", "Your code is 985\u00a0864.", "985\u202f864", "985\u2009864", "985\u2013864", "985\u200b864", "\u202a985864\u202c",
		"\u0669\u0668\u0665 \u0668\u0666\u0664", "\u06f9\u06f8\u06f5\u06f8\u06f6\u06f4", "\u096f\u096e\u096b\u096e\u096c\u096a", "９８５　８６４",
		"Use 985 864. It works for 15 minutes.", "985864 is your code: 985 864", "9 8 5 8 6 4", "985864\n",
	} {
		if got, ok := secret.CleanCode(typed); !ok || got != "985864" {
			t.Errorf("%q: got %q, %v", typed, got, ok)
		}
	}
	for _, typed := range []string{"985 864 or 123 456", "985 8640", "Your code is 98 586!", "985a864", "no code"} {
		if got, ok := secret.CleanCode(typed); ok {
			t.Errorf("%q is taken for %q", typed, got)
		}
	}
}

func TestCodesAreSpread(t *testing.T) {
	key := []byte("key")
	var first [10]int
	for range 10_000 {
		code := secret.Code(key, secret.Token())
		if len(code) != 6 {
			t.Fatalf("got %q", code)
		}
		first[code[0]-'0']++
	}
	for digit, n := range first {
		if n < 800 || n > 1200 {
			t.Errorf("%d codes of 10,000 begin with %d", n, digit)
		}
	}
}

func TestSpokenCodesForgiveTheirReader(t *testing.T) {
	code := secret.Spoken([]byte("0123456789abcdef0123456789abcdef"))
	for _, typed := range []string{code, strings.ToLower(code), strings.ReplaceAll(code, "-", " "), strings.ReplaceAll(code, "-", ""), strings.ReplaceAll(strings.ReplaceAll(code, "0", "o"), "1", "l")} {
		if got := secret.CleanSpoken(typed); got != code {
			t.Errorf("%q: got %q, want %q", typed, got, code)
		}
	}
	for _, typed := range []string{"", code[1:], code + "A", strings.Repeat("U", 16), strings.Repeat("é", 16)} {
		if got := secret.CleanSpoken(typed); got != "" {
			t.Errorf("%q is taken for %q", typed, got)
		}
	}
}
