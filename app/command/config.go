package command

import (
	"context"
	"fmt"
	"io"

	"gatelodge/app/command/line"
)

func configVerbs() []*line.Verb {
	return []*line.Verb{
		{Words: "config check", Place: line.Local, About: "Reads the configuration and reports every error.", Run: configCheck},
		{Words: "config example", Place: line.Local, About: "Prints every setting with its default and what it does.", Run: configExample},
		{Words: "config show", Place: line.Local, JSON: true, About: "Shows every setting and where its value comes from. Secrets are masked.", Run: configShow},
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
		fmt.Fprintln(c.Out, "there is no configuration file: the defaults apply")
		return nil
	}
	fmt.Fprintln(c.Out, loaded.File+" is valid")
	return nil
}

func configExample(_ context.Context, c *line.Call) error {
	_, err := io.WriteString(c.Out, c.Example)
	return err
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
