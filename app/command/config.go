package command

import (
	"context"
	"fmt"

	"gatelodge/app/command/line"
)

func configVerbs() []*line.Verb {
	return []*line.Verb{
		{Words: "config check", Place: line.Local, About: "Reads the configuration and says everything that is wrong with it.", Run: configCheck},
		{Words: "config show", Place: line.Local, JSON: true, About: "Shows every setting and where it comes from. Secrets are masked.", Run: configShow},
	}
}

func configCheck(_ context.Context, c *line.Call) error {
	loaded, err := c.Load()
	if err != nil {
		return err
	}
	for _, w := range loaded.Warnings {
		fmt.Fprintln(c.Err, "warning: "+w)
	}
	if loaded.File == "" {
		fmt.Fprintln(c.Out, "there is no configuration file; the defaults are fine")
		return nil
	}
	fmt.Fprintln(c.Out, loaded.File+" is fine")
	return nil
}

func configShow(_ context.Context, c *line.Call) error {
	loaded, err := c.Load()
	if err != nil {
		return err
	}
	settings := loaded.Settings()
	if c.Bool("json") {
		type settingJSON struct {
			Key    string `json:"key"`
			Value  string `json:"value"`
			Origin string `json:"origin"`
		}
		list := make([]settingJSON, len(settings))
		for i, s := range settings {
			list[i] = settingJSON{s.Key, s.Value, s.Origin}
		}
		return c.PrintJSON(list)
	}
	w := c.Table("KEY\tVALUE\tORIGIN")
	for _, s := range settings {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Key, s.Value, s.Origin)
	}
	return w.Flush()
}
