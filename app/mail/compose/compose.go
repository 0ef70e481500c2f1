// Package compose writes the mail we send: text and HTML of the same words, in
// the reader's language, without pictures, tracking or anything loaded from
// elsewhere.
//
// A message is composed once, when it is queued, so that every attempt to
// deliver it sends the same bytes under the same Message-ID. Each kind is a
// Letter: a struct with what only that kind says. All of them have one frame,
// which an operator may replace; see Templates.
package compose

import (
	"fmt"
	"io"
	"net"
	"net/mail"
	"strings"
	"time"

	"gatelodge/app/lang"
	"gatelodge/app/theme"
)

// Composer writes mail for one instance. Its fields do not change.
type Composer struct {
	From      mail.Address
	ReplyTo   string // the address of whoever runs this, or ""
	Site      string // the instance's name
	Host      string // the public host, with its port
	Hue       int    // of the accent, 0 to 359 degrees
	Lang      *lang.Catalog
	Templates *Templates // nil for ours
	// Troubled is called with the error of an operator's template that could not be used for a
	// letter, which ours was used for; nil tells nobody.
	Troubled func(error)
}

// Head is what every message needs besides its words.
type Head struct {
	To       string // one bare address
	Language string // the recipient's; what is not known is said in English
	TimeZone string // the recipient's, or "": then times are relative where they can be
	ID       string // local part of the Message-ID
	Now      time.Time
}

// Letter is one kind of message. The types of this package are all there are.
type Letter interface {
	// Name is the kind's name: of its template, and the Purpose in the queue.
	Name() string
	words(*writer) words
}

// Fact is a line of the small table in a message.
type Fact struct{ Label, Value string }

// words are what a template says. What a kind does not have is empty.
type words struct {
	Lang, Dir, Site, To, Subject, Preview, Heading, Footer string
	Intro                                                  string
	Facts                                                  []Fact
	LinkIntro, ButtonIntro, Button, Link                   string // LinkIntro is for text, ButtonIntro for HTML
	CodeIntro, Code, PlainCode, CodeHost                   string
	Outro, Never                                           string
	Accent                                                 theme.Colours
}

// writer is what a letter puts its words together with.
type writer struct {
	Head
	c    *Composer
	p    lang.Printer
	name string
}

// say returns a sentence of the letter's own, with what all of them may name.
func (w *writer) say(key string, args ...any) string {
	return w.p.Say("mail."+w.name+"."+key, append(args, "site", w.c.Site, "host", w.c.Host, "email", w.To)...)
}

// Write returns the letter as it goes over the wire. A value that could begin
// another header is an error.
func (c *Composer) Write(h Head, l Letter) ([]byte, error) {
	templates := c.Templates
	if templates == nil {
		templates = ours()
	}
	zone, _ := lang.ZoneOf(h.TimeZone)
	w := &writer{Head: h, c: c, p: c.Lang.For(h.Language).In(zone), name: l.Name()}
	said := w.frame(l)
	text, err := c.fill(w.name+".txt", said, templates.text(w.name), templates.frameText)
	if err != nil {
		return nil, err
	}
	html, err := c.fill(w.name+".html", said, templates.html(w.name), templates.frameHTML)
	if err != nil {
		return nil, err
	}
	return Build(Header{
		From: c.From, To: h.To, ReplyTo: mail.Address{Address: c.ReplyTo}, Subject: said.Subject, Date: h.Now, ID: h.ID, Language: said.Lang,
	}, text, html)
}

// filler is a template of either kind.
type filler interface {
	Execute(w io.Writer, data any) error
}

// fill puts the words into a template. One of an operator's has been tried on a
// sample alone: where it fails on this letter, or leaves out what it is for, ours
// takes its place, for somebody waits.
func (c *Composer) fill(file string, said words, own, ours filler) (string, error) {
	var b strings.Builder
	err := own.Execute(&b, said)
	if own == ours {
		if err != nil {
			err = fmt.Errorf("writing %s: %w", file, err)
		}
		return b.String(), err
	}
	if err == nil {
		err = complete(b.String(), said)
	}
	if err == nil {
		return b.String(), nil
	}
	if c.Troubled != nil {
		c.Troubled(fmt.Errorf("mail.templates: %s %w", file, err))
	}
	return c.fill(file, said, ours, ours)
}

// frame returns the letter's words with those that all of them have.
func (w *writer) frame(l Letter) words {
	said := l.words(w)
	said.Lang, said.Dir, said.Site, said.To = w.p.Tag(), w.p.Dir(), w.c.Site, w.To
	said.Accent = theme.ColoursOf(w.c.Hue)
	said.Subject, said.Heading, said.Footer = oneLine(said.Subject), oneLine(said.Heading), w.say("footer")
	return said
}

// oneLine keeps a name that people chose from breaking a subject in two.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// hostOnly cuts the port off: the last line of the text binds the code to the
// host alone.
func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}
