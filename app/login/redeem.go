package login

import (
	"context"
	"errors"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/challenge"
	"gatelodge/app/factor"
	"gatelodge/app/fault"
	"gatelodge/app/gate"
	"gatelodge/app/limit"
	"gatelodge/app/links"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/post"
	"gatelodge/app/people"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// Link is what a link's page shows before it is used.
type Link struct {
	store.Challenge
	SameBrowser bool   // this browser asked for it
	Code        string // the digits that stand for it
	Email       string // the address that it was mailed to, as the user wrote it
	New         bool   // it makes an account
}

// LookAt returns what is behind a link without spending it, however often it
// is called. The faults of package challenge say why it no longer opens; the
// Link is filled for them too where it is known.
func (f *Flow) LookAt(ctx context.Context, l *Login, token string) (Link, error) {
	var k Link
	var dead error
	err := f.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		k.Challenge, dead = f.Challenges.LookSignIn(tx, token)
		if k.Challenge.UserID == "" {
			k.Email, k.New = readDetail(k.Challenge).Email, challenge.ForNewcomer(k.Challenge)
			return nil
		}
		k.Email, err = people.MailedTo(tx, k.UserID, k.EmailNorm)
		return err
	})
	if err != nil {
		return Link{}, err
	}
	k.SameBrowser, k.Code = l.asked(k.Challenge), f.Challenges.Code(token)
	return k, dead
}

// Follow spends a link. From another browser than the one that asked it needs
// confirmed, which only a form on our own page gives: mail scanners open links,
// and people are sent links they did not ask for.
func (f *Flow) Follow(ctx context.Context, from audit.Origin, l *Login, token string, confirmed bool, replaces string) (Outcome, error) {
	return f.redeem(ctx, from, l, l.use("link", token), replaces, func(tx *store.Tx) (store.Challenge, error) {
		purpose := challenge.For(l.app())
		c, err := f.Challenges.Look(tx, purpose, token)
		if err != nil {
			return c, err
		}
		if !confirmed && !l.asked(c) {
			return c, ErrStateLost
		}
		return f.Challenges.Redeem(tx, purpose, token)
	})
}

// FollowedAgain returns the outcome that this browser had by the link moments ago, or
// refused when there is none.
func (f *Flow) FollowedAgain(ctx context.Context, l *Login, token string, refused error) (Outcome, error) {
	return f.repeat(ctx, l, l.use("link", token), refused)
}

// EnterCode tries a typed code at the challenge this browser asked for.
func (f *Flow) EnterCode(ctx context.Context, from audit.Origin, l *Login, typed, replaces string) (Outcome, error) {
	if l.Challenge == "" || l.browserHash() == nil {
		return Outcome{}, ErrStateLost
	}
	return f.tryCode(ctx, from, l, l.Challenge, l.browserHash(), typed, replaces)
}

// ConfirmByCode tries a code on a link's own page, for links that another
// browser asked for where the configuration wants more than a button.
func (f *Flow) ConfirmByCode(ctx context.Context, from audit.Origin, l *Login, token, typed, replaces string) (Outcome, error) {
	k, err := f.LookAt(ctx, l, token)
	if err != nil && !errors.Is(err, challenge.ErrUsed) { // it may be used by this browser, just now
		return Outcome{}, err
	}
	return f.tryCode(ctx, from, l, k.ID, k.BrowserHash, typed, replaces)
}

func (f *Flow) tryCode(ctx context.Context, from audit.Origin, l *Login, id string, browserHash []byte, typed, replaces string) (Outcome, error) {
	code, ok := secret.CleanCode(typed)
	if !ok {
		return Outcome{}, challenge.ErrCodeMalformed.In("code")
	}
	if err := f.mayTryCode(ctx, from, l, id); err != nil {
		return Outcome{}, err
	}
	return f.redeem(ctx, from, l, l.use("code", id, code), replaces, func(tx *store.Tx) (store.Challenge, error) {
		return f.Challenges.TryCode(tx, id, browserHash, code)
	})
}

// mayTryCode counts a try of a code, unless the browser is one that the user of the
// challenge knows: five tries at each are all it has, and what others do in the same
// network does not keep it waiting.
func (f *Flow) mayTryCode(ctx context.Context, from audit.Origin, l *Login, id string) error {
	var c store.Challenge
	var own bool
	err := f.DB.View(ctx, func(tx *store.Tx) (err error) {
		if c, err = tx.ChallengeByID(id); err == nil { // whether or not it is anybody's
			device, _ := l.deviceHash()
			own, _, err = tx.KnowsBrowser(c.UserID, device)
		}
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) || own {
		return err
	}
	wait, _ := f.Limits.Take(limit.Networks("codes:", from.Network, perCodes, nil)...)
	if wait == 0 {
		return nil
	}
	refused := ErrLimitNetwork.After(wait).In("code")
	f.Audit.RefuseSignIn(from, audit.SignInRefusal{UserID: c.UserID, Name: nameOf(c), Means: factor.Email, Fault: refused})
	return refused
}

// nameOf is what the log calls the user of a challenge, "" for none.
func nameOf(c store.Challenge) string {
	if c.UserID == "" || c.EmailNorm == store.NoEmail(c.UserID) {
		return ""
	}
	return c.EmailNorm
}

// redeem spends a challenge and, when that proves enough, starts the session
// in the same transaction. What was spent or counted stays so when the person
// is refused: a fault commits. The same use a moment later has the same outcome.
func (f *Flow) redeem(ctx context.Context, from audit.Origin, l *Login, u use, replaces string, spend func(*store.Tx) (store.Challenge, error)) (Outcome, error) {
	var out Outcome
	var refused *fault.Fault
	var c store.Challenge
	err := f.update(ctx, l, func(tx *store.Tx) (err error) {
		out, refused = Outcome{}, nil
		c, err = spend(tx)
		if err == nil && challenge.AppOf(c) != l.app() {
			err = challenge.ErrUnknown // here: it is for an App, or for another one
		}
		if err == nil {
			out, err = f.finishRedeemed(tx, from, l, c, replaces)
			if err == nil || errors.Is(err, people.ErrPending) {
				err = errors.Join(err, f.keepOutcome(tx, u, l.result(out, err)))
			}
		}
		if known, ok := errors.AsType[*fault.Fault](err); ok {
			refused = known
			return nil
		}
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	if refused != nil && errors.Is(refused, people.ErrPending) {
		f.Queue.Wake() // for the mail to admins
		return Outcome{}, refused
	}
	if refused != nil {
		if out, err := f.repeat(ctx, l, u, refused); err == nil || !errors.Is(err, refused) {
			return out, err
		}
		f.Audit.RefuseSignIn(from, audit.SignInRefusal{UserID: c.UserID, Name: nameOf(c), Means: factor.Email, Fault: refused})
		return Outcome{}, refused
	}
	f.Queue.Wake() // for the notice about a new browser
	return out, nil
}

// finishRedeemed adds the proof of a redeemed challenge to the attempt.
func (f *Flow) finishRedeemed(tx *store.Tx, from audit.Origin, l *Login, c store.Challenge, replaces string) (Outcome, error) {
	now := f.Now()
	u, err := f.challengeUser(tx, from, l, c)
	if err != nil {
		return Outcome{}, err
	}
	// Decided only now: before the mail was proven it would tell a stranger that
	// there is such an account.
	if err := gate.MayEnter(u); err != nil {
		return Outcome{}, err
	}
	// A link may wait in a mailbox that is not theirs any more.
	theirs, err := tx.HasEmail(u.ID, c.EmailNorm)
	if err != nil {
		return Outcome{}, err
	}
	if !theirs && c.EmailNorm != store.NoEmail(u.ID) {
		return Outcome{}, challenge.ErrCancelled
	}
	claimed, err := f.confirmAddress(tx, from, l, u, c, replaces)
	if err != nil {
		return Outcome{}, err
	}
	if u, err = tx.UserByID(u.ID); err != nil {
		return Outcome{}, err
	}
	l.addProof(Proof{Means: factor.Email, UserID: u.ID, At: now, AuthAt: now})
	l.Claimed = l.Claimed || claimed
	return f.Finish(tx, from, l, u, replaces)
}

// confirmAddress records the address that a challenge was mailed to. Who claims the account
// by it is notified by mail of what that removed.
func (f *Flow) confirmAddress(tx *store.Tx, from audit.Origin, l *Login, u store.User, c store.Challenge, replaces string) (claimed bool, err error) {
	if !u.HasEmail() || u.EmailNorm == c.EmailNorm && !u.EmailVerifiedAt.IsZero() {
		return false, nil
	}
	if c.IP == OperatorIP {
		// It was not mailed. An admin may confirm the address, unless the account may be
		// preclaimed.
		if prepared, err := people.MayBePreclaimed(tx, u, c.EmailNorm); err != nil || prepared {
			return false, err
		}
	}
	b := people.BrowserOf(replaces, "")
	b.Device, _ = l.deviceHash()
	own, err := b.BelongsTo(tx, u.ID, f.Now())
	if err != nil {
		return false, err
	}
	claimed, err = f.Users.ConfirmAddress(tx, from, u, c.EmailNorm, own)
	if err != nil || !claimed {
		return false, err
	}
	if u, err = tx.UserByID(u.ID); err != nil {
		return false, err
	}
	return true, f.Post.Add(tx, compose.Claimed{At: f.Now(), Device: from.Device, IP: from.IP, Link: f.PublicURL + links.Account},
		post.Terms{To: people.MailAddress(u), Language: u.Language, TimeZone: from.ZoneFor(u.TimeZone), Reference: from.Reference})
}

// CancelLink ends a link and its code for a person who did not request them.
func (f *Flow) CancelLink(ctx context.Context, from audit.Origin, l *Login, token string) error {
	k, err := f.LookAt(ctx, l, token)
	if err != nil {
		return err
	}
	return f.DB.Update(ctx, func(tx *store.Tx) error {
		now := f.Now()
		if err := tx.EndChallenge(k.ID, "cancelled", now); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if _, err := tx.CancelChallengeMail(k.ID, now); err != nil {
			return err
		}
		return f.Audit.Record(tx, from, audit.LinkVoided, audit.ByVisitor, k.UserID, "")
	})
}

// MailStatus is the state of the mail this browser waits for.
type MailStatus struct {
	Email     string
	LinkUntil time.Time
	CodeUntil time.Time
	TriesLeft int
	ResendIn  time.Duration
	Dead      *fault.Fault // why no code works any more, or nil
	Delivery  Delivery
	Sure      bool // mail goes to the address in any case
}

// MailStatus returns what the attempt waits for, or ErrStateLost when it has asked
// for nothing. It is the same for addresses that no user has.
func (f *Flow) MailStatus(ctx context.Context, l *Login) (MailStatus, error) {
	if l.Challenge == "" {
		return MailStatus{}, ErrStateLost
	}
	var c store.Challenge
	var p MailStatus
	err := f.DB.View(ctx, func(tx *store.Tx) (err error) {
		if c, err = tx.ChallengeByID(l.Challenge); err != nil || !l.asked(c) {
			return err
		}
		p.Delivery, p.Sure, err = f.deliveryOf(tx, l, c)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && !l.asked(c) {
		return MailStatus{}, ErrStateLost
	}
	if err != nil {
		return MailStatus{}, err
	}
	p.Email, p.LinkUntil, p.CodeUntil = l.Email, c.ExpiresAt, c.CodeExpiresAt
	p.TriesLeft, p.ResendIn = max(0, challenge.MaxTries-c.Attempts), f.resendIn(c)
	p.Dead = f.Challenges.CodeDead(c)
	return p, nil
}
