package shell

import (
	"fmt"
	"net/http"

	"github.com/gorilla/securecookie"

	"gatelodge/app/factor"
)

// Hint is an account that was used in this browser, and how. It opens nothing: it
// saves its owner typing. It is sealed, so that no one else puts an account there, and
// shown only while the account knows the browser: one that was sent away learns no
// new name or address.
type Hint struct {
	UserID string       `json:"u"`
	Means  factor.Means `json:"m"`
}

// MaxHints is how many accounts a browser remembers.
const MaxHints = 5

// readHints returns the accounts of this browser, the last used first.
func (c *Cookies) ReadHints(r *http.Request) []Hint {
	var list []Hint
	cookie, err := r.Cookie(c.Name(hintCookie))
	if err != nil {
		return nil
	}
	if err := securecookie.DecodeMulti(c.Name(hintCookie), cookie.Value, &list, c.hints...); err != nil {
		return nil
	}
	return list
}

// saveHints makes the browser remember the accounts, or forget when there are none.
func (c *Cookies) SaveHints(w http.ResponseWriter, list []Hint) error {
	if len(list) == 0 {
		c.setLasting(w, c.Name(hintCookie), "")
		return nil
	}
	value, err := securecookie.EncodeMulti(c.Name(hintCookie), list, c.hints...)
	if err != nil {
		return fmt.Errorf("sealing the accounts of a browser: %w", err)
	}
	c.setLasting(w, c.Name(hintCookie), value)
	return nil
}
