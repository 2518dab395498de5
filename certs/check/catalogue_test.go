package check

import (
	"strings"
	"sync"
	"testing"

	"certwright/certs/material"
)

var (
	firedMutex sync.Mutex
	firedRules = map[string]bool{}
)

// fired notes that a rule was found by some case of the tables.
func fired(rule string) {
	firedMutex.Lock()
	defer firedMutex.Unlock()
	firedRules[rule] = true
}

func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rules() {
		if seen[r.ID] {
			t.Errorf("%s stands twice in the catalogue", r.ID)
		}
		seen[r.ID] = true
		if r.Title == "" || r.Why == "" || r.Fix == "" || r.Severity == "" {
			t.Errorf("%s lacks a text: %+v", r.ID, r)
		}
		if strings.HasSuffix(r.Title, ".") || strings.HasSuffix(r.Fix, ".") {
			t.Errorf("%s ends with a full stop", r.ID)
		}
		if strings.Contains(r.Fix, "{") && !strings.Contains(r.Fix, "{file}") && !strings.Contains(r.Fix, "{.") {
			t.Errorf("%s has an unknown placeholder: %s", r.ID, r.Fix)
		}
	}
	for _, id := range material.ProblemRules() {
		if !seen[id] {
			t.Errorf("material reports %s, which has no row", id)
		}
	}
	if _, ok := RuleByID("no-such-rule"); ok {
		t.Error("found a rule that is not there")
	}
}
