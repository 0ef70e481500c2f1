package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatelodge/app/config"
)

const wiki = "[[app]]\nname = \"Wiki\"\nhosts = [\"wiki.example.com\"]\nallow = [\"everyone\"]\n"

func TestWhatIsWrongWithAnAppIsNamedWithItsLine(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"an unknown key":       {wiki + "[app.authjs]\nverson = \"v4\"", "config.toml:6: app.authjs.verson is not a setting; did you mean app.authjs.version?"},
		"one table":            {"[app]\nname = \"Wiki\"", "config.toml:1: app must be written [[app]], once for each App"},
		"the second one":       {wiki + "[app.authjs]\n" + strings.ReplaceAll(wiki, "wiki.", "notes."), `config.toml:7: app.name is "Wiki", and so is another App's`},
		"no name":              {"[[app]]\nhosts = [\"a.example\"]\n[app.authjs]", "config.toml:1: app.name must have 1 to 64 characters"},
		"no hosts":             {"[[app]]\nname = \"Wiki\"\n[app.authjs]", "config.toml:1: app.hosts must name where people open the App"},
		"no dialect":           {wiki, "config.toml:1: app.authjs is missing"},
		"a bad host":           {strings.ReplaceAll(wiki, "wiki.", "wiki./x") + "[app.authjs]", "config.toml:3: app.hosts is"},
		"a bad origin":         {wiki + "[app.authjs]\norigins = [\"wiki\"]", `config.toml:6: app.authjs.origins is "wiki", but must be an address`},
		"one host, two Apps":   {wiki + "[app.authjs]\n" + strings.ReplaceAll(wiki, "Wiki", "Notes") + "[app.authjs]\n", `config.toml:8: app.hosts holds "wiki.example.com", which belongs to the App "Wiki"`},
		"nobody of that kind":  {strings.ReplaceAll(wiki, "everyone", "ops") + "[app.authjs]", `config.toml:4: app.allow holds "ops"`},
		"an unknown version":   {wiki + "[app.authjs]\nversion = \"v6\"", `config.toml:6: app.authjs.version is "v6"`},
		"no file":              {wiki + "[app.authjs]\nsecret_file = \"none\"", "config.toml:6: app.authjs.secret_file cannot be read"},
		"two secrets":          {wiki + "[app.authjs]\nsecret = \"a\"\nsecret_file = \"b\"", "config.toml:7: app.authjs.secret_file is set, and so is app.authjs.secret"},
		"a page elsewhere":     {wiki + "[app.authjs.pages]\nsign_in = \"//evil.example\"", `config.toml:6: app.authjs.pages.sign_in is "//evil.example", but must be a path`},
		"a text for a list":    {wiki + "[app.authjs]\norigins = \"x\"", `config.toml:6: app.authjs.origins is the text "x", but must be a list`},
		"a key of later times": {wiki + "[app.oidc]\nclient_id = \"x\"", "app.oidc.client_id is not a setting"},
	} {
		_, err := config.Load(config.Source{File: file(t, tt.text)})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

func TestAppsAreReadWithTheirSecrets(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.toml")
	text := wiki + "[app.authjs]\nsecret_file = \"wiki-secret\"\norigins = [\"https://WIKI.example.com:443\"]\n" +
		"[[app]]\nname = \"Dev\"\nhosts = [\"localhost:3000\", \"dev.example.com\"]\n[app.authjs]\n"
	for name, content := range map[string]string{"config.toml": text, "wiki-secret": "new-0123456789abcdef0123456789abcdef\r\n\nold\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := config.Load(config.Source{File: path})
	if err != nil {
		t.Fatal(err)
	}
	a, dev := l.Apps[0].AuthJS, l.Apps[1].AuthJS
	if !slices.Equal(a.Secrets(), []string{"new-0123456789abcdef0123456789abcdef", "old"}) || a.Version != "auto" || !slices.Equal(a.Origins, []string{"https://wiki.example.com"}) {
		t.Errorf("got %+v", a)
	}
	if !slices.Equal(dev.Origins, []string{"http://localhost:3000", "https://dev.example.com"}) {
		t.Errorf("got %v", dev.Origins)
	}
	warnings := strings.Join(l.Warnings, "\n")
	for _, want := range []string{"a secret of 3 letters", `nobody may use the app "Dev"`} {
		if !strings.Contains(warnings, want) {
			t.Errorf("no warning of %s in %s", want, warnings)
		}
	}
}
