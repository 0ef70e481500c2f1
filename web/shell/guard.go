package shell

import (
	"errors"
	"net/http"
	"net/netip"

	"gatelodge/app/fault"
	"gatelodge/app/login"
	"gatelodge/app/mail/submission"
	"gatelodge/app/proxy"
	"gatelodge/app/secret"
	"gatelodge/app/session"
	"gatelodge/store"
)

// Guard says who may use a route. The zero value admits no one: a route without a guard
// refuses every request.
type Guard int

// The guards.
const (
	_          Guard = iota
	Anyone           // every visitor
	Attempting       // browsers with a sign-in in progress
	SignedIn         // signed-in users
	Fresh            // SignedIn, confirmed within the last minutes
	Admin            // signed-in admins
	FreshAdmin       // Admin, confirmed within the last minutes
	InboxKey         // browsers with the key of captured mail
	Credential       // apps with a submission credential
	Client           // a client of the session API, at an address of its App or ours
	AppUser          // Client, with a user signed in at an App that is allowed it
)

func (g Guard) admins() bool { return g == Admin || g == FreshAdmin }

var (
	errAdmins = fault.New(fault.Denied, "admin.only")
	// ErrInboxKey means that a request for captured mail has no key, or an old one.
	ErrInboxKey = fault.New(fault.NotFound, "devmail.locked")
	// errNoGuard is a defect of ours.
	errNoGuard = errors.New("the route does not say who may use it")
	// errStale leads to the page that asks for a proof, see answer.
	errStale = errors.New("the user has to confirm again")
	// errAnswered means that a guard has answered already.
	errAnswered = errors.New("the guard has answered")
)

// admit is the one place where guards are enforced. It returns nil when the request may
// use the route, and sets what the handler was promised; answer knows its errors.
func (q *Request) admit() error {
	var err error
	switch q.route.Guard {
	case Anyone:
		return nil
	case Attempting:
		return q.admitAttempt()
	case InboxKey:
		return q.admitInbox()
	case Credential:
		q.Credential, err = q.login()
		return err
	case SignedIn, Fresh, Admin, FreshAdmin:
	default:
		return errNoGuard
	}
	if q.Current, err = q.WhoIs(); err != nil {
		return err
	}
	if q.route.Guard.admins() && !q.Current.User.Admin {
		return errAdmins
	}
	if q.route.Guard == Fresh || q.route.Guard == FreshAdmin {
		if err := q.Proven(); err != nil {
			return err
		}
	}
	if q.route.Renews {
		return q.Renew()
	}
	return nil
}

// Proven returns an error that leads to the confirmation page, unless the user has
// confirmed within the last minutes.
func (q *Request) Proven() error {
	if !q.shell.Account.Fresh(q.Current.Session) {
		return errStale
	}
	return nil
}

// answer gives the refusals of guards their answers. Other errors it returns.
func (q *Request) answer(err error) error {
	var refusal *submission.Refusal
	switch {
	case errors.Is(err, errAnswered):
		return nil
	case errors.Is(err, session.ErrNone):
		return q.toSignIn()
	case errors.Is(err, errStale):
		return q.toConfirm()
	case errors.As(err, &refusal):
		return q.refuseMail(refusal)
	}
	return err
}

// admitAttempt redirects browsers without a sign-in in progress to the sign-in page. A form
// that was filled in is answered with the reason. An attempt may have begun at an App's address.
func (q *Request) admitAttempt() error {
	taken, err := q.shell.Entered(q)
	if err != nil {
		return err
	}
	a := q.Attempt()
	switch {
	case taken:
		return errAnswered
	case a.Browser != "":
		return nil
	case q.Method == http.MethodPost && q.route.Back != "":
		if ok, err := q.Onward(a, nil); ok || err != nil {
			return errors.Join(err, errAnswered)
		}
		return login.ErrStateLost
	}
	if err := q.Redirect("/signin"); err != nil {
		return err
	}
	return errAnswered
}

// admitInbox guards a page of captured mail, which shows links that sign in as any
// user. Access is by the key that is printed where the server runs, and by nothing that
// a request says about its sender: a proxy or a tunnel makes every visitor look local,
// and other users of this machine are local.
//
// A browser exchanges the key for a cookie, so that the key does not stay in the
// address.
func (q *Request) admitInbox() error {
	s := q.shell
	if !s.HasInbox(q.Request) {
		return ErrNotFound
	}
	q.W.Header()["Referrer-Policy"] = headerNoReferrer
	if q.Method != http.MethodPost && q.URL.Query().Has("key") {
		if !s.isInboxKey(q.URL.Query().Get("key")) {
			return ErrInboxKey
		}
		s.Cookies.SetInbox(q.W, s.InboxKey)
		return errors.Join(q.Redirect(q.URL.EscapedPath()), errAnswered)
	}
	if !s.isInboxKey(s.Cookies.Inbox(q.Request)) {
		return ErrInboxKey
	}
	return nil
}

func (s *Shell) isInboxKey(given string) bool {
	return s.InboxKey != "" && secret.Equal([]byte(given), []byte(s.InboxKey))
}

// hasInbox reports whether there are pages of captured mail for a request: at a
// loopback address, while that is the address people use, and not through a
// proxy that can be recognized. This is no proof of anything; see admitInbox.
func (s *Shell) HasInbox(r *http.Request) bool {
	host, _ := proxy.SplitHost(proxy.NormalHost(r.Host))
	originHost, _ := proxy.SplitHost(s.Origin.Host)
	if s.InboxKey == "" || !LoopbackName(originHost) || !LoopbackName(host) || proxy.Forwarded(r) {
		return false
	}
	// Fails for a Unix socket, behind which there is always a proxy.
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}

// login returns the credential whose name and password a request shows.
func (q *Request) login() (store.SubmissionCredential, error) {
	name, password, given := q.BasicAuth()
	if !given {
		return store.SubmissionCredential{}, submission.ErrNoLogin
	}
	return q.shell.Relay.Login(q.Context(), q.From().Network, q.shell.Proxies.Local(q.Request), name, password)
}

// refuseMail answers with the reply that SMTP would have given.
func (q *Request) refuseMail(refusal *submission.Refusal) error {
	status := refusal.Status()
	switch status {
	case http.StatusUnauthorized:
		q.W.Header().Set("WWW-Authenticate", `Basic realm="mail", charset="UTF-8"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		q.W.Header().Set("Retry-After", "600")
	}
	return WriteJSON(q.W, q.Request, status, struct {
		Error     string `json:"error"`
		Message   string `json:"message"`
		Reference string `json:"reference"`
	}{refusal.EnhancedCode(), refusal.Text, Reference(q.Request)})
}
