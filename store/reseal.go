package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	resealRows  = 100     // in one transaction: longer would hold up the others
	resealBytes = 1 << 20 // likewise, where the values are whole messages
	// A key that has been replaced is not dropped within this: a transaction that
	// sealed with it may still be on its way to the disk.
	dropAfter = time.Minute
)

// Key is one sealing key: what "key list" shows of it.
type Key struct {
	ID     string
	Seals  bool           // new values
	InFile bool           // false: values are sealed with it and nobody can open them
	Values map[string]int // still sealed with it, by "table.column"
}

// Total returns how many values are sealed with the key.
func (k Key) Total() int {
	n := 0
	for _, values := range k.Values {
		n += values
	}
	return n
}

// Keys returns the keys of the file, the one that seals first, and after them
// those that values ask for though the file does not have them.
func (db *DB) Keys(ctx context.Context) ([]Key, error) {
	var keys []Key
	err := db.LongView(ctx, func(tx *Tx) (err error) {
		keys, err = tx.keys()
		return err
	})
	return keys, err
}

func (tx *Tx) keys() ([]Key, error) {
	var keys []Key
	for i, key := range tx.db.ring.list() {
		keys = append(keys, Key{ID: key.id.String(), Seals: i == 0, InFile: true, Values: make(map[string]int)})
	}
	for _, c := range sealedColumns {
		counts, err := tx.sealers(c)
		if err != nil {
			return nil, err
		}
		for id, n := range counts {
			i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == id.String() })
			if i < 0 {
				i = len(keys)
				keys = append(keys, Key{ID: id.String(), Values: make(map[string]int)})
			}
			keys[i].Values[c.table+"."+c.name] = n
		}
	}
	return keys, nil
}

// sealers counts the values of a column by the key that sealed them.
func (tx *Tx) sealers(c sealedColumn) (map[keyID]int, error) {
	rows, err := tx.q.QueryContext(tx.ctx, c.countQuery())
	if err != nil {
		return nil, fmt.Errorf("counting the keys of %s.%s: %w", c.table, c.name, err)
	}
	defer rows.Close()
	counts := make(map[keyID]int)
	for rows.Next() {
		var head []byte
		var n int
		if err := rows.Scan(&head, &n); err != nil {
			return nil, fmt.Errorf("counting the keys of %s.%s: %w", c.table, c.name, err)
		}
		if head[0] == sealVersion {
			counts[keyID(head[1:])] = n
		} else if !c.mixed {
			return nil, fmt.Errorf("%s.%s holds %d values that are not sealed", c.table, c.name, n)
		}
	}
	return counts, rows.Err()
}

// RotateKey puts a new key first into the key file and seals with it from now
// on. It returns the key's id. What is sealed with the others stays readable;
// Reseal moves it over. A process that shares its database seals with the new
// key from its next start on, so that the others can be given the file first.
func (db *DB) RotateKey() (string, error) {
	key := randomKey()
	err := db.ring.rewrite(db.now(), db.Shared(), func(keys []sealingKey) ([]sealingKey, error) {
		return append([]sealingKey{key}, keys...), nil
	})
	return key.id.String(), err
}

// DropKeys takes the keys with which nothing is sealed out of the key file, and
// returns their ids. The first key stays.
func (db *DB) DropKeys(ctx context.Context) ([]string, error) {
	// As a write, behind which no other is under way.
	var used []Key
	err := db.Update(ctx, func(tx *Tx) (err error) {
		used, err = tx.keys()
		return err
	})
	if err != nil {
		return nil, err
	}
	var dropped []string
	err = db.ring.rewrite(db.now(), false, func(keys []sealingKey) ([]sealingKey, error) {
		// Also when the keys were rotated between the counting and this.
		if wait := dropAfter - time.Since(db.ring.sealsSince); wait > 0 && !db.ring.sealsSince.IsZero() {
			return nil, &Problem{
				kind: ErrConflict, text: "the key was replaced just now, and what the old one sealed may still be on its way",
				hint: fmt.Sprintf("try again in %d seconds", int(wait.Seconds())+1),
			}
		}
		kept := keys[:1:1]
		for _, key := range keys[1:] {
			i := slices.IndexFunc(used, func(k Key) bool { return k.ID == key.id.String() })
			if i >= 0 && used[i].Total() > 0 {
				kept = append(kept, key)
			} else {
				dropped = append(dropped, key.id.String())
			}
		}
		return kept, nil
	})
	if err != nil {
		return nil, err
	}
	return dropped, nil
}

// Resealed is how far a resealing got.
type Resealed struct {
	Done int // values sealed with the first key
	Lost int // values that no key of the file opens; they are left as they are
}

// Reseal seals with the first key what others have sealed, a hundred rows at a
// time, and calls each, unless nil, after every part. Stopped at any moment, it
// has lost nothing and can be called again. A value that somebody changes
// meanwhile is theirs.
func (db *DB) Reseal(ctx context.Context, each func(Resealed)) (Resealed, error) {
	var total Resealed
	for _, c := range sealedColumns {
		behind := c.before()
		for {
			began := time.Now()
			part, err := db.resealPart(ctx, c, behind)
			total.Done += part.done
			total.Lost += part.lost
			if err != nil {
				return total, fmt.Errorf("resealing %s.%s: %w", c.table, c.name, err)
			}
			if each != nil && part.done+part.lost > 0 {
				each(total)
			}
			if part.whole {
				break
			}
			behind = part.last
			// As long again for everybody else.
			select {
			case <-ctx.Done():
				return total, ctx.Err()
			case <-time.After(time.Since(began)):
			}
		}
	}
	return total, nil
}

// part is some rows of a column.
type part struct {
	done, lost int
	last       any  // the key of the last row
	whole      bool // nothing is behind them
}

type resealedRow struct {
	key      any
	old, new []byte
}

func (db *DB) resealPart(ctx context.Context, c sealedColumn, behind any) (part, error) {
	var p part
	var rows []resealedRow
	err := db.LongView(ctx, func(tx *Tx) (err error) {
		rows, p, err = tx.oldRows(c, behind)
		return err
	})
	if err != nil || len(rows) == 0 {
		return p, err
	}
	p.done, err = db.replaceRows(ctx, c, rows)
	return p, err
}

// replaceRows writes the rows sealed anew, but for those that were changed since
// they were read, and returns how many.
func (db *DB) replaceRows(ctx context.Context, c sealedColumn, rows []resealedRow) (done int, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		done = 0
		for _, row := range rows {
			n, err := tx.changed(c.resealQuery(), row.new, row.key, row.old)
			if err != nil {
				return err
			}
			done += n
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return done, nil
}

// oldRows returns rows behind a key that another key than the first has sealed,
// sealed anew.
func (tx *Tx) oldRows(c sealedColumn, behind any) ([]resealedRow, part, error) {
	p := part{last: behind, whole: true}
	ring := tx.db.ring
	found, err := tx.q.QueryContext(tx.ctx, c.oldQuery(), ring.first().head(), behind, resealRows)
	if err != nil {
		return nil, p, err
	}
	defer found.Close()
	var rows []resealedRow
	for n, size := 0, 0; found.Next(); {
		var row resealedRow
		if err := found.Scan(&row.key, &row.old); err != nil {
			return nil, p, err
		}
		p.last = row.key
		if plain, err := ring.Open(c.place(row.key), row.old); err == nil {
			row.new = ring.Seal(c.place(row.key), plain)
			rows = append(rows, row)
		} else if !c.mixed || row.old[0] == sealVersion {
			p.lost++
		}
		n, size = n+1, size+len(row.old)
		if n == resealRows || size >= resealBytes {
			p.whole = false
			break
		}
	}
	return rows, p, found.Err()
}

// HasOldKeys reports whether the key file has keys besides the one that seals.
func (db *DB) HasOldKeys() bool { return len(db.ring.list()) > 1 }
