package people

import (
	"time"

	"gatelodge/app/command/line"
	"gatelodge/store"
)

// accountJSON is an account elsewhere that signs in to a user's, as scripts read
// it.
type accountJSON struct {
	Provider   string     `json:"provider"`
	Subject    string     `json:"subject"`
	Email      string     `json:"email"`
	Name       string     `json:"name"`
	Configured bool       `json:"configured"` // the upstream is in the configuration
	LinkedAt   time.Time  `json:"linkedAt"`
	LastUsedAt *time.Time `json:"lastUsedAt"`
}

// state says whether the account still opens anything.
func (a accountJSON) state() string {
	switch {
	case !a.Configured:
		return "not in the configuration"
	case a.LastUsedAt == nil:
		return "not used yet"
	}
	return "used " + line.Stamp(*a.LastUsedAt)
}

func accountsOf(c *line.Call, tx *store.Tx, u store.User) ([]accountJSON, error) {
	rows, err := tx.AccountsOf(u.ID)
	list := make([]accountJSON, len(rows))
	for i, a := range rows {
		list[i] = accountJSON{
			Provider: a.Provider, Subject: a.Subject, Email: a.Email, Name: a.Name, Configured: c.App.Upstreams.Named(a.Provider) != nil, LinkedAt: a.CreatedAt,
		}
		if !a.UsedAt.IsZero() {
			list[i].LastUsedAt = &a.UsedAt
		}
	}
	return list, err
}
