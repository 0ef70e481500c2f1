package command

import (
	"fmt"
	"slices"
	"strings"
)

const usageHead = `Gatelodge is the sign-in for everything you host, in one file.

usage: gatelodge COMMAND [flags]

`

const usageFoot = `
"gatelodge COMMAND -h" shows details. Exit codes: 0 done, 1 failed, 2 usage or
configuration, 3 cannot listen, 4 another process has the data directory, 5 key
file, 6 not writable, 7 newer database, 8 disk full, 9 damaged database, 10 the
database server cannot be reached or used, 11 its database is not in UTF-8, 12 a
privilege is missing there.
`

// topic is a first word of commands. One that is a whole command has an about; the
// others are followed by what they can do.
type topic struct{ word, about string }

// overview is the order of the topics. What it leaves out stands at the end.
var overview = []topic{
	{"serve", "start the server; needs no configuration to try"},
	{"init", "write a short config.toml"},
	{"setup-link", "print the link that creates the first admin"},
	{"app", ""},
	{"user", ""},
	{"group", ""},
	{"invite", ""},
	{"mail", ""},
	{"import", ""},
	{"export", "export users for another system"},
	{"backup", "back up the database while the server runs"},
	{"restore", "put a backup into an empty data directory"},
	{"key", ""},
	{"copy", "move everything to PostgreSQL, or back to SQLite"},
	{"config", ""},
	{"doctor", "check the server, and name the fix for each problem"},
	{"why", "explain the Reference of an error page"},
	{"healthcheck", "check whether the server is ready"},
	{"version", "print the version"},
}

// Usage returns what "gatelodge help" prints: every command there is.
func Usage() string {
	can, topics := make(map[string][]string), slices.Clone(overview)
	for _, v := range verbs() {
		words := append(strings.Fields(v.Words), "")
		if !slices.ContainsFunc(topics, func(t topic) bool { return t.word == words[0] }) {
			topics = append(topics, topic{word: words[0]})
		}
		if !slices.Contains(can[words[0]], words[1]) {
			can[words[0]] = append(can[words[0]], words[1])
		}
	}
	var b strings.Builder
	b.WriteString(usageHead)
	for _, t := range topics {
		if t.about == "" {
			t.about = strings.Join(can[t.word], ", ")
		}
		const indent, width = 17, 80
		line := fmt.Sprintf("  %-*s", indent-2, t.word)
		for word := range strings.FieldsSeq(t.about) {
			if len(line)+len(word) >= width {
				b.WriteString(strings.TrimRight(line, " ") + "\n")
				line = strings.Repeat(" ", indent)
			}
			line += word + " "
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	b.WriteString(usageFoot)
	return b.String()
}
