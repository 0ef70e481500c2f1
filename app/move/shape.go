package move

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// role is what a table is for.
type role int

const (
	userRole role = iota
	accountRole
	sessionRole
	passkeyRole
	tokenRole
	roles
)

// part describes a role. Names are compared as plain does.
type part struct {
	name    string   // what Auth.js calls it
	tables  []string // the names its adapters give the table
	needs   []string // columns without which a table is none
	columns []string // all that are read
}

var parts = [roles]part{
	userRole: {
		"User",
		[]string{"user", "users"},
		[]string{"id", "email", "emailverified"},
		[]string{"id", "email", "emailverified", "name", "image", "createdat"},
	},
	accountRole: {
		"Account",
		[]string{"account", "accounts"},
		[]string{"userid", "provider", "provideraccountid"},
		[]string{
			"userid", "provider", "provideraccountid", "type", "accesstoken", "refreshtoken", "idtoken", "expiresat", "tokentype",
			"scope", "sessionstate", "createdat",
		},
	},
	sessionRole: {
		"Session",
		[]string{"session", "sessions"},
		[]string{"userid", "sessiontoken", "expires"},
		[]string{"userid", "sessiontoken", "expires"},
	},
	passkeyRole: {
		"Authenticator",
		[]string{"authenticator", "authenticators"},
		[]string{"userid", "credentialid", "credentialpublickey", "counter"},
		[]string{
			"userid", "credentialid", "credentialpublickey", "counter", "credentialdevicetype", "credentialbackedup", "transports",
		},
	},
	tokenRole: {
		"VerificationToken",
		[]string{"verificationtoken", "verificationtokens"},
		[]string{"identifier", "token", "expires"},
		[]string{"identifier", "token", "expires"},
	},
}

// plain is how names are compared: emailVerified, email_verified and
// EmailVerified are one.
func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// table is a table of the source.
type table struct {
	name    string            // "" for none
	columns map[string]string // plain name: real name
}

// Shape is which table is for what.
type Shape struct {
	name     string
	tables   [roles]table
	password string // the column of users with password hashes, or ""
}

// detect finds the tables by their columns, and among several by their names.
// mapped names tables for roles, as in "User": "members".
func detect(tables map[string][]string, mapped map[string]string, password string) (Shape, error) {
	var s Shape
	named, err := namedRoles(tables, mapped)
	if err != nil {
		return s, err
	}
	for r := range roles {
		name := named[r]
		if name == "" {
			if name, err = choose(r, tables); err != nil {
				return s, err
			}
		}
		if name == "" {
			continue
		}
		s.tables[r] = tableOf(name, tables[name])
		if lacking := s.tables[r].lacks(parts[r].needs); named[r] != "" && lacking != "" {
			return s, &Refusal{text: fmt.Sprintf("table %q is no %s: it has no column like %s", name, parts[r].name, lacking), hint: "check -map"}
		}
	}
	if s.tables[userRole].name == "" {
		return s, &Refusal{
			text: "this is not a database of Auth.js: no table has the columns id, email and emailVerified",
			hint: "it has " + listed(tables) + "; name the renamed ones with -map, as in -map User=members",
		}
	}
	if password != "" {
		column, ok := s.tables[userRole].columns[plain(password)]
		if !ok {
			return s, &Refusal{
				text: fmt.Sprintf("table %q has no column %q", s.tables[userRole].name, password),
				hint: "it has " + strings.Join(slices.Sorted(maps.Values(s.tables[userRole].columns)), ", "),
			}
		}
		s.password = column
	}
	s.name = s.adapter()
	return s, nil
}

func namedRoles(tables map[string][]string, mapped map[string]string) ([roles]string, error) {
	var named [roles]string
	for model, name := range mapped {
		r := slices.IndexFunc(parts[:], func(p part) bool { return plain(p.name) == plain(model) })
		if r < 0 {
			return named, &Refusal{text: fmt.Sprintf("-map: there is no %q", model), hint: "it is one of User, Account, Session, Authenticator, VerificationToken"}
		}
		if tables[name] == nil {
			return named, &Refusal{text: fmt.Sprintf("-map: there is no table %q", name), hint: "there are " + listed(tables)}
		}
		named[r] = name
	}
	return named, nil
}

// choose finds the table for a role, or "".
func choose(r role, tables map[string][]string) (string, error) {
	var fit, known []string
	for name, columns := range tables {
		if tableOf(name, columns).lacks(parts[r].needs) != "" {
			continue
		}
		fit = append(fit, name)
		if slices.Contains(parts[r].tables, plain(name)) {
			known = append(known, name)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(known) == 1:
		return known[0], nil
	case len(fit) == 0:
		return "", nil
	}
	slices.Sort(fit)
	return "", &Refusal{
		text: fmt.Sprintf("several tables may be the %s: %s", parts[r].name, strings.Join(fit, ", ")),
		hint: fmt.Sprintf("say which, as in -map %s=%s", parts[r].name, fit[0]),
	}
}

func tableOf(name string, columns []string) table {
	t := table{name, make(map[string]string, len(columns))}
	for _, c := range columns {
		t.columns[plain(c)] = c
	}
	return t
}

// lacks returns the first column that the table has not, or "".
func (t table) lacks(needs []string) string {
	for _, c := range needs {
		if t.columns[c] == "" {
			return c
		}
	}
	return ""
}

// adapter guesses who made the database, for the report alone.
func (s Shape) adapter() string {
	users, accounts := s.tables[userRole].name, s.tables[accountRole]
	switch {
	case accounts.columns["oauthtokensecret"] != "":
		return "Auth.js, D1 adapter"
	case s.tables[tokenRole].name == "verification_token":
		return "Auth.js, pg adapter"
	case users == "User" && s.tables[passkeyRole].name == "" && accounts.columns["id"] != "":
		return "NextAuth v4, Prisma adapter"
	case users == "User":
		return "Auth.js, Prisma adapter"
	case users == "user":
		return "Auth.js, Drizzle adapter"
	}
	return "Auth.js"
}

// ignored lists the columns that nobody will read, as "User.role".
func (s Shape) ignored() []string {
	var list []string
	for r, t := range s.tables {
		if role(r) == tokenRole || t.name == "" {
			continue
		}
		for plainName, name := range t.columns {
			// Their own ids name nothing outside, and the last change is ours to tell.
			own := role(r) != userRole && plainName == "id" || plainName == "updatedat" || plainName == "createdat" ||
				role(r) == passkeyRole && plainName == "provideraccountid"
			if !own && !slices.Contains(parts[r].columns, plainName) && (role(r) != userRole || name != s.password) {
				list = append(list, t.name+"."+name)
			}
		}
	}
	slices.Sort(list)
	return list
}

// names lists the tables that were found.
func (s Shape) names() []string {
	var list []string
	for _, t := range s.tables {
		if t.name != "" {
			list = append(list, t.name)
		}
	}
	return list
}

func listed(tables map[string][]string) string {
	return cmp.Or(strings.Join(slices.Sorted(maps.Keys(tables)), ", "), "no tables")
}
