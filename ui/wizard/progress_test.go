package wizard

import (
	"testing"
	"time"

	"certwright/flow"
)

func TestTimeLeftComesFromThePaceOfTheStage(t *testing.T) {
	var p pace
	p.note(testNow, flow.Progress{Stage: "issue", Done: 0, Total: 40})
	if _, _, known := p.left(testNow.Add(500 * time.Millisecond)); known {
		t.Error("a guess after half a second")
	}
	p.note(testNow.Add(2*time.Second), flow.Progress{Stage: "issue", Done: 10, Total: 40})
	if left, rate, known := p.left(testNow.Add(2 * time.Second)); !known || left != 6*time.Second || perSecond(rate) != "5.0/s" {
		t.Errorf("left %v at %s, %v, want 6s at 5.0/s", left, perSecond(rate), known)
	}
	p.note(testNow.Add(8*time.Second), flow.Progress{Stage: "stage", Done: 1, Total: 27})
	if p.did["issue"] != 40 {
		t.Errorf("the stage before did %v", p.did)
	}
	p.note(testNow.Add(9*time.Second), flow.Progress{Stage: "issue", Done: 1, Total: 40})
	if len(p.did) != 0 {
		t.Errorf("a new run keeps the counts of the one before: %v", p.did)
	}
}

func TestEveryStageOfThePipelineHasARow(t *testing.T) {
	for _, id := range []string{"keys", "issue", "check", "prove", "render", "seal", "stage", "verify", "rename"} {
		if stageIndex(id) < 0 {
			t.Errorf("no row for %s", id)
		}
	}
	if stages[writeStages].id != "stage" {
		t.Errorf("the disk begins at %s", stages[writeStages].id)
	}
}
