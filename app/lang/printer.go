package lang

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// NoZone stands for the time zone of a reader whose zone is not known. Its times are
// in UTC and say so.
var NoZone = time.FixedZone("UTC", 0)

// Printer speaks one language and shows times in one zone. While the zone is not
// known, times are relative where a sentence allows it, and else in UTC.
type Printer struct {
	table *table
	zone  *time.Location
}

// In returns the printer for a time zone; nil is one that is not known.
func (p Printer) In(zone *time.Location) Printer {
	p.zone = zone
	return p
}

// zoned reports whether the reader's zone is known.
func (p Printer) zoned() bool { return p.zone != nil && p.zone != NoZone }

// local returns a time as it is in the printer's zone.
func (p Printer) local(t time.Time) time.Time {
	if !p.zoned() {
		return t.UTC()
	}
	return t.In(p.zone)
}

// zoneName returns what the zone of a time is called. Where the database has no
// letters for it but "+0530", it is the offset: "UTC+5:30".
func zoneName(t time.Time) string {
	name, offset := t.Zone()
	if !strings.HasPrefix(name, "+") && !strings.HasPrefix(name, "-") {
		return name
	}
	sign, minutes := "+", offset/60
	if minutes < 0 {
		sign, minutes = "-", -minutes
	}
	name = "UTC" + sign + strconv.Itoa(minutes/60)
	if minutes%60 != 0 {
		name += fmt.Sprintf(":%02d", minutes%60)
	}
	return name
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
	clock := t.Format("15:04 ") + zoneName(t)
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return clock
	}
	return p.date(t) + ", " + clock
}

// Moment returns date and time to the second: "23 Nov 2026, 14:12:08 UTC".
func (p Printer) Moment(t time.Time) string {
	t = p.local(t)
	return p.date(t) + ", " + t.Format("15:04:05 ") + zoneName(t)
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

// Until returns how long after now t is, and the time of day where the reader's zone
// is known: "in 2 hours (14:07 CET)". From two days on the date is shown to everyone,
// since a mail may be read days after it was written.
func (p Printer) Until(t, now time.Time) string {
	d := t.Sub(now)
	if d > time.Minute {
		d = d.Round(time.Minute) // "in 2 hours" also while the page is on its way
	}
	return p.dated(p.in(d), d, t, now)
}

func (p Printer) in(d time.Duration) string {
	switch {
	case d < time.Minute:
		return p.Say("time.in_seconds", "n", max(1, int(d/time.Second)))
	case d < 2*time.Hour && d%time.Hour != 0:
		return p.Say("time.in_minutes", "n", int(d/time.Minute))
	case d < 48*time.Hour:
		return p.Say("time.in_hours", "n", int(d/time.Hour))
	}
	return p.Say("time.in_days", "n", int(d/(24*time.Hour)))
}

// Since returns how long before now t was, and the time of day where the reader's zone
// is known: "2 minutes ago (14:07 CET)".
func (p Printer) Since(t, now time.Time) string {
	return p.dated(p.Ago(t, now), now.Sub(t), t, now)
}

// dated adds the time itself to one that is relative by d.
func (p Printer) dated(relative string, d time.Duration, t, now time.Time) string {
	if !p.zoned() && d < 48*time.Hour {
		return relative
	}
	return relative + " (" + p.Clock(t, now) + ")"
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
