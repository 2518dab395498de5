package wizard

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"certwright/flow"
)

func TestFramesOfAWriteThatFailedKeepItsLog(t *testing.T) {
	d := drive(t, setup{width: 120, height: 40})
	d.runner.write = func(context.Context, flow.Write) flow.Written {
		for i := range 60 {
			d.root.env.Log.note(testNow.Add(time.Duration(i)*time.Millisecond), flow.Progress{Stage: "stage", Item: "tls/node-" + strconv.Itoa(i) + "\x1b[2J.crt", Done: i, Total: 60})
		}
		return flow.Written{Err: errors.New("write tls/ca.crt: no space left on device; free some and write again")}
	}
	d.press("enter", "enter", "enter", "enter", "enter").at(flow.StepWrite)
	d.shows("node-59", "no space left").hides("node-5 ")
	d.golden("write-log")
	d.size(120, 40).shows("node-59").press("home").shows("node-0", "scroll the log").press("end").shows("node-59").press("up").hides("node-59")
	d.size(80, 24).hides("Log").press("esc").at(flow.StepReview)
}

func TestTheLogKeepsTheNewestSteps(t *testing.T) {
	var l progressLog
	for i := range logSize + 7 {
		l.note(testNow, flow.Progress{Item: strconv.Itoa(i)})
	}
	l.note(testNow, flow.Progress{Stage: "check"}) // names nothing
	got, all := l.last(3, 0)
	if all != logSize || len(got) != 3 || got[2].what.Item != strconv.Itoa(logSize+6) {
		t.Errorf("the newest are %v of %d", got, all)
	}
	if got, _ := l.last(3, logSize-1); len(got) != 1 || got[0].what.Item != "7" {
		t.Errorf("the oldest is %v", got)
	}
}
