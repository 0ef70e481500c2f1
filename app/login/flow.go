package login

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"gatelodge/app/apps"
	"gatelodge/app/audit"
	"gatelodge/app/challenge"
	"gatelodge/app/email"
	"gatelodge/app/factor"
	"gatelodge/app/factor/password"
	"gatelodge/app/fault"
	"gatelodge/app/gate"
	"gatelodge/app/limit"
	"gatelodge/app/links"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/post"
	"gatelodge/app/mail/queue"
	"gatelodge/app/people"
	"gatelodge/app/session"
	"gatelodge/app/upstream"
	"gatelodge/store"
)

// The faults of a sign-in by mail.
var (
	ErrLimitAddress = fault.New(fault.Limited, "limit.address")
	ErrLimitNetwork = fault.New(fault.Limited, "limit.network").For(fault.Limit)
	ErrResendWait   = fault.New(fault.Limited, "resend.wait")
	ErrEmailNeeded  = fault.New(fault.Invalid, "signin.email_needed")
	ErrStateLost    = fault.New(fault.Gone, "error.state_lost")
	ErrLeft         = fault.New(fault.Denied, "signup.left") // the address was another account's until lately
)

// The rules for asking for mail and for trying codes. Limits protect an
// address from a flood of mail, and the server from clients that try many; a network is a
// company as often as an attacker. A code has five tries and an address three codes in ten
// minutes, so that guessing succeeds once in 66,000 such spans.
var (
	perAddress = []limit.Rule{{Count: 3, Per: 10 * time.Minute}, {Count: 10, Per: 24 * time.Hour}}
	perNetwork = []limit.Rule{{Count: 60, Per: 10 * time.Minute}, {Count: 600, Per: 24 * time.Hour}}
	perServer  = []limit.Rule{{Count: 500, Per: 10 * time.Minute}}
	perCodes   = []limit.Rule{{Count: 100, Per: 10 * time.Minute}}
	// Where anybody may come, mail goes to whatever address is typed: a mailbox that
	// has all addresses of its domain must not get one for each.
	perDomain         = []limit.Rule{{Count: 30, Per: 10 * time.Minute}, {Count: 100, Per: 24 * time.Hour}}
	perDomainOfServer = []limit.Rule{{Count: 150, Per: 10 * time.Minute}, {Count: 600, Per: 24 * time.Hour}}
)

// A browser may ask again after a minute, and from then on every five.
const (
	firstResend = time.Minute
	laterResend = 5 * time.Minute
	resendSpan  = time.Hour // asks further apart have nothing to do with each other
)

// Flow signs people in.
type Flow struct {
	DB         *store.DB
	Audit      *audit.Log
	Users      *people.Users
	Applicants *people.Applicants
	Limits     *limit.Limiter
	Apps       *apps.Apps
	Challenges *challenge.Maker
	Sessions   *session.Sessions
	Queue      *queue.Queue
	Post       *post.Service
	Upstreams  *upstream.Upstreams
	Passwords  *password.Hasher // nil: passwords are off
	Now        func() time.Time
	Log        *slog.Logger
	PublicURL  string // without a trailing slash

	// Require says what an attempt needs beside a first proof; nil needs nothing.
	Require Requirement

	hashing limit.Gate // strangers whose passwords are being hashed, by network
	starter *session.Starter
}

// New completes the flow by what begins sessions, which nothing else has.
func New(starter *session.Starter, f *Flow) *Flow {
	f.starter = starter
	return f
}

// Outcome is what came of a proof.
type Outcome struct {
	Need    Need   // what is still missing, or "" when the person is signed in
	Token   string // of the new session, for the cookie
	Session store.Session
	User    store.User
	Return  string
	// AppToken is for the App's cookie, where the attempt was answered at the
	// App's own address; Code leads there, where it was answered at ours.
	AppToken string
	Code     string
	Device   string // by which the user knows this browser again, for its cookie
	// Notice is the key of a sentence about what happened besides, or "". It Warns
	// when that is not what they may have hoped for.
	Notice string
	Warns  bool
	// Confirmed says that no session was begun: the one there is has a new token.
	Confirmed bool
}

// SendLink mails a link and a code to the address, when a user has it.
// When no user has it, everything but the mail happens all the same: the answer,
// the writes and the time tell nothing. Asking again too soon sends nothing new.
func (f *Flow) SendLink(ctx context.Context, from audit.Origin, l *Login, typed, language string) error {
	address, err := email.Read(typed)
	if _, bad := people.NormalUsername(typed); err != nil && bad == nil && f.Passwords != nil {
		return ErrEmailNeeded.In("identifier")
	}
	if err != nil {
		return fault.Of(err).In("identifier")
	}
	l.Begin()
	l.Identifier = address.Text
	last, err := f.lastAsk(ctx, l, address.Norm, challenge.For(l.app()))
	if err != nil {
		return err
	}
	if last.ID != "" && last.EndedBy == "" && f.resendIn(last) > 0 {
		l.AwaitMail(address.Norm, last.ID)
		return nil
	}
	return f.send(ctx, from, l, address.Norm, language, last.Sends+1)
}

// Resend mails again to the address of the attempt, or says how long to wait.
func (f *Flow) Resend(ctx context.Context, from audit.Origin, l *Login, language string) error {
	if l.Email == "" || l.browserHash() == nil {
		return ErrStateLost
	}
	last, err := f.lastAsk(ctx, l, l.Email, challenge.For(l.app()))
	if err != nil {
		return err
	}
	if wait := f.resendIn(last); last.ID != "" && wait > 0 {
		return ErrResendWait.After(wait)
	}
	return f.send(ctx, from, l, l.Email, language, last.Sends+1)
}

// lastAsk returns this browser's newest challenge for the address within the
// hour, or a zero one.
func (f *Flow) lastAsk(ctx context.Context, l *Login, address, purpose string) (store.Challenge, error) {
	var last store.Challenge
	err := f.DB.View(ctx, func(tx *store.Tx) (err error) {
		last, err = tx.LatestChallenge(address, purpose, l.browserHash(), f.Now().Add(-resendSpan))
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return store.Challenge{}, nil
	}
	return last, err
}

// resendIn returns how long this browser has to wait before it may ask again.
func (f *Flow) resendIn(last store.Challenge) time.Duration {
	pause := firstResend
	if last.Sends > 1 {
		pause = laterResend
	}
	return max(0, last.CreatedAt.Add(pause).Sub(f.Now()))
}

func (f *Flow) send(ctx context.Context, from audit.Origin, l *Login, address, language string, sends int) error {
	to, err := f.recipient(ctx, from, l, wanted{address, language, false})
	if err != nil {
		return err
	}
	detail, err := l.challengeDetail(to)
	if err != nil {
		return err
	}
	issued := f.Challenges.Issue(challenge.Ask{
		From: from, Purpose: challenge.For(l.app()), EmailNorm: address, UserID: to.user.ID, BrowserHash: l.browserHash(), Sends: sends, Detail: detail,
	})
	mail, err := f.mail(from, issued, to, compose.SignIn{
		Link: f.link(l, issued), Code: issued.Code, Device: from.Device, LinkUntil: issued.ExpiresAt, CodeUntil: issued.CodeExpiresAt,
		New: to.registers, Known: to.user.ID != "" && l.signsUp(),
	})
	if err != nil {
		return err
	}
	id, err := f.enqueueOnce(ctx, from, audit.LinkAsked, issued.Challenge, mail)
	if err != nil {
		return err
	}
	l.AwaitMail(address, id)
	return nil
}

// enqueueOnce writes challenge and mail, unless this browser's mail to the address has
// been written since it was looked for: a double click asks twice at once. It returns
// the id of the challenge that is mailed.
func (f *Flow) enqueueOnce(ctx context.Context, from audit.Origin, kind string, c store.Challenge, m queue.Mail) (id string, err error) {
	err = f.DB.Update(ctx, func(tx *store.Tx) error {
		last, err := tx.LatestChallenge(c.EmailNorm, c.Purpose, c.BrowserHash, f.Now().Add(-resendSpan))
		if err == nil && last.EndedBy == "" && f.resendIn(last) > 0 {
			id = last.ID
			return nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		id = c.ID
		return f.enqueue(tx, from, kind, c, m)
	})
	if err == nil {
		f.Queue.Wake()
	}
	return id, err
}

// recipient is whom mail to a typed address goes to.
type recipient struct {
	user      store.User // zero when no user has the address
	registers bool       // no user has it, and its owner may register
	mail      string     // as its owner gave it, never as a visitor typed it
	typed     string     // as typed
	language  string
}

// wanted is requested mail.
type wanted struct {
	address   string // in its normal form
	language  string // of the one who asks
	knownOnly bool   // it is of use only to who is known
}

// recipient finds whose an address is, and counts a request for mail to it. A
// browser that they have signed in with counts by itself: no stranger who asks for
// the same address, or from the same network, keeps its owner from signing in.
func (f *Flow) recipient(ctx context.Context, from audit.Origin, l *Login, m wanted) (recipient, error) {
	address, language := m.address, m.language
	to := recipient{mail: address, language: language}
	own := false
	device, _ := l.deviceHash()
	err := f.DB.View(ctx, func(tx *store.Tx) (err error) {
		// Both are asked for everybody: known and unknown addresses take the same.
		expected := false
		if !m.knownOnly {
			if expected, err = f.Users.AddressMayRegister(tx, address, l.invite()); err != nil {
				return err
			}
		}
		if to.user, err = tx.UserByEmail(address); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		to.registers = expected && errors.Is(err, store.ErrNotFound)
		// The same is looked up for an address that leads nowhere.
		emails, err := tx.EmailsOf(to.user.ID)
		if err != nil {
			return err
		}
		for _, e := range emails {
			if e.Norm == address {
				to.mail = people.MailAddressOf(e)
			}
		}
		own, _, err = tx.KnowsBrowser(to.user.ID, device)
		return err
	})
	if err != nil {
		return recipient{}, err
	}
	if to.registers {
		// Some servers mind the case of what stands before the @.
		to.typed = l.typed(address)
		to.mail = people.MailAddressOf(store.Email{Email: to.typed, Norm: address})
	}
	if to.user.Language != "" {
		to.language = to.user.Language
	}
	asks := f.mailAsks(from, m)
	if own {
		asks = []limit.Ask{{Key: "address:" + email.MailboxKey(address) + " " + l.Device, Rules: perAddress}}
	}
	wait, at := f.Limits.Take(asks...)
	if wait == 0 {
		return to, nil
	}
	kind, _, _ := strings.Cut(asks[at].Key, ":")
	f.Audit.Note(from, audit.LinkLimited, audit.ByVisitor, "", kind)
	if kind == "address" {
		return recipient{}, ErrLimitAddress.After(wait).In("identifier")
	}
	return recipient{}, ErrLimitNetwork.After(wait).In("identifier")
}

// mailAsks returns what a stranger's request for mail counts against. It is the
// same for known and unknown addresses.
func (f *Flow) mailAsks(from audit.Origin, m wanted) []limit.Ask {
	asks := []limit.Ask{{Key: "address:" + email.MailboxKey(m.address), Rules: perAddress}}
	asks = append(asks, limit.Networks("network:", from.Network, perNetwork, perServer)...)
	asks = append(asks, limit.Ask{Key: "server", Rules: perServer})
	if !m.knownOnly && f.Users.Policy.Decide("") != people.Denied {
		domain := "domain:" + email.DomainOf(m.address)
		asks = append(asks, limit.Networks(domain+" ", from.Network, perDomain, perDomainOfServer)...)
		asks = append(asks, limit.Ask{Key: domain, Rules: perDomainOfServer})
	}
	return asks
}

// mail writes the message that carries the challenge.
func (f *Flow) mail(from audit.Origin, c challenge.Issued, to recipient, l compose.Letter) (queue.Mail, error) {
	return f.Post.Write(l, post.Terms{
		To: to.mail, Language: to.language, TimeZone: from.ZoneFor(to.user.TimeZone), Reference: from.Reference, ChallengeID: c.ID, Awaited: true, NotAfter: c.ExpiresAt,
		Unaddressed: to.user.ID == "" && !to.registers,
	})
}

// link returns where the attempt's mail leads: to us, or to the App it began at.
func (f *Flow) link(l *Login, c challenge.Issued) string {
	if l.AppLogin != nil {
		return l.AppLogin.Link + "&token=" + c.Token + "&email=" + url.QueryEscape(c.EmailNorm)
	}
	return f.linkURL(c.Token)
}

func (f *Flow) linkURL(token string) string { return f.PublicURL + links.SignInLink(token) }

// enqueue writes challenge and mail together: neither is ever without the
// other. Mail that still waits for the same address is cancelled, since its
// link will have expired.
func (f *Flow) enqueue(tx *store.Tx, from audit.Origin, kind string, c store.Challenge, m queue.Mail) error {
	if _, err := tx.CancelMessages(m.RcptHash, m.Purpose, c.CreatedAt); err != nil {
		return err
	}
	if err := tx.SupersedeChallenges(c.EmailNorm, c.Purpose, c.BrowserHash, c.CreatedAt); err != nil {
		return err
	}
	if err := tx.AddChallenge(c); err != nil {
		return err
	}
	if err := f.Queue.Add(tx, m); err != nil {
		return err
	}
	return f.Audit.Record(tx, from, kind, audit.ByVisitor, c.UserID, "")
}

// OperatorIP stands where an address would for what the command line does.
const OperatorIP = "local"

// OperatorDevice stands where a browser would for what the command line does.
const OperatorDevice = "command line"

// ErrNoAddress means that the user has no address to mail to.
var ErrNoAddress = errors.New("the user has no address to mail to")

// LinkFor makes a link for a user by an operator's word, without mail. No
// browser asked for it, so it asks for confirmation when it is opened.
func (f *Flow) LinkFor(ctx context.Context, from audit.Origin, u store.User) (link string, until time.Time, err error) {
	if err := gate.MayEnter(u); err != nil {
		return "", time.Time{}, err
	}
	issued := f.Challenges.Issue(challenge.Ask{From: from, EmailNorm: u.EmailNorm, UserID: u.ID, BrowserHash: challenge.NoBrowser(), Sends: 1})
	err = f.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.AddChallenge(issued.Challenge); err != nil {
			return err
		}
		return f.Audit.Record(tx, from, audit.UserLinked, audit.ByAdmin, u.ID, "")
	})
	return f.linkURL(issued.Token), issued.ExpiresAt, err
}

// MailLink mails a user a link to sign in with, by an admin's word; by is what the
// admin is called. Nobody else sees it. No browser asked for it, so whoever opens it is
// asked first.
func (f *Flow) MailLink(ctx context.Context, from audit.Origin, u store.User, by string) error {
	if err := gate.MayEnter(u); err != nil {
		return err
	}
	if !u.HasEmail() {
		return ErrNoAddress
	}
	// The location of the admin is not shown to the user.
	asked := audit.Origin{IP: OperatorIP, Network: OperatorIP, Device: "admin pages", Reference: from.Reference}
	issued := f.Challenges.Issue(challenge.Ask{From: asked, EmailNorm: u.EmailNorm, UserID: u.ID, BrowserHash: challenge.NoBrowser(), Sends: 1})
	err := f.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.AddChallenge(issued.Challenge); err != nil {
			return err
		}
		letter := compose.SentLink{By: by, Link: f.linkURL(issued.Token), Code: issued.Code, Until: issued.ExpiresAt}
		if err := f.Post.Add(tx, letter, post.Terms{
			To: people.MailAddress(u), Language: u.Language, TimeZone: u.TimeZone, Reference: from.Reference, ChallengeID: issued.ID, NotAfter: issued.ExpiresAt,
		}); err != nil {
			return err
		}
		return f.Audit.Record(tx, from, audit.UserLinked, audit.ByAdmin, u.ID, "mailed")
	})
	if err == nil {
		f.Queue.Wake()
	}
	return err
}

// SetUp makes the first admin and signs this browser in, both or neither.
func (f *Flow) SetUp(ctx context.Context, from audit.Origin, l *Login, s people.SetUp, replaces string) (Outcome, error) {
	use := l.use("set-up", s.Code)
	var out Outcome
	began := *l
	err := f.Users.SetUp(ctx, from, s, func(tx *store.Tx, u store.User, claimed bool) (err error) {
		*l = began
		l.addProof(Proof{Means: factor.SetUp, UserID: u.ID, At: f.Now(), AuthAt: f.Now()})
		l.Return, l.Claimed = links.Welcome, claimed
		out, err = f.Finish(tx, from, l, u, replaces)
		return errors.Join(err, f.keepOutcome(tx, use, l.result(out, nil)))
	})
	if err != nil {
		*l = began
		return f.repeat(ctx, l, use, err)
	}
	return out, nil
}
