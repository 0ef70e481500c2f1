package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"gatelodge/app/session"
	"gatelodge/store"
)

// sessionJSON is the Session of Auth.js: user and expires, with more about the
// user than Auth.js tells.
type sessionJSON struct {
	User    userJSON `json:"user"`
	Expires string   `json:"expires"`
}

type userJSON struct {
	ID            string   `json:"id"`
	Name          string   `json:"name,omitempty"`
	Email         string   `json:"email"`
	EmailVerified *string  `json:"emailVerified"`
	Groups        []string `json:"groups"`
}

// jsTime is how JavaScript writes a Date in JSON.
const jsTime = "2006-01-02T15:04:05.000Z"

// Shared header values, as in outermost.
var (
	headerSessionCache = []string{"private, no-cache, no-store"}
	headerNoCache      = []string{"no-cache"}
	headerExpired      = []string{"0"}
	headerJSON         = []string{"application/json"}
	nobody             = []byte("null")
)

// getSession answers who is signed in: the session, or null. One prepared
// lookup, no write.
func (s *Server) getSession(w http.ResponseWriter, r *http.Request) error {
	token := s.sessionToken(r)
	body, cur := nobody, session.Current{}
	if token != "" {
		var err error
		cur, err = s.Sessions.Resume(r.Context(), token, func() string { return clientIP(r, s.trusted).String() })
		switch {
		case errors.Is(err, session.ErrNone):
			s.cookies.dropSession(w)
		case err != nil:
			return err
		default:
			if body, err = json.Marshal(describe(cur.User, cur.Session)); err != nil {
				return fmt.Errorf("encoding the session: %w", err)
			}
		}
	}
	h := w.Header()
	h["Cache-Control"], h["Pragma"], h["Expires"] = headerSessionCache, headerNoCache, headerExpired
	h["Content-Type"] = headerJSON
	if cur.Renewed {
		s.cookies.setSession(w, token, cur.Session.ExpiresAt, s.Now())
	}
	_, err := w.Write(body)
	if err != nil {
		s.Log.Debug("the reader went away", "ref", reference(r), "err", err)
	}
	return nil
}

// sessionToken returns the token a request shows: the cookie's, or for programs
// the bearer's.
func (s *Server) sessionToken(r *http.Request) string {
	if token := s.cookies.sessionToken(r); token != "" {
		return token
	}
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	return bearer
}

func describe(u store.User, row store.Session) sessionJSON {
	j := sessionJSON{
		User:    userJSON{ID: u.ID, Name: u.Name, Email: u.Email, Groups: u.Groups},
		Expires: jsDate(row.ExpiresAt),
	}
	if j.User.Groups == nil {
		j.User.Groups = []string{} // [] to a program, never null
	}
	if !u.EmailVerifiedAt.IsZero() {
		at := jsDate(u.EmailVerifiedAt)
		j.User.EmailVerified = &at
	}
	return j
}

func jsDate(t time.Time) string { return t.UTC().Format(jsTime) }
