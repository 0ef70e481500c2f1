package config

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time as people write it: "90s", "2h", "30d", "1w".
type Duration time.Duration

const (
	minute = Duration(time.Minute)
	hour   = Duration(time.Hour)
	day    = 24 * hour
)

// maxDays bounds lengths of time, and with them the arithmetic.
const maxDays = 36500

// ParseDuration reads "1d12h" and the like: numbers with a unit, largest first.
func ParseDuration(text string) (Duration, error) {
	var total time.Duration
	rest := text
	for rest != "" {
		i := strings.IndexAny(rest, "wd")
		if i < 0 {
			break
		}
		n, err := strconv.ParseUint(rest[:i], 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration", text)
		}
		if rest[i] == 'w' {
			n *= 7
		}
		total += time.Duration(min(n, 2*maxDays)) * time.Duration(day)
		if total > maxDays*time.Duration(day) {
			return 0, fmt.Errorf("%q is longer than a century", text)
		}
		rest = rest[i+1:]
	}
	if rest != "" || text == "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 || d > maxDays*time.Duration(day) {
			return 0, fmt.Errorf("%q is not a duration", text)
		}
		total += d
	}
	if total > maxDays*time.Duration(day) {
		return 0, fmt.Errorf("%q is longer than a century", text)
	}
	return Duration(total), nil
}

// String returns the shortest form that ParseDuration reads.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	if days := d / day; days > 0 {
		if d%day == 0 || days > 2 {
			fmt.Fprintf(&b, "%dd", days)
			d %= day
		}
	}
	if d == 0 {
		return b.String()
	}
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return b.String() + text
}

// Secret is a value that is never printed.
type Secret struct{ text string }

// Reveal returns the secret itself, for the one place that needs it.
func (s Secret) Reveal() string { return s.text }

// String says whether there is one.
func (s Secret) String() string {
	if s.text == "" {
		return "(not set)"
	}
	return "(set)"
}

// GoString is for %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue is for the log.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is for JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
