package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/app/config"
)

// file writes a configuration and returns its path.
func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheExampleIsTheDefaultAndNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile("../../config.toml.example")
	if err != nil {
		t.Fatal(err)
	}
	path := file(t, string(text))
	l, err := config.Load(config.Source{File: path})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.DataDir = filepath.Join(filepath.Dir(path), "gatelodge-data")
	if diff := cmp.Diff(want, l.Config, cmp.AllowUnexported(config.Secret{})); diff != "" {
		t.Errorf("the example differs from the defaults (-default +example):\n%s", diff)
	}
	for _, s := range l.Settings() {
		if s.Origin == "default" && s.Key != "mail.smarthost.password" {
			t.Errorf("%s does not stand in the example", s.Key)
		}
	}
}

// Mail from a domain with letters beyond ASCII goes as every server takes it, and
// is signed.
func TestASenderOfAnyDomainIsWrittenInASCII(t *testing.T) {
	l, err := config.Load(config.Source{File: file(t, "[mail]\nfrom = \"Buch <login@bücher.example>\"\n[mail.dkim]\ndomain = \"XN--bcher-kva.example\"")})
	if err != nil {
		t.Fatal(err)
	}
	if got := l.MailFrom(); got.Name != "Buch" || got.Address != "login@xn--bcher-kva.example" {
		t.Errorf("mail comes from %s", &got)
	}
	if got := l.DKIMDomain(); got != "xn--bcher-kva.example" {
		t.Errorf("it is signed by %s", got)
	}
}

func TestWhatIsWrongIsNamedWithItsLineAndTheFix(t *testing.T) {
	const direct = "public_url = \"https://auth.b.example\"\n[mail]\nmode = \"direct\"\nfrom = \"a@b.example\"\n"
	const mail = "[mail]\nmode = \"smarthost\"\nfrom = \"a@b.example\"\n[mail.smarthost]\n"
	tests := map[string]struct{ text, want string }{
		"an unknown key":             {"nmae = \"x\"", "config.toml:1: nmae is not a setting; did you mean name?"},
		"an unknown key in a table":  {"\n[link]\nlifetme = \"2h\"", "config.toml:3: link.lifetme is not a setting; did you mean link.lifetime?"},
		"an unknown table":           {"[colours]\nred = 1", "config.toml:2: colours.red is not a setting"},
		"a number for a text":        {"name = 5", `config.toml:1: name is the number 5, but must be a quoted string, as in name = "Example"`},
		"a text for a number":        {"[theme]\nhue = \"blue\"", `config.toml:2: theme.hue is the text "blue", but must be a whole number, as in hue = 205`},
		"a text for a list":          {`trusted_proxies = "10.0.0.1"`, `config.toml:1: trusted_proxies is the text "10.0.0.1", but must be a list of texts`},
		"a number for a length":      {"[session]\nlifetime = 30", "config.toml:2: session.lifetime is the number 30, but must be a quoted string"},
		"no length of time":          {"[session]\nlifetime = \"a month\"", `config.toml:2: session.lifetime is "a month", but must be a duration such as "90s", "15m", "2h" or "30d"`},
		"a length out of range":      {"[link]\nlifetime = \"3d\"", "config.toml:2: link.lifetime is 3d, but must be between 2m and 1d"},
		"a code outlives its link":   {"[link]\nlifetime = \"10m\"", "link.code_lifetime is 15m, but must not be longer than link.lifetime, which is 10m"},
		"no TOML":                    {"name = \"x", "config.toml:1:"},
		"a key twice":                {"name = \"a\"\nname = \"b\"", "config.toml:2:"},
		"an address with a path":     {`public_url = "https://auth.example.com/sso"`, "only scheme and host belong in it, as in https://auth.example.com"},
		"an address without scheme":  {`public_url = "auth.example.com"`, "must be an address such as https://auth.example.com"},
		"a port that is none":        {`listen = "127.0.0.1:99999"`, "a port is a number from 0 to 65535"},
		"a listen without a port":    {`listen = "127.0.0.1"`, "must be host:port"},
		"a socket without an origin": {`listen = "unix:/run/x.sock"`, "public_url must be set when listen is a socket"},
		"a proxy that is no network": {`trusted_proxies = ["proxy"]`, `contains "proxy", which is neither an address nor a network`},
		"a hue beyond the circle":    {"[theme]\nhue = 400", "theme.hue is 400, but a hue is a number from 0 to 359"},
		"a choice that is none":      {"[link]\nconfirm = \"no\"", `link.confirm is "no", but must be "button" or "code"`},
		"a level that is none":       {"[log]\nlevel = \"loud\"", `log.level is "loud", but must be "debug", "info", "warn" or "error"`},
		"direct mail":                {"[mail]\nmode = \"direct\"\nfrom = \"a@b.example\"", `mail.ehlo_name must be set to a name this machine has in DNS`},
		"direct mail by a name":      {direct + `resolver = "ns.example"`, `mail.resolver is "ns.example", but must be an address`},
		"direct mail to no port":     {direct + `mx_port = 70000`, "mail.mx_port is 70000"},
		"direct mail from nowhere":   {direct + `source_ip = "here"`, `mail.source_ip is "here", but must be an address of this machine`},
		"direct mail over neither":   {direct + "source_ip = \"192.0.2.1\"\nip_family = \"6\"", "not of the family that mail.ip_family leaves"},
		"direct mail over IPX":       {direct + `ip_family = "ipx"`, `mail.ip_family is "ipx", but must be "auto", "4" or "6"`},
		"direct mail with half DANE": {direct + `dane = "yes"`, `mail.dane is "yes", but must be "auto" or "off"`},
		"direct mail, half a switch": {direct + `allow_private_destinations = "yes"`, "but must be true or false"},
		"a signature of another":     {direct + "[mail.dkim]\ndomain = \"other.example\"", `mail.dkim.domain is "other.example", but mail.from is of "b.example": its mail would be sent unsigned; remove mail.dkim.domain`},
		"a signature of a parent":    {strings.Replace(direct, "a@b", "a@mail.b", 1) + "[mail.dkim]\ndomain = \"b.example\"", `but mail.from is of "mail.b.example"`},
		"a quoted sender":            {"[mail]\nfrom = '\"a b\"@b.example'", "before the @: plain letters"},
		"a sender beyond ASCII":      {"[mail]\nfrom = \"grün@b.example\"", "before the @: plain letters"},
		"a sender at a number":       {"[mail]\nfrom = \"a@[192.0.2.1]\"", "is not a domain that can send mail"},
		"a signature of no domain":   {direct + "[mail.dkim]\ndomain = \"a b\"", "mail.dkim.domain"},
		"a smarthost without a url":  {"[mail]\nmode = \"smarthost\"\nfrom = \"a@b.example\"", "mail.smarthost.url must be set to send mail"},
		"a smarthost without sender": {"[mail]\nmode = \"smarthost\"\n[mail.smarthost]\nurl = \"smtps://h\"", "mail.from must be set to send mail"},
		"a password in the address":  {mail + `url = "smtps://user:pass@h"`, "must not hold the password: use mail.smarthost.password_file"},
		"a user without password":    {mail + `url = "smtps://user@h"`, "mail.smarthost.password_file must be set"},
		"a password without user":    {mail + "url = \"smtps://h\"\npassword = \"x\"", "names no user for the password"},
		"no TLS to a stranger":       {mail + `url = "smtp://mail.example.net?tls=off"`, "tls=off, which is only for smtp:// to this machine"},
		"a password file not there":  {mail + "url = \"smtps://u@h\"\npassword_file = \"nowhere\"", "mail.smarthost.password_file cannot be read"},
		"a sender that is none":      {"[mail]\nfrom = \"nobody\"", `mail.from is "nobody", but must be one address`},
		"a name with a line break":   {"name = \"a\\nb\"", "name contains a line break"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(config.Source{File: file(t, tt.text)})
			if err == nil {
				t.Fatal("it loads")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want it to hold %q", err, tt.want)
			}
		})
	}
}

func TestAllMistakesAreReportedAtOnce(t *testing.T) {
	_, err := config.Load(config.Source{File: file(t, "name = 1\nlisten = 2\n"), Env: []string{"GATELODGE_THEME_HUE=x"}})
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v, want three lines", err)
	}
}

func TestTheLaterSourceWins(t *testing.T) {
	path := file(t, "listen = \"127.0.0.1:1\"\nname = \"File\"\ncontact = \"file\"\n")
	l, err := config.Load(config.Source{
		File: path, Env: []string{"GATELODGE_LISTEN=127.0.0.1:2", "GATELODGE_NAME=Env", "GATELODGE_TRUSTED_PROXIES=10.0.0.1, 10.1.0.0/16", "PATH=/bin"},
		Flags: map[string]string{"listen": "127.0.0.1:3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, s := range l.Settings() {
		got[s.Key] = s.Value + " " + s.Origin
	}
	for key, want := range map[string]string{
		"listen": `"127.0.0.1:3" flag -listen`, "name": `"Env" environment GATELODGE_NAME`, "contact": `"file" config.toml:3`,
		"trusted_proxies": `["10.0.0.1", "10.1.0.0/16"] environment GATELODGE_TRUSTED_PROXIES`, "link.lifetime": `"2h" default`,
	} {
		if got[key] != want {
			t.Errorf("%s: got %s, want %s", key, got[key], want)
		}
	}
}

func TestAVariableThatNamesNothing(t *testing.T) {
	_, err := config.Load(config.Source{Env: []string{"GATELODGE_MAIL_FORM=x"}})
	if err == nil || !strings.Contains(err.Error(), "GATELODGE_MAIL_FORM is not a setting; did you mean GATELODGE_MAIL_FROM?") {
		t.Errorf("got %v", err)
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	path := file(t, "[mail]\nmode = \"smarthost\"\nfrom = \"a@b.example\"\n[mail.smarthost]\nurl = \"smtps://u%40x@h:4650\"\npassword_file = \"pw\"\n")
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "pw"), []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := config.Load(config.Source{File: path})
	if err != nil {
		t.Fatal(err)
	}
	if h := l.Smarthost(); h.User != "u@x" || h.Port != 4650 || h.Password.Reveal() != "hunter2" {
		t.Errorf("got %v with the password %q", h, h.Password.Reveal())
	}
	shown := fmt.Sprintf("%v %+v %#v %s %v", l.Config, l.Config, l.Config, l.Config.Mail.Smarthost.Password, l.Settings())
	if strings.Contains(shown, "hunter2") {
		t.Errorf("the password is printed: %s", shown)
	}
}

func TestStarterLoads(t *testing.T) {
	text, err := config.Starter("https://auth.example.com/", "me@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text, "\n"); n < 6 || n > 12 {
		t.Errorf("got %d lines, want 6 to 12", n)
	}
	l, err := config.Load(config.Source{File: file(t, text)})
	if err != nil {
		t.Fatal(err)
	}
	if l.Origin().String() != "https://auth.example.com" || l.Contact != "me@example.com" || l.MailFrom().Address != "login@auth.example.com" {
		t.Errorf("got %+v", l.Config)
	}
	for name, args := range map[string][2]string{"no address": {"auth", "me@example.com"}, "no mail": {"https://a.example", "me"}} {
		if _, err := config.Starter(args[0], args[1]); err == nil {
			t.Errorf("%s: it is accepted", name)
		}
	}
}

func TestOrigin(t *testing.T) {
	tests := map[string]struct{ url, listen, want string }{
		"nothing set":             {"", "127.0.0.1:8080", "http://localhost:8080"},
		"everywhere":              {"", ":80", "http://localhost:80"},
		"upper case and a slash":  {"HTTPS://Auth.Example.com/", "", "https://auth.example.com"},
		"the usual port is taken": {"https://auth.example.com:443", "", "https://auth.example.com"},
		"another port stays":      {"https://auth.example.com:8443", "", "https://auth.example.com:8443"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := config.Default()
			c.PublicURL, c.Listen = tt.url, tt.listen
			if got := c.Origin().String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "2h": 2 * time.Hour, "30d": 720 * time.Hour, "1w": 168 * time.Hour, "1d12h": 36 * time.Hour, "1w1d": 192 * time.Hour,
	} {
		if got, err := config.ParseDuration(text); err != nil || time.Duration(got) != want {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "-1h", "d", "1x", "99999999w", "h"} {
		if got, err := config.ParseDuration(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("name = \"x\"\n[mail]\nmode=\"smarthost\"\n[mail.smarthost]\nurl=\"smtp://a@b\"")
	f.Add("[session]\nlifetime = \"30d\"\n[[a]]\nb=1")
	f.Add("a.b.c = [1, {x = 2}]\n\"\" = 1")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := config.Load(config.Source{File: file(t, text)})
		if err != nil {
			return
		}
		if u := l.Origin(); u.Host == "" {
			t.Errorf("loads without an origin: %+v", l.Config)
		}
		for _, s := range l.Settings() {
			if s.Origin == "" {
				t.Errorf("%s has no origin", s.Key)
			}
		}
	})
}

func FuzzDuration(f *testing.F) {
	f.Add("1w2d3h4m5s")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := config.ParseDuration(text)
		if err != nil {
			return
		}
		if back, err := config.ParseDuration(d.String()); err != nil || back != d {
			t.Errorf("%q is %d, written %q, read %d, %v", text, d, d.String(), back, err)
		}
	})
}
