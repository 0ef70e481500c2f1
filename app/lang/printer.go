package lang

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Printer speaks one language, and tells times in one zone: UTC unless it was told
// otherwise.
type Printer struct {
	table *table
	zone  *time.Location
}

// In returns the printer for a time zone; nil is UTC.
func (p Printer) In(zone *time.Location) Printer {
	p.zone = zone
	return p
}

// local returns a time as it is in the printer's zone.
func (p Printer) local(t time.Time) time.Time {
	if p.zone == nil {
		return t.UTC()
	}
	return t.In(p.zone)
}

// Tag returns the BCP 47 tag of the language.
func (p Printer) Tag() string { return p.table.tag }

// Dir returns the direction of its writing. So far all run left to right.
func (p Printer) Dir() string { return "ltr" }

// Part is a stretch of a sentence: its own words, or a value that was put in.
type Part struct {
	Text  string
	Place string // the name of the value; "" for the sentence's own words
	Value any    // as it was given; Text is how it reads
}

// Parts returns the sentence under key with the values put in, in stretches, so
// that a page can set off the values. args are pairs of name and value; the one
// named "n" decides between one and many. A key that is not there comes back in
// brackets.
func (p Printer) Parts(key string, args ...any) []Part {
	s, ok := p.table.sentences[key]
	if !ok {
		return []Part{{Text: "[" + key + "]"}}
	}
	pieces := s.other
	if n, ok := value(args, "n"); ok && s.one != nil && fmt.Sprint(n) == "1" {
		pieces = s.one
	}
	parts := make([]Part, 0, len(pieces))
	for _, piece := range pieces {
		if piece.place == "" {
			parts = append(parts, Part{Text: piece.text})
			continue
		}
		v, ok := value(args, piece.place)
		if !ok {
			v = "[" + piece.place + "]"
		}
		parts = append(parts, Part{Text: fmt.Sprint(v), Place: piece.place, Value: v})
	}
	return parts
}

// Say returns the sentence under key as text. See Parts.
func (p Printer) Say(key string, args ...any) string {
	var b strings.Builder
	for _, part := range p.Parts(key, args...) {
		b.WriteString(part.Text)
	}
	return b.String()
}

func value(args []any, name string) (any, bool) {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == name {
			return args[i+1], true
		}
	}
	return nil, false
}

// Clock returns the time of day, "14:32 UTC", with the date unless it is today.
func (p Printer) Clock(t, now time.Time) string {
	t, now = p.local(t), p.local(now)
	clock := t.Format("15:04 MST")
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return clock
	}
	return p.date(t) + ", " + clock
}

// Moment returns date and time to the second: "23 Nov 2026, 14:12:08 UTC".
func (p Printer) Moment(t time.Time) string {
	return p.date(p.local(t)) + ", " + p.local(t).Format("15:04:05 MST")
}

// Date returns the day: "23 Nov 2026".
func (p Printer) Date(t time.Time) string { return p.date(p.local(t)) }

func (p Printer) date(t time.Time) string {
	month := p.Say("time.month" + strconv.Itoa(int(t.Month())))
	return p.Say("time.date", "day", t.Day(), "month", month, "year", t.Year())
}

// Ago returns how long before now t was: "2 minutes ago".
func (p Printer) Ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return p.Say("time.now")
	case d < time.Hour:
		return p.Say("time.minutes_ago", "n", int(d/time.Minute))
	case d < 24*time.Hour:
		return p.Say("time.hours_ago", "n", int(d/time.Hour))
	}
	return p.Say("time.days_ago", "n", int(d/(24*time.Hour)))
}

// Lasts returns a length of time in its largest whole unit: "15 minutes".
func (p Printer) Lasts(d time.Duration) string {
	switch {
	case d < time.Minute:
		return p.Say("time.seconds", "n", int(d/time.Second))
	case d < time.Hour:
		return p.Say("time.minutes", "n", int(d/time.Minute))
	case d < 48*time.Hour:
		return p.Say("time.hours", "n", int(d/time.Hour))
	}
	return p.Say("time.days", "n", int(d/(24*time.Hour)))
}
