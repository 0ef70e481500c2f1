package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
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
	"github.com/go-jose/go-jose/v4"
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
		body, err := m.ask(r)
		if err != nil {
			return nil, err
		}
		m.at, m.body = now, body
	}
	return jsonResponse(r, m.body), nil
}

// ask asks for the keys and keeps those that can be read: one of a kind that nobody
// here knows must not hide the others.
func (m *remembered) ask(r *http.Request) ([]byte, error) {
	res, err := m.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := readAnswer(res)
	if err != nil {
		return nil, err
	}
	var answer, good struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return nil, &unreadableError{r.URL.Host + r.URL.Path, "that is no set of keys"}
	}
	for _, text := range answer.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(text, &key) == nil {
			good.Keys = append(good.Keys, text)
		}
	}
	if len(good.Keys) == 0 {
		return nil, &unreadableError{r.URL.Host + r.URL.Path, "without a key that can be read"}
	}
	return json.Marshal(good)
}

// jsonResponse is an answer of ours to a library.
func jsonResponse(r *http.Request, body []byte) *http.Response {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)), Request: r,
	}
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

// unreadableError is an answer that came whole and is not what it has to be. To ask
// again does not help.
type unreadableError struct{ at, what string }

func (e *unreadableError) Error() string {
	at := e.at
	if u, err := url.Parse(at); err == nil && u.Host != "" {
		at = u.Host + u.Path
	}
	return at + " sent an answer " + e.what
}

// readAnswer reads an answer of status 200 to its end and closes it.
func readAnswer(res *http.Response) ([]byte, error) {
	defer res.Body.Close()
	at := res.Request.URL.Host + res.Request.URL.Path
	if status := res.StatusCode; status != http.StatusOK {
		// GitHub says 403 where others say 429.
		if status == http.StatusForbidden && (res.Header.Get("Retry-After") != "" || res.Header.Get("X-RateLimit-Remaining") == "0") {
			status = http.StatusTooManyRequests
		}
		return nil, &statusError{at, status}
	}
	body, err := io.ReadAll(res.Body)
	if err == nil && len(body) >= maxAnswer {
		err = errors.New("it is too long")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", at, err)
	}
	return body, nil
}

// ask reads what is at an address that belongs to the bearer of the token.
func (u *Upstream) ask(ctx context.Context, at, token string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := u.client.Do(req)
	if err != nil {
		return nil, nil, withoutQuery(err)
	}
	body, err := readAnswer(res)
	return body, res.Header, err
}

// get reads the JSON at such an address.
func (u *Upstream) get(ctx context.Context, at, token string, into any) (http.Header, error) {
	body, header, err := u.ask(ctx, at, token)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		return nil, &unreadableError{at, "that is not the JSON it has to be"}
	}
	return header, nil
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

// faultOf turns what went wrong in talking to the upstream into a fault.
func (u *Upstream) faultOf(err error) error {
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
	if _, ok := errors.AsType[*unreadableError](err); ok {
		return u.fault(ErrMisconfigured, withoutQuery(err))
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return u.fault(ErrMisconfigured, withoutQuery(err))
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
