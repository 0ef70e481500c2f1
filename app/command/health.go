package command

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"gatelodge/app/command/line"
)

func healthVerbs() []*line.Verb {
	return []*line.Verb{
		{
			Words: "healthcheck", Place: line.Local,
			About: "Checks whether the server at the configured address is ready. Exit 0 when it is: for\ncontainer and service managers.", Run: healthcheck,
		},
		{
			Words: "doctor", Place: line.Server, JSON: true,
			About: "Checks the database, its key, the backups, the disk, the clock and mail, and names\nthe fix for each problem. Exit 1 when a check fails.", Run: doctor,
		},
		{Words: "version", Place: line.Local, JSON: true, About: "Prints the version.", Run: version},
	}
}

const healthWithin = 5 * time.Second

func healthcheck(ctx context.Context, c *line.Call) error {
	loaded, err := c.Load()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthWithin)
	defer cancel()
	network, address := ListenAddress(loaded.Listen)
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, reachable(network, address))
		},
		DisableKeepAlives: true,
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://gatelodge/readyz", nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("no server answers at %s: %w", loaded.Listen, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1000))
	if err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", strings.TrimSpace(string(text)))
	}
	_, err = c.Out.Write(text)
	return err
}

// ListenAddress returns the network and address for net.Listen of the setting
// "listen".
func ListenAddress(listen string) (network, address string) {
	if path, ok := strings.CutPrefix(listen, "unix:"); ok {
		return "unix", path
	}
	return "tcp", listen
}

// reachable turns "listen everywhere" into a place to dial.
func reachable(network, address string) string {
	host, port, err := net.SplitHostPort(address)
	if network != "tcp" || err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return address
}

func version(_ context.Context, c *line.Call) error {
	v, revision := Version()
	if c.Bool("json") {
		return c.PrintJSON(map[string]string{"version": v, "revision": revision, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
	}
	fmt.Fprintf(c.Out, "gatelodge %s", v)
	if revision != "" {
		fmt.Fprintf(c.Out, " (%s)", revision)
	}
	fmt.Fprintf(c.Out, ", %s, %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// Version returns the version and the revision this program was built from.
func Version() (version, revision string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown", ""
	}
	version = info.Main.Version
	if version == "" || version == "(devel)" {
		version = "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			revision = s.Value[:12]
		}
	}
	return version, revision
}
