package move

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatelodge/app/email"
	"gatelodge/app/factor/password"
	"gatelodge/app/people"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// Limits of what is taken.
const (
	maxID    = 255
	maxImage = 2000
)

// person is one user of the source with everything that comes along.
type person struct {
	user     store.User
	password string
	accounts []store.Account
	passkeys []store.Passkey
	sessions []session
}

// rename gives the person another id, with everything that is theirs. The slices
// are new ones: a transaction may run again from the same person.
func (p *person) rename(id string) {
	if !p.user.HasEmail() {
		p.user.EmailNorm = store.NoEmail(id)
	}
	p.user.ID = id
	p.accounts, p.passkeys, p.sessions = slices.Clone(p.accounts), slices.Clone(p.passkeys), slices.Clone(p.sessions)
	for i := range p.accounts {
		p.accounts[i].UserID = id
	}
	for i := range p.passkeys {
		p.passkeys[i].UserID = id
	}
	for i := range p.sessions {
		p.sessions[i].row.UserID = id
	}
}

// session is a session with the hash of the token that the app's cookie holds.
type session struct {
	row       store.Session
	tokenHash []byte
}

// judge turns rows into people. What can be said without looking at the store
// is noted in the report.
type judge struct {
	now       time.Time
	passwords string         // the column, or ""
	addresses map[string]int // how many users of the source have a normal address
	app       string         // that has the sessions, or ""
	rolling   time.Duration
	max       time.Duration
}

// user reads a user's row. ok is false when they are left out.
func (j *judge) user(r *Report, row record) (p person, ok bool) {
	id := textOf(row["id"])
	if !idOK(id) {
		r.leave("user", "the id is empty, longer than 255 bytes or no text", "")
		return p, false
	}
	created, err := timeOf(row["createdat"])
	if err != nil || created.IsZero() || created.After(j.now) {
		created = j.now
	}
	p.user = store.User{ID: id, EmailNorm: store.NoEmail(id), CreatedAt: created, UpdatedAt: j.now}
	p.user.Name = j.name(r, id, textOf(row["name"]))
	p.user.Image = image(textOf(row["image"]))
	return p, j.email(r, row, &p.user)
}

// email gives u the address of the row. ok is false when they are left out.
func (j *judge) email(r *Report, row record, u *store.User) (ok bool) {
	typed := textOf(row["email"])
	if email.Visible(typed) == "" {
		r.lessen("user", "no address: they sign in with a linked account or a passkey only", u.ID)
		return true
	}
	address, err := email.Read(typed)
	if err != nil {
		r.lessen("user", "the address is none, and left behind: they sign in with a linked account or a passkey only", u.ID)
		return true
	}
	if j.addresses[address.Norm] > 1 {
		r.leave("user", "several users of that database have one address, but for case or spelling: nobody can tell whose it is", u.ID)
		return false
	}
	u.Email, u.EmailNorm = address.Text, address.Norm
	if u.EmailVerifiedAt, err = j.verified(row["emailverified"]); err != nil {
		r.lessen("user", "when the address was verified cannot be read: it counts as not verified", u.ID)
	}
	if u.EmailVerifiedAt.After(j.now) {
		u.EmailVerifiedAt = j.now
	}
	return true
}

// verified reads when an address was proven. Some databases write only whether it
// was, and those without booleans write that as a number: a 0 is no moment in 1970.
func (j *judge) verified(v any) (time.Time, error) {
	switch strings.ToLower(strings.TrimSpace(textOf(v))) {
	case "0", "f", "false", "n", "no":
		return time.Time{}, nil
	case "1", "t", "true", "y", "yes":
		return j.now, nil
	}
	t, err := timeOf(v)
	if err == nil && !t.IsZero() && t.Year() < 2000 {
		return time.Time{}, errTime // before any of these programs was
	}
	return t, err
}

func idOK(id string) bool {
	return id != "" && len(id) <= maxID && utf8.ValidString(id) && strings.TrimSpace(id) == id &&
		strings.IndexFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// name returns a name that pages can show.
func (j *judge) name(r *Report, id, name string) string {
	short, cut := people.ShortName(name)
	if cut {
		r.lessen("user", fmt.Sprintf("the name is longer than %d characters, and shortened", people.MaxName), id)
	}
	return short
}

// image keeps an address of a picture that a page may show. Auth.js also keeps
// whole pictures there, as data: URLs.
func image(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || len(text) > maxImage {
		return ""
	}
	return u.String()
}

// account reads one linked account.
func (j *judge) account(r *Report, p *person, row record) {
	kind, provider, subject := textOf(row["type"]), textOf(row["provider"]), textOf(row["provideraccountid"])
	switch kind {
	case "oauth", "oidc", "":
	case "webauthn":
		r.Accounts.Read-- // it is half of a passkey, and counted there
		return
	default:
		r.leave("account", "its type is "+strconv.Quote(kind)+", with nothing in it to sign in with", p.user.ID)
		return
	}
	if !idOK(provider) || !idOK(subject) {
		r.leave("account", "the provider or the id there is missing or no text", p.user.ID)
		return
	}
	if kind == "" {
		kind = "oauth"
	}
	a := store.Account{
		ID: store.NewID(j.now), UserID: p.user.ID, Provider: provider, Subject: subject, Type: kind,
		SessionState: textOf(row["sessionstate"]), CreatedAt: j.now,
		Tokens: store.Tokens{
			Access: textOf(row["accesstoken"]), Refresh: textOf(row["refreshtoken"]), ID: textOf(row["idtoken"]),
			Type: textOf(row["tokentype"]), Scope: textOf(row["scope"]),
		},
	}
	if created, err := timeOf(row["createdat"]); err == nil && !created.IsZero() && !created.After(j.now) {
		a.CreatedAt = created
	}
	// Seconds, whatever the database keeps its other times in.
	var err error
	if a.Tokens.ExpiresAt, err = timeOf(row["expiresat"]); err != nil {
		r.lessen("account", "when the access token ends cannot be read", p.user.ID)
	}
	p.accounts = append(p.accounts, a)
}

// passkey reads one authenticator.
func (j *judge) passkey(r *Report, p *person, row record) {
	id, idErr := bytesOf(row["credentialid"])
	key, keyErr := bytesOf(row["credentialpublickey"])
	count, ok := intOf(row["counter"])
	// A COSE key is a CBOR map of some 77 bytes; RSA makes it 270.
	if idErr != nil || keyErr != nil || !ok || count < 0 || len(id) == 0 || len(id) > 1023 || len(key) == 0 || len(key) > 2048 || key[0]>>5 != 5 {
		r.leave("passkey", "the credential id, public key or counter cannot be read", p.user.ID)
		return
	}
	p.passkeys = append(p.passkeys, store.Passkey{
		CredentialID: id, UserID: p.user.ID, PublicKey: key, SignCount: count,
		Transports:  strings.Join(strings.FieldsFunc(textOf(row["transports"]), func(r rune) bool { return r == ',' || r == ' ' }), " "),
		MultiDevice: textOf(row["credentialdevicetype"]) == "multiDevice", BackedUp: boolOf(row["credentialbackedup"]), CreatedAt: j.now,
	})
}

// password reads the user's password hash.
func (j *judge) password(r *Report, p *person, row record) {
	if j.passwords == "" {
		return
	}
	hash := strings.TrimSpace(textOf(row[plain(j.passwords)]))
	if hash == "" {
		return
	}
	r.Passwords.Read++
	if why := hashWrong(hash); why != "" {
		r.leave("password", why, p.user.ID)
		return
	}
	p.password = hash
}

// hashWrong says why a hash cannot be checked here, or "".
func hashWrong(hash string) string {
	err := password.Readable(hash)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, password.ErrTooCostly):
		return "checking it would take too long: its cost is beyond what anybody should set"
	case strings.HasPrefix(hash, "$2"):
		return "it is a damaged bcrypt hash"
	case strings.HasPrefix(hash, "$argon2id$"):
		return "it is a damaged argon2id hash"
	}
	return "it is neither bcrypt nor argon2id: they choose a new one"
}

// authJSLifetime is how long Auth.js lets a session live by default.
const authJSLifetime = 30 * 24 * time.Hour

// session reads one session. Its token stands there in clear; here only its
// hash does, so the cookie a browser has for the app goes on being good. It is
// good for that App alone: no browser has a token of the Session itself.
func (j *judge) session(r *Report, p *person, row record) {
	hash, ok := secret.SessionHash(textOf(row["sessiontoken"]))
	expires, err := timeOf(row["expires"])
	switch {
	case j.app == "":
		r.leave("session", "it is not said whose cookie it is: configure the app as an [[app]], and name it with -app", "")
		return
	case err != nil || expires.IsZero():
		r.leave("session", "when it ends cannot be read", p.user.ID)
		return
	case !expires.After(j.now):
		r.leave("session", "it has expired", "")
		return
	case !ok:
		r.leave("session", "its token is too short to be safe, or no token", p.user.ID)
		return
	}
	// When they signed in is written nowhere. It counts as long ago, so that what
	// asks for a fresh proof asks.
	used := expires.Add(-authJSLifetime)
	if latest := j.now.Add(-24 * time.Hour); used.After(latest) {
		used = latest
	}
	nobodys, _ := secret.Hash(secret.Token())
	p.sessions = append(p.sessions, session{tokenHash: hash, row: store.Session{
		ID: store.NewID(j.now), TokenHash: nobodys, UserID: p.user.ID, AMR: "authjs", AuthAt: used, CreatedAt: used, SeenAt: used,
		ExpiresAt: earlier(expires, j.now.Add(j.rolling)), MaxExpiresAt: j.now.Add(j.max), Device: "Auth.js",
	}})
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
