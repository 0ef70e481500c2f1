package lang

import (
	_ "embed"
	"encoding/binary"
	"strings"
	"sync"
	"time"
)

// zoneRules are the zones of the IANA database with their rules: those that are
// offered and, below a line, those that browsers may call them by besides.
//
//go:embed zones.txt
var zoneRules string

// Region is the zones of a part of the world.
type Region struct {
	Name  string // "Europe"; "" for UTC
	Zones []Zone
}

// Zone is a time zone.
type Zone struct {
	Name  string // "Europe/Berlin"
	Place string // "Berlin"
}

// Regions returns the time zones that people choose from.
var Regions = sync.OnceValue(func() []Region {
	var list []Region
	for line := range strings.Lines(zoneRules) {
		if line == "--\n" {
			break
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, _, _ := strings.Cut(line, " ")
		region, place, found := strings.Cut(name, "/")
		if !found {
			region, place = "", name
		}
		if len(list) == 0 || list[len(list)-1].Name != region {
			list = append(list, Region{Name: region})
		}
		last := &list[len(list)-1]
		last.Zones = append(last.Zones, Zone{Name: name, Place: strings.NewReplacer("_", " ", "/", ", ").Replace(place)})
	}
	return list
})

// loaded holds each zone once it was asked for; there are no more than names.
var loaded sync.Map

// ZoneOf returns the time zone of that name; ok is false when there is none.
func ZoneOf(name string) (zone *time.Location, ok bool) {
	if name == "" || len(name) > 40 || strings.ContainsAny(name, "\n #-") && !strings.Contains(name, "/") {
		return nil, false
	}
	if known, ok := loaded.Load(name); ok {
		return known.(*time.Location), true
	}
	_, rest, found := strings.Cut(zoneRules, "\n"+name+" ")
	if !found {
		return nil, false
	}
	// The machine may know of a change of the rules. A container may know no zones.
	zone, err := time.LoadLocation(name)
	if err != nil {
		rule, _, _ := strings.Cut(rest, "\n")
		zone, err = byRule(name, rule)
	}
	if err != nil {
		return nil, false
	}
	loaded.Store(name, zone)
	return zone, true
}

// byRule returns a zone that always follows a rule: time reads one only as the end of
// a file of a zone (RFC 9636), so here is the shortest of those.
func byRule(name, rule string) (*time.Location, error) {
	header := func(counts ...uint32) []byte {
		b := append([]byte("TZif2"), make([]byte, 15)...)
		for _, n := range counts {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		return b
	}
	file := header(0, 0, 0, 0, 0, 0)                  // for readers of version 1
	file = append(file, header(0, 0, 0, 1, 1, 4)...)  // one change, to one kind of time, of four letters
	file = binary.BigEndian.AppendUint64(file, 1<<63) // long ago
	file = append(file, 0, 0, 0, 0, 0, 0, 0)          // to the first kind, at UTC
	return time.LoadLocationFromTZData(name, []byte(string(file)+"UTC\x00\n"+rule+"\n"))
}
