package dkim

import (
	"cmp"
	"context"
	"crypto"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/emersion/go-msgauth/dkim"

	"gatelodge/app/email"
	"gatelodge/app/mail/header"
)

// signed lists the headers that a signature covers. Each is named once more than
// it occurs, so that nobody can add another above ours (RFC 6376, 8.15).
var signed = []string{
	"From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
	"Auto-Submitted", "In-Reply-To", "References", "Sender",
}

// Sign returns the message with our signatures above it. A message whose author
// is not of our domain is returned as it is: a signature would claim what is not
// ours, and would not be aligned.
func (r *Ring) Sign(ctx context.Context, message []byte) ([]byte, error) {
	fields, body, err := header.Split(message)
	if err != nil || !r.ours(fields) {
		return message, nil
	}
	keys, err := r.signers(ctx)
	if err != nil {
		return nil, err
	}
	// The library reads folds in quadratic time. To the relaxed form (RFC 6376, 3.4.2)
	// a field is the same with and without them.
	var head strings.Builder
	var names []string
	for _, name := range signed {
		for _, f := range fields {
			if strings.EqualFold(f.Name, name) {
				head.WriteString(f.Line())
				names = append(names, name)
			}
		}
		names = append(names, name)
	}
	head.WriteString("\r\n")
	var all []byte
	for _, k := range keys {
		s, err := dkim.NewSigner(&dkim.SignOptions{
			Domain: k.Domain, Selector: k.Selector, Signer: k.signer, Hash: crypto.SHA256, HeaderKeys: names,
			HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
		})
		if err != nil {
			return nil, fmt.Errorf("signing with %s: %w", k.Selector, err)
		}
		if _, err = io.WriteString(s, head.String()); err == nil {
			_, err = s.Write(body)
		}
		if closed := s.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return nil, fmt.Errorf("signing with %s: %w", k.Selector, err)
		}
		all = append(all, s.Signature()...)
	}
	return append(all, message...), nil
}

// ours reports whether the message has one author, and that of our domain.
func (r *Ring) ours(fields []header.Field) bool {
	from := ""
	for _, f := range fields {
		if f.Name != "from" {
			continue
		}
		author, err := header.ReadAuthor(f.Value())
		if err != nil || from != "" {
			return false
		}
		from = author.Norm
	}
	return from != "" && strings.EqualFold(email.DomainOf(from), r.Domain)
}

// signers returns the keys that sign, RSA first: where a reader looks at the top
// signature alone, it is the one it knows.
func (r *Ring) signers(ctx context.Context) ([]Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.signing != nil && r.Now().Sub(r.readAt) < readAgain {
		return r.signing, nil
	}
	list, err := r.keys(ctx)
	if err != nil {
		return nil, err
	}
	var signing []Key
	for _, k := range list {
		if k.State == Signing {
			signing = append(signing, k)
		}
	}
	slices.SortFunc(signing, func(a, b Key) int { return cmp.Compare(b.Algorithm, a.Algorithm) })
	r.signing, r.readAt = signing, r.Now()
	return signing, nil
}
