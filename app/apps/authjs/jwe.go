package authjs

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatelodge/app/secret"
)

// Claims are what the session cookie tells an app's own server. SessionID is
// ours: it names the AppSession, and is the token itself, so that a cookie whose
// SessionID nobody issued opens nothing, whoever encrypted it.
type Claims struct {
	Name      string
	Email     string
	Picture   string
	Subject   string
	SessionID string
	IssuedAt  time.Time
	Expires   time.Time
}

// claimsJSON has the claims in the order in which Auth.js writes them. Apps add
// others of their own, which are of no use here.
type claimsJSON struct {
	Name      string  `json:"name,omitempty"`
	Email     string  `json:"email,omitempty"`
	Picture   string  `json:"picture,omitempty"`
	Subject   string  `json:"sub"`
	SessionID string  `json:"sid,omitempty"`
	IssuedAt  float64 `json:"iat,omitempty"`
	Expires   float64 `json:"exp,omitempty"`
	ID        string  `json:"jti,omitempty"`
}

var (
	errToken   = errors.New("not an encrypted session")
	errExpired = errors.New("an encrypted session that has expired")
)

const (
	// MaxToken is the longest cookie value we make. Chunked cookies overflow the
	// header buffers of proxies; the store holds what does not fit.
	MaxToken = 600
	// maxRead bounds what we take: an app that adds claims may make more.
	maxRead = 16 << 10
	// tolerance is how far an app's clock may be off, as Auth.js has it.
	tolerance = 15 * time.Second
)

// Encryption is a generation's way to encrypt the cookie.
type Encryption string

// The encryptions: next-auth v4 and Auth.js v5 make different keys from one
// secret.
const (
	GCM Encryption = "A256GCM"       // v4
	CBC Encryption = "A256CBC-HS512" // v5
)

// Sealer encrypts and decrypts the session cookie of one name. The first
// secret encrypts, all decrypt.
type Sealer struct {
	keys []key
}

// key is a secret made ready for one encryption.
type key struct {
	enc    Encryption
	id     string // its thumbprint; "" where tokens name none
	raw    []byte
	header string // encoded
}

// NewSealer returns the Sealer of a cookie name. There must be a secret.
func NewSealer(enc Encryption, cookie string, secrets []string) (*Sealer, error) {
	s := &Sealer{}
	for _, text := range secrets {
		made, err := keysOf(enc, cookie, text)
		if err != nil {
			return nil, fmt.Errorf("making the key of the cookie %s: %w", cookie, err)
		}
		s.keys = append(s.keys, made...)
	}
	if len(s.keys) == 0 {
		return nil, errors.New("no secret to encrypt the cookie " + cookie + " with")
	}
	return s, nil
}

// keysOf returns the keys that a secret gives, the one to encrypt with first.
func keysOf(enc Encryption, cookie, text string) ([]key, error) {
	if enc == GCM {
		raw, err := hkdf.Key(sha256.New, []byte(text), nil, "NextAuth.js Generated Encryption Key", 32)
		return []key{{enc: GCM, raw: raw, header: encode([]byte(`{"alg":"dir","enc":"A256GCM"}`))}}, err
	}
	info := "Auth.js Generated Encryption Key (" + cookie + ")"
	long, err := hkdf.Key(sha256.New, []byte(text), []byte(cookie), info, 64)
	if err != nil {
		return nil, err
	}
	// HKDF's shorter output is the beginning of its longer one.
	short := long[:32]
	wide, narrow := sha512.Sum512(thumbprint(long)), sha256.Sum256(thumbprint(short))
	id := encode(wide[:])
	return []key{
		{enc: CBC, id: id, raw: long, header: encode(fmt.Appendf(nil, `{"alg":"dir","enc":"A256CBC-HS512","kid":%q}`, id))},
		{enc: GCM, id: encode(narrow[:]), raw: short},
	}, nil
}

// thumbprint returns what is hashed to name a key (RFC 7638, 3.2).
func thumbprint(raw []byte) []byte {
	return fmt.Appendf(nil, `{"k":%q,"kty":"oct"}`, encode(raw))
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// decode is strict: two texts must not be one token.
func decode(s string) ([]byte, error) { return base64.RawURLEncoding.Strict().DecodeString(s) }

// Seal returns the cookie's value, of at most MaxToken bytes: what a reader can
// most easily do without is left out until it fits.
func (s *Sealer) Seal(c Claims) (string, error) {
	j := claimsJSON{
		Name: c.Name, Email: c.Email, Picture: c.Picture, Subject: c.Subject, SessionID: c.SessionID,
		IssuedAt: float64(c.IssuedAt.Unix()), Expires: float64(c.Expires.Unix()), ID: secret.Token()[:22],
	}
	for _, drop := range []*string{nil, &j.Picture, &j.ID, &j.Name, &j.Email} {
		if drop != nil {
			*drop = ""
		}
		plain, err := json.Marshal(j)
		if err != nil {
			return "", fmt.Errorf("encoding a session: %w", err)
		}
		token, err := s.keys[0].seal(plain)
		if err != nil || len(token) <= MaxToken {
			return token, err
		}
	}
	return "", fmt.Errorf("the id of a user is too long for a cookie: %d bytes", len(c.Subject))
}

// Open returns what a cookie's value holds. current reports whether it was made
// with the secret that encrypts now. The session it names must still be looked
// up: who knows the secret can write anything.
func (s *Sealer) Open(token string, now time.Time) (c Claims, current bool, err error) {
	plain, used, err := s.open(token)
	if err != nil {
		return Claims{}, false, err
	}
	var j claimsJSON
	if err := json.Unmarshal(plain, &j); err != nil {
		return Claims{}, false, errToken
	}
	c = Claims{
		Name: j.Name, Email: j.Email, Picture: j.Picture, Subject: j.Subject, SessionID: j.SessionID,
		IssuedAt: unix(j.IssuedAt), Expires: unix(j.Expires),
	}
	if j.Expires != 0 && now.After(c.Expires.Add(tolerance)) {
		return Claims{}, false, errExpired
	}
	return c, used == 0, nil
}

// unix returns the moment of a NumericDate; what no clock shows is no moment.
func unix(seconds float64) time.Time {
	if !(seconds > 0 && seconds < 1<<40) {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}

// open decrypts a token in compact form (RFC 7516, 3.1) and returns the index
// of the key that fitted.
func (s *Sealer) open(token string) (plain []byte, used int, err error) {
	if len(token) > maxRead {
		return nil, 0, errToken
	}
	parts := strings.Split(token, ".")
	if len(parts) != 5 || parts[1] != "" { // dir: the key is not in the token
		return nil, 0, errToken
	}
	var h struct {
		Alg  string   `json:"alg"`
		Enc  string   `json:"enc"`
		Kid  string   `json:"kid"`
		Zip  string   `json:"zip"`
		Crit []string `json:"crit"`
	}
	header, err := decode(parts[0])
	if err != nil || json.Unmarshal(header, &h) != nil || h.Alg != "dir" || h.Zip != "" || h.Crit != nil {
		return nil, 0, errToken
	}
	var raw [3][]byte
	for i, part := range parts[2:] {
		if raw[i], err = decode(part); err != nil {
			return nil, 0, errToken
		}
	}
	for i, k := range s.keys {
		if string(k.enc) != h.Enc || h.Kid != "" && k.id != "" && h.Kid != k.id {
			continue
		}
		if plain, ok := k.open(parts[0], raw[0], raw[1], raw[2]); ok {
			return plain, i, nil
		}
	}
	return nil, 0, errToken
}

func (k key) seal(plain []byte) (string, error) {
	var iv, body, tag []byte
	if k.enc == CBC {
		block, err := aes.NewCipher(k.raw[32:])
		if err != nil {
			return "", err
		}
		iv = secret.Random(aes.BlockSize)
		pad := aes.BlockSize - len(plain)%aes.BlockSize
		body = append(plain, strings.Repeat(string(rune(pad)), pad)...)
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(body, body)
		tag = k.tag(k.header, iv, body)
	} else {
		aead, err := k.aead()
		if err != nil {
			return "", err
		}
		iv = secret.Random(aead.NonceSize())
		sealed := aead.Seal(nil, iv, plain, []byte(k.header))
		body, tag = sealed[:len(plain)], sealed[len(plain):]
	}
	return k.header + ".." + encode(iv) + "." + encode(body) + "." + encode(tag), nil
}

// open decrypts; ok is false for whatever this key did not make.
func (k key) open(header string, iv, body, tag []byte) (plain []byte, ok bool) {
	if k.enc == GCM {
		aead, err := k.aead()
		if err != nil || len(iv) != aead.NonceSize() || len(tag) != aead.Overhead() {
			return nil, false
		}
		plain, err = aead.Open(nil, iv, append(body[:len(body):len(body)], tag...), []byte(header))
		return plain, err == nil
	}
	block, err := aes.NewCipher(k.raw[32:])
	if err != nil || len(iv) != aes.BlockSize || len(body) == 0 || len(body)%aes.BlockSize != 0 {
		return nil, false
	}
	// First the tag: what is not ours is not decrypted, so that its padding tells
	// nothing (RFC 7518, 5.2.2.2).
	if !hmac.Equal(tag, k.tag(header, iv, body)) {
		return nil, false
	}
	plain = make([]byte, len(body))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, body)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, false
	}
	return plain[:len(plain)-pad], true
}

func (k key) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.raw)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// tag is the authentication tag of A256CBC-HS512 (RFC 7518, 5.2.5).
func (k key) tag(header string, iv, body []byte) []byte {
	h := hmac.New(sha512.New, k.raw[:32])
	h.Write([]byte(header))
	h.Write(iv)
	h.Write(body)
	var bits [8]byte
	binary.BigEndian.PutUint64(bits[:], uint64(len(header))*8)
	h.Write(bits[:])
	return h.Sum(nil)[:32]
}
