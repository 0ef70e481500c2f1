package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/app/fault"
)

func setUpVerbs() []*verb {
	return []*verb{
		{
			words: "init", args: "URL EMAIL", min: 2, max: 2, place: local,
			about: "Writes a short config.toml into this directory: the address people will see,\nhttps://auth.example.com, and who runs the server. It never overwrites.", run: initialise,
		},
		{
			words: "setup-link", place: house,
			about: "Prints the link that makes the first admin. There is one until it was used.", run: setUpLink,
		},
	}
}

func initialise(_ context.Context, c *call) error {
	path := filepath.Join(c.Dir, "config.toml")
	if given := c.string("config"); given != "" {
		path = given
		if !filepath.IsAbs(path) {
			path = filepath.Join(c.Dir, path)
		}
	}
	text, err := config.Starter(c.args[0], c.args[1])
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
	return a.Login.PublicURL + "/setup?code=" + code, nil
}

func setUpLink(ctx context.Context, c *call) error {
	link, err := SetUpLink(ctx, c.app)
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
func (*setUp) Hint() string { return "a way in for somebody: gatelodge user link EMAIL" }
