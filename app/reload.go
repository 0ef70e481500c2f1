package app

import (
	"context"
	"fmt"
	"time"

	"gatelodge/app/apps"
	"gatelodge/app/config"
)

// RefusedReload is a configuration that was read again and could not be used.
type RefusedReload struct {
	At  time.Time
	Err error
}

// ReloadApps replaces the Apps by those of a configuration that is read again. Requests
// under way keep the Apps they began with. A wrong configuration changes nothing: it is
// logged, and kept for RefusedReload until a right one is read.
func (a *App) ReloadApps(ctx context.Context, read func() (*config.Loaded, error)) {
	n, err := a.reloadApps(ctx, read)
	if err != nil {
		a.refusedReload.Store(&RefusedReload{a.Now(), err})
		a.Log.Error("apps not reloaded; the earlier ones stay in use", "err", err)
		return
	}
	a.refusedReload.Store(nil)
	a.Log.Info("apps reloaded; other settings need a restart", "apps", n)
}

func (a *App) reloadApps(ctx context.Context, read func() (*config.Loaded, error)) (int, error) {
	loaded, err := read()
	if err != nil {
		return 0, err
	}
	for _, warning := range loaded.Warnings {
		a.Log.Warn(warning)
	}
	set, err := apps.NewSet(loaded.Apps)
	if err != nil {
		return 0, err
	}
	if _, err := apps.Rekey(ctx, a.DB, set); err != nil {
		return 0, fmt.Errorf("changing the keys of apps: %w", err)
	}
	a.Apps.Replace(set)
	return len(set.All()), nil
}

// RefusedReload returns the configuration that the latest reload refused, or nil.
func (a *App) RefusedReload() *RefusedReload { return a.refusedReload.Load() }
