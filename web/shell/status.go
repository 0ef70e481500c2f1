package shell

import (
	"net/http"

	"gatelodge/app/fault"
)

// The faults of requests that only HTTP knows.
var (
	ErrNotFound = fault.New(fault.NotFound, "error.not_found")
	ErrMethod   = fault.New(fault.NotFound, "error.method")
	ErrCross    = fault.New(fault.Denied, "error.cross_origin")
	ErrHost     = fault.New(fault.Invalid, "error.wrong_host")
	// ErrNoSessionAPI answers the session API at an App that has no [app.authjs].
	ErrNoSessionAPI = fault.New(fault.NotFound, "error.no_session_api")
	ErrTooLarge     = fault.New(fault.Invalid, "error.too_large")
)

// The faults of a store that cannot be used now.
var (
	errDiskFull    = fault.New(fault.Unavailable, "error.disk_full")
	errUnavailable = fault.New(fault.Unavailable, "error.unavailable")
)

// statusOf returns the HTTP status of a fault.
func StatusOf(f *fault.Fault) int {
	switch {
	case f.Is(ErrMethod):
		return http.StatusMethodNotAllowed
	case f.Is(ErrHost):
		return http.StatusMisdirectedRequest
	case f.Is(ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	}
	switch f.Kind {
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.Denied:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Gone:
		return http.StatusGone
	case fault.Limited:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
