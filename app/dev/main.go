// Command dev runs the tasks of those who work on Gatelodge: go tool dev TASK.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
)

const usage = `usage: go tool dev TASK

  check     what must pass before a change lands (.ci/run)
  full      everything at depth (.ci/full); takes hours
  figures   measure this build and print the table of the guide
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "dev:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	switch args[0] {
	case "check":
		return script(ctx, ".ci/run")
	case "full":
		return script(ctx, ".ci/full")
	case "figures":
		return figures(ctx, os.Stdout)
	}
	return fmt.Errorf("unknown task %q\n%s", args[0], usage)
}

func script(ctx context.Context, path string) error {
	cmd := exec.CommandContext(ctx, "bash", path)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
