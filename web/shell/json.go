package shell

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// errAfterJSON means that a body holds more than one JSON value.
var errAfterJSON = errors.New("something follows the JSON value")

// readJSON decodes the one JSON value of a body. After an error nothing of it counts: a
// value that does not fit leaves the fields around it decoded.
func ReadJSON(d *json.Decoder, into any) error {
	if err := d.Decode(into); err != nil {
		return err
	}
	switch _, err := d.Token(); {
	case errors.Is(err, io.EOF):
		return nil
	case errors.As(err, new(*http.MaxBytesError)):
		return err
	}
	return errAfterJSON
}
