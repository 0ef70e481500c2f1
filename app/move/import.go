package move

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/email"
	"gatelodge/store"
)

// batchSize is how many people come in one transaction: while it runs, others'
// writes wait.
const batchSize = 100

// Importer takes people over.
type Importer struct {
	DB      *store.DB
	Audit   *audit.Log
	Now     func() time.Time
	App     string        // whose cookies hold the sessions' tokens; "" leaves sessions out
	Rolling time.Duration // how long a session lives after its last use
	Max     time.Duration // and however much it is used
}

// Plan says what Import would do, and changes nothing.
func (m *Importer) Plan(ctx context.Context, from *Source, progress func(done, total int)) (*Report, error) {
	return m.run(ctx, from, progress, nil)
}

// Import takes over everybody who is not here yet, a hundred in a transaction.
// After an error those that came are here, and the next run goes on.
func (m *Importer) Import(ctx context.Context, who audit.Origin, from *Source, progress func(done, total int)) (*Report, error) {
	r, err := m.run(ctx, from, progress, &who)
	if err != nil {
		return r, err
	}
	detail := fmt.Sprintf("%d users, %d accounts, %d passkeys, %d passwords, %d sessions from %s",
		r.Users.Taken, r.Accounts.Taken, r.Passkeys.Taken, r.Passwords.Taken, r.Sessions.Taken, r.Shape)
	return r, m.DB.Update(ctx, func(tx *store.Tx) error {
		return m.Audit.Record(tx, who, audit.Imported, audit.ByAdmin, "", detail)
	})
}

// run goes through all users of the source. who is nil for a dry run.
func (m *Importer) run(ctx context.Context, s *Source, progress func(done, total int), who *audit.Origin) (*Report, error) {
	r := &Report{Shape: s.shape.name, DryRun: who == nil, Tables: s.shape.names(), Ignored: s.shape.ignored(), Unknown: s.shape.unknown}
	j := &judge{now: m.Now().UTC().Truncate(time.Millisecond), passwords: s.shape.password, app: m.App, rolling: m.Rolling, max: m.Max}
	var err error
	if j.addresses, err = s.addresses(ctx); err != nil {
		return r, err
	}
	total, err := s.count(ctx, userRole)
	if err != nil {
		return r, err
	}
	columns := slices.Clone(parts[userRole].columns)
	if s.shape.password != "" {
		columns = append(columns, plain(s.shape.password))
	}
	var after any
	for {
		users, err := s.users(ctx, after, columns)
		if err != nil {
			return r, err
		}
		if len(users) == 0 {
			break
		}
		after = users[len(users)-1]["id"]
		people, err := m.read(ctx, s, j, r, users)
		if err != nil {
			return r, err
		}
		if err := m.settle(ctx, s.id, people, r, who); err != nil {
			return r, err
		}
		progress(r.Users.Read, total)
	}
	err = s.rest(ctx, r, total)
	for _, list := range [][]Reason{r.LeftOut, r.Less} {
		slices.SortFunc(list, byKind)
	}
	return r, err
}

// addresses counts the users of each address, as addresses are compared here.
func (s *Source) addresses(ctx context.Context) (map[string]int, error) {
	counts := make(map[string]int)
	var after any
	for {
		users, err := s.users(ctx, after, []string{"id", "email"})
		if err != nil || len(users) == 0 {
			return counts, err
		}
		for _, u := range users {
			if address, err := email.Normal(textOf(u["email"])); err == nil {
				counts[address]++
			}
		}
		after = users[len(users)-1]["id"]
	}
}

// read judges a batch of users with all that is theirs.
func (m *Importer) read(ctx context.Context, s *Source, j *judge, r *Report, users []record) ([]person, error) {
	var theirs [roles]map[string][]record
	for _, part := range []role{accountRole, passkeyRole, sessionRole} {
		var err error
		if theirs[part], err = s.of(ctx, part, users); err != nil {
			return nil, err
		}
	}
	var people []person
	for _, row := range users {
		id := textOf(row["id"])
		r.Users.Read++
		r.Accounts.Read += len(theirs[accountRole][id])
		r.Passkeys.Read += len(theirs[passkeyRole][id])
		r.Sessions.Read += len(theirs[sessionRole][id])
		p, ok := j.user(r, row)
		if !ok {
			continue
		}
		for _, a := range theirs[accountRole][id] {
			j.account(r, &p, a)
		}
		for _, a := range theirs[passkeyRole][id] {
			j.passkey(r, &p, a)
		}
		for _, a := range theirs[sessionRole][id] {
			j.session(r, &p, a)
		}
		j.password(r, &p, row)
		people = append(people, p)
	}
	return people, nil
}

// settle looks at the store and, in a real run, adds who can be added and reads
// them back.
func (m *Importer) settle(ctx context.Context, source string, people []person, r *Report, who *audit.Origin) error {
	if len(people) == 0 {
		return nil
	}
	var done *Report
	var taken []person
	look := func(tx *store.Tx) error {
		done, taken = &Report{}, nil // it may run again
		for _, p := range people {
			sourceID := p.user.ID
			here, err := identify(tx, source, done, &p)
			if err != nil {
				return err
			}
			if here {
				done.Here++
			} else if ok, err := fits(tx, done, &p); err != nil {
				return err
			} else if !ok {
				continue
			} else {
				taken = append(taken, p)
				done.take(p)
			}
			if who == nil {
				continue
			}
			if !here {
				if err := m.add(tx, *who, p); err != nil {
					return fmt.Errorf("user %s: %w", sourceID, err)
				}
			}
			if err := tx.SetImportedID(source, sourceID, p.user.ID); err != nil {
				return err
			}
		}
		return nil
	}
	if who == nil {
		if err := m.DB.View(ctx, look); err != nil {
			return err
		}
		r.add(done)
		return nil
	}
	if err := m.DB.Update(ctx, look); err != nil {
		return err
	}
	r.add(done)
	return m.DB.View(ctx, func(tx *store.Tx) error { return readBack(tx, taken) })
}

// identify reports whether the person is here already, and under which id. An id
// is unique only in its own database: where another user has it here, the person
// gets a new one, which the report names.
func identify(tx *store.Tx, source string, r *Report, p *person) (here bool, err error) {
	sourceID := p.user.ID
	id, err := tx.ImportedID(source, sourceID)
	if err == nil {
		if id != sourceID {
			p.rename(id)
			r.Mapped = append(r.Mapped, Mapping{sourceID, id, p.user.Email})
		}
		return true, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	user, err := tx.UserByID(sourceID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if here, err = p.is(tx, user); here || err != nil {
		return here, errors.Join(err, p.otherAddress(tx, r, user))
	}
	if taken, err := p.addressTaken(tx); taken || err != nil {
		return false, err // fits leaves them out
	}
	p.rename(newID(source, sourceID))
	r.Mapped = append(r.Mapped, Mapping{sourceID, p.user.ID, p.user.Email})
	return false, nil
}

// newID makes an id of a user's source and their id there, so that a dry run names
// the ids that the import gives.
func newID(source, id string) string {
	sum := sha256.Sum256([]byte(source + "\x00" + id))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // RFC 9562, 5.8: version 8
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// is reports whether the user here with the person's id is the same person: they
// have an address, a linked account or a passkey in common. A person without any
// of them has nothing to sign in with, and nothing to tell them apart.
func (p *person) is(tx *store.Tx, user store.User) (bool, error) {
	if !p.user.HasEmail() && len(p.accounts) == 0 && len(p.passkeys) == 0 {
		return true, nil
	}
	if p.user.HasEmail() {
		if has, err := tx.HasEmail(user.ID, p.user.EmailNorm); has || err != nil {
			return has, err
		}
	}
	for _, a := range p.accounts {
		known, err := tx.AccountBySubject(a.Provider, a.Subject)
		if err == nil && known.UserID == user.ID {
			return true, nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
	}
	for _, k := range p.passkeys {
		known, err := tx.PasskeyByID(k.CredentialID)
		if err == nil && known.UserID == user.ID {
			return true, nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
	}
	return false, nil
}

// otherAddress notes that the user here lacks the address that the person has in the
// source: an account or a passkey alone says that they are one.
func (p *person) otherAddress(tx *store.Tx, r *Report, user store.User) error {
	if !p.user.HasEmail() {
		return nil
	}
	has, err := tx.HasEmail(user.ID, p.user.EmailNorm)
	if !has && err == nil {
		r.lessen("user", "a linked account or a passkey says that they are here already, with another address: the one there is left behind", p.user.ID)
	}
	return err
}

// addressTaken reports whether the person's address leads to a user here.
func (p *person) addressTaken(tx *store.Tx) (bool, error) {
	if !p.user.HasEmail() {
		return false, nil
	}
	return found(tx.UserByEmail(p.user.EmailNorm))
}

// take counts a person.
func (r *Report) take(p person) {
	r.Users.Taken++
	r.Accounts.Taken += len(p.accounts)
	r.Passkeys.Taken += len(p.passkeys)
	r.Sessions.Taken += len(p.sessions)
	if p.password != "" {
		r.Passwords.Taken++
	}
	for _, a := range p.accounts {
		r.provider(a.Provider, 1)
	}
}

// fits reports whether the person can be added, and takes away what is
// somebody else's here.
func fits(tx *store.Tx, r *Report, p *person) (bool, error) {
	taken, err := p.addressTaken(tx)
	if taken || err != nil {
		r.leave("user", "somebody here has that address already, under another id", p.user.ID)
		return false, err
	}
	p.accounts = keep(p.accounts, func(a store.Account) bool {
		return free(&err, r, p, "account", func() (bool, error) { return found(tx.AccountBySubject(a.Provider, a.Subject)) })
	})
	p.passkeys = keep(p.passkeys, func(k store.Passkey) bool {
		return free(&err, r, p, "passkey", func() (bool, error) { return found(tx.PasskeyByID(k.CredentialID)) })
	})
	p.sessions = keep(p.sessions, func(s session) bool {
		return free(&err, r, p, "session", func() (bool, error) { return tx.KnowsAppToken(s.tokenHash) })
	})
	return err == nil, err
}

// found turns a look for one row into whether it is there.
func found[T any](_ T, err error) (bool, error) {
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// free reports whether something is nobody's here. After an error it asks no more.
func free(err *error, r *Report, p *person, kind string, taken func() (bool, error)) bool {
	if *err != nil {
		return false
	}
	var is bool
	if is, *err = taken(); is {
		r.leave(kind, "it belongs to somebody here already", p.user.ID)
	}
	return !is
}

// keep returns what f wants, in a slice of its own: the transaction may run
// again.
func keep[T any](list []T, f func(T) bool) []T {
	var kept []T
	for _, v := range list {
		if f(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// add adds a person who fits.
func (m *Importer) add(tx *store.Tx, who audit.Origin, p person) error {
	if err := tx.AddUser(p.user); err != nil {
		return err
	}
	if p.password != "" {
		if err := tx.SetPassword(store.Password{UserID: p.user.ID, Hash: p.password, ChangedAt: p.user.CreatedAt}); err != nil {
			return err
		}
	}
	for _, a := range p.accounts {
		if err := tx.AddAccount(a); err != nil {
			return err
		}
	}
	for _, k := range p.passkeys {
		if err := tx.AddPasskey(k); err != nil {
			return err
		}
	}
	for _, s := range p.sessions {
		if err := tx.AddSession(s.row); err != nil {
			return err
		}
		if err := tx.PutAppSession(store.AppSession{TokenHash: s.tokenHash, App: m.App, SessionID: s.row.ID, CreatedAt: s.row.CreatedAt}); err != nil {
			return err
		}
	}
	return m.Audit.Record(tx, who, audit.UserImported, audit.ByAdmin, p.user.ID, p.user.EmailNorm)
}

// readBack looks whether what was written is there.
func readBack(tx *store.Tx, people []person) error {
	for _, p := range people {
		u, err := tx.UserByID(p.user.ID)
		if err == nil && u.EmailNorm != p.user.EmailNorm {
			err = fmt.Errorf("the address is %q", u.EmailNorm)
		}
		for _, a := range p.accounts {
			if err == nil {
				_, err = tx.AccountBySubject(a.Provider, a.Subject)
			}
		}
		for _, k := range p.passkeys {
			if err == nil {
				_, err = tx.PasskeyByID(k.CredentialID)
			}
		}
		if err == nil && p.password != "" {
			_, err = tx.PasswordOf(u.ID)
		}
		if err != nil {
			return fmt.Errorf("user %s was imported and reads back otherwise: %w", p.user.ID, err)
		}
	}
	return nil
}

// rest counts what no user led to.
func (s *Source) rest(ctx context.Context, r *Report, users int) error {
	r.LeftOut = note(r.LeftOut, "user", "the id is NULL", max(users-r.Users.Read, 0))
	for _, part := range []struct {
		role role
		kind string
		read *Counted
	}{{accountRole, "account", &r.Accounts}, {passkeyRole, "passkey", &r.Passkeys}, {sessionRole, "session", &r.Sessions}} {
		n, err := s.orphans(ctx, part.role)
		if err != nil {
			return err
		}
		part.read.Read += n
		r.LeftOut = note(r.LeftOut, part.kind, "the user it belongs to is not in that database", n)
	}
	tokens, err := s.count(ctx, tokenRole)
	r.LeftOut = note(r.LeftOut, "verification token", "it is bound to the app's secret and lives for hours: people ask for a new link", tokens)
	return err
}
