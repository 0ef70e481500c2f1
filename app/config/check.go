package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"gatelodge/app/email"
)

// checker collects what is wrong, with the place where it was set.
type checker struct {
	l    *Loaded
	errs Errors
}

func (k *checker) fail(key, format string, args ...any) {
	at := k.l.origins[key]
	if at == "" {
		at = "configuration"
	}
	k.errs = append(k.errs, fmt.Errorf("%s: %s %w", at, key, fmt.Errorf(format, args...)))
}

func (k *checker) warn(format string, args ...any) {
	k.l.Warnings = append(k.l.Warnings, fmt.Sprintf(format, args...))
}

// check reports what cannot work together or at all, and reads the files that
// hold secrets.
func (l *Loaded) check() Errors {
	k := &checker{l: l}
	k.address()
	k.database()
	k.look()
	k.times()
	k.signup()
	k.mail()
	k.backup()
	k.upstreams()
	k.apps()
	return k.errs
}

func (k *checker) address() {
	c := k.l
	if c.PublicURL != "" {
		if _, err := parseOrigin(c.PublicURL); err != nil {
			k.fail("public_url", "%w", err)
			return
		}
	}
	path, socket := strings.CutPrefix(c.Listen, "unix:")
	switch {
	case socket && path == "":
		k.fail("listen", `is not a socket path, as in listen = "unix:/run/gatelodge.sock"`)
	case socket && c.PublicURL == "":
		k.fail("public_url", `must be set when listen is a socket, as in public_url = "https://auth.example.com"`)
	case !socket:
		k.port()
	}
	switch perm, ok := c.SocketPerm(); {
	case !ok:
		k.fail("socket_mode", `is %q, but must be a mode as chmod takes it that lets the owner read and write, as in socket_mode = "0660"`, c.SocketMode)
	case socket && perm&0o002 != 0:
		k.warn("socket_mode is %s: every user of this machine can connect to the socket and claim any address in X-Forwarded-For; use \"0660\" and add your proxy's user to the group", c.SocketMode)
	}
	for _, text := range c.TrustedProxies {
		if _, err := parsePrefix(text); err != nil {
			k.fail("trusted_proxies", "contains %q, which is neither an address nor a network such as \"10.0.0.0/24\"", text)
		}
	}
	if len(k.errs) > 0 {
		return
	}
	origin := c.Origin()
	if origin.Scheme == "http" && !loopback(origin.Hostname()) {
		k.warn("public_url is http: anyone on the network path can read sign-in links and take over sessions; use https")
	}
}

func (k *checker) port() {
	host, port, err := net.SplitHostPort(k.l.Listen)
	if err != nil {
		k.fail("listen", "is %q, but must be host:port, as in listen = \"127.0.0.1:8080\"", k.l.Listen)
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		k.fail("listen", "has the port %q, but a port is a number from 0 to 65535", port)
	} else if n > 65535 {
		k.fail("listen", "has the port %d, but a port is a number from 0 to 65535", n)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && host != "localhost" {
		k.fail("listen", "has the host %q, but the address to listen on is a number, as in \"127.0.0.1:8080\"", host)
	}
}

// parseOrigin reads an origin: scheme and host, nothing behind them.
func parseOrigin(text string) (*url.URL, error) {
	u, err := url.Parse(strings.ToLower(strings.TrimSuffix(text, "/")))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "" {
		return nil, fmt.Errorf("is %q, but must be an address such as https://auth.example.com", text)
	}
	if u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.ContainsAny(text, "?#") {
		return nil, fmt.Errorf("is %q, but only scheme and host belong in it, as in https://%s", text, u.Host)
	}
	if strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"'<>\;,`, r) }) {
		return nil, fmt.Errorf("is %q, but a host has letters, digits, dots and dashes only (xn-- for others)", text)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("has the port %q, but a port is a number from 1 to 65535", port)
		}
		// Browsers leave the usual port out of Origin, so it must not be here.
		if u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
			u.Host = u.Host[:strings.LastIndexByte(u.Host, ':')]
		}
	}
	if u.Host, err = browserHost(u); err != nil {
		return nil, fmt.Errorf("is %q, but %w", text, err)
	}
	return u, nil
}

// browserHost returns the host of an origin as browsers write it. A host that no
// browser can open, or that is another one to browsers than to us, is an error.
func browserHost(u *url.URL) (string, error) {
	name := strings.TrimSuffix(u.Hostname(), ".")
	switch ip, err := netip.ParseAddr(name); {
	case err == nil && ip.Zone() != "":
		return "", errors.New("browsers cannot open an address with a zone (%): name the server by a host or another address")
	case err == nil && ip.IsUnspecified():
		return "", fmt.Errorf("%s is only for listening: name the host that people open", name)
	case err == nil && ip.Is6():
		name = "[" + ip.String() + "]"
	case err == nil:
	case !labels(strings.ReplaceAll(name, "_", "x")):
		return "", fmt.Errorf("%q is no host: between its dots are 1 to 63 letters, digits and dashes", name)
	case numeric(name[strings.LastIndexByte(name, '.')+1:]):
		return "", fmt.Errorf("browsers read %q as an incomplete IPv4 address", name)
	}
	if port := u.Port(); port != "" {
		name += ":" + port
	}
	return name, nil
}

// numeric reports whether browsers take a host whose last label this is for an IPv4
// address (WHATWG URL, 3.5).
func numeric(label string) bool {
	_, err := strconv.ParseUint(label, 0, 64)
	return err == nil || !strings.ContainsFunc(label, func(r rune) bool { return r < '0' || r > '9' })
}

func parsePrefix(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

const maxName = 64

func (k *checker) look() {
	c := k.l
	for key, text := range map[string]string{"name": c.Name, "contact": c.Contact, "mail.from": c.Mail.From, "mail.ehlo_name": c.Mail.EHLOName} {
		if strings.ContainsFunc(text, unicode.IsControl) {
			k.fail(key, "contains a line break or another control character")
		}
	}
	if n := len([]rune(c.Name)); n == 0 || n > maxName {
		k.fail("name", "has %d characters, but must have 1 to %d", n, maxName)
	}
	if c.Theme.Hue < 0 || c.Theme.Hue > 359 {
		k.fail("theme.hue", "is %d, but a hue is a number from 0 to 359", c.Theme.Hue)
	}
	k.choice("link.confirm", c.Link.Confirm, "button", "code")
	k.choice("log.format", c.Log.Format, "text", "json")
	k.metrics()
}

func (k *checker) choice(key, value string, choices ...string) {
	if !slices.Contains(choices, value) {
		k.fail(key, "is %q, but must be %s", value, quoted(choices))
	}
}

func (k *checker) times() {
	s, n := k.l.Session, k.l.Link
	k.between("session.lifetime", s.Lifetime, 5*minute, 400*day)
	k.between("session.max_lifetime", s.MaxLifetime, 5*minute, 3650*day)
	k.between("session.refresh", s.Refresh, minute, 400*day)
	k.between("link.lifetime", n.Lifetime, 2*minute, day)
	k.between("link.code_lifetime", n.CodeLifetime, minute, hour)
	if len(k.errs) > 0 {
		return
	}
	k.atMost("session.refresh", s.Refresh, "session.lifetime", s.Lifetime)
	k.atMost("session.lifetime", s.Lifetime, "session.max_lifetime", s.MaxLifetime)
	k.atMost("link.code_lifetime", n.CodeLifetime, "link.lifetime", n.Lifetime)
}

// signup checks who may come. A domain that does not say what its author meant
// would let nobody in, or everybody.
func (k *checker) signup() {
	s := k.l.Signup
	k.choice("signup.mode", s.Mode, "closed", "invite", "domain", "approve", "open")
	for _, domain := range s.Domains {
		if ascii, ok := email.Domain(domain); !ok || !hostName(ascii) {
			k.fail("signup.domains", "contains %q, which is no domain such as \"example.com\"; list subdomains separately, without \"*\"", domain)
		}
	}
	switch {
	case s.Mode == "domain" && len(s.Domains) == 0:
		k.fail("signup.domains", "must be set when signup.mode is \"domain\", as in domains = [\"example.com\"]")
	case s.Mode != "domain" && len(s.Domains) > 0:
		k.fail("signup.domains", "is set, but has no effect unless signup.mode is \"domain\"; it is %q", s.Mode)
	}
}

func (k *checker) backup() {
	b := k.l.Backup
	if b.Every != 0 && (b.Every < 5*minute || b.Every > 400*day) {
		k.fail("backup.every", `is %s, but must be between 5m and 400d, or "0s" for never`, b.Every)
	}
	if b.Keep < 1 || b.Keep > 1000 {
		k.fail("backup.keep", "is %d, but must be between 1 and 1000", b.Keep)
	}
}

func (k *checker) between(key string, d, low, high Duration) {
	if d < low || d > high {
		k.fail(key, "is %s, but must be between %s and %s", d, low, high)
	}
}

func (k *checker) atMost(key string, d Duration, limitKey string, limit Duration) {
	if d > limit {
		k.fail(key, "is %s, but must not be longer than %s, which is %s", d, limitKey, limit)
	}
}

func (k *checker) mail() {
	c := k.l
	if slices.Contains(mailModes, strings.ToLower(c.Mail.Mode)) {
		k.fail("mail.mode", "is %q, but must be \"capture\", \"smarthost\" or \"direct\"%s", c.Mail.Mode, smarthostHint)
	} else {
		k.choice("mail.mode", c.Mail.Mode, "capture", "smarthost", "direct")
	}
	if c.Mail.From != "" {
		if _, err := parseSender(c.Mail.From); err != nil {
			k.fail("mail.from", "is %q, but %w", c.Mail.From, err)
		}
	}
	if name := c.Mail.EHLOName; name != "" && strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' }) {
		k.fail("mail.ehlo_name", "is %q, but must be a host name", name)
	}
	if c.Mail.CAFile != "" {
		if _, err := os.Stat(c.Mail.CAFile); err != nil {
			k.fail("mail.ca_file", "cannot be read: %w", err)
		}
	}
	if c.Mail.Templates != "" {
		if info, err := os.Stat(c.Mail.Templates); err != nil || !info.IsDir() {
			k.fail("mail.templates", "is %s, which is no directory that can be read", c.Mail.Templates)
		}
	}
	k.submission()
	k.twin("mail.smarthost.password", &c.Mail.Smarthost.Password, "mail.smarthost.password_file", c.Mail.Smarthost.PasswordFile)
	k.signature()
	switch c.Mail.Mode {
	case "smarthost":
		k.sender()
		k.smarthost()
		return
	case "direct":
		k.sender()
		k.direct()
		return
	}
	if len(k.errs) == 0 && !loopback(c.Origin().Hostname()) {
		k.warn("mail is captured: sign-in mail is not sent until mail.mode is \"smarthost\" or \"direct\"; \"gatelodge mail show\" and \"gatelodge user link\" help until then")
	}
}

// signature checks that what we send gets one: it counts only when it is of the
// sender's own domain.
func (k *checker) signature() {
	c := k.l
	domain := c.Mail.DKIM.Domain
	if domain == "" {
		return
	}
	from, err := parseSender(c.Mail.From)
	switch {
	case !hostName(domain):
		k.fail("mail.dkim.domain", "is %q, but must be a domain, as in \"example.com\"", domain)
	case err == nil && !strings.EqualFold(domain, domainOf(from)):
		k.fail("mail.dkim.domain", "is %q, but mail.from is of %q: its mail would be sent unsigned; remove mail.dkim.domain, or make them equal", domain, domainOf(from))
	}
}

// parseSender reads the address that our mail comes from, its domain in ASCII. It
// takes what every server does: neither quoted words nor letters beyond ASCII in
// front of the @.
func parseSender(text string) (mail.Address, error) {
	a, err := mail.ParseAddress(text)
	if err != nil {
		return mail.Address{}, errors.New(`must be one address, as in from = "Example <login@example.com>"`)
	}
	at := strings.LastIndexByte(a.Address, '@')
	local := a.Address[:at]
	if len(local) > 64 || strings.ContainsFunc(local, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"\(),:;<>@[]`, r)
	}) || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return mail.Address{}, fmt.Errorf("many servers refuse mail from an address with %q before the @: plain letters, digits, dots and dashes only", local)
	}
	domain, ok := email.Domain(a.Address[at+1:])
	if !ok || !labels(domain) {
		return mail.Address{}, fmt.Errorf("%q is not a domain that can send mail", a.Address[at+1:])
	}
	return mail.Address{Name: a.Name, Address: local + "@" + domain}, nil
}

// domainOf returns what stands behind the @, in lower case.
func domainOf(a mail.Address) string {
	return strings.ToLower(a.Address[strings.LastIndexByte(a.Address, '@')+1:])
}

func (k *checker) submission() {
	s := k.l.Mail.Submission
	k.choice("mail.submission.tls", s.TLS, "starttls", "implicit")
	if s.Listen != "" {
		host, port, err := net.SplitHostPort(s.Listen)
		number, wrong := strconv.ParseUint(port, 10, 16)
		if err != nil || wrong != nil {
			k.fail("mail.submission.listen", "is %q, but must be host:port, as in \"127.0.0.1:587\"", s.Listen)
		} else if number == 465 && s.TLS != "implicit" {
			k.fail("mail.submission.listen", "has the port 465, where apps expect TLS from the start: set mail.submission.tls = \"implicit\", or use port 587 for STARTTLS")
		}
		if _, err := netip.ParseAddr(host); err != nil && host != "" && host != "localhost" {
			k.fail("mail.submission.listen", "has the host %q, but the address to listen on is a number, as in \"127.0.0.1:587\"", host)
		}
	}
	if (s.CertFile == "") != (s.KeyFile == "") {
		k.fail("mail.submission.cert_file", "and mail.submission.key_file belong together: set both or neither")
	}
}

// metrics checks where metrics can be read. No authentication is required there.
func (k *checker) metrics() {
	listen := k.l.Metrics.Listen
	if listen == "" {
		return
	}
	host, port, err := net.SplitHostPort(listen)
	if _, wrong := strconv.ParseUint(port, 10, 16); err != nil || wrong != nil {
		k.fail("metrics.listen", "is %q, but must be host:port, as in \"127.0.0.1:9464\"", listen)
		return
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || host == "localhost":
	case err != nil:
		k.fail("metrics.listen", "has the host %q, but the address to listen on is a number, as in \"127.0.0.1:9464\"", host)
	case !ip.IsLoopback():
		k.warn("metrics.listen is not limited to this machine: anyone who can connect to %s can read the metrics", listen)
	}
}

// database checks the form of the name alone: the store tells the rest.
func (k *checker) database() {
	k.twin("database", &k.l.Database, "database_file", k.l.DatabaseFile)
	name := k.l.Database.text
	if name != "" && !strings.HasPrefix(name, "postgres://") && !strings.HasPrefix(name, "postgresql://") {
		k.fail("database", `must begin with postgres://, or be "" for SQLite in data_dir`)
	}
}

// twin reads the file twin of a secret.
func (k *checker) twin(key string, to *Secret, fileKey, path string) {
	if path == "" {
		return
	}
	if to.text != "" {
		k.fail(fileKey, "is set, and so is %s: keep one", key)
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		k.fail(fileKey, "cannot be read: %w", err)
		return
	}
	to.text = strings.TrimRight(string(text), "\r\n")
	if to.text == "" {
		k.fail(fileKey, "names %s, which is empty", path)
	}
}

func (k *checker) sender() {
	if k.l.Mail.From == "" {
		k.fail("mail.from", `must be set to send mail, as in from = "Example <login@example.com>"`)
	}
}

// direct checks what delivery to the recipients' own servers needs. A smarthost
// beside it is the second way.
func (k *checker) direct() {
	c := k.l
	if c.Mail.MXPort < 1 || c.Mail.MXPort > 65535 {
		k.fail("mail.mx_port", "is %d, but a port is a number from 1 to 65535; mail servers answer at 25", c.Mail.MXPort)
	}
	if c.Mail.Resolver != "" {
		if _, err := netip.ParseAddrPort(c.Resolver()); err != nil {
			k.fail("mail.resolver", "is %q, but must be an address, as in \"127.0.0.1\" or \"10.0.0.2:5353\"", c.Mail.Resolver)
		}
	}
	k.choice("mail.dane", c.Mail.DANE, "auto", "off")
	k.choice("mail.ip_family", c.Mail.IPFamily, "auto", "4", "6")
	ip, family := c.MailSource()
	if c.Mail.SourceIP != "" && (!ip.IsValid() || ip.Zone() != "") {
		k.fail("mail.source_ip", "is %q, but must be an address of this machine, as in \"198.51.100.7\"", c.Mail.SourceIP)
	}
	if ip.IsValid() && family != 0 && ip.Unmap().Is4() != (family == 4) {
		k.fail("mail.source_ip", "is %s, which is not of the family that mail.ip_family leaves", ip)
	}
	if name := c.EHLOName(); !hostName(name) {
		k.fail("mail.ehlo_name", "must be set to a name this machine has in DNS, as in \"auth.example.com\": other servers refuse %q", name)
	}
	if c.Mail.Smarthost.URL != "" {
		k.smarthost()
	}
}

// hostName reports whether name is one that DNS can hold and that has a dot.
func hostName(name string) bool {
	if !strings.Contains(name, ".") {
		return false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return false
	}
	return labels(name)
}

// labels reports whether name consists of what names in DNS do.
func labels(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") ||
			strings.ContainsFunc(label, func(r rune) bool {
				return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
			}) {
			return false
		}
	}
	return true
}

func (k *checker) smarthost() {
	c := k.l
	if c.Mail.Smarthost.URL == "" {
		k.fail("mail.smarthost.url", `must be set to send mail, as in url = "smtps://user@mail.example.net:465"`)
		return
	}
	h, err := parseSmarthost(c.Mail.Smarthost.URL)
	if err != nil {
		k.fail("mail.smarthost.url", "%w", err)
		return
	}
	secret := c.Mail.Smarthost.Password.text != ""
	switch {
	case h.User != "" && !secret:
		k.fail("mail.smarthost.password_file", "must be set: %s logs in as %q", "mail.smarthost.url", h.User)
	case h.User == "" && secret:
		k.fail("mail.smarthost.url", "names no user for the password, as in smtps://user@%s", h.Host)
	}
}

var errSmarthost = errors.New(`must be an address such as smtps://user@mail.example.net:465 (TLS) or smtp://user@mail.example.net:587 (STARTTLS)`)

// parseSmarthost reads smtps://user@host:465 or smtp://user@host:587. The user
// may hold an @: the last one counts.
func parseSmarthost(text string) (Smarthost, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	h := Smarthost{TLS: "implicit", Port: 465}
	switch scheme {
	case "smtps":
	case "smtp":
		h.TLS, h.Port = "starttls", 587
	default:
		return h, errSmarthost
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, err := url.PathUnescape(rest[:i])
		if err != nil || user == "" {
			return h, errSmarthost
		}
		if strings.Contains(user, ":") {
			return h, errors.New("must not hold the password: use mail.smarthost.password_file")
		}
		h.User, rest = user, rest[i+1:]
	}
	u, err := url.Parse("//" + strings.TrimSuffix(rest, "/"))
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.Fragment != "" {
		return h, errSmarthost
	}
	h.Host = u.Hostname()
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return h, errSmarthost
		}
		h.Port = int(n)
	}
	switch u.RawQuery {
	case "":
	case "tls=off":
		if scheme != "smtp" || !loopback(h.Host) {
			return h, errors.New("has tls=off, which is only for smtp:// to this machine")
		}
		h.TLS = "off"
	default:
		return h, fmt.Errorf("has %q after the host, where only tls=off is allowed", u.RawQuery)
	}
	return h, nil
}
