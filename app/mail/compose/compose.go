// Package compose writes the mail we send: text and HTML of the same words, in
// the reader's language, without pictures, tracking or anything loaded from
// elsewhere.
//
// A message is composed once, when it is queued, so that every attempt to
// deliver it sends the same bytes under the same Message-ID.
package compose

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"net"
	"net/mail"
	"strings"
	"sync"
	"text/template"
	"time"

	"gatelodge/app/lang"
	"gatelodge/app/secret"
)

//go:embed templates
var files embed.FS

// Composer writes mail for one instance. Its fields do not change.
type Composer struct {
	From mail.Address
	Site string // the instance's name
	Host string // the public host, with its port
	Lang *lang.Catalog

	once  sync.Once
	text  *template.Template
	html  *htmltemplate.Template
	wrong error
}

// SignIn is what a sign-in mail says.
type SignIn struct {
	To        string
	Link      string
	Code      string // six digits
	Device    string // of whoever asked: "Firefox on Linux"
	Language  string
	LinkUntil time.Time
	CodeUntil time.Time
	Now       time.Time
	ID        string // local part of the Message-ID
}

// words are what the templates say.
type words struct {
	Lang, Dir, Site, Subject, Preview, Heading, Footer string
	Intro, LinkIntro, ButtonIntro, Button, CodeIntro   string
	Link, Code, PlainCode, CodeHost                    string
	Until, NotYou, Never, Body                         string
}

// SignIn returns the sign-in mail as it goes over the wire.
func (c *Composer) SignIn(m SignIn) ([]byte, error) {
	p := c.Lang.For(m.Language)
	code := secret.GroupCode(m.Code)
	say := func(key string, args ...any) string { return p.Say("mail.signin."+key, args...) }
	return c.build(p, "signin", m.To, m.ID, m.Now, words{
		Subject: say("subject", "code", code), Preview: say("preview"), Heading: say("heading", "site", c.Site),
		Intro: say("intro", "email", m.To, "device", m.Device), LinkIntro: say("link_intro"), ButtonIntro: say("button_intro"),
		Button: say("button"), CodeIntro: say("code_intro"), Link: m.Link, Code: code, PlainCode: m.Code, CodeHost: hostOnly(c.Host),
		Until:  say("until", "code", p.Clock(m.CodeUntil, m.Now), "link", p.Clock(m.LinkUntil, m.Now)),
		NotYou: say("not_you"), Never: say("never"), Footer: say("footer", "host", c.Host),
	})
}

// Test returns a mail that says that mail works.
func (c *Composer) Test(to, language, id string, now time.Time) ([]byte, error) {
	p := c.Lang.For(language)
	say := func(key string, args ...any) string { return p.Say("mail.test."+key, args...) }
	return c.build(p, "test", to, id, now, words{
		Subject: say("subject", "site", c.Site), Heading: say("heading"),
		Body: say("body", "host", c.Host, "time", p.Moment(now)), Footer: say("footer", "host", c.Host),
	})
}

func (c *Composer) build(p lang.Printer, name, to, id string, now time.Time, w words) ([]byte, error) {
	c.once.Do(c.parse)
	if c.wrong != nil {
		return nil, c.wrong
	}
	w.Lang, w.Dir, w.Site = p.Tag(), p.Dir(), c.Site
	var text, html bytes.Buffer
	if err := c.text.ExecuteTemplate(&text, name+".txt", w); err != nil {
		return nil, fmt.Errorf("writing the %s mail: %w", name, err)
	}
	if err := c.html.ExecuteTemplate(&html, name+".html", w); err != nil {
		return nil, fmt.Errorf("writing the %s mail: %w", name, err)
	}
	return Build(Header{From: c.From, To: to, Subject: w.Subject, Date: now, ID: id, Language: w.Lang}, text.String(), html.String())
}

func (c *Composer) parse() {
	if c.text, c.wrong = template.ParseFS(files, "templates/*.txt"); c.wrong != nil {
		return
	}
	c.html, c.wrong = htmltemplate.ParseFS(files, "templates/*.html")
}

// hostOnly cuts the port off: the last line of the text binds the code to the
// host alone.
func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}
