package submission_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message"

	"gatelodge/app"
	appaudit "gatelodge/app/audit"
	"gatelodge/app/mail/queue"
	"gatelodge/store"
)

func audit() appaudit.Origin { return app.Operator() }

// told lets an attempt end as r says and returns the report that it gave.
func told(t *testing.T, h *relay, w store.Work, r store.Report) *store.Work {
	t.Helper()
	h.pass(time.Second) // so that the newest is the newest
	before := len(h.captured(0))
	err := h.app.DB.Update(t.Context(), func(tx *store.Tx) error { return h.app.Relay.OnReport(tx, w, r) })
	if err != nil {
		t.Fatal(err)
	}
	h.app.Queue.Wake()
	waiting, err := h.app.Outbox.List(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if len(waiting) == before {
		return nil
	}
	for _, c := range h.captured(before + 1) {
		if c.Class == queue.ClassReport && c.ID == waiting[0].ID {
			return &c
		}
	}
	t.Fatal("the report is not there")
	return nil
}

func TestTheSenderIsToldOfFailureAndOfDelayOnce(t *testing.T) {
	h := open(t, nil)
	if err := mail(h.login(), "nas@home.example", []string{"mara@x.example"}, plain); err != nil {
		t.Fatal(err)
	}
	w := h.captured(1)[0]
	if got := told(t, h, w, store.Report{State: "queued", Code: 451}); got != nil {
		t.Error("a first delay of minutes was told")
	}
	if got := told(t, h, w, store.Report{State: "sent", Code: 250}); got != nil {
		t.Error("success was told")
	}
	h.pass(4*time.Hour + time.Minute)
	late := store.Report{State: "queued", Code: 451, Enhanced: "4.7.1", Text: "greylisted"}
	checkReport(t, told(t, h, w, late), "delayed", "4.7.1")
	if told(t, h, w, late) != nil {
		t.Error("the delay was told twice")
	}
	checkReport(t, told(t, h, w, store.Report{State: "failed", Code: 550, Enhanced: "5.1.1", Text: "no such user"}), "failed", "5.1.1")
	checkReport(t, told(t, h, w, store.Report{State: "expired", Text: "it would have come too late"}), "failed", "5.4.7")
	expired := told(t, h, w, store.Report{State: "expired", Code: 451, Enhanced: "4.7.1", Text: "greylisted"})
	checkReport(t, expired, "failed", "5.4.7")
	if !strings.Contains(string(expired.Body), "smtp; 451 4.7.1 greylisted") {
		t.Errorf("it does not say what kept the mail:\n%s", expired.Body)
	}
}

// checkReport reads a report with a parser that is not ours.
func checkReport(t *testing.T, w *store.Work, action, status string) {
	t.Helper()
	if w == nil {
		t.Fatalf("nobody was told: %s", action)
	}
	if w.EnvFrom != "" || w.Rcpt != "nas@home.example" {
		t.Errorf("it goes from %q to %q, want from nobody to the sender", w.EnvFrom, w.Rcpt)
	}
	e, err := message.Read(strings.NewReader(string(w.Body)))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := e.Header.ContentType()
	if err != nil || kind != "multipart/report" || params["report-type"] != "delivery-status" || e.Header.Get("Auto-Submitted") != "auto-replied" {
		t.Errorf("it is %s %v, %q, %v", kind, params, e.Header.Get("Auto-Submitted"), err)
	}
	r := e.MultipartReader()
	var kinds, bodies []string
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, _, err := p.Header.ContentType()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		kinds, bodies = append(kinds, kind), append(bodies, string(b))
	}
	if got := strings.Join(kinds, " "); got != "text/plain message/delivery-status text/rfc822-headers" {
		t.Fatalf("its parts are %s", got)
	}
	for part, wanted := range map[int][]string{
		0: {"mara@x.example"},
		1: {"Reporting-MTA: dns; auth.home.example\r\n", "Final-Recipient: rfc822; mara@x.example\r\n", "Action: " + action + "\r\n", "Status: " + status + "\r\n"},
		2: {"Subject: Disk\r\n", "From: Disk watch <nas@home.example>\r\n"},
	} {
		for _, want := range wanted {
			if !strings.Contains(bodies[part], want) {
				t.Errorf("part %d lacks %q:\n%s", part, want, bodies[part])
			}
		}
	}
	if strings.Contains(bodies[2], "It is full") {
		t.Error("the report holds the mail itself")
	}
}

// When the next attempt is hours away, the sender hears of it now.
func TestADelayIsToldWhenItIsCertain(t *testing.T) {
	h := open(t, nil)
	if err := mail(h.login(), "nas@home.example", []string{"mara@x.example"}, plain); err != nil {
		t.Fatal(err)
	}
	w := h.captured(1)[0]
	h.pass(2 * time.Hour)
	if told(t, h, w, store.Report{State: "queued", Code: 451, DueAt: h.Now().Add(time.Hour)}) != nil {
		t.Error("a delay of three hours was told")
	}
	checkReport(t, told(t, h, w, store.Report{State: "queued", Code: 451, DueAt: h.Now().Add(3 * time.Hour)}), "delayed", "4.0.0")
}

// While a domain waits nothing is tried, and no attempt ends that could tell.
func TestADelayIsToldThoughNothingIsTried(t *testing.T) {
	h := open(t, nil)
	// The queue begins by forgetting who was waited for.
	if err := mail(h.login(), "nas@home.example", []string{"jin@y.example"}, plain); err != nil {
		t.Fatal(err)
	}
	h.captured(1)
	now := h.Now()
	err := h.app.DB.Update(t.Context(), func(tx *store.Tx) error {
		return tx.BackOff("x.example", "connection refused", 9, now.Add(24*time.Hour), now.Add(24*time.Hour), now)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := mail(h.login(), "nas@home.example", []string{"mara@x.example"}, plain); err != nil {
		t.Fatal(err)
	}
	late := func() int {
		t.Helper()
		n, err := h.app.Relay.TellLate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	h.pass(4*time.Hour - time.Minute)
	if n := late(); n != 0 {
		t.Errorf("%d senders were told within four hours", n)
	}
	h.pass(2 * time.Minute)
	if n := late(); n != 1 {
		t.Errorf("%d senders were told, want 1", n)
	}
	w := h.captured(2)[0]
	checkReport(t, &w, "delayed", "4.0.0")
	if !strings.Contains(string(w.Body), "Reason: connection refused") {
		t.Errorf("the report does not say why:\n%s", w.Body)
	}
	if n := late(); n != 0 {
		t.Errorf("%d senders were told again", n)
	}
}

// RFC 6533: whoever reads the report learns which of the recipients it was.
func TestAReportNamesARecipientBeyondASCII(t *testing.T) {
	h := open(t, nil)
	if err := mail(h.login(), "nas@home.example", []string{"grün+1@x.example"}, plain); err != nil {
		t.Fatal(err)
	}
	w := told(t, h, h.captured(1)[0], store.Report{State: "failed", Code: 550, Enhanced: "5.1.1", Text: "no such user"})
	if w == nil || !strings.Contains(string(w.Body), "\r\nFinal-Recipient: utf-8; gr\\x{FC}n\\x{2B}1@x.example\r\n") {
		t.Errorf("got %+v", w)
	}
}

// A report about a report would be the beginning of a loop.
func TestNobodyIsToldOfALostReport(t *testing.T) {
	h := open(t, nil)
	if told(t, h, store.Work{Message: store.Message{ID: "r", Class: queue.ClassReport, Rcpt: "nas@home.example"}}, store.Report{State: "failed", Code: 550}) != nil {
		t.Error("a report was told of")
	}
	refused(t, mail(h.login(), "", []string{"nas@home.example"}, plain), "553 5.1.7")
}
