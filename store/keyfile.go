package store

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const keyFileHead = `# Gatelodge's sealing keys: the first seals, all of them open. Keep a copy away
# from the database backups: who has both can read everything, who has only the
# database cannot.
`

// keyTemporary is the pattern of a key file that is not whole yet.
const keyTemporary = ".secret-*"

// newKeyFile writes a new key file for its owner alone. It never overwrites.
func newKeyFile(path string, now time.Time) error {
	return writeKeyFile(path, []sealingKey{randomKey()}, now, publish)
}

func randomKey() sealingKey {
	var raw [keySize]byte
	rand.Read(raw[:])
	return newSealingKey(raw)
}

// writeKeyFile writes the keys beside path and lets name give them that name, so
// that a crash never leaves half a key.
func writeKeyFile(path string, keys []sealingKey, now time.Time, name func(whole, path string) error) error {
	var text bytes.Buffer
	text.WriteString(keyFileHead)
	for i, key := range keys {
		note := ""
		if i == 0 {
			note = ", seals since " + now.UTC().Format(time.DateOnly)
		}
		fmt.Fprintf(&text, "\n# %s%s\n%s\n", key.id, note, base64.StdEncoding.EncodeToString(key.key[:]))
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), keyTemporary) // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(text.Bytes()); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return name(tmp.Name(), path)
}

// publish gives a file that is whole its name, for good. It does not overwrite.
func publish(whole, path string) error {
	err := os.Link(whole, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// A file system without hard links: whoever called has seen that there is
		// no such file.
		err = os.Rename(whole, path)
	}
	if err := errors.Join(err, giveToOwner(path)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// replace gives a file that is whole the name of another, for good.
func replace(whole, path string) error {
	if err := giveToOwner(whole); err != nil {
		return err
	}
	if err := os.Rename(whole, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// clearKeyTemporaries removes what a start or a rotation that was killed has
// left. The caller holds the directory's lock.
func clearKeyTemporaries(dir string) error {
	left, err := filepath.Glob(filepath.Join(escapeGlob(dir), keyTemporary))
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// escapeGlob makes a path safe in a pattern.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// fileState tells whether a file is still the one that was read.
type fileState struct {
	size int64
	at   time.Time
}

func stateOf(info fs.FileInfo) fileState { return fileState{info.Size(), info.ModTime()} }

// readKeyFile loads the keys and refuses a file others may read.
func readKeyFile(path string) (*Keyring, error) {
	keys, seen, err := readKeys(path)
	if err != nil {
		return nil, err
	}
	k := &Keyring{path: path, seen: seen}
	k.set(keys)
	return k, nil
}

func readKeys(path string) ([]sealingKey, fileState, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fileState{}, &Problem{
			kind: ErrKey, text: "the key file " + path + " is missing, and without it the database cannot be read",
			hint: "put back the secret.key that belongs to this database from your backup",
		}
	}
	if err != nil {
		return nil, fileState{}, &Problem{kind: ErrKey, text: "reading the key file", cause: err, hint: "let the user that runs Gatelodge read it"}
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fileState{}, &Problem{
			kind: ErrKey, text: fmt.Sprintf("the key file %s may be read by others (mode %04o)", path, info.Mode().Perm()),
			hint: "chmod 600 " + path,
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fileState{}, &Problem{kind: ErrKey, text: "reading the key file", cause: err, hint: "let the user that runs Gatelodge read it"}
	}
	keys, err := parseKeys(text)
	if err != nil {
		return nil, fileState{}, &Problem{
			kind: ErrKey, text: "the key file " + path + " cannot be used", cause: err,
			hint: "put back the secret.key that belongs to this database from your backup",
		}
	}
	return keys, stateOf(info), nil
}

func parseKeys(text []byte) ([]sealingKey, error) {
	var keys []sealingKey
	for n, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != keySize {
			return nil, fmt.Errorf("line %d is not a key of %d bytes in base64", n+1, keySize)
		}
		key := newSealingKey([keySize]byte(raw))
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no key")
	}
	return keys, nil
}

// reread takes in what the file holds when it has changed. Keys that are gone
// from it open for the rest of this run.
func (k *Keyring) reread() {
	k.mu.Lock()
	defer k.mu.Unlock()
	info, err := os.Stat(k.path)
	if err != nil || stateOf(info) == k.seen {
		return
	}
	// What is wrong with the file now is reported at the next start and by "key list".
	if keys, seen, err := readKeys(k.path); err == nil {
		k.take(keys, nil, seen)
	}
}

// take makes the file's keys the ring's, and keeps those that the ring has
// besides, but for the dropped. k.mu is held.
func (k *Keyring) take(keys, dropped []sealingKey, seen fileState) {
	if keys[0].id != k.first() {
		k.sealsSince = time.Now()
	}
	for _, key := range k.list() {
		if !slices.Contains(keys, key) && !slices.Contains(dropped, key) {
			keys = append(keys, key)
		}
	}
	k.seen = seen
	k.set(keys)
}

// rewrite replaces the file's keys by what change makes of them, and unless it is
// for the next start, uses them. A key is on the disk before anything is sealed
// with it.
func (k *Keyring) rewrite(now time.Time, later bool, change func([]sealingKey) ([]sealingKey, error)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	path, err := filepath.EvalSymlinks(k.path)
	if err != nil {
		return fmt.Errorf("finding the key file: %w", err)
	}
	before, _, err := readKeys(path)
	if err != nil {
		return err
	}
	keys, err := change(before)
	if err != nil {
		return err
	}
	if err := writeKeyFile(path, keys, now, replace); err != nil {
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			return &Problem{
				kind: ErrFull, text: "the disk that holds " + path + " is full", cause: err,
				hint: "free some space and try again; the key file is as it was",
			}
		}
		return &Problem{
			kind: ErrReadOnly, text: "the key file " + path + " cannot be written", cause: err,
			hint: "let the user that runs Gatelodge write it, or stop the server and put a new first line into it, made with: head -c 32 /dev/urandom | base64",
		}
	}
	if later {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("reading the key file again: %w", err)
	}
	k.take(keys, before, stateOf(info))
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
