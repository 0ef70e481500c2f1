package web_test

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/app/mail/mailtest"
	"gatelodge/store"
)

// picky is a smarthost that judges recipients by their names.
func picky(c *mailtest.Conn) {
	c.Line("220 mail.test ESMTP")
	for {
		line := c.Read()
		switch word, rest, _ := strings.Cut(line, " "); {
		case word == "EHLO":
			c.Line("250 mail.test")
		case strings.Contains(rest, "<gone@"):
			c.Line("550 5.1.1 no such user")
		case strings.Contains(rest, "<full@"):
			c.Line("552 5.2.2 mailbox full")
		case strings.Contains(rest, "<lost@"):
			c.Line("451 4.1.2 no such domain yet")
		case strings.Contains(rest, "<slow@"):
			c.Line("451 4.7.1 greylisted")
		case strings.Contains(rest, "<policy@"):
			c.Line("550 5.7.1 not from you")
		case word == "DATA":
			c.Line("354 go ahead")
			c.Body()
			c.Line("250 2.0.0 queued")
		case word == "QUIT":
			c.Line("221 bye")
			return
		default:
			c.Line("250 2.1.0 ok")
		}
	}
}

func through(port int) func(*config.Config) {
	return func(c *config.Config) {
		c.Mail.Mode, c.Mail.From = "smarthost", "login@home.example"
		c.Mail.Smarthost.URL = fmt.Sprintf("smtp://127.0.0.1:%d?tls=off", port)
	}
}

// known signs the user in with the browser, and out again.
func (b *browser) known(u store.User) {
	b.t.Helper()
	link, _, err := b.h.app.Login.LinkFor(b.t.Context(), app.Operator(), u)
	if err != nil {
		b.t.Fatal(err)
	}
	at, err := url.Parse(link)
	if err != nil {
		b.t.Fatal(err)
	}
	b.post(at.Path).goesTo(b.t, "/account")
	b.post("/signout").goesTo(b.t, "/signout")
}

// settled waits until the mail of every request so far has been tried.
func (h *testServer) settled() {
	h.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		list, err := h.app.Outbox.List(h.t.Context(), false)
		if err != nil {
			h.t.Fatal(err)
		}
		busy := false
		for _, m := range list {
			busy = busy || m.State == "leased" || m.Attempts == 0 && !h.app.Queue.Way().Down
		}
		if !busy {
			return
		}
	}
	h.t.Fatal("mail is still on its way")
}

func TestTheBrowsersOwnerSeesWhatBecameOfTheMail(t *testing.T) {
	smarthost := mailtest.Serve(t, picky)
	h := open(t, through(smarthost.Port))
	for name, said := range map[string]string{
		"mara": "The message left this server", "gone": "the mailbox does not exist", "full": "the mailbox is full",
		"slow": "has not accepted the message yet", "lost": "Check the part after the @", "policy": "It does not accept mail from this server.",
	} {
		t.Run(name, func(t *testing.T) {
			b := h.browser()
			b.known(h.user(name + "@home.example"))
			b.post("/signin", "identifier", name+"@home.example").goesTo(t, "/signin/code")
			h.settled()
			b.get("/signin/code").is(t, 200, said)
			b.get("/signin/delivery").is(t, 200, said)
		})
	}
	h.browser().get("/signin/delivery").is(t, 204)
}

// What becomes of a mail tells that there is one: nobody learns it in a browser
// that the account was not used with, however the mailbox answers.
func TestDeliveryShowsNoStrangerWhoHasAnAccount(t *testing.T) {
	smarthost := mailtest.Serve(t, picky)
	h := open(t, through(smarthost.Port))
	h.user("own@home.example")
	for _, name := range []string{"mara", "gone", "full", "slow", "policy"} {
		h.user(name + "@home.example")
	}
	own := h.user("insider@home.example")
	for _, kind := range []string{"a new browser", "a browser of another account"} {
		var unknown string
		for _, name := range []string{"nobody", "mara", "gone", "full", "slow", "policy"} {
			b := h.browser()
			if kind != "a new browser" {
				b.known(own)
			}
			h.pass(15 * time.Minute) // the limits
			email := name + "@home.example"
			b.post("/signin", "identifier", email).goesTo(t, "/signin/code")
			h.settled()
			h.pass(61 * time.Second)
			page := b.get("/signin/code").body + b.get("/signin/delivery").body
			page = strings.ReplaceAll(page, email, "EMAIL")
			page = clockTimes.ReplaceAllString(page, "TIME")
			if unknown == "" {
				unknown = page
			} else if page != unknown {
				t.Errorf("in %s, %s gets another page than an address that nobody has:\n%s\n%s", kind, email, page, unknown)
			}
		}
	}
}

// Having asked for an account of one's own makes nobody hear of another's mail, by
// whatever way it is asked for.
func TestASignUpBeforeShowsNothingOfAnotherAddress(t *testing.T) {
	smarthost := mailtest.Serve(t, picky)
	h := open(t, func(c *config.Config) {
		through(smarthost.Port)(c)
		c.Signup.Mode, c.Signup.Domains = "domain", []string{"home.example"}
	})
	h.user("full@else.example")
	b := h.browser()
	b.post("/signup", "email", "eve@home.example", "name", "Eve").goesTo(t, "/signin/code")
	c := b.authjs("v5")
	c.host = "" // at our own address
	c.send(c.request("/api/auth/signin/email", `{"email":"full@else.example"}`)).is(t, 200)
	h.settled()
	if page := b.get("/signin/code").body; strings.Contains(page, "the mailbox is full") {
		t.Errorf("a stranger learns that there is such an account:\n%s", page)
	}
	b.get("/signin/delivery").is(t, 200)
	if page := b.get("/signin/delivery").body; strings.Contains(page, "mailbox") {
		t.Errorf("a stranger learns that there is such an account:\n%s", page)
	}
}

// Where whoever asks gets mail, what became of it tells nothing but itself.
func TestWhereEverybodyGetsMailEverybodySeesItsDelivery(t *testing.T) {
	smarthost := mailtest.Serve(t, picky)
	h := open(t, func(c *config.Config) {
		through(smarthost.Port)(c)
		c.Signup.Mode = "open"
	})
	h.user("full@home.example")
	for name, said := range map[string]string{"gone": "the mailbox does not exist", "full": "the mailbox is full", "mara": "The message left this server"} {
		b := h.browser()
		b.post("/signin", "identifier", name+"@home.example").goesTo(t, "/signin/code")
		h.settled()
		b.get("/signin/code").is(t, 200, said)
	}
}

// A mail server that is down is found out by a mail. It must be found out as well
// when the mail is for nobody, or its being down would tell.
func TestAMailServerThatIsDownShowsNobodyWhoHasAnAccount(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	for _, email := range []string{"mara@home.example", "nobody@home.example"} {
		t.Run(email, func(t *testing.T) {
			h := open(t, through(port))
			h.user("mara@home.example")
			b := h.browser()
			b.post("/signin", "identifier", email).goesTo(t, "/signin/code")
			for deadline := time.Now().Add(5 * time.Second); !strings.Contains(b.get("/signin/code").body, "Mail from this server is delayed"); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the page does not say that mail is delayed")
				}
			}
		})
	}
}

// While no mail leaves, the page says when some last did; while some does it would
// tell that the address just typed is somebody's.
func TestThePageSaysWhenMailLastLeftOnlyWhileNoneDoes(t *testing.T) {
	var down atomic.Bool
	smarthost := mailtest.Serve(t, func(c *mailtest.Conn) {
		if down.Load() {
			c.Line("421 4.3.2 going down")
			return
		}
		c.Line("220 mail.test")
		c.Read()
		c.Line("250 mail.test")
		for {
			switch word, _, _ := strings.Cut(c.Read(), " "); word {
			case "DATA":
				c.Line("354 go")
				c.Body()
				c.Line("250 2.0.0 queued")
				return // so that no session is kept
			default:
				c.Line("250 ok")
			}
		}
	})
	h := open(t, through(smarthost.Port))
	h.user("mara@home.example")
	b := h.browser()
	b.post("/signin", "identifier", "mara@home.example").goesTo(t, "/signin/code")
	h.settled()
	if strings.Contains(b.get("/signin/code").body, "The last message was sent") {
		t.Error("it tells when mail left while mail leaves")
	}
	down.Store(true)
	h.pass(3 * time.Minute)
	b.post("/signin", "identifier", "mara@home.example").goesTo(t, "/signin/code")
	b.shows("/signin/code", "Mail from this server is delayed", "The last message was sent 3 minutes ago")
}

var clockTimes = regexp.MustCompile(`\d\d:\d\d UTC|data-wait="\d+"|\d:\d\d`)
