package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// MailDomain is what is known of a domain that mail goes to.
type MailDomain struct {
	Domain    string
	TLSSeenAt time.Time // zero: never spoke TLS to us
	STSID     string
	STSPolicy string // as it was fetched
	STSUntil  time.Time
	Failures  int       // of the domain's servers, in a row
	Until     time.Time // no attempt before
	ProbeAt   time.Time // but by sign-in mail
	Reason    string
}

// NextAt returns when a message of that class goes to the domain that is due at the
// given time: not before the domain stops waiting.
func (d MailDomain) NextAt(class int, due time.Time) time.Time {
	until := d.Until
	if class == 0 {
		until = d.ProbeAt
	}
	if until.After(due) {
		return until
	}
	return due
}

// MailDomain returns what is known of a domain: nothing, for a new one.
func (tx *Tx) MailDomain(domain string) (MailDomain, error) {
	d := MailDomain{Domain: domain}
	var seen sql.NullInt64
	var sts, until, probe int64
	err := tx.q.QueryRowContext(tx.ctx, mailDomainQuery, domain).Scan(&seen, &d.STSID, &d.STSPolicy, &sts, &d.Failures, &until, &probe, &d.Reason)
	if errors.Is(err, sql.ErrNoRows) {
		return d, nil
	}
	if err != nil {
		return MailDomain{}, fmt.Errorf("reading a mail domain: %w", err)
	}
	d.TLSSeenAt, d.STSUntil, d.Until, d.ProbeAt = atNull(seen), at(sts), at(until), at(probe)
	return d, nil
}

const mailDomainQuery = `
	SELECT tls_seen_at, sts_id, sts_policy, sts_until, failures, until, probe_at, reason
	  FROM mail_domains
	 WHERE domain = $1`

// SetTLSSeen remembers that a domain spoke TLS.
func (tx *Tx) SetTLSSeen(domain string, now time.Time) error {
	return tx.exec("remembering TLS of a mail domain", setTLSSeenQuery, domain, ms(now))
}

const setTLSSeenQuery = `
	INSERT INTO mail_domains (domain, tls_seen_at, updated_at) VALUES ($1, $2, $2)
	    ON CONFLICT (domain) DO UPDATE SET tls_seen_at = excluded.tls_seen_at, updated_at = excluded.updated_at`

// PolicyDomains returns the domains with an MTA-STS policy that has not ended, those
// whose ends first first.
func (tx *Tx) PolicyDomains(now time.Time, limit int) ([]MailDomain, error) {
	var list []MailDomain
	err := tx.each("MTA-STS policies", policyDomainsQuery, []any{ms(now), limit}, func(rows *sql.Rows) error {
		var d MailDomain
		var until int64
		if err := rows.Scan(&d.Domain, &d.STSID, &d.STSPolicy, &until); err != nil {
			return err
		}
		d.STSUntil = at(until)
		list = append(list, d)
		return nil
	})
	return list, err
}

const policyDomainsQuery = `
	SELECT domain, sts_id, sts_policy, sts_until
	  FROM mail_domains
	 WHERE sts_until > $1
	 ORDER BY sts_until
	 LIMIT $2`

// SetSTSPolicy keeps the MTA-STS policy of a domain.
func (tx *Tx) SetSTSPolicy(domain, id, policy string, until, now time.Time) error {
	return tx.exec("keeping an MTA-STS policy", setSTSPolicyQuery, domain, id, policy, ms(until), ms(now))
}

const setSTSPolicyQuery = `
	INSERT INTO mail_domains (domain, sts_id, sts_policy, sts_until, updated_at) VALUES ($1, $2, $3, $4, $5)
	    ON CONFLICT (domain) DO UPDATE
	   SET sts_id = excluded.sts_id, sts_policy = excluded.sts_policy, sts_until = excluded.sts_until, updated_at = excluded.updated_at`

// BackOff keeps all mail from a domain until then; sign-in mail may probe at
// probeAt.
func (tx *Tx) BackOff(domain, reason string, failures int, until, probeAt, now time.Time) error {
	return tx.exec("backing off from a mail domain", backOffQuery, domain, failures, ms(until), ms(probeAt), reason, ms(now))
}

const backOffQuery = `
	INSERT INTO mail_domains (domain, failures, until, probe_at, reason, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
	    ON CONFLICT (domain) DO UPDATE
	   SET failures = excluded.failures, until = excluded.until, probe_at = excluded.probe_at, reason = excluded.reason,
	       updated_at = excluded.updated_at`

// EndBackOff lets mail to a domain go, to every domain when it is "". It
// returns how many had waited.
func (tx *Tx) EndBackOff(domain string) (int, error) { return tx.changed(endBackOffQuery, domain) }

const endBackOffQuery = `
	UPDATE mail_domains
	   SET failures = 0, until = 0, probe_at = 0, reason = ''
	 WHERE ($1 = '' OR domain = $1) AND until > 0`

// ForgetMailDomain removes what is known of a domain, its TLS and its policy
// too, and returns whether something was.
func (tx *Tx) ForgetMailDomain(domain string) (bool, error) {
	n, err := tx.changed(forgetMailDomainQuery, domain)
	return n > 0, err
}

const forgetMailDomainQuery = `DELETE FROM mail_domains WHERE domain = $1`

// WaitingDomains returns the domains that mail waits for because their servers
// failed, the longest wait first.
func (tx *Tx) WaitingDomains(now time.Time, limit int) ([]MailDomain, error) {
	var list []MailDomain
	err := tx.each("mail domains", waitingDomainsQuery, []any{ms(now), limit}, func(rows *sql.Rows) error {
		var d MailDomain
		var until, probe int64
		if err := rows.Scan(&d.Domain, &d.Failures, &until, &probe, &d.Reason); err != nil {
			return err
		}
		d.Until, d.ProbeAt = at(until), at(probe)
		list = append(list, d)
		return nil
	})
	return list, err
}

const waitingDomainsQuery = `
	SELECT domain, failures, until, probe_at, reason
	  FROM mail_domains
	 WHERE until > $1
	 ORDER BY until DESC
	 LIMIT $2`

// NextRelease returns when the next domain stops waiting, or ErrNotFound.
func (tx *Tx) NextRelease(class int, now time.Time) (time.Time, error) {
	var next sql.NullInt64
	if err := tx.q.QueryRowContext(tx.ctx, nextReleaseQuery, class, ms(now)).Scan(&next); err != nil {
		return time.Time{}, fmt.Errorf("looking at waiting mail domains: %w", err)
	}
	if !next.Valid {
		return time.Time{}, ErrNotFound
	}
	return at(next.Int64), nil
}

const nextReleaseQuery = `
	SELECT MIN(CASE WHEN $1 = 0 THEN probe_at ELSE until END)
	  FROM mail_domains
	 WHERE until > $2 AND (CASE WHEN $1 = 0 THEN probe_at ELSE until END) > $2`

// AddTLSResult counts how a connection to a domain's server was protected.
func (tx *Tx) AddTLSResult(day time.Time, domain, policy, mx, result string) error {
	return tx.exec("counting a TLS result", addTLSResultQuery, ms(day), domain, policy, mx, result)
}

const addTLSResultQuery = `
	INSERT INTO tls_results (day, domain, policy, mx, result, count) VALUES ($1, $2, $3, $4, $5, 1)
	    ON CONFLICT (domain, day, policy, mx, result) DO UPDATE SET count = tls_results.count + 1`

// TLSResult is how often connections to a server went one way on one day.
type TLSResult struct {
	Day    time.Time
	Domain string
	Policy string
	MX     string
	Result string // "" went well
	Count  int
}

// TLSResults returns the results of a domain, newest first.
func (tx *Tx) TLSResults(domain string, limit int) ([]TLSResult, error) {
	var list []TLSResult
	err := tx.each("TLS results", tlsResultsQuery, []any{domain, limit}, func(rows *sql.Rows) error {
		var r TLSResult
		var day int64
		if err := rows.Scan(&day, &r.Domain, &r.Policy, &r.MX, &r.Result, &r.Count); err != nil {
			return err
		}
		r.Day = at(day)
		list = append(list, r)
		return nil
	})
	return list, err
}

const tlsResultsQuery = `
	SELECT day, domain, policy, mx, result, count
	  FROM tls_results
	 WHERE domain = $1
	 ORDER BY day DESC, mx, result
	 LIMIT $2`
