package fault_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gatelodge/app/fault"
)

func TestCopiesAreTheFaultTheyWereMadeFrom(t *testing.T) {
	t.Parallel()
	expired, sameSentence := fault.New(fault.Gone, "link.expired"), fault.New(fault.Gone, "link.expired")
	reasoned := expired.For(fault.Code)
	for name, err := range map[string]error{
		"With":         expired.With("a", 1),
		"In":           expired.In("code"),
		"After":        expired.After(time.Second),
		"Because":      expired.Because(errors.New("the clock")),
		"For":          reasoned,
		"twice":        expired.In("code").After(time.Second).Because(errors.New("the clock")),
		"wrapped":      fmt.Errorf("redeeming: %w", expired.In("code")),
		"of an error":  fault.Of(fmt.Errorf("redeeming: %w", expired)),
		"as the cause": fault.New(fault.Denied, "app.denied").Because(expired.In("code")),
	} {
		if !errors.Is(err, expired) || !errors.Is(err, reasoned) {
			t.Errorf("%s: the copy is not its original", name)
		}
		if errors.Is(err, sameSentence) {
			t.Errorf("%s: another fault with the same sentence is the same", name)
		}
	}
	if expired.Reason != "" || expired.Field != "" || expired.Wait != 0 || expired.Args != nil || expired.Unwrap() != nil {
		t.Errorf("a copy changed its original: %+v", expired)
	}
}

func TestAnyOtherErrorIsInternal(t *testing.T) {
	t.Parallel()
	cause := errors.New("the disk is on fire")
	f := fault.Of(cause)
	if f.Kind != fault.Internal || !errors.Is(f, fault.ErrInternal) || !errors.Is(f, cause) {
		t.Errorf("%+v", f)
	}
	if fault.ErrInternal.Unwrap() != nil {
		t.Error("the cause of one error is that of all")
	}
}
