package limit

import (
	"context"
	"crypto/sha256"
	"time"

	"gatelodge/store"
)

// takeShared counts in the database what all servers count together. A key is
// kept by its hash: the table holds no addresses.
func (l *Limiter) takeShared(asks []Ask) (wait time.Duration, at int, err error) {
	err = l.db.Update(context.Background(), func(tx *store.Tx) error {
		wait, at = 0, 0
		now := l.now()
		kept := make([][]time.Time, len(asks))
		for i, ask := range asks {
			var err error
			if kept[i], err = tx.Attempts(hash(ask.Key)); err != nil {
				return err
			}
			if w := ask.wait(kept[i], now); w > wait {
				wait, at = w, i
			}
		}
		if wait > 0 {
			return nil
		}
		for i, ask := range asks {
			times, until := ask.add(kept[i], now)
			if err := tx.SetAttempts(hash(ask.Key), times, until); err != nil {
				return err
			}
		}
		return nil
	})
	return wait, at, err
}

func (l *Limiter) giveShared(asks []Ask) error {
	return l.db.Update(context.Background(), func(tx *store.Tx) error {
		for _, ask := range asks {
			times, err := tx.Attempts(hash(ask.Key))
			if err != nil || len(times) == 0 {
				return err
			}
			times = times[:len(times)-1]
			_, until := ask.add(times, l.now())
			if err := tx.SetAttempts(hash(ask.Key), times, until); err != nil {
				return err
			}
		}
		return nil
	})
}

func hash(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}
