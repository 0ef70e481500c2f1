package store

import (
	"crypto/rand"
	"encoding/base32"
	"time"
)

var idText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID returns 26 characters that sort by now and are safe in a URL: the time
// in milliseconds and 80 random bits. It tells when a row was made, so it is
// never a secret.
func NewID(now time.Time) string {
	var b [16]byte
	rand.Read(b[6:])
	t := uint64(now.UnixMilli())
	for i := range 6 {
		b[i] = byte(t >> (8 * (5 - i)))
	}
	return idText.EncodeToString(b[:])
}
