package dkim

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
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
	names, ours := r.ours(message)
	if !ours {
		return message, nil
	}
	keys, err := r.signers(ctx)
	if err != nil {
		return nil, err
	}
	var headers []string
	for _, name := range signed {
		headers = append(headers, slices.Repeat([]string{name}, 1+names[strings.ToLower(name)])...)
	}
	var all []byte
	for _, k := range keys {
		s, err := dkim.NewSigner(&dkim.SignOptions{
			Domain: k.Domain, Selector: k.Selector, Signer: k.signer, Hash: crypto.SHA256, HeaderKeys: headers,
			HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
		})
		if err != nil {
			return nil, fmt.Errorf("signing with %s: %w", k.Selector, err)
		}
		_, err = s.Write(message)
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

// ours reports whether the message has one author, and that of our domain, and
// how often each header occurs.
func (r *Ring) ours(message []byte) (names map[string]int, ours bool) {
	m, err := mail.ReadMessage(bytes.NewReader(message))
	if err != nil {
		return nil, false
	}
	names = make(map[string]int)
	for name, values := range m.Header {
		names[strings.ToLower(name)] = len(values)
	}
	from, err := m.Header.AddressList("From")
	if err != nil || names["from"] != 1 || len(from) != 1 {
		return names, false
	}
	_, domain, _ := strings.Cut(from[0].Address, "@")
	return names, strings.EqualFold(domain, r.Domain)
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
