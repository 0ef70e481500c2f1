package compose

import (
	"strings"
	"time"

	"gatelodge/app/secret"
)

// SignIn carries a link and a code to sign in with.
type SignIn struct {
	Link      string
	Code      string // six digits
	Device    string // of whoever asked: "Firefox on Linux"
	LinkUntil time.Time
	CodeUntil time.Time
	New       bool // nobody has the address: they make an account
	Known     bool // who has it asked for an account, and has one
}

// Name is the kind's name.
func (SignIn) Name() string { return "signin" }

func (l SignIn) words(w *writer) words {
	code := secret.GroupCode(l.Code)
	said := words{
		Subject: w.say("subject", "code", code), Preview: w.say("preview"), Heading: w.say("heading"),
		Intro: w.say("intro", "device", l.Device), LinkIntro: w.say("link_intro"), ButtonIntro: w.say("button_intro"),
		Button: w.say("button"), Link: l.Link, CodeIntro: w.say("code_intro"), Code: code, PlainCode: l.Code, CodeHost: hostOnly(w.c.Host),
		Outro: w.say("until", "code", w.p.Until(l.CodeUntil, w.Now), "link", w.p.Until(l.LinkUntil, w.Now)) + " " + w.say("not_you"),
		Never: w.say("never"),
	}
	switch {
	case l.New:
		said.Subject, said.Heading, said.Intro = w.say("new_subject", "code", code), w.say("new_heading"), w.say("new_intro", "device", l.Device)
		said.Button = w.say("new_button")
		said.Outro = w.say("until", "code", w.p.Until(l.CodeUntil, w.Now), "link", w.p.Until(l.LinkUntil, w.Now)) + " " + w.say("new_not_you")
	case l.Known:
		said.Intro = w.say("known_intro", "device", l.Device)
	}
	return said
}

// SentLink carries a link to sign in with that an admin sends, unasked for.
type SentLink struct {
	By    string // who sends it: a name, or an address
	Link  string
	Code  string // that stands for the link on its own page, where that asks for it
	Until time.Time
}

// Name is the kind's name.
func (SentLink) Name() string { return "sent_link" }

func (l SentLink) words(w *writer) words {
	until := w.say("until", "until", w.p.Until(l.Until, w.Now))
	return words{
		Subject: w.say("subject"), Preview: until, Heading: w.say("heading"), Intro: w.say("intro", "by", l.By), LinkIntro: w.say("link_intro"),
		Button: w.say("button"), Link: l.Link, CodeIntro: w.say("code_intro"), Code: secret.GroupCode(l.Code), Outro: until + " " + w.say("not_you"),
	}
}

// Reset carries a link to choose a new password with.
type Reset struct {
	Link   string
	Device string // of whoever asked
	Until  time.Time
}

// Name is the kind's name.
func (Reset) Name() string { return "reset" }

func (l Reset) words(w *writer) words {
	return words{
		Subject: w.say("subject"), Preview: w.say("until", "until", w.p.Until(l.Until, w.Now)), Heading: w.say("heading"),
		Intro: w.say("intro", "device", l.Device), LinkIntro: w.say("link_intro"), ButtonIntro: w.say("button_intro"),
		Button: w.say("button"), Link: l.Link, Outro: w.say("until", "until", w.p.Until(l.Until, w.Now)) + " " + w.say("not_you"),
	}
}

// ConfirmEmail asks a new address whether it belongs to the account.
type ConfirmEmail struct {
	Account string // the address the account is known by; "" where this is its first
	Link    string
	Code    string // six digits, or "" for a link alone
	Until   time.Time
}

// Name is the kind's name.
func (ConfirmEmail) Name() string { return "confirm_email" }

func (l ConfirmEmail) words(w *writer) words {
	said := words{
		Subject: w.say("subject"), Preview: w.say("until", "until", w.p.Until(l.Until, w.Now)), Heading: w.say("heading"),
		Intro: w.say("intro", "account", l.Account), LinkIntro: w.say("link_intro"), ButtonIntro: w.say("button_intro"),
		Button: w.say("button"), Link: l.Link, Outro: w.say("until", "until", w.p.Until(l.Until, w.Now)) + " " + w.say("not_you"),
	}
	if l.Account == "" {
		said.Intro, said.LinkIntro, said.ButtonIntro = w.say("intro_first"), w.say("link_intro_first"), w.say("button_intro_first")
	}
	if l.Code != "" {
		said.CodeIntro, said.Code = w.say("code_intro"), secret.GroupCode(l.Code)
	}
	return said
}

// EmailChanged tells the old address of the new one, with a way back.
type EmailChanged struct {
	NewEmail string
	At       time.Time
	Device   string
	Link     string // undoes it
	Until    time.Time
}

// Name is the kind's name.
func (EmailChanged) Name() string { return "email_changed" }

func (l EmailChanged) words(w *writer) words {
	return words{
		Subject: w.say("subject"), Preview: w.say("nothing"), Heading: w.say("heading"), Intro: w.say("intro", "new", l.NewEmail),
		Facts: w.facts(l.At, l.Device, "", nil), LinkIntro: w.say("link_intro"), ButtonIntro: w.say("nothing"), Button: w.say("button"), Link: l.Link,
		Outro: w.say("until", "until", w.p.Until(l.Until, w.Now)),
	}
}

// EmailAdded tells the primary address of another that now leads to the account.
type EmailAdded struct {
	NewEmail string
	At       time.Time
	Device   string
	Link     string // undoes it
	Until    time.Time
}

// Name is the kind's name.
func (EmailAdded) Name() string { return "email_added" }

func (l EmailAdded) words(w *writer) words {
	return words{
		Subject: w.say("subject"), Preview: w.say("nothing"), Heading: w.say("heading"), Intro: w.say("intro", "new", l.NewEmail),
		Facts: w.facts(l.At, l.Device, "", nil), LinkIntro: w.say("link_intro"), ButtonIntro: w.say("nothing"), Button: w.say("button"), Link: l.Link,
		Outro: w.say("until", "until", w.p.Until(l.Until, w.Now)),
	}
}

// NewDevice tells of a sign-in from a browser that was not seen before.
type NewDevice struct {
	At     time.Time
	Device string
	IP     string
	Means  []string // how, as in a session's amr: "email", "pwd", "otp" …, "fed:Google"
	Link   string   // "This was not me"
}

// Name is the kind's name.
func (NewDevice) Name() string { return "new_device" }

func (l NewDevice) words(w *writer) words {
	return words{
		Subject: w.say("subject", "device", l.Device), Preview: w.say("nothing"), Heading: w.say("heading"), Intro: w.say("intro"),
		Facts: w.facts(l.At, l.Device, l.IP, l.Means), LinkIntro: w.say("link_intro"), ButtonIntro: w.say("nothing"), Button: w.say("button"),
		Link: l.Link, Outro: w.say("outro"),
	}
}

// PasswordChanged tells that the password was set, changed or removed.
type PasswordChanged struct {
	Removed bool
	At      time.Time
	Device  string
	IP      string
	Link    string // to set a new one
}

// Name is the kind's name.
func (PasswordChanged) Name() string { return "password_changed" }

func (l PasswordChanged) words(w *writer) words {
	said := words{
		Subject: w.say("subject"), Preview: w.say("nothing"), Heading: w.say("heading"), Intro: w.say("intro"),
		Facts: w.facts(l.At, l.Device, l.IP, nil), LinkIntro: w.say("link_intro"), ButtonIntro: w.say("nothing"), Button: w.say("button"),
		Link: l.Link, Outro: w.say("outro"),
	}
	if l.Removed {
		said.Subject, said.Heading, said.Intro = w.say("removed_subject"), w.say("removed_heading"), w.say("removed_intro")
	}
	return said
}

// Linked tells that an account elsewhere can now sign in to this one, or no longer.
type Linked struct {
	Removed  bool
	Upstream string // its name: "Google"
	Who      string // what the person is called there
	At       time.Time
	Device   string
	IP       string
	Link     string // "This was not me"
}

// Name is the kind's name.
func (Linked) Name() string { return "linked" }

func (l Linked) words(w *writer) words {
	args := []any{"upstream", l.Upstream, "who", l.Who}
	said := words{
		Subject: w.say("subject", args...), Preview: w.say("nothing"), Heading: w.say("heading", args...), Intro: w.say("intro", args...),
		Facts: w.facts(l.At, l.Device, l.IP, nil), LinkIntro: w.say("link_intro"), ButtonIntro: w.say("nothing"), Button: w.say("button"),
		Link: l.Link, Outro: w.say("outro"),
	}
	if l.Removed {
		said.Subject, said.Heading, said.Intro = w.say("removed_subject", args...), w.say("removed_heading", args...), w.say("removed_intro", args...)
		said.Outro = w.say("removed_outro")
	}
	return said
}

// Claimed tells the owner of an address, who has just shown that they are, what was
// removed from the account that stood under it.
type Claimed struct {
	At     time.Time
	Device string
	IP     string
	Link   string // to the account, where to set up anew what was theirs
}

// Name is the kind's name.
func (Claimed) Name() string { return "claimed" }

func (l Claimed) words(w *writer) words {
	return words{
		Subject: w.say("subject"), Preview: w.say("preview"), Heading: w.say("heading"), Intro: w.say("intro"), Facts: w.facts(l.At, l.Device, l.IP, nil),
		LinkIntro: w.say("link_intro"), ButtonIntro: w.say("button_intro"), Button: w.say("button"), Link: l.Link, Outro: w.say("outro"),
	}
}

// facts are when, where from and how something was done.
func (w *writer) facts(at time.Time, device, ip string, means []string) []Fact {
	var how []string
	for _, m := range means {
		if key := "mail.means." + m; w.c.Lang.Has(key) {
			how = append(how, w.p.Say(key))
		} else if name, ok := strings.CutPrefix(m, "fed:"); ok {
			how = append(how, name)
		}
	}
	list := []Fact{{w.p.Say("mail.fact.when"), w.p.Moment(at)}}
	for _, f := range []Fact{
		{w.p.Say("mail.fact.browser"), device}, {w.p.Say("mail.fact.address"), ip}, {w.p.Say("mail.fact.method"), strings.Join(how, ", ")},
	} {
		if f.Value != "" {
			list = append(list, f)
		}
	}
	return list
}

// Invite asks somebody to make an account.
type Invite struct {
	By      string   // who invites: a name, or an address; "" for nobody who has one
	ByEmail string   // their address
	Apps    []string // what the account opens, "" or nil when nothing is to be named
	Link    string
	Until   time.Time
}

// Name is the kind's name.
func (Invite) Name() string { return "invite" }

// named is how many apps an invite names; of more it tells the number.
const named = 3

func (l Invite) words(w *writer) words {
	nobody := "" // ends the keys of sentences that name nobody
	if l.By == "" {
		nobody = "_nobody"
	}
	intro := w.say("intro"+nobody, "by", l.By)
	if more := len(l.Apps) - named; more > 0 {
		intro = w.say("intro_more"+nobody, "by", l.By, "apps", strings.Join(l.Apps[:named], ", "), "n", more)
	} else if len(l.Apps) > 0 {
		intro = w.say("intro_apps"+nobody, "by", l.By, "apps", strings.Join(l.Apps, ", "))
	}
	until := w.say("until", "until", w.p.Until(l.Until, w.Now))
	return words{
		Subject: w.say("subject"+nobody, "by", l.By), Preview: until, Heading: w.say("subject"+nobody, "by", l.By), Intro: intro,
		LinkIntro: w.say("link_intro"), Button: w.say("button"), Link: l.Link, Outro: until + " " + w.say("not_you"+nobody, "by", l.ByEmail),
	}
}

// AccessRequest tells an admin that somebody asks to open an app, or to have an
// account when App is "".
type AccessRequest struct {
	Person string // a name, or an address
	Email  string // that is theirs; "" for who came by Upstream and has shown none
	App    string
	Link   string // where to decide
	// Upstream is the name of the one they came by, Claimed the address that it tells.
	Upstream, Claimed string
}

// Name is the kind's name.
func (AccessRequest) Name() string { return "access_request" }

func (l AccessRequest) words(w *writer) words {
	said := words{
		Subject: w.say("subject", "person", l.Person, "app", l.App), Heading: w.say("heading", "person", l.Person, "app", l.App),
		Intro: w.say("intro", "person", l.Person, "address", l.Email, "app", l.App), LinkIntro: w.say("link_intro"), Button: w.say("button"), Link: l.Link,
		Outro: w.say("outro"),
	}
	if l.App == "" {
		said.Subject, said.Heading = w.say("account_subject", "person", l.Person), w.say("account_heading", "person", l.Person)
		switch {
		case l.Email != "":
			said.Intro = w.say("account_intro", "person", l.Person, "address", l.Email)
		case l.Claimed != "":
			said.Intro = w.say("account_claimed", "person", l.Person, "address", l.Claimed, "upstream", l.Upstream)
		default:
			said.Intro = w.say("account_unaddressed", "person", l.Person, "upstream", l.Upstream)
		}
	}
	return said
}

// Approved tells somebody who waited that they have been let in.
type Approved struct {
	Link string // where to sign in
}

// Name is the kind's name.
func (Approved) Name() string { return "approved" }

func (l Approved) words(w *writer) words {
	return words{
		Subject: w.say("subject"), Heading: w.say("heading"), Intro: w.say("intro"), LinkIntro: w.say("link_intro"), Button: w.say("button"), Link: l.Link,
		Outro: w.say("outro"),
	}
}

// Closing tells that an account was closed and when it will be erased.
type Closing struct {
	EraseAt time.Time
	Link    string // keeps the account
}

// Name is the kind's name.
func (Closing) Name() string { return "closing" }

func (l Closing) words(w *writer) words {
	day := w.p.Date(l.EraseAt)
	return words{
		Subject: w.say("subject"), Preview: w.say("preview", "day", day), Heading: w.say("heading"), Intro: w.say("intro", "day", day),
		LinkIntro: w.say("link_intro"), ButtonIntro: w.say("button_intro"), Button: w.say("button"), Link: l.Link, Outro: w.say("outro", "day", day),
	}
}

// Test says that mail works.
type Test struct{}

// Name is the kind's name.
func (Test) Name() string { return "test" }

func (Test) words(w *writer) words {
	return words{Subject: w.say("subject"), Heading: w.say("heading"), Intro: w.say("body", "time", w.p.Moment(w.Now))}
}
