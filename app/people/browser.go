package people

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

// BelongsTo reports whether the browser is one of the user's: they are signed in with it, or
// have been. A mailed link is not enough: anyone who has another address of the account
// can forward one.
func (b Browser) BelongsTo(tx *store.Tx, userID string, now time.Time) (bool, error) {
	owns, err := tx.OwnsBrowser(userID, b.Device)
	if err != nil || owns {
		return owns, err
	}
	return tx.IsSignedIn(userID, b.Session, now)
}

// MailedTo returns the address that something was mailed to, as its user wrote it, or
// what they are called where it was not mailed. It may not be theirs any more. A page
// names it rather than the account: who forwards a link to an address of their own must
// not have it shown as the reader's.
func MailedTo(tx *store.Tx, userID, norm string) (string, error) {
	if norm == store.NoEmail(userID) {
		u, err := tx.UserByID(userID)
		return u.Called(), err
	}
	emails, err := tx.EmailsOf(userID)
	for _, e := range emails {
		if e.Norm == norm {
			return e.Email, err
		}
	}
	return norm, err
}

// ForgetBrowsers forgets every browser of the user, and remembers one that does not
// exist in their place. A user without any browser is not notified of the first one, so
// without it a thief whose browser was forgotten would return without a notice.
func ForgetBrowsers(tx *store.Tx, userID string, now time.Time) error {
	if err := tx.ForgetBrowsers(userID); err != nil {
		return err
	}
	nobodys, _ := secret.Hash(secret.Token())
	return tx.RememberBrowser(userID, nobodys, "", now)
}
