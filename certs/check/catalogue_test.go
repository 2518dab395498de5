package check

import (
	"flag"
	"fmt"
	"os"
	"slices"
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

// elsewhere are the rules that whoever reads the files finds, for there are no
// files here.
var elsewhere = []string{"file-not-found", "file-unreadable", "not-a-regular-file", "material-missing"}

// After a whole run every rule of the catalogue must have been found by some
// case: a row that nothing can fire is a promise that nobody keeps.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.bench").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == "" {
		for _, r := range Rules() {
			if !firedRules[r.ID] && !slices.Contains(elsewhere, r.ID) {
				fmt.Printf("no case fires the rule %s\n", r.ID)
				code = 1
			}
		}
	}
	os.Exit(code)
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
