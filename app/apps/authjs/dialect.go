package authjs

// Outcome is the result of a request, as clients need it.
type Outcome string

// The outcomes that clients get as an error in an address.
const (
	WrongPassword   Outcome = "wrong password"
	NeedsMore       Outcome = "needs more"       // with a code: what to send along
	Closed          Outcome = "closed"           // with a code
	Denied          Outcome = "denied"           // signed in, but not for this app
	Limited         Outcome = "limited"          // with a code
	BadForm         Outcome = "bad form"         // the CSRF token of a sign-in
	BadSignOut      Outcome = "bad sign-out"     // the CSRF token of a sign-out
	BadAddress      Outcome = "bad address"      // no email address
	UpstreamFails   Outcome = "upstream fails"   // its address cannot be made
	UpstreamLost    Outcome = "upstream lost"    // nobody was awaited, or somebody else
	UpstreamRefuses Outcome = "upstream refuses" // it answered with an error
	NotLinked       Outcome = "not linked"       // the address is another user's
	LinkDead        Outcome = "link dead"        // used, too old, another's
	LinkCut         Outcome = "link cut"         // without a token
	NoProvider      Outcome = "no such provider"
	Broken          Outcome = "broken" // ours to mend
)

// Answer is how an outcome is sent: the status to a client that asked for JSON,
// and the page to send it to with the error in the query.
type Answer struct {
	Status   int
	Page     string // below the base path: "signin", "signout" or "error"
	Error    string // "" with Code set: the code stands in its place
	Code     string
	Provider bool // with the provider's id
	CSRF     bool // csrf=true in place of an error
}

// row is a row of a table.
type row[K comparable, V any] struct {
	key   K
	value V
}

// table makes a map of rows: as a literal of a map it would be code, and a lot.
func table[K comparable, V any](rows []row[K, V]) map[K]V {
	m := make(map[K]V, len(rows))
	for _, r := range rows {
		m[r.key] = r.value
	}
	return m
}

type (
	answer = row[Outcome, Answer]
	status = row[string, int] // of the page for an error
)

// Dialect is what a generation of clients expects.
type Dialect struct {
	Version string
	// Prefix begins the names of its cookies; Encryption is of the first.
	Prefix     string
	Encryption Encryption
	// Also are other dialects whose cookies count.
	Also []*Dialect
	// SignedOut is the session of nobody.
	SignedOut string
	// Unchanged is the answer to an update with a wrong token.
	Unchanged string
	// JSON is the content type.
	JSON string
	// OIDC tells OpenID providers from others.
	OIDC bool
	// Emails are the ids under which signing in by mail is listed.
	Emails []string
	// Logs takes the client's log lines.
	Logs bool
	// Located repeats the address of an answer in its Location.
	Located bool
	// Learns says that how a client posts tells its generation.
	Learns bool
	// ProviderPage shows the sign-in page at an id's own address.
	ProviderPage bool
	// Passkeys has the options of a passkey's ceremony.
	Passkeys bool
	// BadRequest is the body for what there is not, and BadRequestType what it is.
	BadRequest, BadRequestType string
	// Direct leads to an App's own pages at once and with their query; otherwise by
	// way of ours.
	Direct bool
	// AllSecrets makes the CSRF cookie of all secrets, not of the newest alone.
	AllSecrets bool
	Answers    map[Outcome]Answer
	// Errors says what the error page does with an error: its status, or 302 for
	// those that belong to the sign-in page.
	Errors map[string]int

	all           []*Dialect
	plain, secure Names
}

// ready computes what every request asks of a dialect.
func ready(d Dialect) *Dialect {
	d.plain, d.secure = namesOf(d.Prefix, "", ""), namesOf(d.Prefix, "__Secure-", "__Host-")
	made := &d
	made.all = append([]*Dialect{made}, d.Also...)
	return made
}

// V4 is next-auth 4.
var V4 = ready(Dialect{
	Version: "v4", Prefix: "next-auth", Encryption: GCM, SignedOut: "{}", Unchanged: "{}",
	JSON: "application/json; charset=utf-8", Emails: []string{"email"}, Logs: true, ProviderPage: true,
	BadRequest: "Bad request.", BadRequestType: "text/plain; charset=utf-8",
	Answers: table([]answer{
		{WrongPassword, Answer{Status: 401, Page: "error", Error: "CredentialsSignin", Provider: true}},
		{NeedsMore, Answer{Status: 401, Page: "error"}},
		{Limited, Answer{Status: 429, Page: "error"}},
		{Closed, Answer{Status: 403, Page: "error"}},
		{Denied, Answer{Status: 403, Page: "error", Error: "AccessDenied"}},
		{BadForm, Answer{Status: 200, Page: "signin", CSRF: true}},
		{BadSignOut, Answer{Status: 200, Page: "signout", CSRF: true}},
		{BadAddress, Answer{Status: 200, Page: "error", Error: "EmailSignin"}},
		{UpstreamFails, Answer{Status: 200, Page: "error", Error: "OAuthSignin"}},
		{UpstreamLost, Answer{Status: 200, Page: "error", Error: "OAuthCallback"}},
		{UpstreamRefuses, Answer{Status: 200, Page: "error", Error: "Callback"}},
		{NotLinked, Answer{Status: 200, Page: "error", Error: "OAuthAccountNotLinked"}},
		{LinkDead, Answer{Status: 200, Page: "error", Error: "Verification"}},
		{LinkCut, Answer{Status: 200, Page: "error", Error: "configuration"}},
		{NoProvider, Answer{Status: 200, Page: "error", Error: "Configuration"}},
		{Broken, Answer{Status: 500, Page: "error", Error: "Configuration"}},
	}),
	Errors: table([]status{
		{"Configuration", 500},
		{"AccessDenied", 403},
		{"Verification", 403},
		{"Signin", 302},
		{"OAuthSignin", 302},
		{"OAuthCallback", 302},
		{"OAuthCreateAccount", 302},
		{"EmailCreateAccount", 302},
		{"Callback", 302},
		{"OAuthAccountNotLinked", 302},
		{"EmailSignin", 302},
		{"CredentialsSignin", 302},
		{"SessionRequired", 302},
	}),
})

// V5 is next-auth 5 and @auth/core.
var V5 = ready(Dialect{
	Version: "v5", Prefix: "authjs", Encryption: CBC, SignedOut: "null", Unchanged: "null",
	JSON: "application/json", OIDC: true, Emails: Emails, Passkeys: true, Located: true,
	BadRequest: `"Bad request."`, BadRequestType: "application/json", Direct: true, AllSecrets: true,
	Answers: table([]answer{
		{WrongPassword, Answer{Status: 200, Page: "signin", Error: "CredentialsSignin", Code: "credentials"}},
		{NeedsMore, Answer{Status: 200, Page: "signin", Error: "CredentialsSignin"}},
		{Limited, Answer{Status: 200, Page: "signin", Error: "CredentialsSignin"}},
		{Closed, Answer{Status: 200, Page: "signin", Error: "CredentialsSignin"}},
		{Denied, Answer{Status: 200, Page: "error", Error: "AccessDenied"}},
		{BadForm, Answer{Status: 200, Page: "signin", Error: "MissingCSRF"}},
		{BadSignOut, Answer{Status: 200, Page: "signin", Error: "MissingCSRF"}},
		{BadAddress, Answer{Status: 200, Page: "error", Error: "Configuration"}},
		{UpstreamFails, Answer{Status: 200, Page: "error", Error: "Configuration"}},
		{UpstreamLost, Answer{Status: 200, Page: "error", Error: "Configuration"}},
		{UpstreamRefuses, Answer{Status: 200, Page: "signin", Error: "OAuthCallbackError"}},
		{NotLinked, Answer{Status: 200, Page: "signin", Error: "OAuthAccountNotLinked"}},
		{LinkDead, Answer{Status: 200, Page: "error", Error: "Verification"}},
		{LinkCut, Answer{Status: 200, Page: "error", Error: "Configuration"}},
		{NoProvider, Answer{Status: 200, Page: "error", Error: "Configuration"}},
		{Broken, Answer{Status: 500, Page: "error", Error: "Configuration"}},
	}),
	Errors: table([]status{{"Configuration", 500}, {"AccessDenied", 403}, {"Verification", 403}}),
})

// Auto serves clients of which it is not known yet what they are. Its session
// of nobody is one that both read rightly.
var Auto = func() *Dialect {
	d := *V5
	d.Version, d.SignedOut, d.Logs, d.ProviderPage, d.Learns, d.Also = "auto", "false", true, true, true, []*Dialect{V4}
	return ready(d)
}()

// Own is spoken at our own address: to clients of which it is not known yet what
// they are, and to programs, which get null.
var Own = func() *Dialect {
	d := *Auto
	d.Version, d.SignedOut = "own", V5.SignedOut
	return ready(d)
}()

// All returns the dialect and those whose cookies count beside it.
func (d *Dialect) All() []*Dialect { return d.all }

// ByVersion returns the dialect a configuration names, or nil.
func ByVersion(version string) *Dialect {
	for _, d := range []*Dialect{V4, V5, Auto} {
		if d.Version == version {
			return d
		}
	}
	return nil
}

// Emails are the ids by which apps ask for a mailed link.
var Emails = []string{"email", "nodemailer", "resend", "magic-link"}

// Programs are the statuses for programs, which send JSON and read statuses. They
// get the error of V5.
var Programs = map[Outcome]int{
	WrongPassword: 401, NeedsMore: 401, Limited: 429, Closed: 403, Denied: 403, BadForm: 403, BadSignOut: 403, BadAddress: 422,
	UpstreamFails: 502, UpstreamLost: 410, UpstreamRefuses: 403, NotLinked: 409, LinkDead: 410, LinkCut: 400, NoProvider: 404, Broken: 500,
}

// Word is the answer in one word, for programs.
func (a Answer) Word(code string) string {
	if a.Code != "" {
		code = a.Code
	}
	if code != "" {
		return code
	}
	return a.Error
}

// Query returns the query that tells the answer, for its page.
func (a Answer) Query(provider, code string) string {
	if a.CSRF {
		return "csrf=true"
	}
	if a.Code != "" {
		code = a.Code
	}
	switch {
	case a.Error == "":
		return "error=" + code
	case a.Provider:
		return "error=" + a.Error + "&provider=" + provider
	case code != "":
		return "error=" + a.Error + "&code=" + code
	}
	return "error=" + a.Error
}

// Names are the cookies of a dialect on an origin.
type Names struct {
	Session, CSRF, CallbackURL, State string
}

// Names returns the names of the dialect's cookies, which on https have
// prefixes that browsers hold to their word. The state, which no client looks at,
// has the stricter one: a sibling's page must not plant an attempt of its own.
func (d *Dialect) Names(secure bool) Names {
	if secure {
		return d.secure
	}
	return d.plain
}

func namesOf(prefix, any, host string) Names {
	return Names{
		Session: any + prefix + ".session-token", CSRF: host + prefix + ".csrf-token",
		CallbackURL: any + prefix + ".callback-url", State: host + prefix + ".state",
	}
}
