package account

import (
	"time"

	"gatelodge/app/secret"
	"gatelodge/store"
)

// ForgetBrowsers makes every browser a stranger to the user. One that nobody has
// stands for them: who has signed in with none is not told of the first, and whoever
// was sent away would come back untold.
func ForgetBrowsers(tx *store.Tx, userID string, now time.Time) error {
	if err := tx.ForgetBrowsers(userID); err != nil {
		return err
	}
	nobodys, _ := secret.Hash(secret.Token())
	return tx.RememberBrowser(userID, nobodys, now)
}
