package mtasts_test

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/app/mail/mailtest"
	"gatelodge/app/mail/mtasts"
	"gatelodge/app/mail/reach"
	"gatelodge/app/mail/resolve"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

// domain is one that publishes a policy, and our memory of it.
type domain struct {
	*mailtest.DNS
	t     *testing.T
	ca    *mailtest.Authority
	cache *mtasts.Cache

	mu      sync.Mutex
	now     time.Time
	serve   http.HandlerFunc
	cert    tls.Certificate
	fetched int
}

func newDomain(t *testing.T) *domain {
	t.Helper()
	d := &domain{DNS: mailtest.ServeDNS(t), t: t, ca: mailtest.NewAuthority(t), now: time.Now()}
	d.cert = d.ca.Certificate(t, "mta-sts.else.example", 24*time.Hour)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		TLSConfig: &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			return &d.cert, nil
		}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d.mu.Lock()
			d.fetched++
			serve := d.serve
			d.mu.Unlock()
			serve(w, r)
		}),
	}
	go server.ServeTLS(l, "", "")
	t.Cleanup(func() { server.Close() })
	db, err := store.Open(t.Context(), store.Options{Dir: storetest.Dir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	clock := func() time.Time {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.now
	}
	resolver := resolve.New(d.Address, clock)
	d.cache = mtasts.New(db, resolver, reach.Guard{AllowPrivate: true}, d.ca.Pool, clock)
	_, d.cache.Port, _ = net.SplitHostPort(l.Addr().String())
	d.A("mta-sts.else.example", "127.0.0.1")
	return d
}

func policy(mode string) http.HandlerFunc { return lasting(mode, 7*24*time.Hour) }

func lasting(mode string, age time.Duration) http.HandlerFunc {
	return text(fmt.Sprintf("version: STSv1\r\nmode: %s\r\nmx: mx.else.example\r\nmax_age: %d\r\n", mode, int(age.Seconds())))
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/mta-sts.txt" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprint(w, body)
	}
}

// publish announces a policy by its id, and serves it.
func (d *domain) publish(id string, h http.HandlerFunc) {
	d.Remove("_mta-sts.else.example")
	if id != "" {
		d.TXT("_mta-sts.else.example", "v=STSv1; id="+id+";")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.serve = h
}

func (d *domain) pass(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

func (d *domain) fetches() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fetched
}

// want looks the policy up and compares its mode, "" for none.
func (d *domain) want(mode string, when string) error {
	d.t.Helper()
	p, err := d.cache.Policy(d.t.Context(), "else.example")
	if p.Mode != mode {
		d.t.Errorf("%s: got the mode %q (%v), want %q", when, p.Mode, err, mode)
	}
	return err
}

// Row 31: whatever becomes of the new policy, the last good one holds until it
// ends, and nobody is asked again at once.
func TestTheLastGoodPolicyIsKept(t *testing.T) {
	t.Parallel()
	redirect := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/mta-sts.txt" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, "version: STSv1\nmode: none\nmax_age: 86400\n")
	}
	for name, next := range map[string]struct {
		serve http.HandlerFunc
		cert  string // another name, or "" for the right one
		says  string
	}{
		"404":                         {http.NotFound, "", "404"},
		"a redirect":                  {redirect, "", "302"},
		"a certificate for elsewhere": {policy("none"), "elsewhere.example", "certificate is valid for elsewhere.example"},
		"a body of a megabyte":        {text("version: STSv1\nmode: none\nmax_age: 86400\n" + strings.Repeat("x: y\n", 1<<18)), "", "longer than"},
		"a page of HTML": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "version: STSv1\nmode: none\nmax_age: 86400\n")
		}, "", "not text/plain"},
		"a mode that is none": {policy("forced"), "", "its mode"},
		"nothing":             {text(""), "", "version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDomain(t)
			d.publish("1", policy("enforce"))
			if err := d.want("enforce", "at first"); err != nil {
				t.Fatal(err)
			}
			d.publish("2", next.serve)
			if next.cert != "" {
				d.mu.Lock()
				d.cert = d.ca.Certificate(t, next.cert, time.Hour)
				d.mu.Unlock()
			}
			d.pass(time.Hour)
			if err := d.want("enforce", "with what came then"); err == nil || !strings.Contains(err.Error(), next.says) {
				t.Errorf("got the error %v, want one with %q", err, next.says)
			}
			n := d.fetches()
			d.pass(time.Minute)
			if err := d.want("enforce", "a minute later"); err != nil || d.fetches() != n {
				t.Errorf("it is asked for again at once (%v)", err)
			}
			d.pass(8 * 24 * time.Hour)
			d.want("", "after its end")
		})
	}
}

func TestAPolicyLivesAsLongAsItSays(t *testing.T) {
	t.Parallel()
	d := newDomain(t)
	d.publish("1", policy("enforce"))
	d.want("enforce", "at first")
	d.want("enforce", "at once again")
	if n := d.fetches(); n != 1 {
		t.Errorf("fetched %d times, want once", n)
	}
	d.publish("2", policy("testing"))
	d.pass(time.Hour)
	d.want("testing", "when its id has changed")

	// Who takes the record away, or all of DNS, takes nothing back.
	d.publish("", policy("none"))
	d.pass(time.Hour)
	d.want("testing", "when its record is gone")
	d.Fail("_mta-sts.else.example", true)
	d.pass(time.Hour)
	d.want("testing", "when DNS fails")
	d.Fail("_mta-sts.else.example", false)

	d.publish("2", policy("testing"))
	n := d.fetches()
	d.pass(25 * time.Hour)
	d.want("testing", "a day later")
	if d.fetches() != n+1 {
		t.Error("a policy of a day is not fetched anew, though it is the same")
	}
	d.pass(6 * 24 * time.Hour) // its end moved by that day
	d.want("testing", "a week after it was first seen")
	d.publish("3", policy("none"))
	d.pass(time.Hour)
	d.want("none", "when it was taken back properly")
}

// Row 31: the policy of a domain that is written to seldom stays known.
func TestPoliciesAreKeptFreshWithoutMail(t *testing.T) {
	t.Parallel()
	d := newDomain(t)
	d.publish("1", lasting("enforce", 3*24*time.Hour))
	d.want("enforce", "at first")
	for range 6 {
		d.pass(25 * time.Hour)
		if err := d.cache.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.fetches(); n != 7 {
		t.Errorf("it was fetched %d times in six days, want 7", n)
	}
	d.publish("", http.NotFound) // somebody holds it back
	d.want("enforce", "six days later")
}

func TestAPolicyOfSecondsIsNotFetchedForEachMail(t *testing.T) {
	t.Parallel()
	d := newDomain(t)
	d.publish("1", lasting("enforce", time.Second))
	d.want("enforce", "at first")
	d.pass(2 * time.Second)
	d.want("enforce", "after its end, fetched anew")
}

func TestWhoeverAnnouncesTwoPoliciesHasNone(t *testing.T) {
	t.Parallel()
	d := newDomain(t)
	d.publish("1", policy("enforce"))
	d.TXT("_mta-sts.else.example", "v=STSv1; id=2")
	if d.want("", "with two records"); d.fetches() != 0 {
		t.Error("it was fetched")
	}
}

// A policy host inside the network is not asked.
func TestThePolicyHostMayNotBeInside(t *testing.T) {
	t.Parallel()
	d := newDomain(t)
	db, err := store.Open(t.Context(), store.Options{Dir: storetest.Dir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	port := d.cache.Port
	d.cache = mtasts.New(db, resolve.New(d.Address, time.Now), reach.Guard{}, d.ca.Pool, time.Now)
	d.cache.Port = port
	d.publish("1", policy("enforce"))
	if err := d.want("", "at a private address"); err == nil || d.fetches() != 0 {
		t.Errorf("got %v after %d fetches", err, d.fetches())
	}
}

func TestServersThatAPolicyNames(t *testing.T) {
	for name, tt := range map[string]struct {
		pattern, host string
		want          bool
	}{
		"the same":                {"mx.else.example", "MX.else.example.", true},
		"another":                 {"mx.else.example", "mx2.else.example", false},
		"a star":                  {"*.else.example", "mx.else.example", true},
		"a star is one label":     {"*.else.example", "a.mx.else.example", false},
		"a star is not none":      {"*.else.example", "else.example", false},
		"a star in the middle":    {"mx.*.example", "mx.else.example", false},
		"a suffix is not a label": {"*.else.example", "mx.evilelse.example", false},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := mtasts.Parse("version: STSv1\nmode: enforce\nmx: " + tt.pattern + "\nmax_age: 1\n")
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Allows(tt.host); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("version: STSv1\r\nmode: enforce\r\nmx: *.else.example\r\nmax_age: 86400\r\n")
	f.Add("version:STSv1\nmode:none\nmax_age:99999999999\n\n:\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := mtasts.Parse(text)
		if err != nil {
			return
		}
		if p.Mode != mtasts.None && len(p.MX) == 0 || p.MaxAge < 0 || p.MaxAge > 31557600*time.Second {
			t.Errorf("%q: got %+v", text, p)
		}
		p.Allows("mx.else.example")
	})
}
