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
	"hash"
	"strings"
	"sync"
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

// key is a secret made ready for one encryption: what can be computed before there
// is a token is, since every check of a session opens one.
type key struct {
	enc    Encryption
	id     string // its thumbprint; "" where tokens name none
	header string // encoded
	block  cipher.Block
	aead   cipher.AEAD // of GCM
	macs   *sync.Pool  // of CBC: hash.Hash
}

func newKey(enc Encryption, id string, raw []byte, header string) (key, error) {
	k := key{enc: enc, id: id}
	if header != "" {
		k.header = encode([]byte(header))
	}
	var err error
	if enc == CBC {
		mac := raw[:32]
		k.macs = &sync.Pool{New: func() any { return hmac.New(sha512.New, mac) }}
		k.block, err = aes.NewCipher(raw[32:])
		return k, err
	}
	if k.block, err = aes.NewCipher(raw); err != nil {
		return k, err
	}
	k.aead, err = cipher.NewGCM(k.block)
	return k, err
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
		if err != nil {
			return nil, err
		}
		k, err := newKey(GCM, "", raw, `{"alg":"dir","enc":"A256GCM"}`)
		return []key{k}, err
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
	cbc, err := newKey(CBC, id, long, fmt.Sprintf(`{"alg":"dir","enc":"A256CBC-HS512","kid":%q}`, id))
	if err != nil {
		return nil, err
	}
	gcm, err := newKey(GCM, encode(narrow[:]), short, "")
	return []key{cbc, gcm}, err
}

// thumbprint returns what is hashed to name a key (RFC 7638, 3.2).
func thumbprint(raw []byte) []byte {
	return fmt.Appendf(nil, `{"k":%q,"kty":"oct"}`, encode(raw))
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// strict encoding: two texts must not be one token.
var strict = base64.RawURLEncoding.Strict()

func decode(s string) ([]byte, error) { return strict.DecodeString(s) }

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
		if token := s.keys[0].seal(plain); len(token) <= MaxToken {
			return token, nil
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
	enc, id, ok := s.header(parts[0])
	if !ok {
		return nil, 0, errToken
	}
	var raw [3][]byte
	for i, part := range parts[2:] {
		if raw[i], err = decode(part); err != nil {
			return nil, 0, errToken
		}
	}
	for i, k := range s.keys {
		if k.enc != enc || id != "" && k.id != "" && id != k.id {
			continue
		}
		if plain, ok := k.open(parts[0], raw[0], raw[1], raw[2]); ok {
			return plain, i, nil
		}
	}
	return nil, 0, errToken
}

// header reads the header of a token: its encryption and the key it names, or "".
// Those we write ourselves are known by sight.
func (s *Sealer) header(encoded string) (enc Encryption, id string, ok bool) {
	for _, k := range s.keys {
		if k.header != "" && encoded == k.header {
			return k.enc, k.id, true
		}
	}
	var h struct {
		Alg  string   `json:"alg"`
		Enc  string   `json:"enc"`
		Kid  string   `json:"kid"`
		Zip  string   `json:"zip"`
		Crit []string `json:"crit"`
	}
	text, err := decode(encoded)
	if err != nil || json.Unmarshal(text, &h) != nil || h.Alg != "dir" || h.Zip != "" || h.Crit != nil {
		return "", "", false
	}
	return Encryption(h.Enc), h.Kid, true
}

func (k key) seal(plain []byte) string {
	var iv, body, tag []byte
	if k.enc == CBC {
		iv = secret.Random(aes.BlockSize)
		pad := aes.BlockSize - len(plain)%aes.BlockSize
		body = append(plain, strings.Repeat(string(rune(pad)), pad)...)
		cipher.NewCBCEncrypter(k.block, iv).CryptBlocks(body, body)
		tag = k.tag(k.header, iv, body)
	} else {
		iv = secret.Random(k.aead.NonceSize())
		sealed := k.aead.Seal(nil, iv, plain, []byte(k.header))
		body, tag = sealed[:len(plain)], sealed[len(plain):]
	}
	return k.header + ".." + encode(iv) + "." + encode(body) + "." + encode(tag)
}

// open decrypts; ok is false for whatever this key did not make.
func (k key) open(header string, iv, body, tag []byte) (plain []byte, ok bool) {
	if k.enc == GCM {
		if len(iv) != k.aead.NonceSize() || len(tag) != k.aead.Overhead() {
			return nil, false
		}
		plain, err := k.aead.Open(nil, iv, append(body[:len(body):len(body)], tag...), []byte(header))
		return plain, err == nil
	}
	if len(iv) != aes.BlockSize || len(body) == 0 || len(body)%aes.BlockSize != 0 {
		return nil, false
	}
	// First the tag: what is not ours is not decrypted, so that its padding tells
	// nothing (RFC 7518, 5.2.2.2).
	if !hmac.Equal(tag, k.tag(header, iv, body)) {
		return nil, false
	}
	plain = make([]byte, len(body))
	cipher.NewCBCDecrypter(k.block, iv).CryptBlocks(plain, body)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, false
	}
	return plain[:len(plain)-pad], true
}

// tag is the authentication tag of A256CBC-HS512 (RFC 7518, 5.2.5).
func (k key) tag(header string, iv, body []byte) []byte {
	h := k.macs.Get().(hash.Hash)
	defer k.macs.Put(h)
	h.Reset()
	h.Write([]byte(header))
	h.Write(iv)
	h.Write(body)
	var bits [8]byte
	binary.BigEndian.PutUint64(bits[:], uint64(len(header))*8)
	h.Write(bits[:])
	return h.Sum(nil)[:32]
}
