// Package config is what an operator sets: one TOML file, the environment over
// it, flags over that.
//
// Every setting stands in one table that knows its key, its type and an example
// of its right form. What is not in the table is an error that names the key,
// the line and, where one is near, the key that was meant. Nothing is accepted
// and ignored, and all errors are reported at once.
package config

import (
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Config is every setting.
type Config struct {
	// PublicURL is the one origin people see. Links, cookies and the defence
	// against foreign forms hang on it; nothing is ever inferred from a request.
	// "" means http://localhost with the port of Listen.
	PublicURL string
	// Listen is where the server listens: host:port, or unix:/path.
	Listen string
	// SocketMode is the mode of a unix socket in Listen, in octal. A program
	// that may write to it is trusted like a proxy on this machine.
	SocketMode string
	// DataDir holds the database, the key and the backups.
	DataDir string
	// Database is a PostgreSQL database, "postgres://…", which may hold a
	// password. "" means SQLite in DataDir.
	Database     Secret
	DatabaseFile string // its file twin
	// Name is the instance's name on pages and in mail.
	Name string
	// Contact is who runs this, shown as "ask …".
	Contact string
	// TrustedProxies are the networks whose X-Forwarded-For counts.
	TrustedProxies []string

	Session   Session
	Signup    Signup
	Password  Password
	Link      Link
	Mail      Mail
	Theme     Theme
	Log       Log
	Metrics   Metrics
	Upstreams []Upstream
	Apps      []App
	Backup    Backup
}

// Session says how long people stay signed in.
type Session struct {
	Lifetime    Duration // since the last use
	Refresh     Duration // how often a used session's expiry is moved
	MaxLifetime Duration // however much it is used
}

// Signup says which strangers may come by themselves. An invite lets in whoever
// has it, whatever stands here.
type Signup struct {
	Mode    string   // "closed", "invite", "domain", "approve" or "open"
	Domains []string // for "domain": whose people may come
}

// Password says whether people may sign in with a password.
type Password struct {
	Enabled bool // when not, nobody can, and those that are kept stay kept
}

// What one password hash costs: OWASP's least for argon2id, some 22 ms of one
// core. More memory would slow down a small server more than it would an attacker.
const (
	PasswordMemory = 19 << 10 // KiB
	PasswordPasses = 2
	PasswordLanes  = 1
	// PasswordQueue is how many may wait for a hash at once: a second and a half.
	PasswordQueue = 64
)

// Link says how long a mailed link and its code work, and how a link that is
// opened in another browser is confirmed.
type Link struct {
	Lifetime     Duration
	CodeLifetime Duration
	Confirm      string // "button" or "code"
}

// Mail says how mail leaves.
type Mail struct {
	Mode      string // "capture", "smarthost" or "direct"
	From      string
	CAFile    string
	EHLOName  string
	Templates string // a directory with an operator's own messages, or ""
	// Resolver answers what direct mail asks of DNS: "" for the system's first.
	Resolver string
	// MXPort is where direct mail knocks: 25 but in a laboratory.
	MXPort int
	// TrustAD believes the DNSSEC validation of a resolver on another machine.
	TrustAD bool
	// DANE is "auto" or "off".
	DANE string
	// IPFamily says over what direct mail goes: "auto", "4" or "6".
	IPFamily string
	// SourceIP is the address that direct mail comes from: "" for the system's
	// choice.
	SourceIP string
	// RequireTLSForSignIn keeps links that sign in from going in clear, even to
	// domains that know nothing better: those get none.
	RequireTLSForSignIn bool
	// AllowPrivateDestinations lets direct mail go to servers in private networks
	// and on this machine. Whoever may name an address can then make this server
	// knock there.
	AllowPrivateDestinations bool
	Smarthost                MailSmarthost
	DKIM                     MailDKIM
	Submission               MailSubmission
}

// MailSubmission says where other apps hand their mail to us over SMTP.
type MailSubmission struct {
	Listen   string // host:port, or "" for nowhere
	TLS      string // "starttls" or "implicit"
	CertFile string // "" for a certificate that is made by itself
	KeyFile  string
}

// MailDKIM says whose signature our mail bears.
type MailDKIM struct {
	Domain string // "" is the domain of from; no other counts
}

// MailSmarthost is the server that relays our mail.
type MailSmarthost struct {
	URL          string
	Password     Secret
	PasswordFile string
}

// Backup says how often a copy of the database is made, and how many are kept.
type Backup struct {
	Every Duration // 0: never by itself
	Keep  int
	Dir   string // "" is "backups" in DataDir
}

// Theme says how pages look.
type Theme struct {
	Hue int // of the accent, 0 to 359 degrees; every hue is readable
}

// Log says how the log is written.
type Log struct {
	Format string // "text" or "json"
	Level  slog.Level
}

// Metrics says where metrics can be read.
type Metrics struct {
	Listen string // host:port, or "" for nowhere; without a host it is this machine
}

// Default returns the configuration of a server that nobody has configured.
func Default() Config {
	return Config{
		Listen: "127.0.0.1:8080", DataDir: "./gatelodge-data", Name: "Gatelodge",
		TrustedProxies: []string{"127.0.0.0/8", "::1/128"},
		SocketMode:     "0660",
		Session:        Session{Lifetime: 30 * day, Refresh: day, MaxLifetime: 180 * day},
		Password:       Password{Enabled: true},
		Signup:         Signup{Mode: "invite", Domains: []string{}},
		Link:           Link{Lifetime: 2 * hour, CodeLifetime: 15 * minute, Confirm: "button"},
		Mail:           Mail{Mode: "capture", MXPort: 25, DANE: "auto", IPFamily: "auto", Submission: MailSubmission{TLS: "starttls"}},
		Backup:         Backup{Every: day, Keep: 7},
		Theme:          Theme{Hue: 205},
		Log:            Log{Format: "text", Level: slog.LevelInfo},
	}
}

// SocketPerm returns SocketMode as a mode, and whether it is one that lets Gatelodge
// itself answer there.
func (c *Config) SocketPerm() (os.FileMode, bool) {
	n, err := strconv.ParseUint(c.SocketMode, 8, 32)
	return os.FileMode(n), err == nil && n <= 0o777 && n&0o600 == 0o600
}

// Origin returns the public origin. c has been checked.
func (c *Config) Origin() *url.URL {
	if c.PublicURL == "" {
		_, port, _ := net.SplitHostPort(c.Listen)
		return &url.URL{Scheme: "http", Host: "localhost:" + port}
	}
	u, err := parseOrigin(c.PublicURL)
	if err != nil {
		return &url.URL{Scheme: "http", Host: "localhost"} // refused by check
	}
	return u
}

// MetricsListen returns where metrics can be read: on this machine, where no other
// address is named.
func (c *Config) MetricsListen() string {
	if host, port, err := net.SplitHostPort(c.Metrics.Listen); err == nil && host == "" {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return c.Metrics.Listen
}

// SetPort tells which port the server got when it asked for any (":0").
func (c *Config) SetPort(addr net.Addr) {
	tcp, ok := addr.(*net.TCPAddr)
	host, port, err := net.SplitHostPort(c.Listen)
	if ok && err == nil && port == "0" {
		c.Listen = net.JoinHostPort(host, strconv.Itoa(tcp.Port))
	}
}

// EHLOName returns the name we give to mail servers.
func (c *Config) EHLOName() string {
	if c.Mail.EHLOName != "" {
		return c.Mail.EHLOName
	}
	name := c.Origin().Hostname()
	// RFC 5321, 4.1.3: an address stands in brackets.
	switch ip, err := netip.ParseAddr(name); {
	case err == nil && ip.Is6():
		return "[IPv6:" + name + "]"
	case err == nil:
		return "[" + name + "]"
	}
	return name
}

// MailFrom returns the sender of our mail. Captured mail needs none.
func (c *Config) MailFrom() mail.Address {
	if c.Mail.From != "" {
		if a, err := parseSender(c.Mail.From); err == nil {
			return a
		}
	}
	return mail.Address{Name: c.Name, Address: "login@" + mailDomain(c.Origin().Hostname())}
}

// mailDomain is the domain of a sender at a host. An address has none.
func mailDomain(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return "localhost"
	}
	return host
}

// DKIMDomain returns the domain that signs our mail.
func (c *Config) DKIMDomain() string {
	if c.Mail.DKIM.Domain != "" {
		return strings.ToLower(c.Mail.DKIM.Domain)
	}
	return domainOf(c.MailFrom())
}

// Resolver returns the address of the resolver for direct mail, with its port,
// or "" for the system's.
func (c *Config) Resolver() string {
	text := c.Mail.Resolver
	if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return netip.AddrPortFrom(ip, 53).String()
	}
	return text
}

// MailSource returns the address that direct mail comes from, the zero Addr for
// the system's choice, and its family: 4, 6, or 0 for both.
func (c *Config) MailSource() (ip netip.Addr, family int) {
	ip, _ = netip.ParseAddr(c.Mail.SourceIP) // checked
	family, _ = strconv.Atoi(c.Mail.IPFamily)
	return ip, family
}

// Trusted returns the proxies whose X-Forwarded-For counts.
func (c *Config) Trusted() []netip.Prefix {
	var list []netip.Prefix
	for _, text := range c.TrustedProxies {
		if p, err := parsePrefix(text); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// Smarthost is the parsed form of mail.smarthost.
type Smarthost struct {
	Host     string
	Port     int
	TLS      string // "implicit", "starttls" or "off"
	User     string
	Password Secret
}

// Smarthost returns where mail is handed to. c has been checked.
func (c *Config) Smarthost() Smarthost {
	h, err := parseSmarthost(c.Mail.Smarthost.URL)
	if err != nil {
		return Smarthost{}
	}
	h.Password = c.Mail.Smarthost.Password
	return h
}

// Local reports whether people open the server on this machine alone.
func (c *Config) Local() bool { return loopback(c.Origin().Hostname()) }

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
