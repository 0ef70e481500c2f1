package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"gatelodge/app"
	"gatelodge/app/command/line"
	"gatelodge/app/config"
	"gatelodge/store"
)

// SocketName is the admin socket within the data directory. Its mode, and the
// directory's, are all that guards it: who may open the database may use it.
const SocketName = "admin.sock"

// request is what the command line sends, answered by a stream of frames.
type request struct {
	Args []string `json:"args"`
	Dir  string   `json:"dir"`
	In   string   `json:"in,omitempty"` // a secret that the verb reads
}

// frame is one piece of the answer: output, or the end.
type frame struct {
	Out  string `json:"out,omitempty"`
	Err  string `json:"err,omitempty"`
	Done bool   `json:"done,omitempty"`
	Code int    `json:"code,omitempty"`
}

// remoteError is how a verb ended in the server. What it says has been printed.
type remoteError struct{ code int }

func (e *remoteError) Error() string { return fmt.Sprintf("exit %d", e.code) }

// Handler answers the admin socket: it runs verbs in the server's process.
func Handler(a *app.App) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The server's limits are for visitors. A long verb takes its time; it ends
		// when the command line goes away.
		limits := http.NewResponseController(w)
		if err := errors.Join(limits.SetReadDeadline(time.Time{}), limits.SetWriteDeadline(time.Time{})); err != nil {
			http.Error(w, "this connection has no deadlines", http.StatusInternalServerError)
			return
		}
		var q request
		d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
		d.DisallowUnknownFields() // a command of another version is not run by half
		if err := d.Decode(&q); err != nil || len(q.Args) == 0 || d.More() {
			http.Error(w, "this is not a command", http.StatusBadRequest)
			return
		}
		// A verb takes as long as it takes: the server's limits are for strangers.
		stays := http.NewResponseController(w)
		if err := errors.Join(stays.SetReadDeadline(time.Time{}), stays.SetWriteDeadline(time.Time{})); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		stream := &frames{w: w}
		p := Process{Out: frameWriter{stream, false}, Err: frameWriter{stream, true}, Dir: q.Dir, In: strings.NewReader(q.In)}
		code := finish(p, dispatch(r.Context(), p, q.Args, a))
		stream.send(frame{Done: true, Code: code})
	})
}

type frames struct {
	mu sync.Mutex
	w  http.ResponseWriter
}

func (f *frames) send(x frame) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// An error means that the command line went away: the verb runs to its end.
	if json.NewEncoder(f.w).Encode(x) == nil {
		_ = http.NewResponseController(f.w).Flush()
	}
}

type frameWriter struct {
	frames *frames
	err    bool
}

func (w frameWriter) Write(b []byte) (int, error) {
	if w.err {
		w.frames.send(frame{Err: string(b)})
	} else {
		w.frames.send(frame{Out: string(b)})
	}
	return len(b), nil
}

// shortPath is the longest path of a Unix socket that every system takes: with its
// final zero, sockaddr_un holds 104 bytes on FreeBSD and macOS, and 108 on Linux.
const shortPath = 103

// longPath means that a path is too long for a Unix socket.
type longPath struct{ path string }

func (e *longPath) Error() string {
	return fmt.Sprintf("data_dir: the path of the admin socket is too long for this system (%d bytes): %s", len(e.path), e.path)
}

// Hint says what to do.
func (e *longPath) Hint() string { return "choose a data directory with a shorter path" }

// ListenAdmin opens the admin socket for its owner alone, taking the place of
// one that a killed server left. The caller holds the store's lock.
func ListenAdmin(dir string) (net.Listener, error) {
	path := filepath.Join(dir, SocketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the admin socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EINVAL) && len(path) > shortPath {
		return nil, &longPath{path}
	}
	if err != nil {
		return nil, fmt.Errorf("the admin socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("the admin socket: %w", err), l.Close())
	}
	return l, nil
}

// atHome runs the call where the store is. Another command is done with it in a
// moment, and a server that starts answers in one, so it is not given up at once.
func atHome(ctx context.Context, c *line.Call, args []string) error {
	loaded, err := c.Load()
	if err != nil {
		return err
	}
	path := filepath.Join(loaded.DataDir, SocketName)
	for last := time.Now().Add(patience); ; time.Sleep(patience / 100) {
		err := whereItIs(ctx, c, args, loaded, path)
		if !errors.Is(err, store.ErrLocked) || c.App != nil {
			return err
		}
		if ctx.Err() != nil || time.Now().After(last) {
			return fmt.Errorf("%w (and it did not answer at %s)", err, path)
		}
	}
}

// patience is how long a command waits for another process to leave the data
// directory or to answer.
const patience = 2 * time.Second

// whereItIs runs the call in the server that answers at the socket, else here.
func whereItIs(ctx context.Context, c *line.Call, args []string, loaded *config.Loaded, socket string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err == nil {
		return askServer(ctx, c, conn, args)
	}
	if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("asking the running server: %w", err)
	}
	if _, err := os.Stat(loaded.DataDir); errors.Is(err, os.ErrNotExist) && !c.Verb.Creates {
		return &noData{dir: loaded.DataDir}
	}
	a, err := app.Open(ctx, &loaded.Config, app.Options{})
	if err != nil {
		return err
	}
	c.App = a
	err = c.Verb.Run(ctx, c)
	a.Audit.Flush()
	return errors.Join(err, a.Close())
}

// noData means there is nothing where the configuration points.
type noData struct{ dir string }

func (e *noData) Error() string { return "there is no data directory " + e.dir }

// Hint says where to look.
func (e *noData) Hint() string {
	return "run this where the server was started, or name its directory with -data or its configuration with -config"
}

func askServer(ctx context.Context, c *line.Call, conn net.Conn, args []string) error {
	client := http.Client{Transport: &http.Transport{
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		DisableKeepAlives: true,
	}}
	q := request{Args: args, Dir: c.Dir}
	if c.Asks() {
		secret, err := c.ReadSecret()
		if err != nil {
			return err
		}
		q.In = secret
	}
	body, err := json.Marshal(q)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://gatelodge/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("asking the running server: %w", err)
	}
	defer res.Body.Close()
	return showAnswer(c, res.Body)
}

func showAnswer(c *line.Call, body io.Reader) error {
	lines := json.NewDecoder(bufio.NewReader(body))
	for {
		var f frame
		if err := lines.Decode(&f); err != nil {
			return errors.New("the server stopped before it had answered")
		}
		if f.Done && f.Code == 0 {
			return nil
		}
		if f.Done {
			return &remoteError{code: f.Code}
		}
		_, outErr := io.WriteString(c.Out, f.Out)
		_, errErr := io.WriteString(c.Err, f.Err)
		if err := errors.Join(outErr, errErr); err != nil {
			return err
		}
	}
}
