package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatelodge/app/config"
)

const google = "[[upstream]]\nkind = \"google\"\nclient_id = \"x\"\nclient_secret = \"y\"\n"

func TestWhatIsWrongWithAnUpstreamIsNamedWithItsLine(t *testing.T) {
	t.Parallel()
	oidc := strings.ReplaceAll(google, "google", "oidc")
	apple := "[[upstream]]\nkind = \"apple\"\nclient_id = \"x\"\n"
	for name, tt := range map[string]struct{ text, want string }{
		"one table":               {"[upstream]\nkind = \"google\"", "config.toml:1: upstream must be written [[upstream]], once for each upstream"},
		"an unknown key":          {google + "client_sekret = \"z\"", "config.toml:5: upstream.client_sekret is not a setting; did you mean upstream.client_secret?"},
		"an unknown kind":         {strings.ReplaceAll(google, "google", "myspace"), `config.toml:2: upstream.kind is "myspace", but must be "google"`},
		"no kind":                 {"[[upstream]]\nclient_id = \"x\"", `config.toml:1: upstream.kind is ""`},
		"no client":               {"[[upstream]]\nkind = \"google\"\nclient_secret = \"y\"", "config.toml:1: upstream.client_id must be set"},
		"no secret":               {"[[upstream]]\nkind = \"google\"\nclient_id = \"x\"", "config.toml:1: upstream.client_secret_file must be set, or client_secret"},
		"two secrets":             {google + "client_secret_file = \"z\"", "config.toml:5: upstream.client_secret_file is set, and so is upstream.client_secret"},
		"a secret file not here":  {"[[upstream]]\nkind = \"google\"\nclient_id = \"x\"\nclient_secret_file = \"none\"", "config.toml:4: upstream.client_secret_file cannot be read"},
		"an id with a slash":      {google + "id = \"a/b\"", `config.toml:5: upstream.id is "a/b"`},
		"an id that is taken":     {google + google, `config.toml:5: upstream.id is "google", and so is another upstream's`},
		"the id of mail":          {google + "id = \"email\"", `config.toml:5: upstream.id is "email", which is another sign-in method`},
		"no issuer":               {oidc, "config.toml:1: upstream.issuer must be set"},
		"a plain issuer":          {oidc + "issuer = \"http://id.example.com\"", `config.toml:5: upstream.issuer is "http://id.example.com", but must begin with https://`},
		"an issuer that is none":  {oidc + "issuer = \"id.example.com\"", `config.toml:5: upstream.issuer is "id.example.com", but must be an address`},
		"a tenant of Google's":    {google + "tenant = \"common\"", `config.toml:5: upstream.tenant does not exist for kind = "google"; it is for "microsoft"`},
		"a tenant with a path":    {strings.ReplaceAll(google, "google", "microsoft") + "tenant = \"a/../b\"", `config.toml:5: upstream.tenant is "a/../b"`},
		"no addresses":            {strings.ReplaceAll(google, "google", "oauth2"), `config.toml:1: upstream.auth_url must be set for kind = "oauth2"`},
		"no key of Apple's":       {apple, "config.toml:1: upstream.team_id must be set"},
		"a secret of Apple's":     {apple + "client_secret = \"z\"", "config.toml:4: upstream.client_secret is created by Gatelodge for Apple"},
		"a key that is none":      {apple + "team_id = \"T\"\nkey_id = \"K\"\nprivate_key_file = \"config.toml\"", "config.toml:6: upstream.private_key_file contains no key in PEM format"},
		"trust in Facebook":       {strings.ReplaceAll(google, "google", "facebook") + "trust_email = true", "config.toml:5: upstream.trust_email cannot be true: Facebook"},
		"trust without a claim":   {strings.ReplaceAll(google, "google", "oauth2") + "trust_email = true\nauth_url = \"https://a.example\"\ntoken_url = \"https://a.example\"\nuserinfo_url = \"https://a.example\"", "config.toml:5: upstream.trust_email is true, but claims.email_verified"},
		"a domain with an at":     {google + "allow_domains = [\"a@b.example\"]", `config.toml:5: upstream.allow_domains contains "a@b.example"`},
		"an address that is none": {google + "allow_emails = [\"b.example\"]", `config.toml:5: upstream.allow_emails contains "b.example"`},
		"groups of Google's":      {google + "allow_groups = [\"x\"]", "config.toml:5: upstream.allow_groups matches no one"},
		"an unknown method":       {oidc + "issuer = \"https://id.example\"\nauth_method = \"jwt\"", `config.toml:6: upstream.auth_method is "jwt"`},
		"claims of Google's":      {google + "[upstream.claims]\nsubject = \"id\"", `config.toml:5: upstream.claims does not exist for kind = "google"`},
		"tokens of nobody":        {wiki + "[app.authjs]\ntokens = [\"google\"]", `config.toml:6: app.authjs.tokens contains "google", which is not the id of an [[upstream]]`},
	} {
		_, err := config.Load(config.Source{File: file(t, tt.text)})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

func TestUpstreamsAreReadWithTheirSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "config.toml")
	text := "[[upstream]]\nkind = \"google\"\nclient_id = \"x\"\nclient_secret_file = \"google-secret\"\nsign_up = true\nallow_domains = [\"@Home.Example\"]\n" +
		google + "id = \"work\"\nsign_up = true\n"
	for name, content := range map[string]string{"config.toml": text, "google-secret": "hush\r\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, err := config.Load(config.Source{File: path})
	if err != nil {
		t.Fatal(err)
	}
	first, second := l.Upstreams[0], l.Upstreams[1]
	if first.ID != "google" || first.ClientSecret.Reveal() != "hush" || first.AllowDomains[0] != "home.example" || second.ID != "work" {
		t.Errorf("got %+v and %+v", first, second)
	}
	if said := strings.Join(l.Warnings, "\n"); !strings.Contains(said, `the upstream "work" has sign_up = true`) || !strings.Contains(said, "client_secret_file") {
		t.Errorf("the warnings are %q", l.Warnings)
	}
	for _, s := range l.Settings() {
		if s.Key == "upstream.work.client_secret" && (s.Value != "(set)" || s.Origin != "config.toml:10") {
			t.Errorf("got %+v", s)
		}
	}
}
