package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	starts      = 9
	connections = 32
	pages       = 20_000
)

// memory is what a process holds, in KiB.
type memory struct{ private, all int }

// startUp is what starting the program costs.
type startUp struct {
	empty, filled time.Duration // until /readyz answers, without and with data
	idle, loaded  memory
}

// startUps starts the program several times, each time in a new directory and then
// again in the same, and loads the last one.
func startUps(ctx context.Context, path, dir string) (s startUp, err error) {
	var empty, filled []time.Duration
	for i := range starts {
		data := filepath.Join(dir, strconv.Itoa(i))
		if err := os.Mkdir(data, 0o700); err != nil {
			return s, err
		}
		for _, took := range []*[]time.Duration{&empty, &filled} {
			p, err := startProgram(ctx, path, data)
			if err != nil {
				return s, err
			}
			*took = append(*took, p.took)
			if i == starts-1 && took == &filled {
				err = p.measure(ctx, &s)
			}
			if err := errors.Join(err, p.stop()); err != nil {
				return s, err
			}
		}
	}
	slices.Sort(empty)
	slices.Sort(filled)
	s.empty, s.filled = empty[starts/2], filled[starts/2]
	return s, nil
}

type process struct {
	cmd  *exec.Cmd
	url  string
	took time.Duration // from before the process to the first answer of /readyz
}

func startProgram(ctx context.Context, path, dir string) (*process, error) {
	cmd := exec.CommandContext(ctx, path, "serve", "-listen", "127.0.0.1:0")
	cmd.Dir, cmd.Stderr = dir, io.Discard
	cmd.Env = []string{"HOME=" + dir} // GATELODGE_ variables would be settings
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd}
	lines := bufio.NewScanner(out)
	for p.url == "" && lines.Scan() {
		if _, address, ok := strings.Cut(lines.Text(), "address: "); ok {
			p.url = address
		}
	}
	if p.url == "" {
		return nil, errors.Join(errors.New("the program ended without naming its address"), cmd.Wait())
	}
	go io.Copy(io.Discard, out)
	for {
		res, err := http.Get(p.url + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				p.took = time.Since(begin)
				return p, nil
			}
		}
		if time.Since(begin) > 10*time.Second {
			return nil, errors.Join(errors.New("the program is not ready after 10 seconds"), err, p.stop())
		}
		time.Sleep(200 * time.Microsecond)
	}
}

func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// measure reads the memory of the idle program, asks for sign-in pages over several
// connections, and reads it again.
func (p *process) measure(ctx context.Context, s *startUp) (err error) {
	time.Sleep(2 * time.Second) // for the first collection of garbage
	if s.idle, err = p.memory(); err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	failed := make(chan error, connections)
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			for range pages / connections {
				if err := get(ctx, client, p.url+"/signin"); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
	}
	s.loaded, err = p.memory()
	return err
}

func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// memory reads /proc, which only Linux has.
func (p *process) memory() (memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return memory{}, fmt.Errorf("reading the program's memory: %w", err)
	}
	var m memory
	for line := range strings.Lines(string(text)) {
		for name, into := range map[string]*int{"RssAnon:": &m.private, "VmRSS:": &m.all} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				if *into, err = strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB")); err != nil {
					return memory{}, fmt.Errorf("reading %q: %w", line, err)
				}
			}
		}
	}
	return m, nil
}
