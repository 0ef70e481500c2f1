package command

import (
	"context"
	"fmt"
)

func configVerbs() []*verb {
	return []*verb{
		{words: "config check", place: local, about: "Reads the configuration and says everything that is wrong with it.", run: configCheck},
		{words: "config show", place: local, json: true, about: "Shows every setting and where it comes from. Secrets are masked.", run: configShow},
	}
}

func configCheck(_ context.Context, c *call) error {
	loaded, err := c.load()
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

func configShow(_ context.Context, c *call) error {
	loaded, err := c.load()
	if err != nil {
		return err
	}
	settings := loaded.Settings()
	if c.bool("json") {
		type settingJSON struct {
			Key    string `json:"key"`
			Value  string `json:"value"`
			Origin string `json:"origin"`
		}
		list := make([]settingJSON, len(settings))
		for i, s := range settings {
			list[i] = settingJSON{s.Key, s.Value, s.Origin}
		}
		return c.printJSON(list)
	}
	w := c.table("KEY\tVALUE\tORIGIN")
	for _, s := range settings {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Key, s.Value, s.Origin)
	}
	return w.Flush()
}
