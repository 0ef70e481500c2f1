package shell

import (
	"encoding/base64"
	"strings"
)

// encodedMark begins a path segment that holds a text in base64url.
const encodedMark = "~"

// segment returns the part of a path that stands for an id or a name. Ids of users
// come from other databases and names of apps from people: with a slash, or as "..",
// they would lead to another page. Percent-encoding is no help: browsers resolve
// %2e%2e, and proxies decode %2F.
func Segment(id string) string {
	plain := strings.Trim(id, ".") != "" && strings.IndexFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}) < 0
	if plain {
		return id
	}
	return encodedMark + base64.RawURLEncoding.EncodeToString([]byte(id))
}

// fromSegment undoes segment. Any other text is itself.
func FromSegment(text string) string {
	if encoded, ok := strings.CutPrefix(text, encodedMark); ok {
		if id, err := base64.RawURLEncoding.Strict().DecodeString(encoded); err == nil {
			return string(id)
		}
	}
	return text
}
