package submission_test

import (
	"strings"
	"testing"

	"gatelodge/store"
)

// sent hands over a mail and returns its header as it goes out.
func sent(t *testing.T, h *relay, raw string) string {
	t.Helper()
	if _, err := h.app.Outbox.Empty(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := mail(h.login(), "nas@home.example", []string{"a@x.example"}, raw); err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	head, _, _ := strings.Cut(string(h.captured(1)[0].Body), "\r\n\r\n")
	return head
}

// Printers, NAS and cron write no RFC 5322. Their mail goes out in a form that
// every reader takes for the same author.
func TestMailOfDevicesIsWrittenCorrectly(t *testing.T) {
	h := open(t, nil)
	for raw, want := range map[string]string{
		"From: nas@home.example <nas@home.example>":              `From: "nas@home.example" <nas@home.example>`,
		"From: UPS: main <nas@home.example>":                     `From: "UPS: main" <nas@home.example>`,
		"From: [home] <nas@home.example>":                        `From: "[home]" <nas@home.example>`,
		"From: NAS@home <nas@home.example>":                      `From: "NAS@home" <nas@home.example>`,
		"From: root (Cron Daemon)":                               `From: "Cron Daemon" <nas@home.example>`,
		"From: M\xfcller <nas@home.example>":                     `From: =?utf-8?q?M=C3=BCller?= <nas@home.example>`,
		"From: =?windows-1252?Q?M=FCller?= <nas@home.example>":   "From: =?windows-1252?Q?M=FCller?= <nas@home.example>",
		"From nas Mon Nov 23 12:00\r\nFrom: nas@home.example":    "From: nas@home.example",
		">From nas Mon Nov 23 12:00\r\nFrom: nas@home.example":   "From: nas@home.example",
		"From: nas@home.example\r\nSender: root":                 `Sender: "root" <nas@home.example>`,
		"From:\r\nSubject: x":                                    "From: <nas@home.example>",
		"From: nas@home.example\r\nSubject: St\xf6rung":          "Subject: =?utf-8?q?St=C3=B6rung?=",
		"From: nas@home.example\r\nTo: J\xfcrgen <a@x.example>":  "To: =?utf-8?q?J=C3=BCrgen?= <a@x.example>",
		"From: nas@home.example\r\nX-Device: \xfcber\r\nTo: a@b": "X-Device: über",
		"From: nas@home.example\r\nX-Folded: a\r\n b":            "X-Folded: a\r\n b",
	} {
		if head := sent(t, h, raw+"\r\n\r\nx"); !strings.Contains("\r\n"+head+"\r\n", "\r\n"+want+"\r\n") {
			t.Errorf("%q went out as\n%s\nwant %s", raw, head, want)
		}
	}
}

func TestAForeignAuthorIsRefusedHoweverItIsWritten(t *testing.T) {
	h := open(t, nil)
	for _, from := range []string{
		"From: nas@home.example <sam@home.example>", "From: [x] <sam@home.example>", "From: UPS: nas@home.example <sam@home.example>",
		"From: NAS sam@home.example", "From: sam@home.example (nas@home.example)", "From: =?windows-1252?Q?M=FCller?= <sam@home.example>",
		"From sam\r\nFrom: sam@home.example", "From: nas@home.example\r\nSender: [x] <sam@home.example>",
		"From: nas@home.example\r\nResent-From: Sam <sam@home.example>", "From: nas@home.example\r\nResent-Sender: sam@home.example",
		"From: nas@home.example\r\nResent-From: nas@home.example\r\nResent-From: sam@home.example",
	} {
		refused(t, mail(h.login(), "nas@home.example", []string{"a@x.example"}, from+"\r\n\r\nx"), "553 5.7.1")
	}
	for _, from := range []string{"From: [x] nas@home.example sam@home.example", "From: nas@home.example\r\nResent-From: nas@home.example, sam@home.example"} {
		refused(t, mail(h.login(), "nas@home.example", []string{"a@x.example"}, from+"\r\n\r\nx"), "550 5.6.0")
	}
	if list := h.messages(); len(list) > 0 {
		t.Errorf("%d messages were taken", len(list))
	}
}

// RFC 8601, 5: a reader would believe that this server had checked the mail.
func TestAnAppCannotForgeOurAuthenticationResults(t *testing.T) {
	h := open(t, nil)
	head := sent(t, h, "From: nas@home.example\r\nAuthentication-Results: auth.home.example; dkim=pass one\r\n"+
		"authentication-results: (x) AUTH.HOME.EXAMPLE.;\r\n spf=pass two\r\nAuthentication-Results: \"mx.home.example\" 1; dkim=pass three\r\n"+
		"Authentication-Results: home.example/1; dkim=pass four\r\nAuthentication-Results: ; five\r\n"+
		"Authentication-Results: (a\\)b) home.example; seven\r\nAuthentication-Results: \"home\\.example\"; eight\r\n"+
		"Authentication-Results: \" home.example\"; nine\r\n"+
		"Authentication-Results: mx.else.example; dkim=pass six\r\nResent-From: nas@home.example\r\n\r\nx")
	for _, word := range []string{"one", "two", "three", "four", "five", "seven", "eight", "nine"} {
		if strings.Contains(head, word) {
			t.Errorf("%s is passed on:\n%s", word, head)
		}
	}
	if !strings.Contains(head, "mx.else.example; dkim=pass six") || !strings.Contains(head, "Resent-From: nas@home.example") {
		t.Errorf("what is not ours is gone:\n%s", head)
	}
}

// The From that is added must not become part of the line before it.
func TestAHeaderThatEndsTooEarlyDoesNotSwallowTheAuthor(t *testing.T) {
	h := open(t, nil)
	for _, raw := range []string{"0:\r\n 0", "Subject: x", "Subject: x\r\n y"} {
		if head := sent(t, h, raw); !strings.Contains(head, "\r\nFrom: nas@home.example") {
			t.Errorf("%q went out as\n%s", raw, head)
		}
	}
}

// Eight such mails stopped the relay for half a minute each.
func TestAHeaderOfManyFoldsIsRefused(t *testing.T) {
	h := open(t, func(c *store.SubmissionCredential) { c.MaxBytes = 10 << 20 })
	raw := "From: nas@home.example\r\nX-Long: a\r\n" + strings.Repeat(" b\r\n", 80_000) + "\r\nx"
	refused(t, mail(h.login(), "nas@home.example", []string{"a@x.example"}, raw), "552 5.3.4")
	sent(t, h, "From: nas@home.example\r\nX-Long: a\r\n"+strings.Repeat(" b\r\n", 40_000)+"\r\nx")
}
