package lang

import (
	_ "embed"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a container may have no zone files
)

// offeredZones are the names of the zones of the IANA database that users choose
// from, sorted. Browsers also send older names, which ZoneOf knows.
//
//go:embed zones.txt
var offeredZones string

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

// Regions returns the time zones that users choose from.
var Regions = sync.OnceValue(func() []Region {
	var list []Region
	for name := range strings.FieldsSeq(offeredZones) {
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

// loaded caches the zones by name. Only names of the database get in.
var loaded sync.Map

// ZoneOf returns the time zone with the name, as in "Europe/Berlin"; ok is false
// when the IANA database has none.
func ZoneOf(name string) (zone *time.Location, ok bool) {
	// LoadLocation takes the first for UTC and the second for the server's zone.
	if name == "" || name == "Local" || len(name) > 40 {
		return nil, false
	}
	if known, ok := loaded.Load(name); ok {
		return known.(*time.Location), true
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, false
	}
	loaded.Store(name, zone)
	return zone, true
}
