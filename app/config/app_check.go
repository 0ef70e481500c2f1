package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode"
)

// AppProblem is what is wrong with one setting of an App.
type AppProblem struct {
	Key string // "app.hosts"
	Err error
}

func (p AppProblem) Error() string { return p.Key + " " + p.Err.Error() }

func (p AppProblem) Unwrap() error { return p.Err }

// AppChecker checks Apps, each against those that it checked before. It is the only
// check there is: of the file, of a command, of a page.
type AppChecker struct {
	public    *url.URL
	upstreams []Upstream
	checked   []*App
	hosts     map[string]*App // by sameHost

	problems []AppProblem // of the App at hand
	warnings []string
}

// AppChecker returns a checker for the Apps of a server with this configuration. It has
// checked none yet.
func (c *Config) AppChecker() *AppChecker {
	return &AppChecker{public: c.Origin(), upstreams: c.Upstreams, hosts: make(map[string]*App)}
}

// Check says what is wrong with an App, and what is only unwise. It fills in what was
// left out: the id, the origins, the secrets of the App's file.
func (k *AppChecker) Check(a *App) (problems []AppProblem, warnings []string) {
	k.problems, k.warnings = nil, nil
	k.name(a)
	k.id(a)
	k.origins(a)
	for _, who := range a.Allow {
		kind, what, _ := strings.Cut(who, ":")
		if who != "everyone" && (kind != "user" && kind != "group" || what == "") {
			k.fail("app.allow", `contains %q, but must contain "everyone", "user:mara@example.com" or "group:ops"`, who)
		}
	}
	if len(a.Allow) == 0 {
		k.warn(`no one can use the app %q: list who can, as in allow = ["everyone"]`, a.Name)
	}
	if a.AuthJS != nil {
		k.authJS(a)
	}
	k.checked = append(k.checked, a)
	return k.problems, k.warnings
}

func (k *AppChecker) fail(key, format string, args ...any) {
	k.problems = append(k.problems, AppProblem{key, fmt.Errorf(format, args...)})
}

func (k *AppChecker) warn(format string, args ...any) {
	k.warnings = append(k.warnings, fmt.Sprintf(format, args...))
}

func (k *AppChecker) name(a *App) {
	if n := len([]rune(a.Name)); n == 0 || n > maxName || strings.ContainsFunc(a.Name, unicode.IsControl) {
		k.fail("app.name", `must have 1 to %d characters, as in name = "Wiki"`, maxName)
		return
	}
	for _, other := range k.checked {
		if strings.EqualFold(a.Name, other.Name) {
			k.fail("app.name", "is %q, and so is another App's: each needs its own name", a.Name)
			return
		}
	}
}

func (k *AppChecker) id(a *App) {
	made := a.ID == ""
	if made && a.Name != "" {
		a.ID = AppID(a.Name)
	}
	switch {
	case a.ID == "" && a.Name == "":
		return // the name is what is wrong
	case !validAppID(a.ID):
		k.fail("app.id", `is %q, but must have 1 to %d lower-case letters, digits and dashes, as in id = "wiki"`, a.ID, maxName)
		return
	}
	for _, other := range k.checked {
		switch {
		case strings.EqualFold(a.Name, other.Name):
			// Said above: an id made from the name is the same one then.
		case a.ID == other.ID && made:
			k.fail("app.id", "is %q, made from the name, and so is the id of the App %q: set another id", a.ID, other.Name)
		case a.ID == other.ID:
			k.fail("app.id", "is %q, and so is the id of the App %q: each needs its own id", a.ID, other.Name)
		case a.ID == other.Name:
			k.fail("app.id", "is %q, which is the name of another App: set another id", a.ID)
		case a.Name == other.ID:
			k.fail("app.name", "is %q, which is the id of the App %q: choose another name", a.Name, other.Name)
		}
	}
}

// origins checks the hosts and where they are opened.
func (k *AppChecker) origins(a *App) {
	if len(a.Hosts) == 0 {
		k.fail("app.hosts", `must list the hosts where people open the App, as in hosts = ["wiki.example.com"]`)
		return
	}
	for _, host := range a.Hosts {
		if strings.Contains(host, "://") || strings.ContainsAny(host, "/?#@ ") {
			k.fail("app.hosts", `is %q, but must be a host alone, without scheme and path, as in hosts = [%q]`, host, hostIn(host))
			return
		}
	}
	for _, host := range a.Hosts {
		// Checked by themselves too: origins may name others.
		if u, err := parseOrigin("https://" + host); err == nil && k.ours(u) {
			k.fail("app.hosts", "contains %q, the host of Gatelodge itself: an App needs its own host", host)
			return
		}
	}
	key, given := k.givenOrigins(a)
	a.Origins = nil
	for _, text := range given {
		u, err := parseOrigin(text)
		if err != nil {
			k.fail(key, "%w", err)
			continue
		}
		k.origin(a, u)
	}
}

// givenOrigins returns where an App is opened, and the key that says so.
func (k *AppChecker) givenOrigins(a *App) (key string, origins []string) {
	var older []string
	if a.AuthJS != nil {
		older = a.AuthJS.Origins
	}
	switch {
	case len(a.Origins) > 0 && len(older) > 0 && !slices.EqualFunc(a.Origins, older, sameOrigin):
		k.fail("app.origins", "is %q, and app.authjs.origins, its older name, is %q: keep app.origins", a.Origins, older)
		return "app.origins", a.Origins
	case len(a.Origins) > 0:
		return "app.origins", a.Origins
	case len(older) > 0:
		return "app.authjs.origins", older
	}
	for _, host := range a.Hosts {
		scheme := "https://"
		if name, _, _ := strings.Cut(host, ":"); loopback(name) {
			scheme = "http://"
		}
		origins = append(origins, scheme+host)
	}
	return "app.hosts", origins
}

func sameOrigin(a, b string) bool {
	u, err := parseOrigin(a)
	v, wrong := parseOrigin(b)
	return a == b || err == nil && wrong == nil && u.String() == v.String()
}

// origin takes an origin for the App, unless it is taken.
func (k *AppChecker) origin(a *App, u *url.URL) {
	switch other := k.hosts[sameHost(u)]; {
	case k.ours(u):
		k.fail("app.hosts", "contains %q, the host of Gatelodge itself: an App needs its own host", u.Host)
		return
	case other == a:
		k.fail("app.hosts", "contains %q twice", u.Host)
		return
	case other != nil:
		k.fail("app.hosts", "contains %q, which belongs to the App %q", u.Host, other.Name)
		return
	}
	k.hosts[sameHost(u)] = a
	if u.Hostname() == k.public.Hostname() && !loopback(u.Hostname()) {
		k.warn("the app %q is on the host of public_url, %s: browsers send cookies to every port, so the app can read the cookies of Gatelodge; give it its own host", a.Name, u.Hostname())
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		k.warn("the app %q is on http: anyone on the network path can take over its sessions; use https", a.Name)
	}
	a.Origins = append(a.Origins, u.String())
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
func (k *AppChecker) ours(u *url.URL) bool {
	if sameHost(u) == sameHost(k.public) {
		return true
	}
	plain := func(host string) bool {
		ip, err := netip.ParseAddr(host)
		return host == "localhost" || err == nil && ip.IsLoopback()
	}
	return plain(u.Hostname()) && plain(k.public.Hostname()) && u.Port() == k.public.Port() && u.Port() != "0"
}

// authJS checks how an App speaks the session API.
func (k *AppChecker) authJS(a *App) {
	if v := a.AuthJS.Version; v != "v4" && v != "v5" && v != "auto" {
		k.fail("app.authjs.version", `is %q, but must be "v4", "v5" or "auto"`, v)
	}
	for _, id := range a.AuthJS.Tokens {
		if !slices.ContainsFunc(k.upstreams, func(u Upstream) bool { return u.ID == id }) {
			k.fail("app.authjs.tokens", "contains %q, which is not the id of an [[upstream]]", id)
		}
	}
	k.secrets(a)
	p := a.AuthJS.Pages
	for _, page := range []struct{ key, path string }{
		{"sign_in", p.SignIn},
		{"sign_out", p.SignOut},
		{"error", p.Error},
		{"verify_request", p.VerifyRequest},
		{"new_user", p.NewUser},
	} {
		if path := page.path; path != "" && (!strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\?#\r\n ")) {
			k.fail("app.authjs.pages."+page.key, `is %q, but must be a path on the App, as in %s = "/login"`, path, page.key)
		}
	}
}

// fewLetters is less than what "openssl rand -base64 32" gives.
const fewLetters = 32

// secrets reads the secrets that an App shares with us: one a line.
func (k *AppChecker) secrets(a *App) {
	text := a.AuthJS.Secret.text
	if a.AuthJS.SecretFile != "" {
		if text != "" {
			k.fail("app.authjs.secret_file", "is set, and so is app.authjs.secret: keep one")
			return
		}
		content, err := os.ReadFile(a.AuthJS.SecretFile)
		if err != nil {
			k.fail("app.authjs.secret_file", "cannot be read: %w", err)
			return
		}
		if text = strings.TrimSpace(string(content)); text == "" {
			k.fail("app.authjs.secret_file", "names %s, which is empty", a.AuthJS.SecretFile)
			return
		}
	}
	a.AuthJS.secrets = nil
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
