package command

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// banned are words and phrases that no text for users has: archaic or coined words,
// clauses in the place of a noun, apologies. The usual word is beside each.
var banned = map[string]string{
	`somebody|someone else's`:       "a person, another person",
	`nobody|whoever`:                "no user, people who",
	`anybody|everybody`:             "anyone, everyone",
	`mend(s|ed)?`:                   "fix",
	`(the|our|this) house`:          "the server",
	`told|untold`:                   "notified, reported",
	`(take|takes|taken|took) back`:  "revoke, cancel, undo",
	`who (come|comes|came)`:         "people who join",
	`(come|comes|came) (in )?by`:    "sign in with",
	`lets? (people |you |them )?in`: "approve, allow",
	`of no use`:                     "expires",
	`out of the box`:                "by default",
	`anew`:                          "again",
	`look(s|ed)? through`:           "check",
	`gets? hold`:                    "obtain",
	`write (it|them|everybody) down|written down`: "log, export",
	`(is|are|stands) in the way`:                  "blocks",
	`invalid|oops|sorry`:                          "what is wrong, and the fix",
	`please`:                                      "an imperative",
	`say -yes`:                                    "add -yes",
	`desk|porter|the door`:                        "service, invites, sign-up policy",
	`for (your|their) word`:                       "approval",
	`from nowhere but`:                            "only from",
	`what (stands|is) behind`:                     "the part after",
}

// value is the sentence in a line of a language file.
var value = regexp.MustCompile(`^\w+ = "(.*)"$`)

func TestTextsForUsersAvoidBannedPhrases(t *testing.T) {
	texts := pages(t)
	for _, name := range []string{"../lang/en.toml", "../../config.toml.example"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(name)] = string(text)
	}
	phrases := map[*regexp.Regexp]string{}
	for phrase, usual := range banned {
		phrases[regexp.MustCompile(`(?i)\b(`+phrase+`)\b`)] = usual
	}
	for name, text := range texts {
		for i, line := range strings.Split(text, "\n") {
			if name == "en.toml" {
				found := value.FindStringSubmatch(line)
				if found == nil {
					continue
				}
				line = found[1]
			}
			for phrase, usual := range phrases {
				if found := phrase.FindString(line); found != "" {
					t.Errorf("%s:%d: %q: use %s\n\t%s", name, i+1, found, usual, strings.TrimSpace(line))
				}
			}
		}
	}
}
