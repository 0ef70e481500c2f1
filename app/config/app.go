package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// App is one [[app]]: something people reach through us.
type App struct {
	// ID is the key of the App in rows, addresses and cookies, and stays the same when the
	// name changes. "" is AppID of the name.
	ID   string
	Name string // only shown
	// Hosts are where people open it: "wiki.example.com", "localhost:3000".
	Hosts []string
	// Origins are scheme and host of where people open it, the first being the usual one.
	// "" is https:// and each host, or http:// and a host of this machine.
	Origins []string
	// Allow says who may in: "everyone", "user:mara@example.com", "group:ops".
	// Nothing is nobody.
	Allow []string
	// AuthJS is nil for an App that does not use the session API.
	AuthJS *AuthJS
}

// AuthJS is how an App speaks the session API of next-auth.
type AuthJS struct {
	Version    string // "v4", "v5" or "auto"
	Secret     Secret // the App's own NEXTAUTH_SECRET or AUTH_SECRET
	SecretFile string
	Origins    []string // an older name of the Origins of the App
	Providers  []string // what is listed; empty is everything
	Tokens     []string // ids of upstreams whose tokens the App may have, its own user's alone
	Pages      AuthJSPages
	secrets    []string
}

// AuthJSPages are pages of the App's own, by path.
type AuthJSPages struct{ SignIn, SignOut, Error, VerifyRequest, NewUser string }

// Secrets returns the secrets that encrypt the session cookie, the newest first.
func (a AuthJS) Secrets() []string { return a.secrets }

// appSettings lists every key of the App with that index.
func appSettings(i int) []setting {
	at := func(c *Config) *App { return &c.Apps[i] }
	authJS := func(c *Config) *AuthJS {
		if a := at(c).AuthJS; a != nil {
			return a
		}
		return &AuthJS{} // to be read
	}
	return []setting{
		{key: "app.id", example: `"wiki"`, ptr: func(c *Config) any { return &at(c).ID }},
		{key: "app.name", example: `"Wiki"`, ptr: func(c *Config) any { return &at(c).Name }},
		{key: "app.hosts", example: `["wiki.example.com"]`, ptr: func(c *Config) any { return &at(c).Hosts }},
		{key: "app.origins", example: `["https://wiki.example.com"]`, ptr: func(c *Config) any { return &at(c).Origins }},
		{key: "app.allow", example: `["everyone"]`, ptr: func(c *Config) any { return &at(c).Allow }},
		{key: "app.authjs.version", example: `"v5"`, ptr: func(c *Config) any { return &authJS(c).Version }},
		{key: "app.authjs.secret", example: `"…"`, ptr: func(c *Config) any { return &authJS(c).Secret }},
		{key: "app.authjs.secret_file", example: `"/etc/gatelodge/wiki-secret"`, ptr: func(c *Config) any { return &authJS(c).SecretFile }, path: true},
		{key: "app.authjs.origins", example: `["https://wiki.example.com"]`, ptr: func(c *Config) any { return &authJS(c).Origins }},
		{key: "app.authjs.providers", example: `["credentials", "email"]`, ptr: func(c *Config) any { return &authJS(c).Providers }},
		{key: "app.authjs.tokens", example: `["google"]`, ptr: func(c *Config) any { return &authJS(c).Tokens }},
		{key: "app.authjs.pages.sign_in", example: `"/login"`, ptr: func(c *Config) any { return &authJS(c).Pages.SignIn }},
		{key: "app.authjs.pages.sign_out", example: `"/bye"`, ptr: func(c *Config) any { return &authJS(c).Pages.SignOut }},
		{key: "app.authjs.pages.error", example: `"/oops"`, ptr: func(c *Config) any { return &authJS(c).Pages.Error }},
		{key: "app.authjs.pages.verify_request", example: `"/check-mail"`, ptr: func(c *Config) any { return &authJS(c).Pages.VerifyRequest }},
		{key: "app.authjs.pages.new_user", example: `"/welcome"`, ptr: func(c *Config) any { return &authJS(c).Pages.NewUser }},
	}
}

// tables are the settings of a kind that the file has once for each of many.
type tables struct {
	name     string // "app" for [[app]]
	one      string // what one is called
	add      func(c *Config, table map[string]any)
	settings func(i int) []setting
}

// lists are all of them.
func lists() []tables {
	return []tables{
		{"app", "App", addApp, appSettings},
		{"upstream", "upstream", func(c *Config, _ map[string]any) { c.Upstreams = append(c.Upstreams, Upstream{}) }, upstreamSettings},
	}
}

func addApp(c *Config, table map[string]any) {
	var a App
	if _, ok := table["authjs"].(map[string]any); ok {
		a.AuthJS = &AuthJS{Version: "auto"}
	}
	c.Apps = append(c.Apps, a)
}

// readTables reads the tables of a kind from a file.
func (l *Loaded) readTables(t tables, name string, value any, lines map[string]int, dir string) Errors {
	found, ok := value.([]map[string]any)
	if !ok {
		return Errors{fmt.Errorf("%s:%d: %s must be written [[%s]], once for each %s", name, lines[t.name], t.name, t.name, t.one)}
	}
	var errs Errors
	for i, table := range found {
		t.add(&l.Config, table)
		flat := make(map[string]any)
		flatten(t.name+".", table, flat)
		known := t.settings(i)
		for _, key := range slices.Sorted(maps.Keys(flat)) {
			place := tableKey(i, t.name, key)
			at := fmt.Sprintf("%s:%d", name, lines[place])
			n := slices.IndexFunc(known, func(s setting) bool { return s.key == key })
			switch {
			case n < 0 && slices.ContainsFunc(known, func(s setting) bool { return strings.HasPrefix(s.key, key+".") }):
				if _, ok := flat[key].(map[string]any); !ok { // an empty one is all defaults
					errs = append(errs, fmt.Errorf("%s: %s must be a table, as in [%s]", at, key, key))
				}
			case n < 0:
				errs = append(errs, fmt.Errorf("%s: %s is not a setting%s", at, key, meantOf(known, key)))
			default:
				if err := known[n].set(&l.Config, flat[key]); err != nil {
					errs = append(errs, fmt.Errorf("%s: %s %w", at, key, err))
					continue
				}
				l.origins[place] = at
				l.anchor(known[n], dir)
			}
		}
		for inner, value := range table {
			if _, ok := value.(map[string]any); ok {
				place := tableKey(i, t.name, t.name+"."+inner)
				l.origins[place] = fmt.Sprintf("%s:%d", name, lines[place])
			}
		}
		place := tableKey(i, t.name, t.name)
		l.origins[place] = fmt.Sprintf("%s:%d", name, lines[place])
	}
	return errs
}

func meantOf(known []setting, key string) string {
	for _, s := range known {
		if distance(key, s.key) < 2+len(lastName(key))/3 || lastName(key) == lastName(s.key) {
			return "; did you mean " + s.key + "?"
		}
	}
	return ""
}

// tableKey is where the origin of a key of the table with that index is kept.
func tableKey(i int, table, key string) string {
	return fmt.Sprintf("%s#%d%s", table, i, strings.TrimPrefix(key, table))
}

// appKey is tableKey for an App.
func appKey(i int, key string) string { return tableKey(i, "app", key) }

// shown lists the settings of every table, for showing.
func (l *Loaded) shown() []Setting {
	var list []Setting
	add := func(i int, table, name string, settings []setting) {
		for _, s := range settings {
			origin := l.origins[tableKey(i, table, s.key)]
			if origin == "" {
				origin = "default"
			}
			list = append(list, Setting{Key: table + "." + name + strings.TrimPrefix(s.key, table), Value: s.value(&l.Config), Origin: origin})
		}
	}
	for i, a := range l.Apps {
		settings := appSettings(i)
		if a.AuthJS == nil {
			settings = slices.DeleteFunc(settings, func(s setting) bool { return strings.HasPrefix(s.key, "app.authjs.") })
		}
		add(i, "app", a.ID, settings)
	}
	for i, u := range l.Upstreams {
		add(i, "upstream", u.ID, upstreamSettings(i))
	}
	return list
}

// apps checks every App and reads the files with their secrets.
func (k *checker) apps() {
	checker := k.l.AppChecker()
	for i := range k.l.Apps {
		problems, warnings := checker.Check(&k.l.Apps[i])
		for _, p := range problems {
			at := k.l.origins[appKey(i, p.Key)]
			if at == "" {
				at = k.l.origins[appKey(i, "app")]
			}
			k.errs = append(k.errs, fmt.Errorf("%s: %w", at, p))
		}
		k.l.Warnings = append(k.l.Warnings, warnings...)
	}
}
