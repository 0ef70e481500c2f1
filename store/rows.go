package store

import (
	"database/sql"
	"fmt"
)

// each reads what a query lists, row by row. what names it in an error: "addresses".
func (tx *Tx) each(what, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := tx.q.QueryContext(tx.ctx, query, args...)
	if err != nil {
		return fmt.Errorf("listing %s: %w", what, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("reading %s: %w", what, err)
		}
	}
	return rows.Err()
}

// exists answers a query of one value that is true or false.
func (tx *Tx) exists(what, query string, args ...any) (yes bool, err error) {
	if err := tx.q.QueryRowContext(tx.ctx, query, args...).Scan(&yes); err != nil {
		return false, fmt.Errorf("looking for %s: %w", what, classify(err))
	}
	return yes, nil
}

// exec runs a statement whose rows nobody counts. what names it in an error:
// "adding an event".
func (tx *Tx) exec(what, query string, args ...any) error {
	if _, err := tx.q.ExecContext(tx.ctx, query, args...); err != nil {
		return fmt.Errorf("%s: %w", what, classify(err))
	}
	return nil
}

// change is exec for a statement that is to change a row, and returns otherwise when it
// changed none.
func (tx *Tx) change(otherwise error, what, query string, args ...any) error {
	res, err := tx.q.ExecContext(tx.ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", what, classify(err))
	}
	return wantRow(res, otherwise)
}

// count is exec for a statement whose rows are counted.
func (tx *Tx) count(what, query string, args ...any) (int, error) {
	res, err := tx.q.ExecContext(tx.ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, classify(err))
	}
	n, err := res.RowsAffected()
	return int(n), err
}
