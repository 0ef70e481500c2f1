// Package shell is what all rooms of package web share: who asks, which route may be
// used by whom, errors as pages, cookies, limits and the access log.
package shell

import (
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"gatelodge/app/account"
	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/app/lang"
	"gatelodge/app/limit"
	"gatelodge/app/links"
	"gatelodge/app/mail/submission"
	"gatelodge/app/proxy"
	"gatelodge/app/secret"
	"gatelodge/app/session"
)

// Templates write the pages.
type Templates interface {
	Render(w io.Writer, p lang.Printer, name string, data any) error
}

// Config is what a Shell is made of.
type Config struct {
	Origin   *url.URL // the one origin people see
	Name     string   // of the instance
	Contact  string   // who runs it, or ""
	InboxKey string   // opens the pages of captured mail; "" where there are none

	Sessions  *session.Sessions
	Account   *account.Service
	Relay     *submission.Service
	Audit     *audit.Log
	Recent    *audit.Recent
	Proxies   *proxy.Reader
	Limits    *limit.Limiter
	Lang      *lang.Catalog
	Cookies   *Cookies
	Templates Templates
	Now       func() time.Time
	Log       *slog.Logger

	// Entered makes the attempt of our own pages the one that began at an App's address,
	// when a request says so, and reports whether it has answered.
	Entered func(*Request) (bool, error)
	// ErrorPage says a fault in the reader's words and where to go from there.
	ErrorPage func(*Request, *fault.Fault) ErrorPage
}

// Shell is around every request.
type Shell struct {
	Config
	cross *http.CrossOriginProtection
}

// New returns a shell.
func New(c Config) (*Shell, error) {
	s := &Shell{Config: c, cross: http.NewCrossOriginProtection()}
	return s, s.cross.AddTrustedOrigin(c.Origin.Scheme + "://" + c.Origin.Host)
}

// MaxForm is more than any form of ours holds.
const MaxForm = 64 << 10

// Header values that every answer has. They are shared: never append.
var (
	headerNosniff    = []string{"nosniff"}
	headerNoReferrer = []string{"no-referrer"}
	headerNoStore    = []string{"no-store"}
	headerDeny       = []string{"DENY"}
	headerOpener     = []string{"same-origin"}
	headerHSTS       = []string{"max-age=31536000"}
	headerNothing    = []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}
)

// outermost gives each request its Reference and each answer its headers, and
// keeps a panic from ending more than its own request.
func (s *Shell) Outermost(next http.Handler) http.Handler {
	secure := s.Origin.Scheme == "https"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ref := []string{secret.Reference()}
		r.Header[referenceHeader] = ref
		h := w.Header()
		h[referenceHeader] = ref
		h["X-Content-Type-Options"] = headerNosniff
		h["Referrer-Policy"] = headerNoReferrer // pages have a policy of their own, see render
		h["Cache-Control"] = headerNoStore
		h["X-Frame-Options"] = headerDeny
		h["Cross-Origin-Opener-Policy"] = headerOpener
		h["Cross-Origin-Resource-Policy"] = headerOpener
		h["Content-Security-Policy"] = headerNothing
		if secure {
			h["Strict-Transport-Security"] = headerHSTS
		}
		next.ServeHTTP(w, r)
	})
}

// rightHost reports whether a request was sent to the host people see. On a
// loopback origin every loopback name is that; anything else is a page of
// another site that points its name here, or a visitor at an address
// where neither cookies nor links will work. Ports are not compared: proxies
// lose them.
func (s *Shell) RightHost(r *http.Request) bool {
	host, _ := proxy.SplitHost(proxy.NormalHost(r.Host))
	want, _ := proxy.SplitHost(s.Origin.Host)
	return strings.EqualFold(host, want) || LoopbackName(host) && LoopbackName(want)
}

func LoopbackName(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// home is where a sign-in without a target leads.
func Home(target string) string {
	if target = links.Local(target); target == "/" {
		return "/account"
	}
	return target
}
