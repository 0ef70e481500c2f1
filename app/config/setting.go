package config

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
)

// setting is one key: where its value lives and what it looks like.
type setting struct {
	key     string
	example string            // a right value, as TOML
	ptr     func(*Config) any // *string, *int, *bool, *[]string, *Duration, *Secret or *slog.Level
	path    bool              // names a file; relative to the configuration file that names it
}

// settings lists every key in the order of the file.
func settings() []setting {
	return []setting{
		{key: "public_url", example: `"https://auth.example.com"`, ptr: func(c *Config) any { return &c.PublicURL }},
		{key: "listen", example: `"127.0.0.1:8080"`, ptr: func(c *Config) any { return &c.Listen }},
		{key: "socket_mode", example: `"0660"`, ptr: func(c *Config) any { return &c.SocketMode }},
		{key: "data_dir", example: `"/var/lib/gatelodge"`, ptr: func(c *Config) any { return &c.DataDir }, path: true},
		{key: "database", example: `"postgres://gatelodge@db.example.com/gatelodge?sslmode=verify-full"`, ptr: func(c *Config) any { return &c.Database }},
		{key: "database_file", example: `"/etc/gatelodge/database"`, ptr: func(c *Config) any { return &c.DatabaseFile }, path: true},
		{key: "name", example: `"Example"`, ptr: func(c *Config) any { return &c.Name }},
		{key: "contact", example: `"sam@example.com"`, ptr: func(c *Config) any { return &c.Contact }},
		{key: "trusted_proxies", example: `["127.0.0.0/8", "10.0.0.2"]`, ptr: func(c *Config) any { return &c.TrustedProxies }},
		{key: "session.lifetime", example: `"30d"`, ptr: func(c *Config) any { return &c.Session.Lifetime }},
		{key: "session.refresh", example: `"24h"`, ptr: func(c *Config) any { return &c.Session.Refresh }},
		{key: "session.max_lifetime", example: `"180d"`, ptr: func(c *Config) any { return &c.Session.MaxLifetime }},
		{key: "signup.mode", example: `"invite"`, ptr: func(c *Config) any { return &c.Signup.Mode }},
		{key: "signup.domains", example: `["example.com"]`, ptr: func(c *Config) any { return &c.Signup.Domains }},
		{key: "password.enabled", example: `true`, ptr: func(c *Config) any { return &c.Password.Enabled }},
		{key: "link.lifetime", example: `"2h"`, ptr: func(c *Config) any { return &c.Link.Lifetime }},
		{key: "link.code_lifetime", example: `"15m"`, ptr: func(c *Config) any { return &c.Link.CodeLifetime }},
		{key: "link.confirm", example: `"button"`, ptr: func(c *Config) any { return &c.Link.Confirm }},
		{key: "mail.mode", example: `"smarthost"`, ptr: func(c *Config) any { return &c.Mail.Mode }},
		{key: "mail.from", example: `"Example <login@example.com>"`, ptr: func(c *Config) any { return &c.Mail.From }},
		{key: "mail.ca_file", example: `"/etc/gatelodge/mail-ca.pem"`, ptr: func(c *Config) any { return &c.Mail.CAFile }, path: true},
		{key: "mail.ehlo_name", example: `"auth.example.com"`, ptr: func(c *Config) any { return &c.Mail.EHLOName }},
		{key: "mail.templates", example: `"/etc/gatelodge/mail"`, ptr: func(c *Config) any { return &c.Mail.Templates }, path: true},
		{key: "mail.resolver", example: `"127.0.0.1"`, ptr: func(c *Config) any { return &c.Mail.Resolver }},
		{key: "mail.trust_ad", example: `false`, ptr: func(c *Config) any { return &c.Mail.TrustAD }},
		{key: "mail.dane", example: `"auto"`, ptr: func(c *Config) any { return &c.Mail.DANE }},
		{key: "mail.ip_family", example: `"auto"`, ptr: func(c *Config) any { return &c.Mail.IPFamily }},
		{key: "mail.source_ip", example: `"198.51.100.7"`, ptr: func(c *Config) any { return &c.Mail.SourceIP }},
		{key: "mail.require_tls_for_signin", example: `false`, ptr: func(c *Config) any { return &c.Mail.RequireTLSForSignIn }},
		{key: "mail.mx_port", example: `25`, ptr: func(c *Config) any { return &c.Mail.MXPort }},
		{key: "mail.allow_private_destinations", example: `false`, ptr: func(c *Config) any { return &c.Mail.AllowPrivateDestinations }},
		{key: "mail.dkim.domain", example: `"example.com"`, ptr: func(c *Config) any { return &c.Mail.DKIM.Domain }},
		{key: "mail.smarthost.url", example: `"smtps://user@mail.example.net:465"`, ptr: func(c *Config) any { return &c.Mail.Smarthost.URL }},
		{key: "mail.smarthost.password", example: `"…"`, ptr: func(c *Config) any { return &c.Mail.Smarthost.Password }},
		{key: "mail.smarthost.password_file", example: `"/etc/gatelodge/smarthost-password"`, ptr: func(c *Config) any { return &c.Mail.Smarthost.PasswordFile }, path: true},
		{key: "backup.every", example: `"1d"`, ptr: func(c *Config) any { return &c.Backup.Every }},
		{key: "backup.keep", example: `7`, ptr: func(c *Config) any { return &c.Backup.Keep }},
		{key: "backup.dir", example: `"/mnt/backups/gatelodge"`, ptr: func(c *Config) any { return &c.Backup.Dir }, path: true},
		{key: "mail.submission.listen", example: `"127.0.0.1:587"`, ptr: func(c *Config) any { return &c.Mail.Submission.Listen }},
		{key: "mail.submission.tls", example: `"implicit"`, ptr: func(c *Config) any { return &c.Mail.Submission.TLS }},
		{key: "mail.submission.cert_file", example: `"/etc/gatelodge/mail-cert.pem"`, ptr: func(c *Config) any { return &c.Mail.Submission.CertFile }, path: true},
		{key: "mail.submission.key_file", example: `"/etc/gatelodge/mail-key.pem"`, ptr: func(c *Config) any { return &c.Mail.Submission.KeyFile }, path: true},
		{key: "theme.hue", example: `205`, ptr: func(c *Config) any { return &c.Theme.Hue }},
		{key: "log.format", example: `"text"`, ptr: func(c *Config) any { return &c.Log.Format }},
		{key: "metrics.listen", example: `"127.0.0.1:9464"`, ptr: func(c *Config) any { return &c.Metrics.Listen }},
		{key: "log.level", example: `"info"`, ptr: func(c *Config) any { return &c.Log.Level }},
	}
}

// fits is an error that says what was found and what belongs there.
func (s setting) fits(found, want string) error {
	return fmt.Errorf("is %s, but must be %s, as in %s = %s", found, want, lastName(s.key), s.example)
}

func lastName(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// set puts a value from a TOML file into c.
func (s setting) set(c *Config, value any) error {
	switch p := s.ptr(c).(type) {
	case *int:
		n, ok := value.(int64)
		if !ok {
			return s.fits(kindOf(value), "a whole number")
		}
		*p = int(n)
		return nil
	case *bool:
		on, ok := value.(bool)
		if !ok {
			return s.fits(kindOf(value), "true or false")
		}
		*p = on
		return nil
	case *[]string:
		items, ok := value.([]any)
		if !ok {
			return s.fits(kindOf(value), "a list of texts")
		}
		list := make([]string, len(items))
		for i, item := range items {
			if list[i], ok = item.(string); !ok {
				return s.fits("a list with "+kindOf(item), "a list of texts")
			}
		}
		*p = list
		return nil
	}
	text, ok := value.(string)
	if !ok {
		return s.fits(kindOf(value), "a quoted string")
	}
	return s.parse(c, text)
}

// parse puts a value from the environment or a flag into c.
func (s setting) parse(c *Config, text string) (err error) {
	switch p := s.ptr(c).(type) {
	case *string:
		*p = text
	case *Secret:
		p.text = text
	case *int:
		if *p, err = strconv.Atoi(strings.TrimSpace(text)); err != nil {
			return s.fits(strconv.Quote(text), "a whole number")
		}
	case *bool:
		if *p, err = strconv.ParseBool(strings.TrimSpace(text)); err != nil {
			return s.fits(strconv.Quote(text), "true or false")
		}
	case *[]string:
		*p = nil
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				*p = append(*p, item)
			}
		}
	case *Duration:
		if *p, err = ParseDuration(text); err != nil {
			return s.fits(strconv.Quote(text), "a duration such as \"90s\", \"15m\", \"2h\" or \"30d\"")
		}
	case *slog.Level:
		levels := []string{"debug", "info", "warn", "error"}
		if !slices.Contains(levels, text) {
			return s.fits(strconv.Quote(text), quoted(levels))
		}
		return p.UnmarshalText([]byte(text))
	}
	return nil
}

// value returns the setting's value in c as TOML; secrets are masked.
func (s setting) value(c *Config) string {
	switch p := s.ptr(c).(type) {
	case *string:
		return strconv.Quote(*p)
	case *Secret:
		return p.String()
	case *int:
		return strconv.Itoa(*p)
	case *bool:
		return strconv.FormatBool(*p)
	case *Duration:
		return strconv.Quote(p.String())
	case *slog.Level:
		return strconv.Quote(strings.ToLower(p.String()))
	case *[]string:
		items := make([]string, len(*p))
		for i, item := range *p {
			items[i] = strconv.Quote(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return ""
}

// quoted lists choices: "a", "b" or "c".
func quoted(choices []string) string {
	var b strings.Builder
	for i, choice := range choices {
		switch {
		case i > 0 && i == len(choices)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(choice))
	}
	return b.String()
}

func kindOf(value any) string {
	switch v := value.(type) {
	case string:
		return "the text " + strconv.Quote(v)
	case int64:
		return "the number " + strconv.FormatInt(v, 10)
	case float64:
		return "the number " + strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a date"
}
