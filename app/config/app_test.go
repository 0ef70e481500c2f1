package config_test

import (
	"fmt"
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
		"no hosts":             {"[[app]]\nname = \"Wiki\"\n[app.authjs]", "config.toml:1: app.hosts must list the hosts where people open the App"},
		"a text for a dialect": {wiki + "authjs = \"v5\"", "config.toml:5: app.authjs must be a table, as in [app.authjs]"},
		"a list for a dialect": {wiki + "[[app.authjs]]\nversion = \"v5\"", "app.authjs must be a table, as in [app.authjs]"},
		"a bad host":           {strings.ReplaceAll(wiki, "wiki.", "wiki./x") + "[app.authjs]", "config.toml:3: app.hosts is"},
		"a host with a scheme": {strings.ReplaceAll(wiki, "wiki.", "https://wiki.") + "[app.authjs]", `config.toml:3: app.hosts is "https://wiki.example.com", but must be a host alone, without scheme and path, as in hosts = ["wiki.example.com"]`},
		"a host that is none":  {strings.ReplaceAll(wiki, "wiki.example.com", "wiki:99999") + "[app.authjs]", "config.toml:3: app.hosts has the port"},
		"a bad origin":         {wiki + "[app.authjs]\norigins = [\"wiki\"]", `config.toml:6: app.authjs.origins is "wiki", but must be an address`},
		"one host, two Apps":   {wiki + "[app.authjs]\n" + strings.ReplaceAll(wiki, "Wiki", "Notes") + "[app.authjs]\n", `config.toml:8: app.hosts contains "wiki.example.com", which belongs to the App "Wiki"`},
		"nobody of that kind":  {strings.ReplaceAll(wiki, "everyone", "ops") + "[app.authjs]", `config.toml:4: app.allow contains "ops"`},
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
	a, dev := l.Apps[0].AuthJS, l.Apps[1]
	if !slices.Equal(a.Secrets(), []string{"new-0123456789abcdef0123456789abcdef", "old"}) || a.Version != "auto" || !slices.Equal(l.Apps[0].Origins, []string{"https://wiki.example.com"}) {
		t.Errorf("got %+v", a)
	}
	if !slices.Equal(dev.Origins, []string{"http://localhost:3000", "https://dev.example.com"}) {
		t.Errorf("got %v", dev.Origins)
	}
	warnings := strings.Join(l.Warnings, "\n")
	for _, want := range []string{"a secret of 3 letters", `no one can use the app "Dev"`} {
		if !strings.Contains(warnings, want) {
			t.Errorf("no warning of %s in %s", want, warnings)
		}
	}
}

// An App at our own address would get our pages' cookies, or our pages its own.
func TestAnAppIsNotWhereGatelodgeIs(t *testing.T) {
	const rest = "name = \"Wiki\"\nallow = [\"everyone\"]\n"
	for name, tt := range map[string]struct{ own, hosts, origins, want string }{
		"the same":                {"https://auth.example.com", `"auth.example.com"`, "", "the host of Gatelodge itself"},
		"in other case":           {"https://auth.example.com", `"AUTH.Example.com"`, "", "the host of Gatelodge itself"},
		"our case":                {"https://AUTH.example.com", `"auth.example.com"`, "", "the host of Gatelodge itself"},
		"a final dot":             {"https://auth.example.com", `"auth.example.com."`, "", "the host of Gatelodge itself"},
		"our final dot":           {"https://auth.example.com.", `"auth.example.com"`, "", "the host of Gatelodge itself"},
		"the usual port":          {"https://auth.example.com", `"auth.example.com:443"`, "", "the host of Gatelodge itself"},
		"our usual port":          {"https://auth.example.com:443", `"auth.example.com"`, "", "the host of Gatelodge itself"},
		"a dot and the port":      {"https://auth.example.com", `"auth.example.com.:443"`, "", "the host of Gatelodge itself"},
		"the same odd port":       {"https://auth.example.com:8443", `"auth.example.com:8443"`, "", "the host of Gatelodge itself"},
		"one of several":          {"https://auth.example.com", `"wiki.example.com", "auth.example.com"`, "", "the host of Gatelodge itself"},
		"another scheme":          {"https://auth.example.com", `"wiki.example.com"`, `"http://auth.example.com"`, "the host of Gatelodge itself"},
		"hidden behind origins":   {"https://auth.example.com", `"auth.example.com"`, `"https://wiki.example.com"`, "the host of Gatelodge itself"},
		"punycode":                {"https://xn--bcher-kva.example", `"XN--BCHER-KVA.example"`, "", "the host of Gatelodge itself"},
		"not punycode":            {"https://xn--bcher-kva.example", `"bücher.example"`, "", "xn-- for others"},
		"an address":              {"http://[::1]:8080", `"x.example"`, `"http://[0:0:0:0:0:0:0:1]:8080"`, "the host of Gatelodge itself"},
		"this machine's names":    {"", `"127.0.0.1:8080"`, "", "the host of Gatelodge itself"},
		"this machine":            {"", `"localhost:8080"`, "", "the host of Gatelodge itself"},
		"a wildcard":              {"https://auth.example.com", `"*.example.com"`, "", `"*.example.com" is no host`},
		"a wildcard origin":       {"https://auth.example.com", `"wiki.example.com"`, `"https://*.example.com"`, `"*.example.com" is no host`},
		"twice":                   {"https://auth.example.com", `"wiki.example.com", "WIKI.example.com."`, "", "twice"},
		"another name":            {"https://auth.example.com", `"wiki.example.com"`, "", ""},
		"a longer name":           {"https://auth.example.com", `"wiki.auth.example.com"`, "", ""},
		"another port, local":     {"", `"localhost:3000"`, "", ""},
		"another port, elsewhere": {"http://nas.lan:8080", `"x.example"`, `"http://nas.lan:3000"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := "public_url = \"" + tt.own + "\"\n[[app]]\nhosts = [" + tt.hosts + "]\n" + rest + "[app.authjs]\n"
			if tt.origins != "" {
				text += "origins = [" + tt.origins + "]\n"
			}
			path := filepath.Join(t.TempDir(), "config.toml")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			l, err := config.Load(config.Source{File: path})
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if name == "another port, elsewhere" && (l == nil || !strings.Contains(strings.Join(l.Warnings, "\n"), "browsers send cookies to every port")) {
				t.Errorf("there is no warning")
			}
		})
	}
}

// Two Apps at one host would read each other's cookies.
func TestOneHostIsOneApp(t *testing.T) {
	for _, other := range []string{"wiki.example.com", "WIKI.example.com", "wiki.example.com.", "wiki.example.com:443"} {
		text := wiki + "[app.authjs]\n" + strings.Replace(strings.Replace(wiki, "Wiki", "Notes", 1), "wiki.example.com", other, 1) + "[app.authjs]\n"
		path := filepath.Join(t.TempDir(), "config.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(config.Source{File: path}); err == nil || !strings.Contains(err.Error(), `belongs to the App "Wiki"`) {
			t.Errorf("%s: got %v", other, err)
		}
	}
}

func TestTheModeOfASocket(t *testing.T) {
	for mode, want := range map[string]string{
		"0660": "", "660": "", "0600": "", "0666": "every user of this machine", "0777": "every user of this machine",
		"": "socket_mode", "0": "socket_mode", "0060": "socket_mode", "rw": "socket_mode", "0o660": "socket_mode", "0680": "socket_mode", "4660": "socket_mode", "-1": "socket_mode",
	} {
		text := "public_url = \"https://auth.example.com\"\nlisten = \"unix:/run/g.sock\"\nsocket_mode = \"" + mode + "\"\n"
		path := filepath.Join(t.TempDir(), "config.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := config.Load(config.Source{File: path})
		got := fmt.Sprint(err)
		if err == nil {
			got = strings.Join(l.Warnings, "\n")
		}
		if refused := want == "socket_mode"; (err != nil) != refused || !strings.Contains(got, want) {
			t.Errorf("%q: got %v, want %q", mode, got, want)
		}
	}
}
