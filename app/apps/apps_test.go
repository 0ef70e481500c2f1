package apps_test

import (
	"testing"

	"gatelodge/app/apps"
	"gatelodge/app/config"
)

func set(t *testing.T, list ...config.App) *apps.Set {
	t.Helper()
	s, err := apps.NewSet(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASnapshotStaysWhatItWas(t *testing.T) {
	wiki := config.App{ID: "wiki", Name: "Wiki", Origins: []string{"https://wiki.example.com"}}
	all, err := apps.New([]config.App{wiki})
	if err != nil {
		t.Fatal(err)
	}
	before := all.Snapshot()
	wiki.Name, wiki.Origins = "Knowledge", []string{"https://kb.example.com"}
	all.Replace(set(t, wiki))
	if before.ByID("wiki").Name != "Wiki" || all.Snapshot().ByID("wiki").Name != "Knowledge" {
		t.Errorf("got %q, then %q", before.ByID("wiki").Name, all.Snapshot().ByID("wiki").Name)
	}
	if _, ok := before.At("wiki.example.com"); !ok {
		t.Error("a request under way has lost its App")
	}
	if _, ok := all.Snapshot().At("wiki.example.com"); ok {
		t.Error("the App is still opened at its earlier host")
	}
}

func TestAppsAreFoundByIDBeforeName(t *testing.T) {
	s := set(t, config.App{Name: "Größe / Maß"}, config.App{ID: "kb", Name: "Notes"}, config.App{ID: "docs", Name: "kb"})
	for key, want := range map[string]string{"grosse-mass": "grosse-mass", "Größe / Maß": "grosse-mass", "Notes": "kb", "kb": "kb", "docs": "docs", "notes": "", "": ""} {
		got := ""
		if app := s.Find(key); app != nil {
			got = app.ID
		}
		if got != want {
			t.Errorf("%q leads to the App %q, want %q", key, got, want)
		}
	}
	if s.ByID("Notes") != nil {
		t.Error("a name is taken for an id")
	}
	if got := s.NameOf("kb") + ", " + s.NameOf("name:Gone") + ", " + s.NameOf("gone"); got != "Notes, Gone, gone" {
		t.Errorf("names: %s", got)
	}
}
