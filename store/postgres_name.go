package store

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

// pgOptions are the options of a database's name that the driver reads itself.
var pgOptions = []string{
	"host", "hostaddr", "port", "dbname", "database", "user", "password", "passfile", "options", "application_name", "fallback_application_name",
	"sslmode", "sslnegotiation", "sslcert", "sslkey", "sslrootcert", "sslsni", "ssl_min_protocol_version", "ssl_max_protocol_version", "sslinline",
	"krbsrvname", "krbspn", "connect_timeout", "disable_prepared_binary_result", "client_encoding", "datestyle", "tz", "geqo",
	"target_session_attrs", "load_balance_hosts", "min_protocol_version", "max_protocol_version", "service",
}

// pgSettings are the settings of a session that a client has reason to choose. The
// driver would send the server any name, and the server refuses one that it does not
// know.
var pgSettings = []string{
	"search_path", "statement_timeout", "lock_timeout", "transaction_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout",
	"tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout", "client_connection_check_interval",
	"timezone", "intervalstyle", "bytea_output", "extra_float_digits", "client_min_messages", "role", "row_security",
	"default_transaction_isolation", "default_transaction_read_only", "default_transaction_deferrable", "synchronous_commit",
	"work_mem", "maintenance_work_mem", "temp_buffers", "temp_file_limit", "jit", "plan_cache_mode", "enable_seqscan", "random_page_cost",
	"log_statement", "log_min_duration_statement",
}

// PostgresName is a parsed postgres:// name.
type PostgresName struct {
	config pq.Config
	// Ignored are options that are neither PostgreSQL's nor the driver's. They are not
	// sent to the server.
	Ignored     []string
	connections int // the most at a time
}

// Warning returns what to say about the ignored options, or "".
func (n PostgresName) Warning() string {
	if len(n.Ignored) == 0 {
		return ""
	}
	return "the name of the database has options that are ignored: " + strings.Join(n.Ignored, ", ")
}

// Identity names the database by where it is, without user and options: the same
// for every name that leads there by the same address.
func (n PostgresName) Identity() string {
	id := url.URL{Scheme: "postgres", Host: n.config.Host, Path: "/" + cmp.Or(n.config.Database, n.config.User)}
	q := url.Values{"port": {strconv.Itoa(int(n.config.Port))}}
	if schema := n.config.Runtime["search_path"]; schema != "" {
		q.Set("schema", strings.Trim(schema, `"`))
	}
	id.RawQuery = q.Encode()
	return id.String()
}

// ParsePostgres reads a postgres:// name as libpq, Prisma, node-postgres and others
// write it. Unless sslmode says disable or more than require, TLS is required of
// other machines and not used on this one. So prefer and allow, which protect
// nobody, mean that too; the driver leaves a connection open behind each such try.
func ParsePostgres(name string) (PostgresName, error) {
	u, err := url.Parse(hostsApart(name))
	if err != nil {
		return PostgresName{}, &badName{err}
	}
	q := u.Query()
	connections, err := takeLimit(q)
	if err != nil {
		return PostgresName{}, &badName{err}
	}
	ignored := translate(q)
	u.RawQuery = q.Encode()
	c, err := pq.NewConfig(u.String())
	if err != nil {
		return PostgresName{}, &badName{err}
	}
	said := q.Has("sslmode") || os.Getenv("PGSSLMODE") != ""
	if !said || c.SSLMode == pq.SSLModePrefer || c.SSLMode == pq.SSLModeAllow {
		c.SSLMode = pq.SSLModeRequire
		if allLocal(c) {
			c.SSLMode = pq.SSLModeDisable
		}
	}
	if c.ConnectTimeout <= 0 || c.ConnectTimeout > pgConnectMost {
		c.ConnectTimeout = pgConnectWithin
	}
	c.ApplicationName = cmp.Or(c.ApplicationName, "gatelodge")
	// One round trip for a query that is not prepared.
	c.BinaryParameters = true
	return PostgresName{config: c, Ignored: ignored, connections: connections}, nil
}

// forStore returns the name with what a store needs: of several servers the one that
// takes writes, and an end to the locks of a process that hangs in a write.
func (n PostgresName) forStore() PostgresName {
	n.config = n.config.Clone()
	n.config.TargetSessionAttrs = cmp.Or(n.config.TargetSessionAttrs, pq.TargetSessionAttrsReadWrite)
	if n.config.Runtime == nil {
		n.config.Runtime = make(map[string]string)
	}
	const idle = "idle_in_transaction_session_timeout"
	n.config.Runtime[idle] = cmp.Or(n.config.Runtime[idle], "30000")
	return n
}

// How long a new connection may take, and the most that a name may ask for.
const (
	pgConnectWithin = 5 * time.Second
	pgConnectMost   = 10 * time.Second
)

// takeLimit removes the options with which Prisma and pgx limit their pools, and
// returns the limit.
func takeLimit(q url.Values) (int, error) {
	limit := pgConnections
	for _, key := range []string{"connection_limit", "pool_max_conns"} {
		if !q.Has(key) {
			continue
		}
		n, err := strconv.Atoi(q.Get(key))
		if err != nil {
			return 0, fmt.Errorf("%s is not a number", key)
		}
		limit = min(max(n, pgFewest), pgConnections)
		q.Del(key)
	}
	return limit, nil
}

// translate turns options of other clients into the driver's, removes what is
// neither PostgreSQL's nor the driver's, and returns the names of what was removed.
func translate(q url.Values) (ignored []string) {
	// Options are written in any case, and the driver knows one.
	for _, key := range slices.Sorted(maps.Keys(q)) {
		lower := strings.ToLower(key)
		if lower != key && (slices.Contains(pgOptions, lower) || slices.Contains(pgSettings, lower)) {
			if !q.Has(lower) {
				q[lower] = q[key]
			}
			q.Del(key)
		}
	}
	for key, theirs := range map[string]string{"currentSchema": "schema", "encoding": "client_encoding", "ApplicationName": "application_name"} {
		if v := q.Get(key); v != "" && !q.Has(theirs) {
			q.Set(theirs, v)
		}
		q.Del(key)
	}
	if schema := q.Get("schema"); schema != "" && !q.Has("search_path") {
		q.Set("search_path", `"`+strings.ReplaceAll(schema, `"`, `""`)+`"`)
	}
	q.Del("schema")
	translateTLS(q)
	if strings.EqualFold(q.Get("client_encoding"), "auto") {
		q.Del("client_encoding")
	}
	for _, key := range slices.Sorted(maps.Keys(q)) {
		switch {
		case slices.Contains(pgOptions, key), slices.Contains(pgSettings, key), strings.Contains(key, "."):
		default:
			q.Del(key)
			ignored = append(ignored, key)
		}
	}
	return ignored
}

// translateTLS turns the options with which other clients ask for TLS into sslmode. What
// asks for a checked certificate is never weakened.
func translateTLS(q url.Values) {
	switch {
	case q.Get("sslmode") == "no-verify":
		q.Set("sslmode", string(pq.SSLModeRequire))
	case q.Get("sslaccept") == "strict":
		q.Set("sslmode", string(pq.SSLModeVerifyFull))
	case !q.Has("sslmode") && (q.Get("ssl") == "no-verify" || q.Get("requiressl") == "1"):
		q.Set("sslmode", string(pq.SSLModeRequire))
	case !q.Has("sslmode") && (q.Get("ssl") == "true" || q.Get("ssl") == "1"):
		q.Set("sslmode", string(pq.SSLModeRequire))
	case !q.Has("sslmode") && (q.Get("ssl") == "false" || q.Get("ssl") == "0"):
		q.Set("sslmode", string(pq.SSLModeDisable))
	}
	for _, key := range []string{"ssl", "requiressl", "sslaccept"} {
		q.Del(key)
	}
}

// hostsApart moves several hosts, "a:5432,b:5433", or a socket's directory,
// "%2Frun%2Fpostgresql", to the options host and port: net/url takes one port and no
// slash.
func hostsApart(name string) string {
	scheme, rest, ok := strings.Cut(name, "://")
	if !ok {
		return name
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	at := strings.LastIndexByte(authority, '@') + 1
	list := strings.Split(authority[at:], ",")
	if len(list) < 2 && !strings.Contains(authority[at:], "%") {
		return name
	}
	ports := make([]string, len(list))
	for i, host := range list {
		// "[::1]:5432" and "db:5432", but not "::1".
		if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
			list[i], ports[i] = host[:colon], host[colon+1:]
		}
		list[i] = strings.Trim(list[i], "[]")
		if plain, err := url.PathUnescape(list[i]); err == nil {
			list[i] = plain
		}
		ports[i] = cmp.Or(ports[i], "5432")
	}
	path, query, _ := strings.Cut(tail, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return name // the driver says what is wrong
	}
	if !q.Has("host") {
		q.Set("host", strings.Join(list, ","))
	}
	if !q.Has("port") {
		q.Set("port", strings.Join(ports, ","))
	}
	return scheme + "://" + authority[:at] + path + "?" + q.Encode()
}

// allLocal reports whether every host is this machine.
func allLocal(c pq.Config) bool {
	for _, h := range c.Multi {
		if !local(h.Host) {
			return false
		}
	}
	return local(c.Host)
}
