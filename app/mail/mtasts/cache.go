package mtasts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"sync"
	"time"

	"gatelodge/app/mail/reach"
	"gatelodge/app/mail/resolve"
	"gatelodge/store"
)

const (
	maxPolicy   = 64 << 10
	fetchWithin = 10 * time.Second
	refreshFrom = 24 * time.Hour  // a policy is fetched anew when it is that old
	failedFor   = 5 * time.Minute // a policy that could not be had is not asked for again
	maxFailed   = 1000
	refreshEach = time.Hour // policies that are due are looked for
	maxRefresh  = 1000      // at a time
)

// Cache keeps policies in the store until they end. Make it with New.
type Cache struct {
	// Port is where policies are fetched: 443 but in a laboratory.
	Port string

	db       *store.DB
	resolver *resolve.Resolver
	now      func() time.Time
	client   *http.Client

	mu     sync.Mutex
	failed map[string]time.Time // by domain and id: when it failed
}

// New returns a cache. roots are nil for the system's;
func New(db *store.DB, resolver *resolve.Resolver, guard reach.Guard, roots *x509.CertPool, now func() time.Time) *Cache {
	transport := guard.Transport(resolver)
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &Cache{
		Port: "443", db: db, resolver: resolver, now: now, failed: make(map[string]time.Time),
		client: &http.Client{
			Transport: transport, Timeout: fetchWithin,
			// RFC 8461, 3.3: a redirect is not followed.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// ErrUnread means that what is kept of a domain could not be read. Then nobody knows
// whether it has a policy.
var ErrUnread = errors.New("what is kept of the domain could not be read")

// Policy returns the policy of a domain, the zero Policy when it has none. A
// policy that is kept is used until it ends, whatever DNS and the web say
// meanwhile: they may be in the hands of whoever wants to read the mail. The
// error tells why a new one could not be had; the policy beside it counts.
func (c *Cache) Policy(ctx context.Context, domain string) (Policy, error) {
	var known store.MailDomain
	err := c.db.View(ctx, func(tx *store.Tx) (err error) {
		known, err = tx.MailDomain(domain)
		return err
	})
	if err != nil {
		return Policy{}, fmt.Errorf("%w: %w", ErrUnread, err)
	}
	kept, fresh := c.kept(known)
	records, err := c.resolver.TXT(ctx, "_mta-sts."+domain)
	if err != nil && !errors.Is(err, resolve.ErrNoName) {
		return kept, nil
	}
	id := recordID(records)
	if id == "" || id == known.STSID && fresh || c.failedLately(domain+" "+id) {
		return kept, nil
	}
	text, policy, err := c.fetch(ctx, domain)
	if err != nil {
		c.fail(domain + " " + id)
		return kept, fmt.Errorf("the MTA-STS policy of %s: %w", domain, err)
	}
	now := c.now()
	err = c.db.Update(ctx, func(tx *store.Tx) error { return tx.SetSTSPolicy(domain, id, text, now.Add(policy.MaxAge), now) })
	return policy, err
}

// Run keeps policies fresh until ctx ends: one that is only asked for when there is
// mail would have ended by then for a domain that is written to seldom, and so be no
// help against whoever holds back the new one (RFC 8461, 3.3 and 10.2).
func (c *Cache) Run(ctx context.Context, failed func(error)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(refreshEach):
		}
		if err := c.Refresh(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}

// Refresh asks anew for each policy that is a day old. That a domain does not answer
// is no error: its policy holds until it ends.
func (c *Cache) Refresh(ctx context.Context) error {
	var list []store.MailDomain
	err := c.db.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.PolicyDomains(c.now(), maxRefresh)
		return err
	})
	if err != nil {
		return err
	}
	for _, d := range list {
		if _, fresh := c.kept(d); fresh || ctx.Err() != nil {
			continue
		}
		if _, err := c.Policy(ctx, d.Domain); errors.Is(err, ErrUnread) {
			return err
		}
	}
	return nil
}

// kept returns the policy in the store, and whether it is young enough not to
// be asked for again.
func (c *Cache) kept(known store.MailDomain) (p Policy, fresh bool) {
	if !c.now().Before(known.STSUntil) {
		return Policy{}, false
	}
	p, err := Parse(known.STSPolicy)
	if err != nil {
		return Policy{}, false
	}
	return p, c.now().Before(known.STSUntil.Add(refreshFrom - p.MaxAge))
}

func (c *Cache) failedLately(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now().Before(c.failed[key].Add(failedFor))
}

func (c *Cache) fail(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failed) >= maxFailed {
		clear(c.failed)
	}
	c.failed[key] = c.now()
}

func (c *Cache) fetch(ctx context.Context, domain string) (string, Policy, error) {
	host := "mta-sts." + domain
	if c.Port != "443" {
		host = net.JoinHostPort(host, c.Port)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return "", Policy{}, err
	}
	res, err := c.client.Do(req)
	if err != nil {
		return "", Policy{}, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", Policy{}, fmt.Errorf("the server says %s", res.Status)
	}
	if kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || kind != "text/plain" {
		return "", Policy{}, fmt.Errorf("%w: it is not text/plain", ErrPolicy)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxPolicy+1))
	if err != nil {
		return "", Policy{}, err
	}
	if len(text) > maxPolicy {
		return "", Policy{}, fmt.Errorf("%w: it is longer than %d bytes", ErrPolicy, maxPolicy)
	}
	p, err := Parse(string(text))
	return string(text), p, err
}
