package web

import (
	"strings"
	"time"

	"gatelodge/app/login"
	"gatelodge/web/shell"
)

// What every room shows.
type (
	Layout      = shell.Layout
	Link        = shell.Link
	Person      = shell.Person
	Target      = shell.Target
	Ref         = shell.Ref
	ErrorPage   = shell.ErrorPage
	GoingToPage = shell.GoingToPage
)

// frame is a layout with the heading of its page, for the templates around it.
type frame struct {
	Layout
	Heading string
	Error   bool // something on the page has to be filled differently
}

// headed gives the layout of a page its heading. A page with a problem says so
// in its title, which a screen reader speaks first.
func headed(page interface{ Base() Layout }, heading string, problems ...string) frame {
	return frame{Layout: page.Base(), Heading: heading, Error: strings.Join(problems, "") != ""}
}

// SignInPage is signin.html. It posts identifier to /signin, with method=password
// to go on to the password.
type SignInPage struct {
	Layout
	Identifier string  // what was typed
	Problem    string  // with that; a sentence
	Notice     string  // a sentence: what happened before
	Target     Target  // where this leads, when that is an app
	Passwords  bool    // people may sign in with one
	Known      []Known // the accounts of this browser, the last used first
	SignsUp    bool    // strangers may come by themselves, at /signup
	ByInvite   bool    // strangers need an invite
	Upstreams  []UpstreamButton
}

// UpstreamButton leads to an upstream. It posts to /signin/with/ID.
type UpstreamButton struct {
	ID    string
	Kind  string
	Name  string
	Last  bool // this browser was signed in by it before
	Comes bool // whoever presses it comes to have an account made
}

// ConnectPage is connect.html, for somebody whom an upstream vouches for and nobody
// here is known by. It posts identifier to /signin, and nothing to /signin/connect
// to have an account made, or no=1 to go on as if nothing had been. It must be the
// same whether or not somebody has the address.
type ConnectPage struct {
	Layout
	Upstream  string // its name
	Who       string // what they are called there
	Email     string // that it tells, or ""
	MayJoin   bool
	Comes     bool // they came to have an account made
	Passwords bool
	Target    Target
}

// OwnConnectPage is own-connect.html. It posts yes=1 or no=1 to /account/connect.
type OwnConnectPage struct {
	Layout
	Upstream string
	Who      string
	Account  string
}

// First returns the account that was used last.
func (p SignInPage) First() *Known {
	if len(p.Known) == 0 {
		return nil
	}
	return &p.Known[0]
}

// PasswordPage is password.html. It posts password to /signin/password. It must be
// the same whether or not there is such an account.
type PasswordPage struct {
	Layout
	Identifier string // what was typed before
	Problem    string // with the password
	Target     Target
	Keeps      time.Duration // how long the browser stays signed in after the last use
	Keep       bool          // it is to
	Confirms   bool          // somebody proves themselves again: nothing begins
}

// SignUpPage is signup.html. It posts email, name and choose to /signup. It must be
// the same whether or not there is such an account.
type SignUpPage struct {
	Layout
	Email, Name string
	Password    bool   // they want to choose one
	Passwords   bool   // people may sign in with one
	Waits       bool   // for an admin's word
	Domains     string // whose people may come, or "" for everybody
	Upstreams   []UpstreamButton
	Problems    SignUpProblems
}

// SignUpProblems are sentences about what was typed, "" for what is right.
type SignUpProblems struct{ Email, Name, Password string }

// InvitePage is invite.html. It posts to its own path: name, and email and choose or,
// where the invite was mailed, password; as=me from the button for whoever is signed
// in, and as=known from the one for who has an account.
type InvitePage struct {
	Layout
	By        string
	Email     string // where it was mailed, or ""
	Until     time.Time
	Known     bool   // that address has an account
	SignedIn  string // whoever is, in this browser
	Mine      bool   // they may accept it
	Passwords bool
	Least     int // characters of a password
	Typed     string
	Name      string
	Choose    bool
	Upstreams []UpstreamButton // these post to the page itself, as with
	Problems  SignUpProblems
}

// NotePage is note.html: a sentence and the way on.
type NotePage struct {
	Layout
	Target  Target
	Heading string
	Text    string
	Next    Link
	Other   Link
}

// AppSignOutPage is app-signout.html, which is shown at an App's address and
// posts to Action.
type AppSignOutPage struct {
	Layout
	Action      string
	CSRFToken   string
	CallbackURL string
}

// CheckEmailPage is check-email.html. It posts code to /signin/code, and to
// /signin/resend. It must say the same whether or not there is such an account.
type CheckEmailPage struct {
	Layout
	Email     string
	Attempt   string // which the forms name: other tabs wait for other mails
	From      string // the sender's address
	LinkUntil time.Time
	CodeUntil time.Time
	Problem   string // with the code that was typed
	Notice    string
	Dead      string        // why no code can be typed any more, or ""
	ResendIn  time.Duration // until the server would mail again
	MailSlow  bool          // the server's mail is delayed, whosever it is
	// MailLastAt is when some last left, while none does; zero is not known.
	MailLastAt time.Time
	Delivery   login.Delivery
	Captured   bool // /dev/mail has the message, for readers with its key
	Unsent     bool // the server captures mail, and this reader cannot see it
	Sure       bool // mail goes to whoever was named, known or not
}

// ResendSeconds returns the wait in whole seconds, rounded up.
func (p CheckEmailPage) ResendSeconds() int {
	return int((p.ResendIn + time.Second - 1) / time.Second)
}

// ConfirmLinkPage is confirm-link.html. It posts to its own path: code when
// AskCode, and no=1 from the button that voids the link.
type ConfirmLinkPage struct {
	Layout
	Email       string
	Device      string // that asked
	AskedAt     time.Time
	IP          string // that asked
	SameNetwork bool   // as the reader's
	Operator    bool   // made on the server's command line, asked for by no browser
	Code        string // that stands for the link; not shown when AskCode
	AskCode     bool
	Problem     string // with the code that was typed
}

// DeadLinkPage is dead-link.html. It posts identifier to /signin when Email is
// there, which it may be only in a browser that typed that address itself.
type DeadLinkPage struct {
	Layout
	Kind  string    // expired, used, superseded, cancelled or unknown
	At    time.Time // when it became so; zero if not known
	Email string
	Ref   Ref
}

// VoidedPage is voided.html, after "I did not ask for this".
type VoidedPage struct{ Layout }

// SetupPage is setup.html. It posts setup_code, email and name to /setup.
type SetupPage struct {
	Layout
	Code     string
	Email    string
	Name     string
	Problems SetupProblems
}

// SetupProblems are sentences about what was typed, "" for what is right.
type SetupProblems struct{ Code, Email, Name string }

// AccountPage is account.html. It posts to /signout, /account/end-others and
// /account/devices/ID/end.
type AccountPage struct {
	Layout
	Admin   bool
	Since   time.Time
	Devices []Device // this one first
	Own     []OwnMethod
	// Upstreams can be connected.
	Upstreams []UpstreamButton
	Notice    string // a sentence: what was just done
	Warns     bool   // it is not what the reader may have hoped for
	Welcome   bool   // the account was made a moment ago
	Username  string // "" for none
	// Unproven says that nobody has confirmed the address yet; OneMethod, that another way
	// to sign in can be added to the only one.
	Unproven, OneMethod bool
	Browsers            []OwnBrowser
}

// OwnBrowser is a browser that its owner has signed in with. It is forgotten by a post
// of its ID to /account/browsers/forget.
type OwnBrowser struct {
	ID      string
	Label   string // "Firefox on Linux"
	SeenAt  time.Time
	Current bool
}

// Initials returns one or two letters for the reader's tile.
func (k Known) Initials() string { return k.Person.Initials() }

// Others reports whether there are other devices to sign out.
func (p AccountPage) Others() bool { return len(p.Devices) > 1 }

// Device is a session as its owner knows it.
type Device struct {
	ID          string
	Label       string // "Firefox on Linux"
	Phone       bool
	IP          string
	SameNetwork bool // as the reader's
	SignedInAt  time.Time
	SeenAt      time.Time
	Current     bool
	Method      string // "email", "setup", or another means
	Upstream    string // the name of the one it was signed in by, or ""
}

// OwnMethod is a way to sign in: the mailed link, the password, an account elsewhere.
type OwnMethod struct {
	Kind   string // "email", "password" or "upstream"
	Name   string
	Detail string    // what its owner is called elsewhere
	ID     string    // of an account elsewhere
	At     time.Time // zero: not set
	UsedAt time.Time // zero: not known
	Broken bool      // it has to be connected again for apps to use it
	Idle   bool      // a password without a name that could be typed with it
	Last   bool      // there is no other
}

// ConfirmPage is confirm.html: the reader is signed in and shows that it is still
// them. It posts password, or method=mail, to /account/confirm.
type ConfirmPage struct {
	Layout
	Identifier string
	Mail       bool // there is an address to mail to
	Password   bool // there is a password
	Upstreams  []UpstreamButton
	Only       bool // there is nothing but these that could confirm
	Problem    string
}

// ForgotPage is forgot.html. It posts identifier to /signin/forgot. It must be the
// same whether or not there is such an account.
type ForgotPage struct {
	Layout
	Identifier string
	Problem    string
	Sent       bool
	From       string // the sender's address
	Captured   bool
	Unsent     bool // as on check-email.html
}

// MailedPage is mailed.html: what a mailed link is for, before it is used. It posts
// to its own path, for a new password with password.
type MailedPage struct {
	Layout
	Purpose string // the sentences are those of mailed.PURPOSE
	Account string
	Email   string
	Tick    bool // a button is not enough: some mail scanners press them
	Least   int  // characters of a new password
	Problem string
	Notice  string // a sentence: what led here
}

// OwnPasswordPage is own-password.html. It posts password to /account/password.
type OwnPasswordPage struct {
	Layout
	Set     bool // there is one
	Last    bool // it is the last way in
	Least   int
	Problem string
	Notice  string
}

// ProfilePage is profile.html. It posts name, username, language, theme and time_zone
// to /account/profile.
type ProfilePage struct {
	Layout
	Name, Username, Language     string
	Chosen                       string // theme
	TimeZone                     string
	NameProblem, UsernameProblem string
	Notice                       string
}

// EmailsPage is emails.html. It posts email to /account/emails, and to
// /account/emails/primary, /remove and /cancel.
type EmailsPage struct {
	Layout
	Emails  []OwnEmail
	Waiting []string
	Email   string
	Problem string
	Notice  string
}

// OwnEmail is one address of the reader's.
type OwnEmail struct {
	Norm, Email       string
	Primary, Verified bool
}

// HistoryPage is history.html.
type HistoryPage struct {
	Layout
	Events []HistoryLine
	Older  string // the id to go on from, or ""
}

// HistoryLine is one thing that happened.
type HistoryLine struct {
	What      string // a sentence
	At        time.Time
	Where     string
	Bad       bool
	Reference string
}

// ClosePage is close.html. It posts confirm to /account/close.
type ClosePage struct {
	Layout
	Name    string // what is to be typed
	EraseAt time.Time
	Untold  bool // there is no address to mail to
	Problem string
	Notice  string
}

// SignOutPage is signout.html. It posts to /signout, with everywhere=1 from the
// button for all devices.
type SignOutPage struct {
	Layout
	Devices int
}

// SignedOutPage is signed-out.html.
type SignedOutPage struct{ Layout }

// DevMailPage is dev-mail.html: the mail that was captured. It posts to itself
// to be emptied.
type DevMailPage struct {
	Layout
	Messages []DevMail
	Notice   string
}

// DevMail is one captured message.
type DevMail struct {
	ID      string
	To      string
	Subject string
	At      time.Time
	Link    string // the sign-in link in it, or ""
}

// DevMailMessagePage is dev-message.html. Its HTML part is for a page of its
// own at /dev/mail/ID/html.
type DevMailMessagePage struct {
	Layout
	Message DevMail
	Source  bool   // the tab: the source rather than the text
	Body    string // of the tab
}
