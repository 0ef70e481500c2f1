package people

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatelodge/app/apps"
	"gatelodge/app/audit"
	"gatelodge/app/email"
	"gatelodge/app/fault"
	"gatelodge/app/gate"
	"gatelodge/app/links"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/post"
	"gatelodge/app/mail/queue"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// What can be said about an invite that is to be made.
var (
	ErrUses     = fault.New(fault.Invalid, "invites.uses")
	ErrDays     = fault.New(fault.Invalid, "invites.days")
	ErrNoInvite = errors.New("there is no such invite, or it has ended")
	ErrKnown    = fault.New(fault.Invalid, "invites.known")
	// ErrKnownUnconfirmed is ErrKnown for an address that is not confirmed.
	ErrKnownUnconfirmed = fault.New(fault.Invalid, "invites.known_unconfirmed")
	ErrGroup            = fault.New(fault.Invalid, "invites.no_group")
)

// How invites may be.
const (
	MaxUses    = 1000
	MaxDays    = 90
	DefaultFor = 7 * 24 * time.Hour
	listed     = 500
)

// Invites is the service that makes invites.
type Invites struct {
	DB        *store.DB
	Audit     *audit.Log
	Users     *Users
	Apps      *apps.Apps
	Post      *post.Service
	Queue     *queue.Queue
	Now       func() time.Time
	PublicURL string // without a trailing slash
	Contact   string // the address of the operator, or ""
}

// Invitation is what an invite is made from.
type Invitation struct {
	Email  string // where it is mailed, and the only address it is for; "" makes a link that anyone can use
	Uses   int    // 0 is one; a mailed one has one
	For    time.Duration
	Groups []string
	By     store.User // the admin; zero for the command line
	// Language is the one to write in, for want of knowing theirs.
	Language string
}

// Invite makes an invite. One with an address is mailed, and its link stands in
// the mail alone, so that showing it proves that its holder reads mail there. For one
// without, the link is returned, this once.
func (s *Invites) Add(ctx context.Context, from audit.Origin, i Invitation) (v store.Invite, link string, err error) {
	if v, err = s.newInvite(i); err != nil {
		return store.Invite{}, "", err
	}
	text, hash := token()
	v.TokenHash, link = hash, s.PublicURL+links.Invite(text)
	var mail queue.Mail
	if v.Email != "" {
		mail, err = s.Post.Write(s.letter(v, i.By, link), post.Terms{
			To: MailAddressOf(store.Email{Email: v.Email, Norm: v.EmailNorm}), Language: i.Language, Reference: from.Reference,
			NotAfter: earlier(v.ExpiresAt, v.CreatedAt.Add(mailFor)),
		})
		if err != nil {
			return store.Invite{}, "", err
		}
		v.MessageID = mail.ID
	}
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		if v.Email != "" {
			if err := mustBeNew(tx, v.EmailNorm); err != nil {
				return err
			}
			if err := s.replace(tx, v.EmailNorm); err != nil {
				return err
			}
		}
		err := tx.AddInvite(v)
		if errors.Is(err, store.ErrNotFound) {
			return ErrGroup.In("groups")
		}
		if err != nil {
			return err
		}
		detail := "link"
		if v.Email != "" {
			detail = v.EmailNorm
		}
		if err := s.Audit.Record(tx, from, audit.InviteAdded, audit.ByAdmin, "", detail); err != nil || v.Email == "" {
			return err
		}
		return s.Queue.Add(tx, mail)
	})
	s.Queue.Wake()
	if v.Email != "" {
		link = ""
	}
	return v, link, err
}

// replace revokes the invites that an address has, and cancels their mail where that
// has not left yet: of several links in a mailbox the newest works.
func (s *Invites) replace(tx *store.Tx, norm string) error {
	messages, err := tx.ReplaceInvites(norm, s.Now())
	if err != nil {
		return err
	}
	for _, id := range messages {
		if err := tx.CancelMessage(id, s.Now()); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// newInvite returns the newInvite that is asked for, without its token.
func (s *Invites) newInvite(i Invitation) (store.Invite, error) {
	if i.For == 0 {
		i.For = DefaultFor
	}
	if i.For < time.Hour || i.For > MaxDays*24*time.Hour {
		return store.Invite{}, ErrDays.With("n", MaxDays).In("days")
	}
	if i.Uses == 0 {
		i.Uses = 1
	}
	now := s.Now()
	v := store.Invite{ID: store.NewID(now), UsesLeft: i.Uses, CreatedBy: i.By.ID, CreatedAt: now, ExpiresAt: now.Add(i.For), Groups: unique(i.Groups)}
	if strings.TrimSpace(i.Email) != "" {
		address, err := email.Read(i.Email)
		if err != nil {
			return store.Invite{}, fault.Of(err).In("email")
		}
		v.Email, v.EmailNorm, v.UsesLeft = address.Text, address.Norm, 1
	}
	if v.UsesLeft < 1 || v.UsesLeft > MaxUses {
		return store.Invite{}, ErrUses.With("n", MaxUses).In("uses")
	}
	return v, nil
}

// letter says who invites and what the invite opens.
func (s *Invites) letter(v store.Invite, by store.User, link string) compose.Invite {
	l := compose.Invite{Link: link, Until: v.ExpiresAt}
	if s.Contact != "" {
		l.By, l.ByEmail = s.Contact, s.Contact
	}
	if by.ID != "" {
		l.By, l.ByEmail = by.Called(), by.Called()
		if by.Name != "" {
			l.By = by.Name
		}
	}
	for _, app := range s.Apps.Snapshot().All() {
		comes := gate.Person{User: store.User{Email: v.Email, EmailNorm: v.EmailNorm, EmailVerifiedAt: v.CreatedAt}, Groups: v.Groups}
		if gate.Decide(app, comes) == nil {
			l.Apps = append(l.Apps, app.Name)
		}
	}
	return l
}

// Invites returns those there are, the newest first, with who made them.
func (s *Invites) All(ctx context.Context) (list []store.Sent, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Invites(listed)
		return err
	})
	return list, err
}

// Find returns the invite with that id, or the one that was mailed to that address:
// the newest that is open, else the newest.
func (s *Invites) Find(ctx context.Context, idOrEmail string) (store.Invite, error) {
	var v store.Invite
	err := s.DB.View(ctx, func(tx *store.Tx) (err error) {
		address, bad := email.Normal(idOrEmail)
		if bad != nil {
			v, err = tx.InviteByID(idOrEmail)
			return err
		}
		v, err = tx.InviteByEmail(address, s.Now())
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return store.Invite{}, ErrNoInvite
	}
	return v, err
}

// Revoke ends an invite. Who has come by it stays.
func (s *Invites) Revoke(ctx context.Context, from audit.Origin, id string) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		err := tx.RevokeInvite(id, s.Now())
		if errors.Is(err, store.ErrNotFound) {
			return ErrNoInvite
		}
		if err != nil {
			return err
		}
		return s.Audit.Record(tx, from, audit.InviteRevoked, audit.ByAdmin, "", "invite "+id)
	})
}

// State says in a word how an invite is: "open", "returned" for one that is open and
// whose mail did not arrive, "used", "expired" or "revoked".
func (s *Invites) State(v store.Invite) string {
	switch err := s.Users.InviteState(v); {
	case err == nil && (v.Mail == "failed" || v.Mail == "suppressed" || v.Mail == "expired"):
		return "returned"
	case err == nil:
		return "open"
	case errors.Is(err, ErrInviteUsed):
		return "used"
	case errors.Is(err, ErrInviteExpired):
		return "expired"
	}
	return "revoked"
}

func unique(names []string) []string {
	seen := map[string]bool{}
	var list []string
	for _, name := range names {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" && !seen[name] {
			seen[name] = true
			list = append(list, name)
		}
	}
	return list
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// mustBeNew refuses an address that leads to a user already.
func mustBeNew(tx *store.Tx, address string) error {
	u, err := tx.UserByEmail(address)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for who has the address: %w", err)
	}
	unconfirmed, err := UnconfirmedIn(tx, u, address)
	switch {
	case err != nil:
		return err
	case unconfirmed:
		return ErrKnownUnconfirmed.In("email")
	}
	return ErrKnown.In("email")
}

// token returns a new token and its hash.
func token() (text string, hash []byte) {
	text = secret.Token()
	hash, _ = secret.Hash(text)
	return text, hash
}
