package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gatelodge/app"
	"gatelodge/app/command/line"
	"gatelodge/app/config"
	"gatelodge/app/fault"
	"gatelodge/app/links"
)

func setUpVerbs() []*line.Verb {
	return []*line.Verb{
		{
			Words: "init", Args: "URL EMAIL", Min: 2, Max: 2, Place: line.Local,
			About: "Writes a short config.toml into this directory: the address people will see,\nhttps://auth.example.com, and who runs the server. It never overwrites.", Run: initialise,
		},
		{
			Words: "setup-link", Place: line.Server,
			About: "Prints the link that creates the first admin. It works until it is used.", Run: setUpLink,
		},
	}
}

func initialise(_ context.Context, c *line.Call) error {
	path := filepath.Join(c.Dir, "config.toml")
	if given := c.String("config"); given != "" {
		path = given
		if !filepath.IsAbs(path) {
			path = filepath.Join(c.Dir, path)
		}
	}
	text, err := config.Starter(c.Args[0], c.Args[1])
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &exists{path}
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(path))
	}
	fmt.Fprintf(c.Out, "wrote %s\nnext: gatelodge serve\n", path)
	return nil
}

type exists struct{ path string }

func (e *exists) Error() string { return e.path + " exists already" }

// Hint says how to go on.
func (e *exists) Hint() string { return "edit it, or move it away first" }

// SetUpLink returns the link that makes the first admin, or "" once there is a
// user.
func SetUpLink(ctx context.Context, a *app.App) (string, error) {
	code, err := a.Users.SetUpCode(ctx)
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind == fault.Gone {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return a.Login.PublicURL + links.SetUp(code), nil
}

func setUpLink(ctx context.Context, c *line.Call) error {
	link, err := SetUpLink(ctx, c.App)
	if err != nil {
		return err
	}
	if link == "" {
		return &setUp{}
	}
	fmt.Fprintln(c.Out, link)
	return nil
}

type setUp struct{}

func (*setUp) Error() string { return "this server has been set up" }

// Hint says what to do instead.
func (*setUp) Hint() string { return "to create a sign-in link: gatelodge user link EMAIL" }
