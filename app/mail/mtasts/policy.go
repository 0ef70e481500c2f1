// Package mtasts finds out how a domain wants its mail servers to be spoken to
// (RFC 8461): a policy fetched over https and kept, so that who can forge DNS
// or strip STARTTLS cannot read mail to a domain that we have written to before.
package mtasts

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The modes of a policy.
const (
	Enforce = "enforce"
	Testing = "testing"
	None    = "none"
)

const maxAge = 31557600 * time.Second // RFC 8461, 3.2

// Policy is a domain's policy. The zero Policy demands nothing.
type Policy struct {
	Mode   string
	MX     []string // patterns
	MaxAge time.Duration
}

// ErrPolicy means that a text is no policy.
var ErrPolicy = errors.New("not an MTA-STS policy")

// Parse reads the text of a policy. Of a key that stands twice the first counts;
// unknown ones are ignored (RFC 8461, 3.2).
func Parse(text string) (Policy, error) {
	first := make(map[string]string)
	var p Policy
	for line := range strings.SplitSeq(text, "\n") {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\r"), ":")
		if !ok {
			if strings.TrimSpace(line) != "" {
				return Policy{}, fmt.Errorf("%w: a line without a colon", ErrPolicy)
			}
			continue
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if key == "mx" {
			p.MX = append(p.MX, strings.ToLower(strings.TrimSuffix(value, ".")))
		} else if _, twice := first[key]; !twice {
			first[key] = value
		}
	}
	if first["version"] != "STSv1" {
		return Policy{}, fmt.Errorf("%w: its version is not STSv1", ErrPolicy)
	}
	p.Mode = first["mode"]
	if p.Mode != Enforce && p.Mode != Testing && p.Mode != None {
		return Policy{}, fmt.Errorf("%w: its mode is none of enforce, testing and none", ErrPolicy)
	}
	seconds, err := strconv.ParseUint(first["max_age"], 10, 32)
	if err != nil {
		return Policy{}, fmt.Errorf("%w: its max_age is not a number", ErrPolicy)
	}
	p.MaxAge = min(time.Duration(seconds)*time.Second, maxAge)
	if len(p.MX) == 0 && p.Mode != None {
		return Policy{}, fmt.Errorf("%w: it names no server", ErrPolicy)
	}
	return p, nil
}

// Allows reports whether the policy names a server. A star stands for one label
// (RFC 8461, 4.1).
func (p Policy) Allows(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, pattern := range p.MX {
		if pattern == host {
			return true
		}
		if rest, star := strings.CutPrefix(pattern, "*."); star {
			if label, parent, ok := strings.Cut(host, "."); ok && label != "" && parent == rest {
				return true
			}
		}
	}
	return false
}

// recordID returns the id of the policy that the TXT records announce, or ""
// when none does, or more than one.
func recordID(records []string) string {
	id := ""
	for _, record := range records {
		version, rest, _ := strings.Cut(record, ";")
		if strings.TrimSpace(version) != "v=STSv1" {
			continue
		}
		if id != "" {
			return ""
		}
		for field := range strings.SplitSeq(rest, ";") {
			if key, value, ok := strings.Cut(strings.TrimSpace(field), "="); ok && strings.TrimSpace(key) == "id" {
				id = strings.TrimSpace(value)
			}
		}
	}
	if len(id) > 32 {
		return ""
	}
	return id
}
