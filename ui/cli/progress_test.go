package cli

import (
	"bytes"
	"testing"
	"time"

	"certwright/flow"
)

func TestNodesTellTheirPace(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	a := &app{World: World{Err: &out, Now: func() time.Time { return now }}}
	tell := a.progressLines("text")
	for done := 0; done <= 10_000; done += 100 {
		tell(flow.Progress{Stage: "nodes", Done: done, Total: 10_000})
		now = now.Add(50 * time.Millisecond)
	}
	tell(flow.Progress{Stage: "verify"})
	want := `making, checking and writing the certificates of the nodes
  4000 of 10000 nodes, 2000 a second, 3s left
  8000 of 10000 nodes, 2000 a second, 1s left
verifying from the disk, then renaming into place
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
	out.Reset()
	a.progressLines("json")(flow.Progress{Stage: "nodes"})
	if out.Len() > 0 {
		t.Errorf("with -o json: %q", &out)
	}
}
