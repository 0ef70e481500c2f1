package upstream

import (
	"context"
	"errors"
	"time"

	"golang.org/x/oauth2"

	"gatelodge/app/fault"
	"gatelodge/store"
)

const (
	// early is how long before its end an access token is renewed: whoever gets it
	// needs some time to use it.
	early = time.Minute
	// claimFor is how long one refresh may take before another may be tried. It is
	// longer than the upstream is waited for.
	claimFor = 3 * answerWithin
	// lookEvery is how often it is looked whether somebody else's refresh is done.
	lookEvery = 50 * time.Millisecond
)

// Tokens returns what lets an app ask the upstream in the user's name, renewed
// where it is about to end. Of all who want that at once, on however many servers,
// one asks the upstream: its refresh tokens work once. ErrReconnect when the user
// has to sign in there again.
func (s *Upstreams) Tokens(ctx context.Context, userID, id string) (store.Tokens, error) {
	u := s.Named(id)
	if u == nil {
		return store.Tokens{}, ErrUnknown
	}
	ctx, cancel := context.WithTimeout(ctx, claimFor)
	defer cancel()
	for {
		a, claim, err := s.claim(ctx, u, userID)
		if err != nil {
			return store.Tokens{}, err
		}
		switch {
		case claim.IsZero() && s.fresh(a):
			return a.Tokens, nil
		case !claim.IsZero():
			return s.refresh(ctx, u, a, claim)
		}
		// Somebody else is at it.
		select {
		case <-ctx.Done():
			return store.Tokens{}, u.fault(ErrDown, ctx.Err())
		case <-time.After(lookEvery):
		}
	}
}

func (s *Upstreams) fresh(a store.Account) bool {
	return a.Tokens.ExpiresAt.IsZero() || s.now().Add(early).Before(a.Tokens.ExpiresAt)
}

// claim returns the user's account at the upstream, the last used of several, and
// the claim to renew its tokens when they need it and nobody else renews them.
func (s *Upstreams) claim(ctx context.Context, u *Upstream, userID string) (a store.Account, claim time.Time, err error) {
	look := func(tx *store.Tx) error {
		list, err := tx.AccountsOf(userID)
		a, claim = store.Account{}, time.Time{}
		for _, one := range list {
			if one.Provider == u.ID && (a.ID == "" || one.UsedAt.After(a.UsedAt)) {
				a = one
			}
		}
		if err == nil && (a.Tokens.Access == "" || !s.fresh(a) && a.Tokens.Refresh == "" || !a.BrokenAt.IsZero()) {
			return u.fault(ErrReconnect, nil)
		}
		return err
	}
	if err := s.db.View(ctx, look); err != nil || s.fresh(a) {
		return a, time.Time{}, err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		// Once more: another server may have renewed them since.
		if err := look(tx); err != nil || s.fresh(a) {
			return err
		}
		now := s.now()
		until := now.Add(claimFor).Truncate(time.Millisecond)
		err := tx.ClaimRefresh(a.ID, until, now)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		claim = until
		return err
	})
	return a, claim, err
}

// NeedsConsent reports whether somebody who came back has to be sent once more, to
// be asked for consent: Google sends a refresh token only then, and whoever consented
// before some App was allowed its tokens is not asked by itself.
func (s *Upstreams) NeedsConsent(ctx context.Context, e AuthRequest, who Identity) (bool, error) {
	u := s.Named(who.Upstream)
	if u == nil || !u.offline(u.ID) || !u.kind.byConsent || who.Tokens.Refresh != "" || e.To == ToConfirm || e.Consented {
		return false, nil
	}
	var a store.Account
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		a, err = tx.AccountBySubject(who.Upstream, who.Subject)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return a.Tokens.Refresh == "" || !a.BrokenAt.IsZero(), err
}

// refresh renews the tokens of an account that was claimed. What came is stored
// even when the asker has gone away: the old refresh token is of no use any more.
func (s *Upstreams) refresh(ctx context.Context, u *Upstream, a store.Account, claim time.Time) (store.Tokens, error) {
	ctx = context.WithoutCancel(ctx)
	fresh, err := u.renew(ctx, a.Tokens)
	if err != nil {
		broken := time.Time{}
		if errors.Is(err, ErrStale) {
			broken, err = s.now(), u.fault(ErrReconnect, errors.Unwrap(err))
		}
		freed := s.db.Update(ctx, func(tx *store.Tx) error { return tx.FreeRefresh(a.ID, claim, broken) })
		if freed != nil {
			s.log.Error("a claim to renew tokens was not given back", "upstream", u.ID, "err", freed)
		}
		// A token that has a little left still serves while the upstream is down.
		if _, ok := errors.AsType[*fault.Fault](err); ok && broken.IsZero() && s.now().Before(a.Tokens.ExpiresAt) {
			return a.Tokens, nil
		}
		return store.Tokens{}, err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error { return tx.FinishRefresh(a.ID, claim, fresh) })
	if errors.Is(err, store.ErrNotFound) {
		return fresh, nil // signed in there meanwhile, or disconnected
	}
	return fresh, err
}

// renew asks the upstream for new tokens (RFC 6749, 6). What it does not send
// stays as it was.
func (u *Upstream) renew(ctx context.Context, old store.Tokens) (store.Tokens, error) {
	p, err := u.endpointsNow(ctx)
	if err != nil {
		return store.Tokens{}, err
	}
	client, err := u.oauth(p)
	if err != nil {
		return store.Tokens{}, err
	}
	// A token that has ended makes x/oauth2 ask at once; it keeps nothing for us.
	t, err := client.TokenSource(u.exchanging(ctx), &oauth2.Token{RefreshToken: old.Refresh, Expiry: time.Unix(1, 0)}).Token()
	if err != nil {
		return store.Tokens{}, u.faultOf(err)
	}
	fresh := tokensOf(t, u.now())
	if fresh.ID == "" {
		fresh.ID = old.ID
	}
	if fresh.Scope == "" {
		fresh.Scope = old.Scope
	}
	return fresh, nil
}
