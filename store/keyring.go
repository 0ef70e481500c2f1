package store

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	keySize     = 32
	sealVersion = 1
	keyIDSize   = 4
	sealHead    = 1 + keyIDSize + chacha20poly1305.NonceSizeX
)

// Keyring seals what must not be readable in a stolen database: mail that
// holds live links, seeds, upstream tokens and signing keys. The first key of
// its file seals; all of them open. The keys may change while it is used.
type Keyring struct {
	path string
	keys atomic.Pointer[[]sealingKey]
	root [keySize]byte // what Derive derives from; loadRoot sets it

	mu         sync.Mutex // held by who reads or changes the file
	seen       fileState
	sealsSince time.Time // when the first key became that in this run; zero: at its start
}

type keyID [keyIDSize]byte

func (id keyID) String() string { return hex.EncodeToString(id[:]) }

// head is what every value sealed with the key begins with.
func (id keyID) head() []byte { return append([]byte{sealVersion}, id[:]...) }

type sealingKey struct {
	id  keyID
	key [keySize]byte
}

func newSealingKey(raw [keySize]byte) sealingKey {
	sum := sha256.Sum256(append([]byte("gatelodge key id\x00"), raw[:]...))
	return sealingKey{id: keyID(sum[:keyIDSize]), key: raw}
}

func (k *Keyring) list() []sealingKey { return *k.keys.Load() }

func (k *Keyring) set(keys []sealingKey) { k.keys.Store(&keys) }

// first returns the id of the key that seals.
func (k *Keyring) first() keyID { return k.list()[0].id }

// Seal encrypts plain for one place, "table/column/key", so that a value moved
// to another row no longer opens. XChaCha20-Poly1305: its random nonce needs
// no counting. What is sealed has to be written within the transaction that is
// under way, and its column has to stand in sealedColumns.
func (k *Keyring) Seal(place string, plain []byte) []byte {
	first := k.list()[0]
	aead, err := chacha20poly1305.NewX(first.key[:])
	if err != nil {
		panic(err) // the key's size is fixed above
	}
	box := make([]byte, sealHead, sealHead+len(plain)+chacha20poly1305.Overhead)
	copy(box, first.id.head())
	rand.Read(box[1+keyIDSize:])
	return aead.Seal(box, box[1+keyIDSize:], plain, []byte(place))
}

// ErrUnsealable means that a value cannot be opened: it is damaged, moved, or sealed
// with a key that is not here.
var ErrUnsealable = errors.New("it cannot be unsealed")

// Open is the reverse of Seal. It fails with ErrUnsealable for another place,
// another key or a changed value.
func (k *Keyring) Open(place string, box []byte) ([]byte, error) {
	if len(box) < sealHead || box[0] != sealVersion {
		return nil, fmt.Errorf("opening %s: %w: not a sealed value", place, ErrUnsealable)
	}
	key, ok := k.find(keyID(box[1 : 1+keyIDSize]))
	if !ok {
		return nil, fmt.Errorf("opening %s: %w: sealed with a key that is not in the key file", place, ErrUnsealable)
	}
	aead, err := chacha20poly1305.NewX(key.key[:])
	if err != nil {
		panic(err)
	}
	plain, err := aead.Open(nil, box[1+keyIDSize:sealHead], box[sealHead:], []byte(place))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w: sealed for another place, or changed", place, ErrUnsealable)
	}
	return plain, nil
}

// find returns the key with that id. One that is not known may have been put
// into the file since it was read: where several processes share a database,
// another one seals with a new key as soon as it starts with it.
func (k *Keyring) find(id keyID) (sealingKey, bool) {
	known := func() (sealingKey, bool) {
		keys := k.list()
		i := slices.IndexFunc(keys, func(key sealingKey) bool { return key.id == id })
		if i < 0 {
			return sealingKey{}, false
		}
		return keys[i], true
	}
	if key, ok := known(); ok {
		return key, true
	}
	k.reread()
	return known()
}

// Derive returns a 32-byte key for one use, such as "code" or "login cookie",
// by HKDF-SHA-256 (RFC 5869). It hangs on a root that stays the same when the
// sealing keys change, so that a rotation ends no live code.
func (k *Keyring) Derive(use string) []byte {
	key, err := hkdf.Key(sha256.New, k.root[:], nil, "gatelodge "+use, keySize)
	if err != nil {
		panic(err) // only for lengths beyond 255 hashes
	}
	return key
}
