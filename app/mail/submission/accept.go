package submission

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatelodge/app/email"
	"gatelodge/app/mail/queue"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// envelope is to whom a mail goes and as whose.
type envelope struct {
	from string // as mail goes from it; "" before there is one
	to   []recipient
	utf8 bool // said to hold addresses beyond ASCII
}

type recipient struct{ address, norm string }

// sender checks the envelope's sender and returns it as mail goes from it.
func (s *Service) sender(c store.SubmissionCredential, typed string) (string, error) {
	address, err := email.Read(typed)
	if err != nil {
		return "", refuse(553, 5, 1, 7, "the mail needs a sender, an address that answers can go to")
	}
	if !matches(c.Senders, address.Norm) {
		return "", refuse(553, 5, 7, 1, "the credential %q may not send as this address", c.Name)
	}
	return address.Mailbox(), nil
}

// addRecipient checks one more recipient. The same one twice gets one mail.
func (s *Service) addRecipient(ctx context.Context, c store.SubmissionCredential, e *envelope, typed string) error {
	address, err := email.Read(typed)
	if err != nil {
		return refuse(553, 5, 1, 3, "this is no address that mail can go to")
	}
	may, err := s.mayReach(ctx, c, address.Norm)
	if err != nil {
		return err
	}
	if !may {
		return refuse(553, 5, 7, 1, "the credential %q may not send to this address", c.Name)
	}
	if slices.ContainsFunc(e.to, func(r recipient) bool { return r.norm == address.Norm }) {
		return nil
	}
	if len(e.to) >= MaxRecipients {
		return errRecipients
	}
	e.to = append(e.to, recipient{address.Mailbox(), address.Norm})
	return nil
}

// room reports why nothing more can be taken now. It is asked before an app
// sends a long mail in vain; what counts is asked again when it is kept.
func (s *Service) room(ctx context.Context, c store.SubmissionCredential) error {
	if free, err := s.DB.FreeSpace(); err == nil && free < leastFree {
		return errDiskFull
	}
	return s.DB.View(ctx, func(tx *store.Tx) error { return s.within(tx, c, 1) })
}

// within checks the credential's rates and the queue for n more recipients.
func (s *Service) within(tx *store.Tx, c store.SubmissionCredential, n int) error {
	// What never fits is not tried again and again.
	if n > c.PerHour || n > c.PerDay {
		return refuse(550, 5, 5, 3, "the mail has %d recipients, and the credential %q may send to %d an hour and %d a day", n, c.Name, c.PerHour, c.PerDay)
	}
	now := s.Now()
	inHour, inDay, err := tx.SubmittedSince(c.ID, now.Add(-time.Hour), now.Add(-24*time.Hour))
	switch {
	case err != nil:
		return err
	case inHour+n > c.PerHour:
		return refuse(451, 4, 7, 1, "the credential %q has reached its %d recipients an hour", c.Name, c.PerHour)
	case inDay+n > c.PerDay:
		return refuse(451, 4, 7, 1, "the credential %q has reached its %d recipients a day", c.Name, c.PerDay)
	}
	waiting, err := tx.WaitingOf(queue.ClassRelayed, maxWaiting)
	if err == nil && waiting >= maxWaiting {
		err = errQueueFull
	}
	return err
}

// accept keeps the mail and returns its id. When it returns no error the mail is
// on the disk. The errors are Refusals.
func (s *Service) accept(ctx context.Context, c store.SubmissionCredential, e envelope, raw []byte, o origin) (string, error) {
	switch {
	case len(e.to) == 0:
		return "", errNobody // what is taken for nobody is lost
	case len(raw) > c.MaxBytes:
		return "", ErrTooLarge
	}
	now := s.Now()
	id := store.NewID(now)
	body, authors, err := prepare(raw, stamp{id: id, host: s.Host, from: e.from, now: now, origin: o})
	if err != nil {
		return "", err
	}
	for _, author := range authors {
		if !matches(c.Senders, author) {
			return "", refuse(553, 5, 7, 1, "the credential %q may not send as the address in From, Sender or Resent-From", c.Name)
		}
	}
	err = s.DB.Update(ctx, func(tx *store.Tx) error { return s.keep(tx, c, e, id, body) })
	if err != nil {
		return "", s.refusal(err)
	}
	s.Queue.Wake()
	s.Log.Info("mail taken to be relayed", "submission", id, "credential", c.Name, "recipients", len(e.to), "bytes", len(raw))
	return id, nil
}

func (s *Service) keep(tx *store.Tx, c store.SubmissionCredential, e envelope, id string, body []byte) error {
	if err := s.within(tx, c, len(e.to)); err != nil {
		return err
	}
	now := s.Now()
	if err := tx.AddSubmission(store.Submission{ID: id, CredentialID: c.ID, Recipients: len(e.to), CreatedAt: now}, body); err != nil {
		return err
	}
	for _, to := range e.to {
		err := s.Queue.Add(tx, queue.Mail{
			ID: store.NewID(now), Class: queue.ClassRelayed, Purpose: Purpose(c.Name), From: e.from, To: to.address,
			RcptHash: secret.MAC(s.Key, to.norm), Addressed: true, NotAfter: now.Add(relayedFor), SubmissionID: id, Reference: id,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Purpose is the purpose, in the queue, of what a credential handed over.
func Purpose(credential string) string { return "relayed/" + credential }

// refusal turns an error of the store into an answer for an app.
func (s *Service) refusal(err error) error {
	var known *Refusal
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, store.ErrNotFound):
		return errRemoved
	case errors.Is(err, store.ErrFull):
		return errDiskFull
	}
	s.Log.Error("a mail to be relayed could not be kept", "err", fmt.Errorf("keeping a submission: %w", err))
	return errBroken
}
