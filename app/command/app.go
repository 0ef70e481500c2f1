package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gatelodge/app/apps"
	"gatelodge/app/command/line"
)

func appVerbs() []*line.Verb {
	return []*line.Verb{
		{Words: "app list", JSON: true, About: "Lists the apps of the configuration.", Run: appList},
		{Words: "app show", Args: "NAME", Min: 1, Max: 1, JSON: true, About: "Shows an app: where it is, who may use it, how it asks who is signed in.", Run: appShow},
	}
}

// appJSON is an app as scripts read it. Secrets are only counted.
type appJSON struct {
	Name    string   `json:"name"`
	Origins []string `json:"origins"`
	Allow   []string `json:"allow"`
	Version string   `json:"version"`
	Secrets int      `json:"secrets"`
}

func describeApp(a *apps.App) appJSON {
	j := appJSON{Name: a.Name, Origins: a.Origins, Allow: a.Allow.Text, Version: a.Dialect.Version, Secrets: len(a.Secrets)}
	if j.Allow == nil {
		j.Allow = []string{}
	}
	return j
}

// whoMay says who may use an app.
func (j appJSON) whoMay() string {
	if len(j.Allow) == 0 {
		return "nobody"
	}
	return strings.Join(j.Allow, " ")
}

// apps returns the apps of the configuration that the call names.
func appsOf(c *line.Call) (*apps.Apps, error) {
	loaded, err := c.Load()
	if err != nil {
		return nil, err
	}
	return apps.New(loaded.Apps)
}

func appList(_ context.Context, c *line.Call) error {
	all, err := appsOf(c)
	if err != nil {
		return err
	}
	list := []appJSON{}
	for _, a := range all.All() {
		list = append(list, describeApp(a))
	}
	if c.Bool("json") {
		return c.PrintJSON(list)
	}
	if len(list) == 0 {
		fmt.Fprintln(c.Out, "There are no apps. An [[app]] table in the configuration makes one.")
		return nil
	}
	w := c.Table("NAME\tORIGINS\tALLOW\tAUTHJS")
	for _, j := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", j.Name, strings.Join(j.Origins, " "), j.whoMay(), j.Version)
	}
	return w.Flush()
}

// errNoApp means no app has that name.
var errNoApp = errors.New("there is no app of that name; \"gatelodge app list\" shows them")

func appShow(_ context.Context, c *line.Call) error {
	all, err := appsOf(c)
	if err != nil {
		return err
	}
	a := all.Named(c.Args[0])
	if a == nil {
		return errNoApp
	}
	j := describeApp(a)
	if c.Bool("json") {
		return c.PrintJSON(j)
	}
	cookie := "a token that says nothing"
	if j.Secrets > 0 {
		cookie = "encrypted with the app's secret (" + line.Count(j.Secrets, "secret", "secrets") + ")"
	}
	w := c.Table("name\t" + j.Name)
	for _, origin := range j.Origins {
		fmt.Fprintf(w, "origin\t%s\nproxy\t%s/api/auth/* to this server\n", origin, origin)
	}
	fmt.Fprintf(w, "allow\t%s\nnext-auth\t%s\ncookie\t%s\n", j.whoMay(), j.Version, cookie)
	return w.Flush()
}
