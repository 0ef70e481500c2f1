package shell

import (
	"net/mail"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatelodge/app/mail/outbox"
	"gatelodge/app/mail/submission"
)

// Layout is what every page needs. Page data embeds it.
type Layout struct {
	Begun    int64              // when the forms were shown, with a cookie; 0 without one
	Instance string             // its name
	Host     string             // the host people see in the address bar
	Contact  string             // who runs it: an address, "Sam <sam@home.example>", a web page, or words; "" hides it
	Path     string             // where the language links lead, without a query; "" is the page itself
	Now      time.Time          // what "2 minutes ago" counts from; its zone is the reader's
	Person   Person             // who is signed in; zero on pages before that
	Manages  bool               // they may manage the server
	Theme    string             // "light", "dark", or "" for as the browser says
	Alarm    outbox.Alarm       // on pages for those who run the server: what is wrong with its mail
	Shut     submission.Trouble // there too: why apps cannot hand over mail over SMTP
}

// Base returns the layout of a page that embeds it.
func (l Layout) Base() Layout { return l }

// Link is a place to go. Without Href it is only words.
type Link struct {
	Text string
	Href string
}

// String returns the words, so that a Link can stand in a sentence.
func (l Link) String() string { return l.Text }

// ContactLink returns the contact as something to follow, where it is one.
func (l Layout) ContactLink() Link {
	if u, err := url.Parse(l.Contact); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		return Link{Text: l.Contact, Href: l.Contact}
	}
	a, err := mail.ParseAddress(l.Contact)
	if err != nil {
		return Link{Text: l.Contact}
	}
	link := Link{Text: a.Address, Href: (&url.URL{Scheme: "mailto", Opaque: url.PathEscape(a.Address)}).String()}
	if a.Name != "" {
		link.Text = a.Name
	}
	return link
}

// Person is a user as pages show one.
type Person struct {
	Name   string // may be ""
	Email  string // "" for a user without one
	Handle string // what names them then
}

// Account returns what names the account: the address, or what stands for it.
func (p Person) Account() string {
	if p.Email != "" {
		return p.Email
	}
	return p.Handle
}

// Called returns the name, or what names the account of a user without one.
func (p Person) Called() string {
	if p.Name != "" {
		return p.Name
	}
	return p.Account()
}

// Aside returns what names the account, where that is not what they are called.
func (p Person) Aside() string {
	if p.Account() == p.Called() {
		return ""
	}
	return p.Account()
}

// Initials returns one or two letters to stand for the person.
func (p Person) Initials() string {
	words := strings.Fields(p.Called())
	if len(words) == 0 {
		return ""
	}
	initials := first(words[0])
	if len(words) > 1 {
		initials += first(words[len(words)-1])
	}
	return initials
}

func first(word string) string {
	r, _ := utf8.DecodeRuneInString(word)
	return string(unicode.ToUpper(r))
}

// Target is the app that a sign-in leads to.
type Target struct {
	Name string
	Host string
}

// Initial returns the letter on the app's tile.
func (t Target) Initial() string { return first(t.Name) }

// Ref is what a person sends the operator about an error.
type Ref struct {
	Reference string // GL-…
	At        time.Time
	What      string // the key of the sentence
}

// ErrorPage is error.html.
type ErrorPage struct {
	Layout
	Heading string // what happened
	Text    string // why, and what to do
	Next    Link   // the next step
	Ref     Ref
}

// GoingToPage is continue.html: it leads to an app by a link and by itself.
type GoingToPage struct {
	Layout
	Target Target
	Href   string // https or http; the server's own word, never a visitor's
}
