package move

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"time"

	"gatelodge/store"
)

// lineFormat is the version of the lines. It grows when a field changes its
// meaning, not when one is added.
const lineFormat = 1

type headLine struct {
	Kind     string    `json:"kind"` // "export"
	Format   int       `json:"format"`
	At       time.Time `json:"at"`
	Secrets  bool      `json:"secrets"`
	Sessions string    `json:"sessions"`
}

type userLine struct {
	Kind          string     `json:"kind"` // "user"
	ID            string     `json:"id"`
	Email         string     `json:"email,omitempty"`
	EmailVerified *time.Time `json:"emailVerified,omitempty"`
	Name          string     `json:"name,omitempty"`
	Username      string     `json:"username,omitempty"`
	Image         string     `json:"image,omitempty"`
	Language      string     `json:"language,omitempty"`
	Admin         bool       `json:"admin,omitempty"`
	AddedByAdmin  bool       `json:"addedByAdmin,omitempty"`
	DisabledAt    *time.Time `json:"disabledAt,omitempty"`
	CreatedAt     time.Time  `json:"createdAt"`
	Password      string     `json:"password,omitempty"`
}

type accountLine struct {
	Kind         string     `json:"kind"` // "account"
	UserID       string     `json:"userId"`
	Provider     string     `json:"provider"`
	Subject      string     `json:"providerAccountId"`
	Type         string     `json:"type"`
	Email        string     `json:"email,omitempty"`
	AccessToken  string     `json:"accessToken,omitempty"`
	RefreshToken string     `json:"refreshToken,omitempty"`
	IDToken      string     `json:"idToken,omitempty"`
	TokenType    string     `json:"tokenType,omitempty"`
	Scope        string     `json:"scope,omitempty"`
	SessionState string     `json:"sessionState,omitempty"`
	ExpiresAt    *time.Time `json:"expiresAt,omitempty"`
	CreatedAt    time.Time  `json:"createdAt"`
	UsedAt       *time.Time `json:"usedAt,omitempty"`
}

type passkeyLine struct {
	Kind         string     `json:"kind"` // "passkey"
	UserID       string     `json:"userId"`
	CredentialID string     `json:"credentialId"` // base64url, as are the keys
	PublicKey    string     `json:"publicKey"`
	SignCount    int64      `json:"signCount"`
	Transports   []string   `json:"transports"`
	AAGUID       string     `json:"aaguid,omitempty"`
	MultiDevice  bool       `json:"multiDevice"`
	BackedUp     bool       `json:"backedUp"`
	Name         string     `json:"name,omitempty"`
	CreatedAt    time.Time  `json:"createdAt"`
	UsedAt       *time.Time `json:"usedAt,omitempty"`
}

// NoSessions is why sessions are in no export.
const NoSessions = "not in here: only hashes of their tokens are kept, so nothing could go on with them"

// Lines writes the people as JSON Lines: first what it is, then each user,
// followed by their accounts and passkeys.
func (e *Exporter) Lines(ctx context.Context, w io.Writer, now time.Time) (Handed, error) {
	buffered := bufio.NewWriterSize(w, 32<<10)
	enc := json.NewEncoder(buffered)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(headLine{"export", lineFormat, now.UTC().Truncate(time.Second), e.Secrets, NoSessions}); err != nil {
		return Handed{}, err
	}
	h, err := e.each(ctx, func(c citizen) error {
		for _, line := range c.lines() {
			if err := enc.Encode(line); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return h, err
	}
	return h, buffered.Flush()
}

func (c citizen) lines() []any {
	u := c.user
	list := []any{userLine{
		"user", u.ID, u.Email, moment(u.EmailVerifiedAt), u.Name, u.Username, u.Image, u.Language, u.Admin, u.AddedByAdmin, moment(u.DisabledAt), u.CreatedAt,
		c.password,
	}}
	for _, a := range c.accounts {
		list = append(list, lineOf(a))
	}
	for _, p := range c.passkeys {
		list = append(list, passkeyLine{
			"passkey", p.UserID, base64.RawURLEncoding.EncodeToString(p.CredentialID), base64.RawURLEncoding.EncodeToString(p.PublicKey),
			p.SignCount, strings.Fields(p.Transports), p.AAGUID, p.MultiDevice, p.BackedUp, p.Name, p.CreatedAt, moment(p.UsedAt),
		})
	}
	return list
}

func lineOf(a store.Account) accountLine {
	return accountLine{
		"account", a.UserID, a.Provider, a.Subject, a.Type, a.Email, a.Tokens.Access, a.Tokens.Refresh, a.Tokens.ID, a.Tokens.Type, a.Tokens.Scope,
		a.SessionState, moment(a.Tokens.ExpiresAt), a.CreatedAt, moment(a.UsedAt),
	}
}

// moment is nil for the zero time.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
