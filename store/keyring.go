package store

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	keySize     = 32
	sealVersion = 1
	keyIDSize   = 4
	sealHead    = 1 + keyIDSize + chacha20poly1305.NonceSizeX
)

// Keyring seals what must not be readable in a stolen database: mail that
// holds live links, and later seeds, upstream tokens and signing keys. The
// first key of its file seals; all of them open.
type Keyring struct {
	keys []sealingKey
}

type sealingKey struct {
	id  [keyIDSize]byte
	key [keySize]byte
}

const keyFileHead = `# Gatelodge's sealing key. Keep a copy away from the database backups:
# who has both can read everything, who has only the database cannot.
`

// newKeyFile writes a new key file for its owner alone. It never overwrites.
func newKeyFile(path string) error {
	key := make([]byte, keySize)
	rand.Read(key)
	text := keyFileHead + base64.StdEncoding.EncodeToString(key) + "\n"

	// Written beside and linked, so that a crash never leaves half a key.
	tmp, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.WriteString(text); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return publish(tmp.Name(), path)
}

// publish gives a file that is whole its name, for good. It does not overwrite.
func publish(whole, path string) error {
	err := os.Link(whole, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// A file system without hard links: whoever called has seen that there is
		// no such file.
		err = os.Rename(whole, path)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// readKeyFile loads the keys and refuses a file others may read.
func readKeyFile(path string) (*Keyring, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Problem{
			kind: ErrKey, text: "the key file " + path + " is missing, and without it the database cannot be read",
			hint: "put back the secret.key that belongs to this database from your backup",
		}
	}
	if err != nil {
		return nil, &Problem{kind: ErrKey, text: "reading the key file", cause: err, hint: "let the user that runs Gatelodge read it"}
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &Problem{
			kind: ErrKey, text: fmt.Sprintf("the key file %s may be read by others (mode %04o)", path, info.Mode().Perm()),
			hint: "chmod 600 " + path,
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &Problem{kind: ErrKey, text: "reading the key file", cause: err, hint: "let the user that runs Gatelodge read it"}
	}
	ring, err := parseKeys(text)
	if err != nil {
		return nil, &Problem{
			kind: ErrKey, text: "the key file " + path + " cannot be used", cause: err,
			hint: "put back the secret.key that belongs to this database from your backup",
		}
	}
	return ring, nil
}

func parseKeys(text []byte) (*Keyring, error) {
	ring := &Keyring{}
	for n, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != keySize {
			return nil, fmt.Errorf("line %d is not a key of %d bytes in base64", n+1, keySize)
		}
		k := sealingKey{key: [keySize]byte(raw)}
		sum := sha256.Sum256(append([]byte("gatelodge key id\x00"), raw...))
		k.id = [keyIDSize]byte(sum[:])
		ring.keys = append(ring.keys, k)
	}
	if len(ring.keys) == 0 {
		return nil, errors.New("it holds no key")
	}
	return ring, nil
}

// Seal encrypts plain for one place, "table/column/key", so that a value moved
// to another row no longer opens. XChaCha20-Poly1305: its random nonce needs
// no counting.
func (k *Keyring) Seal(place string, plain []byte) []byte {
	first := k.keys[0]
	aead, err := chacha20poly1305.NewX(first.key[:])
	if err != nil {
		panic(err) // the key's size is fixed above
	}
	box := make([]byte, sealHead, sealHead+len(plain)+chacha20poly1305.Overhead)
	box[0] = sealVersion
	copy(box[1:], first.id[:])
	rand.Read(box[1+keyIDSize:])
	return aead.Seal(box, box[1+keyIDSize:], plain, []byte(place))
}

// Open is the reverse of Seal. It fails for another place, another key or a
// changed value, and does not say which.
func (k *Keyring) Open(place string, box []byte) ([]byte, error) {
	if len(box) < sealHead || box[0] != sealVersion {
		return nil, fmt.Errorf("opening %s: not a sealed value", place)
	}
	for _, key := range k.keys {
		if !bytes.Equal(key.id[:], box[1:1+keyIDSize]) {
			continue
		}
		aead, err := chacha20poly1305.NewX(key.key[:])
		if err != nil {
			panic(err)
		}
		plain, err := aead.Open(nil, box[1+keyIDSize:sealHead], box[sealHead:], []byte(place))
		if err != nil {
			return nil, fmt.Errorf("opening %s: sealed for another place, or changed", place)
		}
		return plain, nil
	}
	return nil, fmt.Errorf("opening %s: sealed with a key that is not in the key file", place)
}

// Derive returns a 32-byte key for one use, such as "code" or "login cookie",
// by HKDF-SHA-256 (RFC 5869) from the sealing key.
func (k *Keyring) Derive(use string) []byte {
	key, err := hkdf.Key(sha256.New, k.keys[0].key[:], nil, "gatelodge "+use, keySize)
	if err != nil {
		panic(err) // only for lengths beyond 255 hashes
	}
	return key
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
