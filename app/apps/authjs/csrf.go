package authjs

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"gatelodge/app/secret"
)

// CSRF makes and reads the double-submit cookie: a token and, behind a bar, the
// SHA-256 of token and secret. Where an app knows the secret it makes the same
// cookie itself.
type CSRF struct{ Secret string }

// New returns a token and the value of the cookie that vouches for it.
func (c CSRF) New() (token, cookie string) {
	token = hex.EncodeToString(secret.Random(32))
	return token, token + "|" + c.hash(token)
}

// Token returns the token in a cookie's value, or "" when it is not one of ours.
func (c CSRF) Token(cookie string) string {
	token, hash, ok := strings.Cut(cookie, "|")
	if !ok || token == "" || len(token) > 128 || !secret.Equal([]byte(hash), []byte(c.hash(token))) {
		return ""
	}
	return token
}

func (c CSRF) hash(token string) string {
	sum := sha256.Sum256([]byte(token + c.Secret))
	return hex.EncodeToString(sum[:])
}
