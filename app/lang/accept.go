package lang

import (
	"sort"
	"strconv"
	"strings"
)

// maxAccept is the most of an Accept-Language header that is read. Browsers send
// some dozens of bytes.
const maxAccept = 200

// wish is one language that somebody reads, and how gladly.
type wish struct {
	tag     string
	quality float64 // from 0, not at all, to 1
}

// wishes reads a BCP 47 tag or an Accept-Language header (RFC 9110, 12.5.4), the
// gladly read first. What is not one is left out.
func wishes(header string) []wish {
	if len(header) > maxAccept {
		// What stands before the last comma is whole.
		header = header[:max(0, strings.LastIndexByte(header[:maxAccept], ','))]
	}
	var list []wish
	for item := range strings.SplitSeq(header, ",") {
		tag, params, _ := strings.Cut(item, ";")
		w := wish{strings.TrimSpace(tag), 1}
		if q, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
			var err error
			if w.quality, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		if isTag(w.tag) && w.quality > 0 {
			list = append(list, w)
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].quality > list[j].quality })
	return list
}

// isTag reports whether text has the form of a language tag (RFC 5646, 2.1).
func isTag(text string) bool {
	for i, part := range strings.Split(text, "-") {
		if len(part) == 0 || len(part) > 8 || i == 0 && len(part) < 2 {
			return false
		}
		for _, r := range part {
			letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
			if !letter && (i == 0 || r < '0' || r > '9') {
				return false
			}
		}
	}
	return true
}

// lookUp returns the table for a tag: the one with that tag, or with what is left
// when parts are taken from its end (RFC 4647, 3.4). So "de-AT" gets German.
func (c *Catalog) lookUp(tag string) (*table, bool) {
	for {
		for i := range c.tables {
			if strings.EqualFold(c.tables[i].tag, tag) {
				return &c.tables[i], true
			}
		}
		cut := strings.LastIndexByte(tag, '-')
		if cut < 0 {
			return nil, false
		}
		tag = tag[:cut]
		// A letter alone begins an extension, which goes with it.
		if n := len(tag); n > 2 && tag[n-2] == '-' {
			tag = tag[:n-2]
		}
	}
}
