package web

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"gatelodge/app/mail/submission"
	"gatelodge/web/shell"
)

// sendPath is where apps hand over mail as JSON.
const sendPath = "/api/mail/send"

// mailAsJSON returns how long the JSON of a mail of so many bytes may be: quotes
// and line breaks double there, and what they stand in needs some room.
func mailAsJSON(bytes int) int64 { return 2*int64(bytes) + 64<<10 }

// postMail takes a mail from an app, under the credential and the rules of the
// SMTP listener. 202 says that the mail is kept. The name and password come as
// Basic authorization, so no page of another site can send one.
func (s *Server) postMail(q *shell.Request) error {
	leave, err := s.Relay.Enter(q.Context())
	if err != nil {
		return err
	}
	defer leave()
	m, err := readMail(http.MaxBytesReader(q.W, q.Body, mailAsJSON(q.Credential.MaxBytes)))
	if err != nil {
		return err
	}
	id, err := s.Relay.Send(q.Context(), q.Credential, m)
	if err != nil {
		return err
	}
	return shell.WriteJSON(q.W, q.Request, http.StatusAccepted, struct {
		ID string `json:"id"`
	}{id})
}

// readMail reads one mail and nothing behind it. Its errors are Refusals.
func readMail(body io.Reader) (m submission.Mail, err error) {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err = shell.ReadJSON(d, &m); err == nil {
		return m, nil
	}
	if errors.As(err, new(*http.MaxBytesError)) {
		return m, submission.ErrTooLarge
	}
	return m, submission.NotJSON(err)
}
