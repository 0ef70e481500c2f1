package store_test

import (
	"testing"

	"gatelodge/store"
	"gatelodge/store/storetest"
)

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t testing.TB) *store.DB { return storetest.Open(t) })
}
