package web

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
)

// Metrics serves metrics at /metrics, on a port of their own: they are for those who
// run the server.
func Metrics(write func(context.Context, io.Writer) error, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		if err := write(r.Context(), &b); err != nil {
			log.Error("the metrics could not be read", "err", err)
			http.Error(w, "the metrics cannot be read now; the log has the cause", http.StatusServiceUnavailable)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(b.Bytes()) // whoever asked has gone away
	})
	return mux
}
