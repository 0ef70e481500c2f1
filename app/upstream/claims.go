package upstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// claims are what an upstream says about a person.
type claims map[string]any

// decodeClaims reads a JSON object. Numbers keep their digits: a float64 would
// round a long id.
func decodeClaims(text []byte) (claims, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var c claims
	if err := dec.Decode(&c); err != nil {
		return nil, err
	}
	if c == nil {
		return nil, errors.New("null is no object")
	}
	return c, nil
}

// at returns the value at a path such as "data.id". A key may contain dots itself,
// as in "https://example.com/groups" or resource_access."my.app".roles: at every
// level the longest key that exists comes first.
func (c claims) at(path string) any {
	if v, ok := c[path]; ok {
		return v
	}
	for end := strings.LastIndexByte(path, '.'); end > 0; end = strings.LastIndexByte(path[:end], '.') {
		inner, _ := c[path[:end]].(map[string]any)
		if v := claims(inner).at(path[end+1:]); v != nil {
			return v
		}
	}
	return nil
}

// text returns a text or number as text, or "".
func (c claims) text(path string) string {
	switch v := c.at(path).(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// identifier returns what identifies a person: a text, or the digits of a whole
// number. A fraction or an exponent has no single spelling and identifies no user.
func (c claims) identifier(path string) string {
	switch v := c.at(path).(type) {
	case string:
		return v
	case json.Number:
		if whole(v) {
			return v.String()
		}
	}
	return ""
}

func whole(n json.Number) bool { return !strings.ContainsAny(n.String(), ".eE") }

// yes reports whether a claim is true. Apple and others send it as text.
func (c claims) yes(path string) bool {
	switch v := c.at(path).(type) {
	case bool:
		return v
	case string:
		return v == "true" || v == "1"
	case json.Number:
		return v == "1"
	}
	return false
}

func (c claims) moment(path string) time.Time {
	if n, ok := c.at(path).(json.Number); ok {
		if seconds, err := n.Int64(); err == nil {
			return time.Unix(seconds, 0)
		}
	}
	return time.Time{}
}

// list returns the texts in a list, or one text alone.
func (c claims) list(path string) []string {
	switch v := c.at(path).(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, item := range v {
			if text, ok := item.(string); ok {
				list = append(list, text)
			}
		}
		return slices.Clip(list)
	}
	return nil
}

// address returns an email address: a text, or of a list the primary one, else the
// first. sole is false where the list has others, since a claim such as
// email_verified then does not say which of them it is about.
func (c claims) address(path string) (email string, sole bool) {
	list, ok := c.at(path).([]any)
	if !ok {
		return c.text(path), true
	}
	for _, item := range list {
		text, primary := "", false
		switch v := item.(type) {
		case string:
			text = v
		case map[string]any:
			entry := claims(v)
			text = firstOf(entry.text, "email", "value", "address")
			primary = entry.yes("primary")
		}
		if primary && text != "" {
			return text, len(list) == 1
		}
		if email == "" {
			email = text
		}
	}
	return email, len(list) == 1
}

// firstOf returns the first text that is not empty among those of the names.
func firstOf(text func(string) string, names ...string) string {
	for _, name := range names {
		if v := text(name); v != "" {
			return v
		}
	}
	return ""
}

// fullName returns the name in a claim, else a given and a family name together.
func (c claims) fullName(path string) string {
	if name := c.text(path); name != "" {
		return name
	}
	given, family := firstOf(c.text, "given_name", "first_name"), firstOf(c.text, "family_name", "last_name")
	return strings.TrimSpace(given + " " + family)
}

// groups returns the groups in a claim, in each form that providers send: a list of
// texts, of numbers or of objects with a name; an object whose keys are the groups
// (Zitadel); texts parted by commas; a JSON list as text.
func (c claims) groups(path string) []string {
	var list []string
	add := func(text string) {
		if text = strings.TrimSpace(text); text != "" {
			list = append(list, text)
		}
	}
	switch v := c.at(path).(type) {
	case string:
		return groupsInText(v)
	case []any:
		for _, item := range v {
			switch v := item.(type) {
			case string:
				add(v)
			case json.Number:
				if whole(v) {
					add(v.String())
				}
			case map[string]any:
				add(firstOf(claims(v).text, "name", "displayName", "display_name", "display", "slug", "value", "id"))
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if !denies(v[name]) {
				add(name)
			}
		}
	}
	return list
}

// denies reports whether the value beside a group's name says that the person is
// not in it.
func denies(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == "" || v == "false" || v == "0"
	case json.Number:
		return v == "0"
	case []any:
		return len(v) == 0
	}
	return false
}

// groupsInText reads groups that are one text. An LDAP name has commas of its own:
// it is one group.
func groupsInText(text string) []string {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "[") {
		if c, err := decodeClaims([]byte(`{"groups":` + text + `}`)); err == nil {
			return c.groups("groups")
		}
	}
	var list []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	if len(list) > 1 && strings.Contains(list[0], "=") {
		return []string{text}
	}
	return list
}
