package secret

import "math/rand/v2"

// Reference returns the id of a request as people read it out: GL-7F3K-92QD.
// It is a name, not a secret.
func Reference() string {
	b := []byte("GL-0000-0000")
	n := rand.Uint64()
	for i := 3; i < len(b); i++ {
		if b[i] == '-' {
			continue
		}
		b[i] = crockford[n&31]
		n >>= 5
	}
	return string(b)
}
