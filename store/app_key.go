package store

// AppNamed begins the key of an App by which an earlier version kept rows: its name
// follows. No App's id has a colon.
const AppNamed = "name:"

// RekeyApp gives the rows kept by one key of an App another key, and returns how many there
// were. Of two shares of one Session, that under the new key stays.
func (tx *Tx) RekeyApp(from, to string) (int, error) {
	if err := tx.exec("removing doubles of an App's sessions", dropDoubleAppSessionsQuery, from, to); err != nil {
		return 0, err
	}
	n := 0
	for _, query := range []string{rekeyAppSessionsQuery, rekeyHandoffsQuery, rekeyChallengesQuery} {
		changed, err := tx.count("changing the key of an App", query, from, to)
		if err != nil {
			return 0, err
		}
		n += changed
	}
	return n, nil
}

// The second condition of each is that of an index, which is empty once all are changed:
// a start reads no table.
const (
	dropDoubleAppSessionsQuery = `
	DELETE FROM app_sessions
	 WHERE app = $1 AND substr(app, 1, 5) = 'name:'
	   AND EXISTS (SELECT 1 FROM app_sessions b WHERE b.session_id = app_sessions.session_id AND b.app = $2)`

	rekeyAppSessionsQuery = `UPDATE app_sessions SET app = $2 WHERE app = $1 AND substr(app, 1, 5) = 'name:'`

	rekeyHandoffsQuery = `UPDATE handoffs SET app = $2 WHERE app = $1`

	rekeyChallengesQuery = `
	UPDATE challenges
	   SET purpose = 'signin@' || $2
	 WHERE purpose = 'signin@' || $1 AND substr(purpose, 1, 12) = 'signin@name:'`
)
