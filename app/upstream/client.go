package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	answerWithin = 10 * time.Second
	maxAnswer    = 1 << 20
)

// newClient returns what asks upstreams. It follows no redirect: a code, a secret
// or a token would go where nobody registered them.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 4
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	transport.TLSHandshakeTimeout = 5 * time.Second
	return &http.Client{
		Timeout: answerWithin, Transport: capped{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// capped bounds what an upstream can make us read.
type capped struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", "Gatelodge") // GitHub wants one
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "application/json")
	}
	res, err := c.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, maxAnswer), res.Body}
	return res, nil
}

// keysFor is how long an upstream is not asked again for its keys. go-oidc asks at
// every token that none of them fits.
const keysFor = time.Minute

// remembered gives the same answer again for keysFor.
type remembered struct {
	http.RoundTripper
	now func() time.Time

	mu   sync.Mutex
	at   time.Time
	body []byte // nil: never answered
}

// RoundTrip implements http.RoundTripper. Only an answer is remembered, no failure.
func (m *remembered) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if age := now.Sub(m.at); m.body == nil || age < 0 || age >= keysFor {
		res, err := m.RoundTripper.RoundTrip(r)
		if err != nil || res.StatusCode != http.StatusOK {
			return res, err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return nil, err
		}
		m.at, m.body = now, body
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(m.body)), Request: r,
	}, nil
}

// with gives the libraries our client.
func (u *Upstream) with(ctx context.Context) context.Context {
	return context.WithValue(oidc.ClientContext(ctx, u.client), oauth2.HTTPClient, u.client)
}

// statusError is an answer that is none. What stands in it is not kept: it may
// hold what must not be logged.
type statusError struct {
	at     string
	status int
}

func (e *statusError) Error() string { return fmt.Sprintf("%s answered %d", e.at, e.status) }

// get reads the JSON at an address that belongs to the bearer of the token.
func (u *Upstream) get(ctx context.Context, at, token string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := u.client.Do(req)
	if err != nil {
		return withoutQuery(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return &statusError{req.URL.Host + req.URL.Path, res.StatusCode}
	}
	dec := json.NewDecoder(res.Body)
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("reading what %s answered: %w", req.URL.Host+req.URL.Path, err)
	}
	return nil
}

// withoutQuery takes the query out of an error of net/http: it may hold what
// must not be logged.
func withoutQuery(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		if at, bad := url.Parse(e.URL); bad == nil {
			at.RawQuery, at.Fragment, at.User = "", "", nil
			return &url.Error{Op: e.Op, URL: at.String(), Err: e.Err}
		}
	}
	return err
}

// troubled turns what went wrong in talking to the upstream into a fault.
func (u *Upstream) troubled(err error) error {
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		status := 0
		if e.Response != nil {
			status = e.Response.StatusCode
		}
		cause := fmt.Errorf("the token endpoint answered %d, %s", status, clean(e.ErrorCode))
		switch {
		case e.ErrorCode == "invalid_grant" || e.ErrorCode == "bad_verification_code":
			return u.fault(ErrStale, cause)
		case status >= 500 || status == http.StatusTooManyRequests || e.ErrorCode == "temporarily_unavailable" || e.ErrorCode == "server_error":
			return u.fault(ErrDown, cause)
		}
		return u.fault(ErrMisconfigured, cause)
	}
	if e, ok := errors.AsType[*statusError](err); ok && e.status < 500 && e.status != http.StatusTooManyRequests {
		return u.fault(ErrMisconfigured, err)
	}
	return u.fault(ErrDown, withoutQuery(err))
}

// clean makes a word out of what an upstream says, for the log.
func clean(text string) string {
	out := make([]rune, 0, len(text))
	for _, r := range text {
		if len(out) == 60 {
			break
		}
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.' {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return "no error code"
	}
	return string(out)
}
