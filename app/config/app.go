package config

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode"
)

// App is one [[app]]: something people reach through us.
type App struct {
	Name string
	// Hosts are where people open it: "wiki.example.com", "localhost:3000".
	Hosts []string
	// Allow says who may in: "everyone", "user:mara@example.com", "group:ops".
	// Nothing is nobody.
	Allow  []string
	AuthJS AuthJS
}

// AuthJS is how an App speaks the session API of next-auth.
type AuthJS struct {
	Version    string // "v4", "v5" or "auto"
	Secret     Secret // the App's own NEXTAUTH_SECRET or AUTH_SECRET
	SecretFile string
	Origins    []string // "" is https:// and each host
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
	return []setting{
		{key: "app.name", example: `"Wiki"`, ptr: func(c *Config) any { return &at(c).Name }},
		{key: "app.hosts", example: `["wiki.example.com"]`, ptr: func(c *Config) any { return &at(c).Hosts }},
		{key: "app.allow", example: `["everyone"]`, ptr: func(c *Config) any { return &at(c).Allow }},
		{key: "app.authjs.version", example: `"v5"`, ptr: func(c *Config) any { return &at(c).AuthJS.Version }},
		{key: "app.authjs.secret", example: `"…"`, ptr: func(c *Config) any { return &at(c).AuthJS.Secret }},
		{key: "app.authjs.secret_file", example: `"/etc/gatelodge/wiki-secret"`, ptr: func(c *Config) any { return &at(c).AuthJS.SecretFile }, path: true},
		{key: "app.authjs.origins", example: `["https://wiki.example.com"]`, ptr: func(c *Config) any { return &at(c).AuthJS.Origins }},
		{key: "app.authjs.providers", example: `["credentials", "email"]`, ptr: func(c *Config) any { return &at(c).AuthJS.Providers }},
		{key: "app.authjs.tokens", example: `["google"]`, ptr: func(c *Config) any { return &at(c).AuthJS.Tokens }},
		{key: "app.authjs.pages.sign_in", example: `"/login"`, ptr: func(c *Config) any { return &at(c).AuthJS.Pages.SignIn }},
		{key: "app.authjs.pages.sign_out", example: `"/bye"`, ptr: func(c *Config) any { return &at(c).AuthJS.Pages.SignOut }},
		{key: "app.authjs.pages.error", example: `"/oops"`, ptr: func(c *Config) any { return &at(c).AuthJS.Pages.Error }},
		{key: "app.authjs.pages.verify_request", example: `"/check-mail"`, ptr: func(c *Config) any { return &at(c).AuthJS.Pages.VerifyRequest }},
		{key: "app.authjs.pages.new_user", example: `"/welcome"`, ptr: func(c *Config) any { return &at(c).AuthJS.Pages.NewUser }},
	}
}

// tables are the settings of a kind that the file has once for each of many.
type tables struct {
	name     string // "app" for [[app]]
	one      string // what one is called
	add      func(*Config)
	settings func(i int) []setting
}

// lists are all of them.
func lists() []tables {
	return []tables{
		{"app", "App", func(c *Config) { c.Apps = append(c.Apps, App{AuthJS: AuthJS{Version: "auto"}}) }, appSettings},
		{"upstream", "upstream", func(c *Config) { c.Upstreams = append(c.Upstreams, Upstream{}) }, upstreamSettings},
	}
}

// readTables reads the tables of a kind from a file.
func (l *Loaded) readTables(t tables, name string, value any, lines map[string]int, dir string) Errors {
	found, ok := value.([]map[string]any)
	if !ok {
		return Errors{fmt.Errorf("%s:%d: %s must be written [[%s]], once for each %s", name, lines[t.name], t.name, t.name, t.one)}
	}
	var errs Errors
	for i, table := range found {
		t.add(&l.Config)
		flat := make(map[string]any)
		flatten(t.name+".", table, flat)
		known := t.settings(i)
		for _, key := range slices.Sorted(maps.Keys(flat)) {
			place := tableKey(i, t.name, key)
			at := fmt.Sprintf("%s:%d", name, lines[place])
			n := slices.IndexFunc(known, func(s setting) bool { return s.key == key })
			switch {
			case n < 0 && slices.ContainsFunc(known, func(s setting) bool { return strings.HasPrefix(s.key, key+".") }):
				// An empty table: all defaults.
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
		add(i, "app", a.Name, appSettings(i))
	}
	for i, u := range l.Upstreams {
		add(i, "upstream", u.ID, upstreamSettings(i))
	}
	return list
}

// apps checks every App and reads the files with their secrets.
func (k *checker) apps() {
	names, hosts := map[string]bool{}, map[string]string{}
	for i := range k.l.Apps {
		a := &k.l.Apps[i]
		fail := func(key, format string, args ...any) {
			at := k.l.origins[appKey(i, key)]
			if at == "" {
				at = k.l.origins[appKey(i, "app")]
			}
			k.errs = append(k.errs, fmt.Errorf("%s: %s %w", at, key, fmt.Errorf(format, args...)))
		}
		switch n := len([]rune(a.Name)); {
		case n == 0 || n > maxName || strings.ContainsFunc(a.Name, unicode.IsControl):
			fail("app.name", `must have 1 to %d characters, as in name = "Wiki"`, maxName)
		case names[strings.ToLower(a.Name)]:
			fail("app.name", "is %q, and so is another App's: each needs its own name", a.Name)
		}
		names[strings.ToLower(a.Name)] = true
		k.appHosts(a, hosts, fail)
		for _, who := range a.Allow {
			kind, what, _ := strings.Cut(who, ":")
			if who != "everyone" && (kind != "user" && kind != "group" || what == "") {
				fail("app.allow", `contains %q, but must contain "everyone", "user:mara@example.com" or "group:ops"`, who)
			}
		}
		if len(a.Allow) == 0 {
			k.warn(`no one can use the app %q: list who can, as in allow = ["everyone"]`, a.Name)
		}
		if k.l.origins[appKey(i, "app.authjs")] == "" {
			fail("app.authjs", "is missing: add the table [app.authjs] below it, which enables the session API for this App")
			continue
		}
		if v := a.AuthJS.Version; v != "v4" && v != "v5" && v != "auto" {
			fail("app.authjs.version", `is %q, but must be "v4", "v5" or "auto"`, v)
		}
		for _, id := range a.AuthJS.Tokens {
			if !slices.ContainsFunc(k.l.Upstreams, func(u Upstream) bool { return u.ID == id }) {
				fail("app.authjs.tokens", "contains %q, which is not the id of an [[upstream]]", id)
			}
		}
		k.appSecrets(a, fail)
		p := a.AuthJS.Pages
		for key, path := range map[string]string{"sign_in": p.SignIn, "sign_out": p.SignOut, "error": p.Error, "verify_request": p.VerifyRequest, "new_user": p.NewUser} {
			if path != "" && (!strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\?#\r\n ")) {
				fail("app.authjs.pages."+key, `is %q, but must be a path on the App, as in %s = "/login"`, path, key)
			}
		}
	}
}

func (k *checker) appHosts(a *App, taken map[string]string, fail func(key, format string, args ...any)) {
	if len(a.Hosts) == 0 {
		fail("app.hosts", `must list the hosts where people open the App, as in hosts = ["wiki.example.com"]`)
		return
	}
	for _, host := range a.Hosts {
		if strings.Contains(host, "://") || strings.ContainsAny(host, "/?#@ ") {
			fail("app.hosts", `is %q, but must be a host alone, without scheme and path, as in hosts = [%q]`, host, hostIn(host))
			return
		}
	}
	origins, key := a.AuthJS.Origins, "app.authjs.origins"
	if len(origins) == 0 {
		key = "app.hosts" // what is wrong with an origin is wrong with the host
		for _, host := range a.Hosts {
			scheme := "https://"
			if name, _, _ := strings.Cut(host, ":"); loopback(name) {
				scheme = "http://"
			}
			origins = append(origins, scheme+host)
		}
	}
	a.AuthJS.Origins = nil
	for _, host := range a.Hosts {
		// Checked by themselves too: origins may name others.
		if u, err := parseOrigin("https://" + host); err == nil && k.ours(u) {
			fail("app.hosts", "contains %q, the host of Gatelodge itself: an App needs its own host", host)
			return
		}
	}
	for _, text := range origins {
		u, err := parseOrigin(text)
		if err != nil {
			fail(key, "%w", err)
			continue
		}
		if k.ours(u) {
			fail("app.hosts", "contains %q, the host of Gatelodge itself: an App needs its own host", u.Host)
			continue
		}
		if other := taken[sameHost(u)]; other == a.Name {
			fail("app.hosts", "contains %q twice", u.Host)
			continue
		} else if other != "" {
			fail("app.hosts", "contains %q, which belongs to the App %q", u.Host, other)
			continue
		}
		taken[sameHost(u)] = a.Name
		if own := k.l.Origin(); u.Hostname() == own.Hostname() && !loopback(u.Hostname()) {
			k.warn("the app %q is on the host of public_url, %s: browsers send cookies to every port, so the app can read the cookies of Gatelodge; give it its own host", a.Name, u.Hostname())
		}
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			k.warn("the app %q is on http: anyone on the network path can take over its sessions; use https", a.Name)
		}
		a.AuthJS.Origins = append(a.AuthJS.Origins, u.String())
	}
}

// hostIn returns the host in what a user took for one.
func hostIn(text string) string {
	if _, after, ok := strings.Cut(text, "://"); ok {
		text = after
	}
	if i := strings.IndexAny(text, "/?# "); i >= 0 {
		text = text[:i]
	}
	return cmp.Or(text[strings.LastIndexByte(text, '@')+1:], "wiki.example.com")
}

// sameHost returns host and port of an origin in a form in which two are equal when
// browsers reach the same place by them.
func sameHost(u *url.URL) string {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.Unmap().String()
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "http" && loopback(host):
		port = "80"
	default:
		port = "usual" // of either scheme: cookies do not keep them apart
	}
	return net.JoinHostPort(host, port)
}

// ours reports whether an origin is where people reach Gatelodge itself. All names
// of this machine are one.
func (k *checker) ours(u *url.URL) bool {
	own := k.l.Origin()
	if sameHost(u) == sameHost(own) {
		return true
	}
	plain := func(host string) bool {
		ip, err := netip.ParseAddr(host)
		return host == "localhost" || err == nil && ip.IsLoopback()
	}
	return plain(u.Hostname()) && plain(own.Hostname()) && u.Port() == own.Port() && u.Port() != "0"
}

// fewLetters is less than what "openssl rand -base64 32" gives.
const fewLetters = 32

// appSecrets reads the secrets that an App shares with us: one a line.
func (k *checker) appSecrets(a *App, fail func(key, format string, args ...any)) {
	text := a.AuthJS.Secret.text
	if a.AuthJS.SecretFile != "" {
		if text != "" {
			fail("app.authjs.secret_file", "is set, and so is app.authjs.secret: keep one")
			return
		}
		content, err := os.ReadFile(a.AuthJS.SecretFile)
		if err != nil {
			fail("app.authjs.secret_file", "cannot be read: %w", err)
			return
		}
		if text = strings.TrimSpace(string(content)); text == "" {
			fail("app.authjs.secret_file", "names %s, which is empty", a.AuthJS.SecretFile)
			return
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		if len(line) < fewLetters {
			k.warn("the app %q has a secret of %d letters, which can be guessed; make one with: openssl rand -base64 32", a.Name, len(line))
		}
		a.AuthJS.secrets = append(a.AuthJS.secrets, line)
	}
	a.AuthJS.Secret.text = text
}
