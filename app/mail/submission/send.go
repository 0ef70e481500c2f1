package submission

import (
	"context"
	"net/mail"
	"strings"

	"gatelodge/app/mail/compose"
	"gatelodge/store"
)

// Mail is one that an app hands over as JSON: for those that do not speak SMTP.
type Mail struct {
	From    string   `json:"from"` // "Disk watch <nas@home.example>"
	To      []string `json:"to"`
	ReplyTo string   `json:"replyTo,omitempty"` // as from
	Subject string   `json:"subject"`
	Text    string   `json:"text"`
	HTML    string   `json:"html,omitempty"`
}

// maxSubject bounds what is put into a header.
const maxSubject = 500

// Send takes a mail under the rules of SMTP and returns its id. Each recipient
// gets it; with more than one, none sees the others. Errors are Refusals.
func (s *Service) Send(ctx context.Context, c store.SubmissionCredential, m Mail) (string, error) {
	from, err := mail.ParseAddress(m.From)
	if err != nil {
		return "", refuse(550, 5, 6, 0, "\"from\" must be one address, as in \"Disk watch <nas@home.example>\"")
	}
	replyTo := &mail.Address{}
	if m.ReplyTo != "" {
		if replyTo, err = mail.ParseAddress(m.ReplyTo); err != nil {
			return "", refuse(550, 5, 6, 0, "\"replyTo\" must be one address, as in \"Sam <sam@home.example>\"")
		}
	}
	e := envelope{}
	if e.from, err = s.sender(c, from.Address); err != nil {
		return "", s.refusal(err)
	}
	// SMTP says 452 here, and the app brings the others with its next mail. This mail
	// can never be taken.
	if len(m.To) > MaxRecipients {
		return "", refuse(550, 5, 5, 3, "\"to\" has %d addresses, and one mail may have %d", len(m.To), MaxRecipients)
	}
	if err := s.room(ctx, c); err != nil {
		return "", s.refusal(err)
	}
	for _, to := range m.To {
		if err := s.addRecipient(ctx, c, &e, to); err != nil {
			return "", s.refusal(err)
		}
	}
	switch {
	case len(e.to) == 0:
		return "", refuse(550, 5, 6, 0, "\"to\" must name at least one address")
	case strings.TrimSpace(m.Text) == "":
		return "", refuse(550, 5, 6, 0, "\"text\" must say something; \"html\" may be there beside it")
	case len(m.Subject) > maxSubject:
		return "", refuse(550, 5, 6, 0, "\"subject\" is longer than %d bytes", maxSubject)
	}
	h := compose.Header{
		From: mail.Address{Name: from.Name, Address: e.from}, To: e.to[0].address, ReplyTo: *replyTo, Subject: m.Subject,
		Date: s.Now(), ID: store.NewID(s.Now()),
	}
	if len(e.to) > 1 {
		h.To = ""
	}
	raw, err := compose.Build(h, m.Text, m.HTML)
	if err != nil {
		return "", refuse(550, 5, 6, 0, "%s", err.Error())
	}
	return s.accept(ctx, c, e, raw, origin{protocol: "HTTP"})
}
