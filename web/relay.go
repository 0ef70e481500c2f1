package web

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"gatelodge/app/mail/submission"
)

// sendPath is where apps hand over mail as JSON.
const sendPath = "/api/mail/send"

// mailAsJSON returns how long the JSON of a mail of so many bytes may be: quotes
// and line breaks double there, and what they stand in needs some room.
func mailAsJSON(bytes int) int64 { return 2*int64(bytes) + 64<<10 }

// postMail takes a mail from an app, under the credential and the rules of the
// SMTP listener. 202 says that the mail is kept. The name and password come as
// Basic authorization, so no page of another site can send one.
func (s *Server) postMail(w http.ResponseWriter, r *http.Request) error {
	name, password, given := r.BasicAuth()
	if !given {
		return s.refuseMail(w, r, submission.ErrNoLogin)
	}
	from := s.from(r)
	credential, err := s.Relay.Login(r.Context(), from.Network, s.Proxies.Local(r), name, password)
	if err != nil {
		return s.refuseMail(w, r, err)
	}
	leave, err := s.Relay.Enter(r.Context())
	if err != nil {
		return s.refuseMail(w, r, err)
	}
	defer leave()
	m, err := readMail(http.MaxBytesReader(w, r.Body, mailAsJSON(credential.MaxBytes)))
	if err != nil {
		return s.refuseMail(w, r, err)
	}
	id, err := s.Relay.Send(r.Context(), credential, m)
	if err != nil {
		return s.refuseMail(w, r, err)
	}
	return writeJSON(w, r, http.StatusAccepted, struct {
		ID string `json:"id"`
	}{id})
}

// readMail reads one mail and nothing behind it. Its errors are Refusals.
func readMail(body io.Reader) (m submission.Mail, err error) {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err = readJSON(d, &m); err == nil {
		return m, nil
	}
	if errors.As(err, new(*http.MaxBytesError)) {
		return m, submission.ErrTooLarge
	}
	return m, submission.NotJSON(err)
}

// refuseMail answers with the reply that SMTP would have given.
func (s *Server) refuseMail(w http.ResponseWriter, r *http.Request, err error) error {
	var refusal *submission.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	status := refusal.Status()
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="mail", charset="UTF-8"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "600")
	}
	return writeJSON(w, r, status, struct {
		Error     string `json:"error"`
		Message   string `json:"message"`
		Reference string `json:"reference"`
	}{refusal.EnhancedCode(), refusal.Text, reference(r)})
}
