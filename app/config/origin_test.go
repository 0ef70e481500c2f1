package config_test

import (
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatelodge/app/config"
)

// What passes the check is an origin that browsers can open and that mail can name.
func TestAPublicURLThatPassesCanBeOpenedAndSendMail(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{ // "" is refused
		"http://[::1]:8080":                  "http://[::1]:8080",
		"http://[0:0:0:0:0:0:0:1]:8080":      "http://[::1]:8080",
		"https://[2001:DB8::7]":              "https://[2001:db8::7]",
		"http://127.0.0.1:8080":              "http://127.0.0.1:8080",
		"http://auth:8080":                   "http://auth:8080",
		"http://my_box.home.example":         "http://my_box.home.example",
		"https://auth.example.com.":          "https://auth.example.com",
		"https://auth.example.com.:8443":     "https://auth.example.com:8443",
		"https://auth.example.com:":          "https://auth.example.com",
		"https://xn--bcher-kva.example":      "https://xn--bcher-kva.example",
		"https://[fe80::1%25eth0]":           "",
		"https://0.0.0.0":                    "",
		"http://[::]:8080":                   "",
		"https://auth.example.com:0":         "",
		"https://auth..example.com":          "",
		"https://.example.com":               "",
		"https://auth.example.com..":         "",
		"https://-auth.example.com":          "",
		"https://*.example.com":              "",
		"https://bücher.example":             "",
		"https://127.1":                      "",
		"https://0x7f.1":                     "",
		"https://example.0x7f":               "",
		"https://1.2.3.4.5":                  "",
		"https://me@auth.example.com":        "",
		"https://me:secret@auth.example.com": "",
		"https://auth.example.com/sso":       "",
		"https://auth.example.com/?x=1":      "",
		"https://auth.example.com?":          "",
		"https://auth.example.com#x":         "",
	} {
		path := filepath.Join(t.TempDir(), "config.toml")
		if err := os.WriteFile(path, []byte("listen = \"127.0.0.1:8080\"\npublic_url = \""+text+"\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := config.Load(config.Source{File: path})
		if (err == nil) != (want != "") {
			t.Errorf("%s: got %v", text, err)
			continue
		}
		if err != nil {
			continue
		}
		if got := l.Origin().String(); got != want {
			t.Errorf("%s: the origin is %s, want %s", text, got, want)
		}
		from := l.MailFrom()
		if _, err := mail.ParseAddress(from.String()); err != nil {
			t.Errorf("%s: mail comes from %s: %v", text, from.Address, err)
		}
		if name := l.EHLOName(); strings.Contains(name, ":") && !strings.HasPrefix(name, "[IPv6:") {
			t.Errorf("%s: mail servers are greeted as %s", text, name)
		}
		starter, err := config.Starter(text, "me@example.com")
		if err != nil || strings.Contains(starter, "login@:") {
			t.Errorf("%s: the starter is %v\n%s", text, err, starter)
		}
	}
}
