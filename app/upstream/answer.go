package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/oauth2"
)

// exchanging gives x/oauth2 a client that understands the token endpoints there are.
func (u *Upstream) exchanging(ctx context.Context) context.Context {
	client := *u.client
	client.Transport = tidy{u.client.Transport}
	return context.WithValue(ctx, oauth2.HTTPClient, &client)
}

// tidy turns an answer of a token endpoint into the one that RFC 6749, 5.1 and 5.2
// describe: JSON under any content type or a form, with a lifetime that is a whole
// number. An answer of success that holds neither a token nor an error is an
// unreadableError.
type tidy struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t tidy) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	answer, ok := readTokenAnswer(res.Header.Get("Content-Type"), body)
	fails := res.StatusCode < 200 || res.StatusCode > 299
	switch at := r.URL.Host + r.URL.Path; {
	case !ok && !fails:
		return nil, &unreadableError{at, "that is neither JSON nor a form"}
	case !ok:
		answer = map[string]any{}
	case !fails && answer["error"] == nil && answer["access_token"] == nil:
		return nil, &unreadableError{at, "without an access token"}
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	tidied := jsonResponse(r, text)
	tidied.Status, tidied.StatusCode = res.Status, res.StatusCode
	return tidied, nil
}

// readTokenAnswer returns what of a token endpoint's answer counts, and whether it
// could be read at all.
func readTokenAnswer(contentType string, body []byte) (map[string]any, bool) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	raw, err := decodeClaims(body)
	if err != nil {
		if raw = readTokenForm(contentType, body); raw == nil {
			return nil, false
		}
	}
	answer := make(map[string]any)
	for _, name := range []string{"access_token", "token_type", "refresh_token", "id_token"} {
		if text := raw.text(name); text != "" {
			answer[name] = text
		}
	}
	if scope := strings.Join(raw.list("scope"), " "); scope != "" {
		answer["scope"] = scope
	}
	if seconds := lifetime(raw.text("expires_in")); seconds > 0 {
		answer["expires_in"] = seconds
	}
	if code := errorCode(raw["error"]); code != "" {
		answer["error"] = code
	}
	return answer, true
}

// readTokenForm reads an answer in the form of a query, or returns nil.
func readTokenForm(contentType string, body []byte) claims {
	values, err := url.ParseQuery(string(body))
	media, _, _ := mime.ParseMediaType(contentType)
	if err != nil || media != "application/x-www-form-urlencoded" && !values.Has("access_token") && !values.Has("error") {
		return nil
	}
	c := make(claims)
	for name := range values {
		c[name] = values.Get(name)
	}
	return c
}

// lifetime reads a number of seconds however it is written; 0 is none.
func lifetime(text string) int64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(n) || n < 1 {
		return 0
	}
	return int64(min(n, math.MaxInt32))
}

// errorCode returns the code of an error, which some send as an object (Facebook).
func errorCode(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		if v {
			return "error"
		}
	case json.Number:
		if v != "0" {
			return v.String()
		}
	case map[string]any:
		if code := firstOf(claims(v).text, "error", "type", "status", "code"); code != "" {
			return code
		}
		return "error"
	}
	return ""
}
