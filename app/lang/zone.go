package lang

import (
	_ "embed"
	"strings"
	"sync"
	"time"
)

// zoneNames are the names of the IANA database: those that are offered and, below a
// line, those that browsers may call them by besides.
//
//go:embed zones.txt
var zoneNames string

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
	for line := range strings.Lines(zoneNames) {
		name := strings.TrimSpace(line)
		if name == "--" {
			break
		}
		if strings.HasPrefix(name, "#") {
			continue
		}
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
	if name == "" || len(name) > 40 || strings.ContainsAny(name, "\n#-") && !strings.Contains(name, "/") {
		return nil, false
	}
	if known, ok := loaded.Load(name); ok {
		return known.(*time.Location), true
	}
	if !strings.Contains(zoneNames, "\n"+name+"\n") {
		return nil, false
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, false
	}
	loaded.Store(name, zone)
	return zone, true
}
