package dkim

import (
	"encoding/base64"
	"slices"
	"strings"
)

// PublishedAs reports whether a TXT record publishes this key for mail that we sign.
// Other tags than those of Record may stand there (RFC 6376, 3.6.1).
func (k Key) PublishedAs(record string) bool {
	tags, ok := tagsOf(record)
	if !ok {
		return false
	}
	ours, _ := tagsOf(k.Record)
	if tags["k"] == "" {
		tags["k"] = "rsa"
	}
	published, err := base64.StdEncoding.DecodeString(tags["p"])
	want, _ := base64.StdEncoding.DecodeString(ours["p"]) // written by us
	if err != nil || string(published) != string(want) || tags["k"] != ours["k"] {
		return false
	}
	return lists(tags, "h", "sha256") && (lists(tags, "s", "email") || lists(tags, "s", "*"))
}

// tagsOf reads a list of tags (RFC 6376, 3.2) without the white space in it, which
// panels add. ok is false where a server refuses to read it.
func tagsOf(record string) (tags map[string]string, ok bool) {
	tags = make(map[string]string)
	list := strings.Split(strings.Join(strings.Fields(record), ""), ";")
	for i, tag := range list {
		if tag == "" && i == len(list)-1 {
			break // the last semicolon is optional
		}
		name, value, ok := strings.Cut(tag, "=")
		if _, twice := tags[name]; !ok || name == "" || twice {
			return nil, false
		}
		if name == "v" && (i > 0 || value != "DKIM1") {
			return nil, false
		}
		tags[name] = value
	}
	return tags, true
}

// lists reports whether a tag that is a list of what is allowed has the value, or is
// not there.
func lists(tags map[string]string, name, value string) bool {
	list, ok := tags[name]
	return !ok || slices.Contains(strings.Split(list, ":"), value)
}
