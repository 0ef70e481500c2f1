package upstream

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatelodge/app/config"
)

// appleSecretFor is how long a client secret for Apple is good. It may be half a
// year; it is made anew for each call.
const appleSecretFor = 5 * time.Minute

// appleSecret makes the client secret that Apple wants: a JWT that we sign with
// the key Apple gave out.
func appleSecret(key *ecdsa.PrivateKey, c config.Upstream, audience string, now time.Time) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: c.KeyID}}, nil)
	if err != nil {
		return "", fmt.Errorf("signing for Apple: %w", err)
	}
	payload, err := json.Marshal(map[string]any{
		"iss": c.TeamID, "iat": now.Unix(), "exp": now.Add(appleSecretFor).Unix(), "aud": audience, "sub": c.ClientID,
	})
	if err != nil {
		return "", fmt.Errorf("signing for Apple: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("signing for Apple: %w", err)
	}
	return signed.CompactSerialize()
}
