package deliver_test

import (
	"bytes"
	"strings"
	"testing"

	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/mailtest"
)

func TestPostfix(t *testing.T) {
	t.Parallel()
	postfix := mailtest.Postfix(t)
	host := func(change func(*deliver.Smarthost)) *deliver.Smarthost {
		return smarthost(postfix.Host, postfix.Port, func(s *deliver.Smarthost) {
			s.TLS, s.Roots, s.User, s.Password, s.Limits = deliver.StartTLS, postfix.CA.Pool, postfix.User, postfix.Password, deliver.SignInLimits()
			if change != nil {
				change(s)
			}
		})
	}
	tests := map[string]struct {
		to     string
		change func(*deliver.Smarthost)
		class  deliver.Class
		code   int
	}{
		"somebody it knows":               {"mara@else.example", nil, deliver.Sent, 250},
		"somebody it does not know":       {"nobody@else.example", nil, deliver.Permanent, 550},
		"a full mailbox":                  {"full@else.example", nil, deliver.Permanent, 552},
		"a greylisted recipient":          {"slow@else.example", nil, deliver.Temporary, 450},
		"a wrong password":                {"mara@else.example", func(s *deliver.Smarthost) { s.Password = "wrong" }, deliver.Paused, 535},
		"a name that is no domain's":      {"mara@else.example", func(s *deliver.Smarthost) { s.EHLO = "localhost" }, deliver.Permanent, 504},
		"no login where one is due":       {"mara@else.example", func(s *deliver.Smarthost) { s.User = "" }, deliver.Permanent, 554},
		"without TLS where that is asked": {"mara@else.example", func(s *deliver.Smarthost) { s.TLS = deliver.NoTLS; s.User = "" }, deliver.Paused, 530},
		"an authority it is not under":    {"mara@else.example", func(s *deliver.Smarthost) { s.Roots = mailtest.NewAuthority(t).Pool }, deliver.Temporary, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := envelope()
			e.To = tt.to
			got := host(tt.change).Deliver(t.Context(), e, noDot, nil)
			if got.Class != tt.class || got.Code != tt.code {
				t.Errorf("got class %d, %d %s at %s (%v), want class %d, %d", got.Class, got.Code, got.Text, got.Stage, got.Err, tt.class, tt.code)
			}
		})
	}
	arrived := postfix.Messages(t, 1)
	if len(arrived) != 1 || !bytes.HasSuffix(arrived[0], []byte("\r\n"+body)) && !strings.Contains(string(arrived[0]), "line\r\n.dot\r\n..two\r\n") {
		t.Errorf("got %d messages: %q", len(arrived), arrived)
	}
	if !strings.Contains(string(arrived[0]), "from auth.home.example") {
		t.Errorf("Postfix did not learn our name: %q", arrived[0])
	}
}
