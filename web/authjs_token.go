package web

import (
	"net/http"
	"slices"

	"gatelodge/app/fault"
	"gatelodge/app/upstream"
	"gatelodge/web/shell"
)

var errTokensDenied = fault.New(fault.Denied, "upstream.tokens_denied").For(fault.Provider)

// tokenJSON lets an App ask an upstream in its user's name.
type tokenJSON struct {
	Provider    string  `json:"provider"`
	AccessToken string  `json:"accessToken"`
	TokenType   string  `json:"tokenType"`
	Scope       string  `json:"scope"`
	ExpiresAt   *string `json:"expiresAt"` // null: the upstream does not tell
}

// getAccessToken gives an App the token of whoever is signed in at it, for an
// upstream that the operator has allowed it. It is not for our own pages, which
// have no use for it, and for no other site's.
func (s sessionAPI) getAccessToken(w http.ResponseWriter, r *http.Request, st site) error {
	neverCached(w.Header())
	id := r.URL.Query().Get("provider")
	up := s.Upstreams.Named(id)
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case site == "cross-site" || site == "same-site":
		return shell.ErrCross
	case st.app == nil || !slices.Contains(st.app.AuthJS.Tokens, id):
		name := id
		if up != nil {
			name = up.Name
		}
		return errTokensDenied.With("upstream", name)
	case up == nil:
		return upstream.ErrUnknown
	}
	v, err := s.visitor(r, st)
	if err != nil {
		return err
	}
	if !v.in {
		return s.authJSON(w, st, http.StatusUnauthorized, struct {
			Message string `json:"message"`
		}{s.Printer(r).Say("auth_error.sessionrequired.title")})
	}
	tokens, err := s.Upstreams.Tokens(r.Context(), v.User.ID, id)
	if err != nil {
		return err
	}
	answer := tokenJSON{Provider: id, AccessToken: tokens.Access, TokenType: tokens.Type, Scope: tokens.Scope}
	if !tokens.ExpiresAt.IsZero() {
		at := jsDate(tokens.ExpiresAt)
		answer.ExpiresAt = &at
	}
	return s.authJSON(w, st, http.StatusOK, answer)
}
