package shell

import "net/http"

// The reference travels in the request's own header, where a client's value
// has been overwritten: a context would cost a copy of the request each time.
const referenceHeader = "X-Request-Id"

func Reference(r *http.Request) string { return r.Header.Get(referenceHeader) }
