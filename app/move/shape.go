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
	name    string            // what Auth.js calls it
	tables  []string          // the names its adapters give the table
	needs   []string          // columns without which a table is none
	columns []string          // all that are read
	older   map[string]string // what NextAuth v3 called a column: what it is now
}

var parts = [roles]part{
	userRole: {
		"User",
		[]string{"user", "users"},
		[]string{"id", "email", "emailverified"},
		[]string{"id", "email", "emailverified", "name", "image", "createdat"},
		nil,
	},
	accountRole: {
		"Account",
		[]string{"account", "accounts"},
		[]string{"userid", "provider", "provideraccountid"},
		[]string{
			"userid", "provider", "provideraccountid", "type", "accesstoken", "refreshtoken", "idtoken", "expiresat", "tokentype",
			"scope", "sessionstate", "createdat",
		},
		map[string]string{"providerid": "provider", "providertype": "type", "accesstokenexpires": "expiresat"},
	},
	sessionRole: {
		"Session",
		[]string{"session", "sessions"},
		[]string{"userid", "sessiontoken", "expires"},
		[]string{"userid", "sessiontoken", "expires"},
		nil,
	},
	passkeyRole: {
		"Authenticator",
		[]string{"authenticator", "authenticators"},
		[]string{"userid", "credentialid", "credentialpublickey", "counter"},
		[]string{
			"userid", "credentialid", "credentialpublickey", "counter", "credentialdevicetype", "credentialbackedup", "transports",
		},
		nil,
	},
	tokenRole: {
		"VerificationToken",
		[]string{"verificationtoken", "verificationtokens", "verificationrequest", "verificationrequests"},
		[]string{"identifier", "token", "expires"},
		[]string{"identifier", "token", "expires"},
		nil,
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
	unknown  []Unrecognized
}

// Unrecognized is a table that is called like one of Auth.js's and lacks its columns,
// so that it cannot be read.
type Unrecognized struct {
	Table   string   `json:"table"`
	Model   string   `json:"model"` // "Account"
	Lacks   []string `json:"lacks"` // columns
	Columns []string `json:"columns"`
}

// mapping is what -map says: tables of roles, and columns by their plain names.
type mapping struct {
	tables  [roles]string
	without [roles]bool // -map Session=-
	columns [roles]map[string]string
}

// detect finds the tables by their columns, and among several by their names.
// mapped names tables for roles, as in "User": "members", and their columns, as in
// "Account.provider": "provider_id".
func detect(tables map[string][]string, mapped map[string]string, password string) (Shape, error) {
	var s Shape
	m, err := readMapping(tables, mapped)
	if err != nil {
		return s, err
	}
	for r := range roles {
		name := m.tables[r]
		if name == "" && !m.without[r] {
			if name, err = m.choose(r, tables); err != nil {
				return s, err
			}
		}
		if name == "" {
			continue
		}
		s.tables[r] = m.table(r, name, tables[name])
		if lacking := s.tables[r].lacks(parts[r].needs); len(lacking) > 0 {
			return s, &Refusal{
				text: fmt.Sprintf("table %q is no %s: it has no column like %s", name, parts[r].name, lacking[0]),
				hint: fmt.Sprintf("check -map; a column with another name is mapped with -map %s.%s=COLUMN", parts[r].name, lacking[0]),
			}
		}
		for plainName, column := range m.columns[r] {
			if !slices.Contains(tables[name], column) {
				return s, &Refusal{text: fmt.Sprintf("-map %s.%s: table %q has no column %q", parts[r].name, plainName, name, column), hint: "it has " + strings.Join(tables[name], ", ")}
			}
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
	s.unknown = m.unrecognized(s, tables)
	s.name = s.adapter()
	return s, nil
}

func readMapping(tables map[string][]string, mapped map[string]string) (mapping, error) {
	var m mapping
	for key, name := range mapped {
		model, column, isColumn := strings.Cut(key, ".")
		r := slices.IndexFunc(parts[:], func(p part) bool { return plain(p.name) == plain(model) })
		if r < 0 {
			return m, &Refusal{text: fmt.Sprintf("-map: there is no %q", model), hint: "it is one of User, Account, Session, Authenticator, VerificationToken"}
		}
		switch {
		case isColumn && !slices.Contains(parts[r].columns, plain(column)):
			return m, &Refusal{text: fmt.Sprintf("-map: %s has no column %q", parts[r].name, column), hint: "it is one of " + strings.Join(parts[r].columns, ", ")}
		case isColumn:
			if m.columns[r] == nil {
				m.columns[r] = make(map[string]string)
			}
			m.columns[r][plain(column)] = name
		case name == "-":
			m.without[r] = true
		case tables[name] == nil:
			return m, &Refusal{text: fmt.Sprintf("-map: there is no table %q", name), hint: "there are " + listed(tables)}
		default:
			m.tables[r] = name
		}
	}
	return m, nil
}

// choose finds the table for a role, or "".
func (m mapping) choose(r role, tables map[string][]string) (string, error) {
	var fit, known []string
	for name, columns := range tables {
		if len(m.table(r, name, columns).lacks(parts[r].needs)) > 0 {
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

// unrecognized lists the tables that bear the name of a role for which none was found.
func (m mapping) unrecognized(s Shape, tables map[string][]string) []Unrecognized {
	var list []Unrecognized
	for r := range roles {
		if s.tables[r].name != "" || m.without[r] || r == tokenRole {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(tables)) {
			if called(name, parts[r].tables) {
				list = append(list, Unrecognized{name, parts[r].name, m.table(r, name, tables[name]).lacks(parts[r].needs), tables[name]})
			}
		}
	}
	return list
}

// called reports whether a table has one of the names, perhaps after a prefix:
// app_accounts.
func called(table string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return plain(table) == name || strings.HasSuffix(strings.ToLower(table), "_"+name)
	})
}

// table reads the columns of a table for a role.
func (m mapping) table(r role, name string, columns []string) table {
	t := table{name, make(map[string]string, len(columns))}
	for _, c := range columns {
		t.columns[plain(c)] = c
	}
	for older, now := range parts[r].older {
		if t.columns[now] == "" && t.columns[older] != "" {
			t.columns[now] = t.columns[older]
			delete(t.columns, older)
		}
	}
	for plainName, column := range m.columns[r] {
		if slices.Contains(columns, column) {
			delete(t.columns, plain(column))
			t.columns[plainName] = column
		}
	}
	return t
}

// lacks returns the columns that the table has not, as Auth.js writes them.
func (t table) lacks(needs []string) []string {
	var list []string
	for _, c := range needs {
		if t.columns[c] == "" {
			list = append(list, cmp.Or(written[c], c))
		}
	}
	return list
}

// written is how Auth.js writes the columns that tables need.
var written = map[string]string{
	"emailverified": "emailVerified", "userid": "userId", "provideraccountid": "providerAccountId", "sessiontoken": "sessionToken",
	"credentialid": "credentialID", "credentialpublickey": "credentialPublicKey",
}

// adapter guesses who made the database, for the report alone.
func (s Shape) adapter() string {
	users, accounts := s.tables[userRole].name, s.tables[accountRole]
	switch {
	case accounts.columns["compoundid"] != "":
		return "NextAuth v3"
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
			own := role(r) != userRole && plainName == "id" || plainName == "compoundid" || plainName == "updatedat" || plainName == "createdat" ||
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
