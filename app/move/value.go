package move

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Adapters do not agree how a value is kept, and one database may hold several
// ways after an upgrade, so each value is looked at by itself.

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

// The texts that databases and adapters write. A time without a zone is UTC.
var timeForms = []string{
	time.RFC3339Nano,                // Prisma, D1
	"2006-01-02 15:04:05.999999999", // SQLite's CURRENT_TIMESTAMP
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999Z07", // PostgreSQL's text
	"2006-01-02T15:04:05.999999999",
	"2006-01-02",
	"Mon Jan 02 2006 15:04:05 GMT-0700", // String(date) in JavaScript
	time.RFC1123,
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
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}, nil
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		return timeOf(n)
	}
	s, _, _ = strings.Cut(s, " (") // "… GMT+0100 (Central European Standard Time)"
	for _, form := range timeForms {
		if t, err := time.Parse(form, s); err == nil {
			return plausible(t)
		}
	}
	return time.Time{}, errTime
}

// momentOf reads a number of seconds or milliseconds.
func momentOf(n int64) (time.Time, error) {
	if n >= fromMs || n <= -fromMs {
		return plausible(time.UnixMilli(n))
	}
	return plausible(time.Unix(n, 0))
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
