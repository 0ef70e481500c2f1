package lang_test

import (
	"testing"
	"time"

	"gatelodge/app/lang"
)

func TestTimesAreShownInAZone(t *testing.T) {
	c := load(t)
	at := time.Date(2026, 11, 23, 23, 30, 8, 0, time.UTC)
	berlin, ok := lang.ZoneOf("Europe/Berlin")
	if !ok {
		t.Fatal("there is no Europe/Berlin")
	}
	p := c.For("en").In(berlin)
	for name, tt := range map[string]struct{ got, want string }{
		"clock on what is today there": {p.Clock(at, at.Add(time.Hour)), "00:30 CET"},
		"clock yesterday there":        {p.Clock(at.Add(-time.Hour), at), "23 Nov 2026, 23:30 CET"},
		"moment":                       {p.Moment(at), "24 Nov 2026, 00:30:08 CET"},
		"date":                         {p.Date(at), "24 Nov 2026"},
		"in summer":                    {p.Moment(at.AddDate(0, -5, 0)), "24 Jun 2026, 01:30:08 CEST"},
		"without a zone":               {c.For("en").Moment(at), "23 Nov 2026, 23:30:08 UTC"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", name, tt.got, tt.want)
		}
	}
}

func TestEveryZoneThatIsOfferedIsOne(t *testing.T) {
	n := 0
	for _, r := range lang.Regions() {
		for _, z := range r.Zones {
			n++
			if zone, ok := lang.ZoneOf(z.Name); !ok || zone.String() != z.Name {
				t.Errorf("%q is no zone", z.Name)
			}
		}
	}
	if n < 300 {
		t.Errorf("%d zones", n)
	}
	for _, name := range []string{"Asia/Calcutta", "US/Eastern", "UTC", "Etc/GMT+3"} {
		if _, ok := lang.ZoneOf(name); !ok {
			t.Errorf("browsers call a zone %q", name)
		}
	}
	for _, name := range []string{"", "--", "Local", "../../etc/passwd", "Europe/Berlin\nUTC", "# The time zones of the IANA database.", "Europe", "europe/berlin"} {
		if _, ok := lang.ZoneOf(name); ok {
			t.Errorf("%q is a zone", name)
		}
	}
}
