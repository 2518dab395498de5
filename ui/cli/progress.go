package cli

import (
	"fmt"
	"time"

	"certwright/flow"
)

// paceEvery is how often a long stage says how far it is.
const paceEvery = 2 * time.Second

// progressLines tells on standard error of each stage once, and of the nodes of a
// large cluster every two seconds how many are done, how fast, and how long the
// others will take at that pace. With -o json it says nothing.
func (a *app) progressLines(output string) func(flow.Progress) {
	if output != "text" {
		return func(flow.Progress) {}
	}
	var stage string
	var began, told time.Time
	return func(p flow.Progress) {
		now := a.Now()
		if p.Stage != stage {
			stage, began, told = p.Stage, now, now
			if words := stageWords(p.Stage); words != "" {
				fmt.Fprintln(a.Err, words)
			}
			return
		}
		if p.Stage != "nodes" || now.Sub(told) < paceEvery || p.Done == 0 {
			return
		}
		told = now
		spent := now.Sub(began)
		left := time.Duration(float64(spent) / float64(p.Done) * float64(p.Total-p.Done))
		fmt.Fprintf(a.Err, "  %d of %d nodes, %.0f a second, %s left\n", p.Done, p.Total, float64(p.Done)/spent.Seconds(), left.Round(time.Second))
	}
}
