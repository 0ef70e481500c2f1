package move

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Adapters do not agree how a value is kept, and one database may hold several
// forms after an upgrade, so each value is looked at by itself.

// textOf returns a value as text. NULL is "".
func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

var errTime = errors.New("this is no time")

// fromMs is the number from which on a time is milliseconds and not seconds:
// the year 5138 in seconds, March 1973 in milliseconds.
const fromMs = 100_000_000_000

// timeForms are the texts that databases and adapters write, without their zone.
var timeForms = []string{
	"2006-01-02T15:04:05.999999999", // JSON, Prisma, D1
	"2006-01-02 15:04:05.999999999", // SQLite's CURRENT_TIMESTAMP, PostgreSQL, Sequelize
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	"2006-01-02",
	"2006/01/02 15:04:05.999999999",
	"20060102T150405",
	"Mon Jan 02 2006 15:04:05", // String(date) in JavaScript
	"Mon, 02 Jan 2006 15:04:05",
	"Mon Jan _2 15:04:05 2006",
}

// timeZone is a zone at the end of such a text: "Z", "UTC", "+01", "+0100", " +01:00",
// "GMT+0100", "+0000 UTC". An abbreviation such as CST, which several countries use
// for different zones, is none.
var timeZone = regexp.MustCompile(`(?i)^(.*?\d)\s*(?:z|(?:utc|gmt)?\s*([+-]\d\d):?(\d\d)?(?::?00)?(?:\s+(?:utc|gmt))?|utc|gmt|etc/utc)$`)

// splitZone returns the text without its zone, and the zone: UTC where there is none.
func splitZone(s string) (string, *time.Location) {
	m := timeZone.FindStringSubmatch(s)
	if m == nil {
		return s, time.UTC
	}
	hours, _ := strconv.Atoi(m[2]) // "" is UTC
	minutes, _ := strconv.Atoi(m[3])
	if strings.HasPrefix(m[2], "-") {
		minutes = -minutes
	}
	return m[1], time.FixedZone("", hours*3600+minutes*60)
}

// timeOf returns the moment a value stands for, the zero time for NULL, or
// errTime.
func timeOf(v any) (time.Time, error) {
	switch v := v.(type) {
	case nil:
		return time.Time{}, nil
	case time.Time:
		return plausible(v)
	case int64:
		return momentOf(v)
	case float64:
		if math.IsNaN(v) || math.Abs(v) > math.MaxInt64/2 {
			return time.Time{}, errTime
		}
		return momentOf(int64(v))
	case []byte:
		return timeOfText(string(v))
	case string:
		return timeOfText(v)
	}
	return time.Time{}, errTime
}

func timeOfText(s string) (time.Time, error) {
	s = strings.Trim(strings.TrimSpace(s), `"'`) // JSON in a text column
	if s == "" || strings.EqualFold(s, "null") {
		return time.Time{}, nil
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		return timeOf(n)
	}
	s, _, _ = strings.Cut(s, " (") // "… GMT+0100 (Central European Standard Time)"
	// As it is first: the end of a date, "-25", looks like a zone.
	bare, zone := splitZone(s)
	for _, form := range timeForms {
		if t, err := time.ParseInLocation(form, s, time.UTC); err == nil {
			return plausible(t)
		}
		if t, err := time.ParseInLocation(form, bare, zone); err == nil {
			return plausible(t)
		}
	}
	return time.Time{}, errTime
}

// momentOf reads a number of seconds, milliseconds or microseconds.
func momentOf(n int64) (time.Time, error) {
	switch {
	case n < 0:
		return time.Time{}, errTime
	case n < fromMs:
		return plausible(time.Unix(n, 0))
	case n < fromMs*1000:
		return plausible(time.UnixMilli(n))
	}
	return plausible(time.UnixMicro(n))
}

// plausible keeps what milliseconds can tell, in years that a database means.
func plausible(t time.Time) (time.Time, error) {
	t = t.UTC().Truncate(time.Millisecond)
	if y := t.Year(); y < 1970 || y > 9999 {
		return time.Time{}, errTime
	}
	return t, nil
}

// intOf returns a whole number; ok is false when the value is none.
func intOf(v any) (n int64, ok bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	}
	n, err := strconv.ParseInt(strings.TrimSpace(textOf(v)), 10, 64)
	return n, err == nil
}

// boolOf reads what databases without booleans write for one.
func boolOf(v any) bool {
	switch strings.ToLower(textOf(v)) {
	case "1", "true", "t", "yes":
		return true
	}
	return false
}

// bytesOf decodes base64 of either alphabet, with or without padding. A BLOB is
// taken as it is.
func bytesOf(v any) ([]byte, error) {
	if raw, ok := v.([]byte); ok {
		return raw, nil
	}
	text := strings.TrimRight(strings.TrimSpace(textOf(v)), "=")
	text = strings.NewReplacer("+", "-", "/", "_").Replace(text)
	return base64.RawURLEncoding.DecodeString(text)
}
