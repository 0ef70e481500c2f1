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
		{Words: "app show", Args: "ID", Min: 1, Max: 1, JSON: true, About: "Shows an app: its hosts, who may use it, and its dialects.", Run: appShow},
	}
}

// appJSON is an app as scripts read it. Secrets are only counted.
type appJSON struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Hosts    []string `json:"hosts"`
	Origins  []string `json:"origins"`
	Allow    []string `json:"allow"`
	Dialects []string `json:"dialects"`
	Version  string   `json:"version,omitempty"` // of next-auth
	Secrets  int      `json:"secrets"`
}

func describeApp(a *apps.App) appJSON {
	j := appJSON{ID: a.ID, Name: a.Name, Hosts: a.Hosts, Origins: a.Origins, Allow: a.Allow.Text, Dialects: []string{}}
	if j.Allow == nil {
		j.Allow = []string{}
	}
	if a.AuthJS != nil {
		j.Dialects = append(j.Dialects, "authjs")
		j.Version, j.Secrets = a.AuthJS.Dialect.Version, len(a.AuthJS.Secrets)
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

// appsOf returns the apps of the configuration that the call names.
func appsOf(c *line.Call) (*apps.Set, error) {
	loaded, err := c.Load()
	if err != nil {
		return nil, err
	}
	return apps.NewSet(loaded.Apps)
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
		fmt.Fprintln(c.Out, "No apps yet. Add an [[app]] table to the configuration.")
		return nil
	}
	w := c.Table("ID\tNAME\tORIGINS\tALLOW\tDIALECTS")
	for _, j := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", j.ID, j.Name, strings.Join(j.Origins, " "), j.whoMay(), line.Dash(strings.Join(j.Dialects, " ")))
	}
	return w.Flush()
}

// errNoApp means no app has that id or name.
var errNoApp = errors.New("there is no app of that name or id; \"gatelodge app list\" shows them")

func appShow(_ context.Context, c *line.Call) error {
	all, err := appsOf(c)
	if err != nil {
		return err
	}
	a := all.Find(c.Args[0])
	if a == nil {
		return errNoApp
	}
	j := describeApp(a)
	if c.Bool("json") {
		return c.PrintJSON(j)
	}
	w := c.Table("id\t" + j.ID)
	fmt.Fprintf(w, "name\t%s\nhosts\t%s\norigins\t%s\nallow\t%s\ndialects\t%s\n",
		j.Name, strings.Join(j.Hosts, " "), strings.Join(j.Origins, " "), j.whoMay(), line.Dash(strings.Join(j.Dialects, " ")))
	if j.Version == "" {
		return w.Flush()
	}
	cookie := "opaque session token"
	if j.Secrets > 0 {
		cookie = "encrypted with the app's secret (" + line.Count(j.Secrets, "secret", "secrets") + ")"
	}
	fmt.Fprintf(w, "next-auth\t%s\ncookie\t%s\n", j.Version, cookie)
	for _, origin := range j.Origins {
		fmt.Fprintf(w, "proxy\t%s/api/auth/* to this server\n", origin)
	}
	return w.Flush()
}
