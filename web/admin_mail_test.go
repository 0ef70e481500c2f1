package web_test

import (
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/app/mail/mailtest"
)

// boss is a browser of somebody who runs the server, signed in a moment ago.
func (h *testServer) boss() *browser {
	h.t.Helper()
	u, err := h.app.Users.Add(h.t.Context(), app.Operator(), "sam@home.example", "Sam", true)
	if err != nil {
		h.t.Fatal(err)
	}
	b := h.browser()
	link, _, err := h.app.Login.LinkFor(h.t.Context(), app.Operator(), u)
	if err != nil {
		h.t.Fatal(err)
	}
	b.post(strings.TrimPrefix(link, strings.TrimSuffix(h.app.Config.Origin().String(), "/"))).goesTo(h.t, "/account")
	return b
}

var messageLink = regexp.MustCompile(`/admin/mail/message/([^"]+)`)

func TestAdminsRetryHoldAndTakeBackMail(t *testing.T) {
	smarthost := mailtest.Serve(t, picky)
	h := open(t, through(smarthost.Port))
	h.user("slow@home.example")
	h.user("gone@home.example")
	b := h.boss()
	h.browser().post("/signin", "identifier", "slow@home.example")
	h.browser().post("/signin", "identifier", "gone@home.example")
	h.settled()
	page := b.get("/admin/mail")
	page.is(t, 200, "slow@home.example", "451 4.7.1", "greylisted", "Sign-in link", "in 3", "1 attempt")
	id := messageLink.FindStringSubmatch(page.body)[1]

	b.post("/admin/mail/hold", "id", id).goesTo(t, "/admin/mail")
	b.get("/admin/mail").is(t, 200, "Message held", ">Held<")
	b.post("/admin/mail/retry").goesTo(t, "/admin/mail")
	b.get("/admin/mail").is(t, 200, "No mail to retry.", ">Held<")
	b.post("/admin/mail/retry", "id", id).goesTo(t, "/admin/mail")
	b.get("/admin/mail").is(t, 200, "Retrying 1 message.")
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(b.get("/admin/mail").body, "2 attempts"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the mail was not tried again")
		}
	}
	b.get("/admin/mail/message/"+id).is(t, 200, "slow@home.example", "451 4.7.1", "127.0.0.1")
	b.post("/admin/mail/cancel", "id", id).goesTo(t, "/admin/mail")
	b.get("/admin/mail").is(t, 200, "Message cancelled.", "The queue is empty.")
	b.post("/admin/mail/cancel", "id", id).goesTo(t, "/admin/mail")
	b.get("/admin/mail").is(t, 200, "That message is no longer in the queue.")

	done := b.get("/admin/mail/sent")
	done.is(t, 200, "@home.example", "Cancelled", "550 5.1.1")
	if strings.Contains(done.body, "slow@home.example") {
		t.Error("the address is kept when the mail is done")
	}
	b.get("/admin/mail/blocked").is(t, 200, "gone@home.example", "550 5.1.1")
	b.post("/admin/mail/unsuppress", "email", "gone@home.example").goesTo(t, "/admin/mail/blocked")
	b.get("/admin/mail/blocked").is(t, 200, "Address unblocked.", "No blocked addresses.")
	b.get("/admin/mail/message/none").is(t, 404)
}

func TestATestMailShowsTheConversation(t *testing.T) {
	smarthost := mailtest.Serve(t, picky)
	h := open(t, through(smarthost.Port))
	b := h.boss()
	b.post("/admin/mail/test", "email", "mara@home.example").is(t, 200, "The server accepted the message", "RCPT TO:&lt;mara@home.example&gt;", "250 queued")
	b.post("/admin/mail/test", "email", "policy@home.example").is(t, 200, "The server did not accept the message", "550 5.7.1 not from you")
	b.post("/admin/mail/test", "email", "nobody").is(t, 422, "Error: ")
	if n := len(smarthost.Messages()); n != 1 {
		t.Errorf("%d mails arrived, want 1", n)
	}
	captured := open(t, nil)
	captured.boss().post("/admin/mail/test", "email", "mara@home.example").is(t, 200, "Mail is captured on this server")
}

// Who runs the server learns on whichever admin page they are that apps find no port.
func TestAdminsSeeThatTheRelayIsShut(t *testing.T) {
	squatter, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer squatter.Close()
	at := squatter.Addr().String()
	h := open(t, func(c *config.Config) { c.Mail.Submission.Listen = at })
	b := h.boss()
	if strings.Contains(b.get("/admin/people").body, "Apps cannot hand over") {
		t.Error("it is told before anybody has asked for the port")
	}
	if got := h.app.Listener.Listen(); got != "" {
		t.Fatalf("it listens at %s", got)
	}
	for _, path := range []string{"/admin/people", "/admin/mail"} {
		b.get(path).is(t, 200, "Apps cannot submit mail over SMTP.", at+": address already in use", "stop the mail server that has the port")
	}
	if strings.Contains(b.get("/account").body, "Apps cannot hand over") {
		t.Error("it is told on a page that is not for admins")
	}
}

// One mail that waits is reason enough for those who run the server to know, on
// whichever page they are.
func TestAdminsSeeThatMailWaits(t *testing.T) {
	smarthost := mailtest.Serve(t, picky)
	h := open(t, through(smarthost.Port))
	h.user("slow@home.example")
	b := h.boss()
	stranger := h.browser()
	stranger.post("/signin", "identifier", "slow@home.example").goesTo(t, "/signin/code")
	h.settled()
	if strings.Contains(b.get("/admin/mail").body, "alert-bad") {
		t.Error("a mail of a moment ago is an alarm")
	}
	h.pass(61 * time.Second)
	for _, path := range []string{"/admin/people", "/admin/mail", "/admin/mail/sent", "/admin/mail/blocked", "/admin/mail/dns", "/admin/mail/test"} {
		b.get(path).is(t, 200, "Sign-in mail is delayed.")
	}
	if strings.Contains(stranger.get("/signin/code").body, "delayed") {
		t.Error("a stranger is told that the one mail waits")
	}
	h.pass(80 * time.Minute)
	b.get("/admin/mail").is(t, 200, "Sign-in mail is delayed.")
}
