package web_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"gatelodge/store"
)

// hand posts a mail as an app does.
func (h *testServer) hand(name, password, body string) (int, string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url+"/api/mail/send", strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if name != "" {
		r.SetBasicAuth(name, password)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestAnAppSendsMailOverHTTP(t *testing.T) {
	h := open(t, nil)
	password, err := h.app.Relay.Add(t.Context(), store.SubmissionCredential{Name: "nas", Senders: "nas@home.example", Recipients: "*@x.example"})
	if err != nil {
		t.Fatal(err)
	}
	const good = `{"from":"Disk <nas@home.example>","to":["mara@x.example","jin@x.example"],"subject":"Voll","text":"Grüße"}`
	for name, try := range map[string]struct {
		name, password, body string
		status               int
		code                 string
	}{
		"a good mail":                          {"nas", password, good, 202, ""},
		"no login":                             {"", "", good, 401, "5.7.0"},
		"a wrong password":                     {"nas", "wrong", good, 401, "5.7.8"},
		"no address as sender":                 {"nas", password, strings.Replace(good, "nas@home.example", `nas@home..example`, 1), 422, "5.6.0"},
		"no address as recipient":              {"nas", password, strings.Replace(good, "jin@x.example", `\"jin\"@x.example`, 1), 422, "5.1.3"},
		"a quoted sender":                      {"nas", password, strings.Replace(good, "<nas@home.example>", `<\"n s\"@home.example>`, 1), 422, "5.1.7"},
		"more recipients than a mail may have": {"nas", password, strings.Replace(good, `["mara`, `["`+strings.Repeat(`a@x.example","`, 99)+`mara`, 1), 422, "5.5.3"},
		"more bytes than may be":               {"nas", password, strings.Replace(good, "Grüße", strings.Repeat("long ", 5<<20), 1), 413, "5.3.4"},
		"more bytes behind the mail":           {"nas", password, good + strings.Repeat(" ", 21<<20), 413, "5.3.4"},
		"another sender":                       {"nas", password, strings.Replace(good, "nas@", "sam@", 1), 403, "5.7.1"},
		"another recipient":                    {"nas", password, strings.Replace(good, "jin@x", "jin@y", 1), 403, "5.7.1"},
		"a header too many":                    {"nas", password, strings.Replace(good, "Voll", `Voll\r\nBcc: x@y.example`, 1), 422, "5.6.0"},
		"a key nobody has":                     {"nas", password, strings.Replace(good, "subject", "betreff", 1), 422, "5.6.0"},
		"no JSON":                              {"nas", password, "hello", 422, "5.6.0"},
		"nobody":                               {"nas", password, `{"from":"nas@home.example","to":[],"text":"x"}`, 422, "5.6.0"},
	} {
		status, body := h.hand(try.name, try.password, try.body)
		var said struct{ ID, Error, Message, Reference string }
		if err := json.Unmarshal([]byte(body), &said); err != nil {
			t.Fatalf("%s: %v: %s", name, err, body)
		}
		if status != try.status || said.Error != try.code {
			t.Errorf("%s: got %d %s, want %d %s", name, status, body, try.status, try.code)
		}
	}
	small, err := h.app.Relay.Add(t.Context(), store.SubmissionCredential{Name: "few", Senders: "nas@home.example", PerHour: 1})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := h.hand("few", small, good); status != 422 || !strings.Contains(body, `"5.5.3"`) {
		t.Errorf("two recipients where one an hour may be: got %d %s", status, body)
	}
	list, err := h.app.Outbox.List(t.Context(), true)
	if err != nil || len(list) != 2 {
		t.Errorf("got %d messages, %v, want the good mail's two", len(list), err)
	}
}

// A credential that may send ten megabytes may do so over HTTP.
func TestALongMailGoesOverHTTP(t *testing.T) {
	h := open(t, nil)
	password, err := h.app.Relay.Add(t.Context(), store.SubmissionCredential{Name: "nas", Senders: "nas@home.example"})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("a line of the log\\n", 3<<20/18)
	if status, body := h.hand("nas", password, `{"from":"nas@home.example","to":["mara@x.example"],"subject":"Log","text":"`+text+`"}`); status != 202 {
		t.Errorf("got %d %s", status, body)
	}
}
