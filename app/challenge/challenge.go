// Package challenge mails a secret to a person and recognises it when it comes
// back: as a link, or as the six digits that stand for the link.
//
// A challenge is bound to the browser that asked for it. Its link signs in that
// browser at once and any other only after a question; its code works in that
// browser alone. It is spent by being redeemed, whether or not what follows
// succeeds. Only hashes are stored.
package challenge

import (
	"errors"
	"strings"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/fault"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// What became of a link or code. Who holds the token may know which.
var (
	ErrUnknown    = fault.New(fault.Gone, "link.unknown")
	ErrExpired    = fault.New(fault.Gone, "link.expired")
	ErrUsed       = fault.New(fault.Gone, "link.used")
	ErrSuperseded = fault.New(fault.Gone, "link.superseded")
	ErrCancelled  = fault.New(fault.Gone, "link.cancelled")

	ErrCodeMalformed = fault.New(fault.Invalid, "code.malformed").For(fault.Code)
	ErrCodeWrong     = fault.New(fault.Invalid, "code.wrong").For(fault.Code)
	ErrCodeDead      = fault.New(fault.Gone, "code.dead").For(fault.Code)
	ErrCodeExpired   = fault.New(fault.Gone, "code.expired").For(fault.Code)
)

// MaxTries is how many codes may be tried: five of a million.
const MaxTries = 5

// What challenges are for. A token opens nothing but what it was made for.
const (
	SignIn        = "signin"
	Reset         = "reset"           // chooses a new password
	ConfirmEmail  = "confirm-email"   // adds an address; Detail is it as typed
	UndoEmail     = "undo-email"      // Detail is the address as typed, and below it what came instead
	NotMe         = "not-me"          // ends the session in Detail
	NotMePassword = "not-me-password" // ends all sessions
	Unlink        = "unlink"          // disconnects the account elsewhere in Detail
	Keep          = "keep-account"    // opens a closed account again
)

// takesBack are the purposes of links that give an account back to who reads mail at
// an address.
var takesBack = []string{UndoEmail, NotMe, NotMePassword, Unlink}

// TakesBack reports whether a link waits at the address, in its normal form, that takes
// back what was done to an account.
func (m *Maker) TakesBack(tx *store.Tx, address string) (bool, error) {
	for _, purpose := range takesBack {
		if has, err := tx.HasChallenge(address, purpose, m.Now()); err != nil || has {
			return has, err
		}
	}
	return false, nil
}

// For returns the purpose of a challenge that signs in to an App alone, or
// SignIn for "".
func For(app string) string {
	if app == "" {
		return SignIn
	}
	return SignIn + "@" + app
}

// AppOf returns the App that a challenge signs in to alone, or "".
func AppOf(c store.Challenge) string {
	app, _ := strings.CutPrefix(c.Purpose, SignIn+"@")
	if app == c.Purpose {
		return ""
	}
	return app
}

// ForNewcomer reports whether a challenge signs in a person without an account who may
// register: its Detail has what they entered about themselves.
func ForNewcomer(c store.Challenge) bool { return c.UserID == "" && c.Detail != "" }

// Maker makes and redeems challenges.
type Maker struct {
	Key     []byte // for codes; 32 bytes
	Now     func() time.Time
	LinkFor time.Duration
	CodeFor time.Duration
}

// Ask is what a challenge is made from.
type Ask struct {
	From        audit.Origin
	Purpose     string // "" is SignIn
	EmailNorm   string
	UserID      string // "" when nobody has the address: it is made all the same, and redeemed only for a stranger who may come
	BrowserHash []byte
	Sends       int
	Detail      string        // what the purpose needs besides
	For         time.Duration // how long the link works; 0 is LinkFor
}

// Issued is a challenge with the secrets that only the mail holds.
type Issued struct {
	store.Challenge
	Token string
	Code  string
}

// NoBrowser returns the hash of a browser that does not exist, for a challenge that no
// browser has requested.
func NoBrowser() []byte {
	hash, _ := secret.Hash(secret.Token())
	return hash
}

// Issue makes a challenge. It is not stored yet, so that the mail can be
// written before the writer is asked for.
func (m *Maker) Issue(a Ask) Issued {
	now := m.Now()
	token := secret.Token()
	hash, _ := secret.Hash(token)
	if a.Purpose == "" {
		a.Purpose = SignIn
	}
	if a.For == 0 {
		a.For = m.LinkFor
	}
	c := Issued{Token: token, Code: secret.Code(m.Key, token)}
	c.Challenge = store.Challenge{
		ID: store.NewID(now), TokenHash: hash, Purpose: a.Purpose, EmailNorm: a.EmailNorm, UserID: a.UserID,
		BrowserHash: a.BrowserHash, Sends: a.Sends, IP: a.From.IP, Device: a.From.Device, Detail: a.Detail,
		CreatedAt: now, ExpiresAt: now.Add(a.For), CodeExpiresAt: now.Add(m.CodeFor),
	}
	c.CodeHash = m.codeHash(c.ID, c.Code)
	return c
}

// codeHash binds a code to its challenge, so that a copied row opens no other.
func (m *Maker) codeHash(id, code string) []byte { return secret.MAC(m.Key, "code hash", id, code) }

// Code returns the code that stands for a link's token, to be shown to whoever
// holds the token.
func (m *Maker) Code(token string) string { return secret.Code(m.Key, token) }

// Look returns the challenge of a link that was made for the purpose, and with it
// one of the errors above when the link no longer opens.
func (m *Maker) Look(tx *store.Tx, purpose, token string) (store.Challenge, error) {
	return m.look(tx, token, func(c store.Challenge) bool { return c.Purpose == purpose })
}

func (m *Maker) look(tx *store.Tx, token string, fits func(store.Challenge) bool) (store.Challenge, error) {
	hash, ok := secret.Hash(token)
	if !ok {
		return store.Challenge{}, ErrUnknown
	}
	c, err := tx.ChallengeByToken(hash)
	if errors.Is(err, store.ErrNotFound) || err == nil && !fits(c) {
		return store.Challenge{}, ErrUnknown
	}
	if err != nil {
		return store.Challenge{}, err
	}
	return c, m.dead(c)
}

// LookSignIn is Look for a link that signs in, to us or to an App alone.
func (m *Maker) LookSignIn(tx *store.Tx, token string) (store.Challenge, error) {
	return m.look(tx, token, func(c store.Challenge) bool { return c.Purpose == For(AppOf(c)) })
}

// dead says why a link no longer opens, or nil.
func (m *Maker) dead(c store.Challenge) error {
	if c.UserID == "" && !ForNewcomer(c) {
		return ErrUnknown // its token was never mailed
	}
	if f := ended(c); f != nil {
		return f
	}
	if !m.Now().Before(c.ExpiresAt) {
		return ErrExpired
	}
	return nil
}

// ended says what ended a challenge, or nil.
func ended(c store.Challenge) *fault.Fault {
	switch c.EndedBy {
	case "used":
		return ErrUsed
	case "superseded":
		return ErrSuperseded
	case "cancelled":
		return ErrCancelled
	}
	return nil
}

// Redeem spends the challenge of a link. Of many callers one succeeds; the
// others learn what became of it.
func (m *Maker) Redeem(tx *store.Tx, purpose, token string) (store.Challenge, error) {
	hash, ok := secret.Hash(token)
	if !ok {
		return store.Challenge{}, ErrUnknown
	}
	c, err := tx.SpendChallenge(hash, purpose, m.Now())
	if !errors.Is(err, store.ErrNotFound) {
		return c, err
	}
	if _, err := m.Look(tx, purpose, token); err != nil {
		return store.Challenge{}, err
	}
	return store.Challenge{}, ErrUnknown
}

// TryCode tries a code at the challenge with that id. The attempt is counted
// and must stay so: a caller commits the transaction also when a fault is
// returned. A wrong code says how many tries are left. The code of a challenge
// that belongs to nobody is as wrong as any other. The challenge is returned with a
// fault too, where there is one.
func (m *Maker) TryCode(tx *store.Tx, id string, browserHash []byte, code string) (store.Challenge, error) {
	now := m.Now()
	c, err := tx.TryCode(id, browserHash, MaxTries, now)
	if errors.Is(err, store.ErrNotFound) {
		return m.codeDead(tx, id)
	}
	if err != nil {
		return store.Challenge{}, err
	}
	right := secret.Equal(c.CodeHash, m.codeHash(id, code))
	if right && (c.UserID != "" || ForNewcomer(c)) {
		return c, tx.EndChallenge(id, "used", now)
	}
	if left := MaxTries - c.Attempts; left > 0 {
		return c, ErrCodeWrong.With("n", left).In("code")
	}
	return c, ErrCodeDead
}

// codeDead says why no code can be tried at the challenge with that id.
func (m *Maker) codeDead(tx *store.Tx, id string) (store.Challenge, error) {
	c, err := tx.ChallengeByID(id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Challenge{}, ErrCodeExpired
	}
	if err != nil {
		return store.Challenge{}, err
	}
	if dead := m.CodeDead(c); dead != nil {
		return c, dead
	}
	return c, ErrCodeExpired // asked for by another browser
}

// CodeDead says why no code of the challenge works any more, or nil.
func (m *Maker) CodeDead(c store.Challenge) *fault.Fault {
	switch f := ended(c); {
	case f != nil:
		return f
	case c.Attempts >= MaxTries:
		return ErrCodeDead
	case !m.Now().Before(c.CodeExpiresAt):
		return ErrCodeExpired
	}
	return nil
}
