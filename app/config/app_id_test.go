package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatelodge/app/config"
)

func loadText(t *testing.T, text string) (*config.Loaded, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(config.Source{File: path})
}

func TestAnIDIsMadeFromTheName(t *testing.T) {
	for name, want := range map[string]string{
		"Wiki": "wiki", "Photo Album": "photo-album", "a/b": "a-b", "  --Notes!! ": "notes", "Größe / Maß": "grosse-mass", "Café №": "cafe-no",
		"Łódź": "lodz", "Smørrebrød": "smorrebrod", "Cloud 9": "cloud-9", "..": "app-", "日記": "app-", "日記 2": "app-", "Заметки": "app-",
		strings.Repeat("ß", 64): "app-",
	} {
		got := config.AppID(name)
		if want != got && (want != "app-" || len(got) != 14 || !strings.HasPrefix(got, want)) || got != config.AppID(name) {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	if config.AppID("日記") == config.AppID("写真") {
		t.Error("two names in another script have one id")
	}
}

func TestIDsAndOriginsOfApps(t *testing.T) {
	two := func(a, b string) string {
		return "[[app]]\nname = \"Wiki\"\nhosts = [\"wiki.example.com\"]\n" + a + "\n[[app]]\nhosts = [\"notes.example.com\"]\n" + b
	}
	for name, tt := range map[string]struct{ text, want string }{
		"capitals":                {two(`id = "Wiki"`, `name = "Notes"`), "config.toml:4: app.id is \"Wiki\", but must have 1 to 64 lower-case"},
		"a slash":                 {two(`id = "a/b"`, `name = "Notes"`), "app.id is"},
		"a colon":                 {two(`id = "name:wiki"`, `name = "Notes"`), "app.id is"},
		"a dash at the end":       {two(`id = "wiki-"`, `name = "Notes"`), "app.id is"},
		"one id twice":            {two(`id = "kb"`, "name = \"Notes\"\nid = \"kb\""), `config.toml:8: app.id is "kb", and so is the id of the App "Wiki"`},
		"names that make one id":  {two("", `name = "Wiki!"`), `config.toml:5: app.id is "wiki", made from the name, and so is the id of the App "Wiki"`},
		"an id that is a name":    {two(`id = "kb"`, "name = \"Notes\"\nid = \"Wiki\""), "app.id is"},
		"a name that is an id":    {two("", "name = \"wiki2\"\nid = \"x\"\n[[app]]\nid = \"wiki2\"\nname = \"Y\"\nhosts = [\"y.example.com\"]"), `app.id is "wiki2", which is the name of another App`},
		"a later name is an id":   {two("", "name = \"Y\"\nid = \"z\"\n[[app]]\nid = \"x\"\nname = \"z\"\nhosts = [\"y.example.com\"]"), `app.name is "z", which is the id of the App "Y"`},
		"different origins":       {two("origins = [\"https://a.example.com\"]\n[app.authjs]\norigins = [\"https://b.example.com\"]", `name = "Notes"`), `config.toml:4: app.origins is ["https://a.example.com"], and app.authjs.origins, its older name, is ["https://b.example.com"]`},
		"a bad origin":            {two(`origins = ["wiki"]`, `name = "Notes"`), "config.toml:4: app.origins is"},
		"equal origins":           {two("origins = [\"https://a.example.com\"]\n[app.authjs]\norigins = [\"https://A.example.com:443\"]", `name = "Notes"`), ""},
		"neither ids nor dialect": {two("", `name = "Notes"`), ""},
	} {
		_, err := loadText(t, tt.text)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
	l, err := loadText(t, two(`origins = ["http://wiki.lan", "https://wiki.example.com"]`, "name = \"Notes\"\nid = \"kb\"\n[app.authjs]\norigins = [\"https://kb.example.com\"]"))
	if err != nil {
		t.Fatal(err)
	}
	wiki, notes := l.Apps[0], l.Apps[1]
	if wiki.ID != "wiki" || wiki.AuthJS != nil || !slices.Equal(wiki.Origins, []string{"http://wiki.lan", "https://wiki.example.com"}) {
		t.Errorf("got %+v", wiki)
	}
	if notes.ID != "kb" || notes.AuthJS == nil || !slices.Equal(notes.Origins, []string{"https://kb.example.com"}) {
		t.Errorf("got %+v", notes)
	}
}
