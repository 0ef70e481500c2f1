package config

import (
	"slices"
	"strings"
)

// smarthostHint is how mail is sent through a mail server.
const smarthostHint = `; to send through a mail server, set mail.mode = "smarthost" and mail.smarthost.url = "smtps://USER@mail.example.net:465"`

// mailModes are values of mail.mode by which other programs mean a smarthost.
var mailModes = []string{"smtp", "smtps", "relay", "relayhost", "smart_host", "submission", "starttls", "ssl", "tls", "external", "mailgun", "sendgrid", "ses", "postmark", "gmail"}

// meanings are the hints for names that other programs give to settings of ours: for a
// key, for the last part of a key, or for the first.
var meanings = []struct {
	hint string
	keys []string
}{
	{smarthostHint, []string{
		"mail.host", "mail.hostname", "mail.server", "mail.port", "mail.user", "mail.username", "mail.password", "mail.password_file", "mail.pass",
		"mail.url", "mail.uri", "mail.tls", "mail.ssl", "mail.secure", "mail.encryption", "mail.starttls", "mail.auth", "mail.relay", "mail.relayhost", "mail.transport",
		"mail.smtp", "mail.smarthost.host", "mail.smarthost.server", "mail.smarthost.port", "mail.smarthost.user", "mail.smarthost.username",
		"mail.smarthost.tls", "mail.smarthost.starttls", "smtp", "smarthost", "email.host", "email.port", "email.server", "relayhost", "mailer",
		"smtp_host", "smtp_url", "smtp_server", "mail.smtp_host", "mail.smtp_url", "mail.smtp_server",
	}},
	{"; did you mean mail.from?", []string{"email.from", "mail.sender", "mail.from_address", "mail.address", "mail.from_email", "mail.default_from"}},
	{"; did you mean listen?", []string{"port", "host", "bind", "addr", "address", "http", "server", "listen_address", "http_addr", "server.port", "server.host", "server.address"}},
	{"; did you mean public_url?", []string{
		"url", "base_url", "root_url", "site_url", "external_url", "app_url", "issuer", "domain", "hostname", "origin", "server.domain", "server.root_url", "server.url",
	}},
	{"; did you mean database?", []string{"db", "dsn", "database_url", "db_url", "postgres", "postgresql", "sqlite", "database.url", "database.host", "database.dsn", "storage", "db.url"}},
	{"; did you mean data_dir?", []string{"data", "data_path", "datadir", "dir", "data_directory", "state_dir", "storage_path"}},
	{"; did you mean name?", []string{"title", "site_name", "app_name", "instance", "instance_name", "brand"}},
	{"; did you mean contact?", []string{"admin", "admin_email", "support", "support_email", "operator", "owner", "email"}},
	{"; did you mean signup.mode?", []string{"registration", "register", "sign_up", "allow_registration", "registration.enabled", "signup.enabled", "signup.open", "allow_signup", "enable_signup"}},
	{"; did you mean signup.domains?", []string{"allowed_domains", "domains", "email_domains", "signup.allowed_domains"}},
	{"; did you mean session.lifetime?", []string{"session.timeout", "session.expiration", "session.ttl", "session.max_age", "session.duration", "session.expires", "session_lifetime"}},
	{"; did you mean trusted_proxies?", []string{"proxies", "trust_proxy", "proxy", "trusted_proxy", "behind_proxy"}},
	{`; a provider is set with [[upstream]] and kind = "google", "github", "oidc" or another`, []string{
		"oauth", "oauth2", "oidc", "google", "github", "gitlab", "discord", "facebook", "microsoft", "apple", "twitter", "provider", "providers", "upstreams", "social",
	}},
	{"; an app is set with [[app]]", []string{"apps", "client", "clients", "application", "applications", "service", "services"}},
}

// meaningOf returns the hint for a key that another program would know, or "". Words
// may be divided by dots or underscores, as they are in the environment.
func meaningOf(key string) string {
	for ; key != ""; key = parentOf(key) {
		for _, m := range meanings {
			if slices.ContainsFunc(m.keys, func(k string) bool { return dashed(k) == dashed(key) }) {
				return m.hint
			}
		}
	}
	return ""
}

func dashed(key string) string {
	return strings.NewReplacer(".", "_", "-", "_").Replace(strings.ToLower(key))
}

// parentOf returns the table of a key, or "".
func parentOf(key string) string {
	i := strings.LastIndexByte(key, '.')
	return key[:max(i, 0)]
}
