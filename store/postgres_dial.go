package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

// pgGrace is how long a server has to answer a request to cancel, before the
// connection is cut.
const pgGrace = time.Second

// pgConnector makes connections whose waits end with their context. The driver asks
// the server to cancel and goes on reading, which never ends when the server is frozen
// or the network swallows packets.
type pgConnector struct {
	config     pq.Config
	generation atomic.Int64 // of the connections that may still be used

	mu   sync.Mutex
	open map[*pgSocket]struct{}
}

// pgSocket is a connection that its connector can end.
type pgSocket struct {
	net.Conn
	connector *pgConnector
}

// Close closes the connection and forgets it.
func (s *pgSocket) Close() error {
	s.connector.mu.Lock()
	delete(s.connector.open, s)
	s.connector.mu.Unlock()
	return s.Conn.Close()
}

// hurry lets every connection wait no longer than the grace: the pool closes prepared
// statements by asking the server, whether or not that answers.
func (c *pgConnector) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.open {
		_ = s.SetDeadline(time.Now().Add(pgGrace)) // fails only when it is closed
	}
}

// renew makes the pool replace every connection before its next use. After a failover
// the server that they lead to answers, and takes no writes.
func (c *pgConnector) renew() { c.generation.Add(1) }

func (c *pgConnector) Driver() driver.Driver { return &pq.Driver{} }

// Connect makes a connection with a dialer of its own. The settings of the session are
// made afterwards: PgBouncer refuses most of them in the startup packet.
func (c *pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	generation := c.generation.Load()
	config := c.config.Clone()
	settings := config.Runtime
	config.Runtime = nil
	inner, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, err
	}
	d := &pgDialer{connector: c}
	inner.Dialer(d)
	defer context.AfterFunc(ctx, d.cut)()
	conn, err := inner.Connect(ctx)
	if err != nil {
		return nil, &unconnected{err}
	}
	made := &pgConn{conn.(pqConn), d, generation}
	if err := made.set(settings, config.ConnectTimeout); err != nil {
		_ = made.Close() // err says what is wrong
		return nil, &unconnected{err}
	}
	d.mu.Lock()
	d.connected = true
	d.mu.Unlock()
	return made, nil
}

// unconnected is why a connection could not be made.
type unconnected struct{ err error }

func (e *unconnected) Error() string { return e.err.Error() }
func (e *unconnected) Unwrap() error { return e.err }

// pqConn is what the driver's connections can do.
type pqConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
	driver.NamedValueChecker
}

// pgConn is a connection that does not wait for ever for a transaction to begin: the
// driver watches the context only afterwards.
type pgConn struct {
	pqConn
	dialer     *pgDialer
	generation int64 // of its connector, when it was made
}

// set makes settings of the session, all in one round trip.
func (c *pgConn) set(settings map[string]string, within time.Duration) error {
	if len(settings) == 0 {
		return nil
	}
	var calls []string
	var args []driver.NamedValue
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		n := len(args)
		calls = append(calls, fmt.Sprintf("set_config($%d, $%d, false)", n+1, n+2))
		args = append(args, driver.NamedValue{Ordinal: n + 1, Value: name}, driver.NamedValue{Ordinal: n + 2, Value: settings[name]})
	}
	if err := c.dialer.conn.SetDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	rows, err := c.QueryContext(context.Background(), "SELECT "+strings.Join(calls, ", "), args)
	if err != nil {
		return err
	}
	return errors.Join(rows.Close(), c.dialer.conn.SetDeadline(time.Time{}))
}

// IsValid reports whether the connection may be used again.
func (c *pgConn) IsValid() bool {
	return c.generation == c.dialer.connector.generation.Load() && c.pqConn.IsValid()
}

// ResetSession lets the pool replace a connection that may not be used again.
func (c *pgConn) ResetSession(ctx context.Context) error {
	if !c.IsValid() {
		return driver.ErrBadConn
	}
	return c.pqConn.ResetSession(ctx)
}

// BeginTx begins a transaction while ctx lasts.
func (c *pgConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	_ = c.dialer.conn.SetDeadline(time.Now().Add(pgWithin)) // fails only when it is closed
	stop := context.AfterFunc(ctx, c.dialer.cut)
	tx, err := c.pqConn.BeginTx(ctx, o)
	if stop() {
		_ = c.dialer.conn.SetDeadline(time.Time{})
	}
	return tx, err
}

// pgDialer dials for one connection. Once that is made, the driver dials again only to
// cancel what it waits for: then the connection gets a deadline.
type pgDialer struct {
	connector *pgConnector

	mu        sync.Mutex
	conn      net.Conn
	connected bool
}

// cut ends what the connection waits for.
func (d *pgDialer) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		_ = d.conn.SetDeadline(time.Now()) // fails only when it is closed
	}
}

func (d *pgDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	cancels := d.connected
	if cancels {
		_ = d.conn.SetDeadline(time.Now().Add(pgGrace)) // fails only when it is closed
	}
	d.mu.Unlock()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil || cancels {
		return conn, err
	}
	s := &pgSocket{conn, d.connector}
	d.connector.mu.Lock()
	d.connector.open[s] = struct{}{}
	d.connector.mu.Unlock()
	d.mu.Lock()
	d.conn = s
	d.mu.Unlock()
	return s, nil
}

// Dial dials as the driver does without a context.
func (d *pgDialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialTimeout dials as the driver does without a context.
func (d *pgDialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}
