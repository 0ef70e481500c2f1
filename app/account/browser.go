package account

import (
	"time"

	"gatelodge/app/secret"
	"gatelodge/store"
)

// Browser is what a browser shows of itself: hashes of the tokens in its cookies, nil
// for what it has not.
type Browser struct {
	Session []byte
	Device  []byte
}

// BrowserOf returns the browser with these tokens.
func BrowserOf(session, device string) Browser {
	var b Browser
	b.Session, _ = secret.SessionHash(session)
	b.Device, _ = secret.Hash(device)
	return b
}

// Of reports whether the browser is one of the user's: they are signed in with it, or
// have been.
func (b Browser) Of(tx *store.Tx, userID string, now time.Time) (bool, error) {
	known, _, err := tx.KnowsBrowser(userID, b.Device)
	if err != nil || known {
		return known, err
	}
	return tx.IsSignedIn(userID, b.Session, now)
}

// ForgetBrowsers makes every browser a stranger to the user. One that nobody has
// stands for them: who has signed in with none is not told of the first, and whoever
// was sent away would come back untold.
func ForgetBrowsers(tx *store.Tx, userID string, now time.Time) error {
	if err := tx.ForgetBrowsers(userID); err != nil {
		return err
	}
	nobodys, _ := secret.Hash(secret.Token())
	return tx.RememberBrowser(userID, nobodys, "", now)
}
