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

// fired notes that a rule was found by some case of the tables, and the words
// of the first one.
func fired(f Finding) {
	firedMutex.Lock()
	defer firedMutex.Unlock()
	if !firedRules[f.Rule] {
		sentences[f.Rule] = fmt.Sprintf("%s %s\n\twhat  %s\n\tfix   %s\n", f.Severity, f.Rule, f.Message, f.Fix)
	}
	firedRules[f.Rule] = true
}

var (
	sentences = map[string]string{}
	update    = flag.Bool("update", false, "write the golden files anew; read the difference before you commit it")
)

const sentencesFile = "testdata/sentences.golden"

// checkSentences holds the first finding of each rule against the golden file:
// codes are for scripts, and these words are for people.
func checkSentences() error {
	var b strings.Builder
	for _, r := range Rules() {
		if !slices.Contains(material.ProblemRules(), r.ID) { // its words are material's
			b.WriteString(sentences[r.ID])
		}
	}
	if *update {
		return os.WriteFile(sentencesFile, []byte(b.String()), 0o644)
	}
	want, err := os.ReadFile(sentencesFile)
	if err != nil {
		return err
	}
	got, wanted := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(got), len(wanted)) {
		if got[i] != wanted[i] {
			return fmt.Errorf("%s:%d: got\n%s\nwant\n%s\n(go test -update writes it anew)", sentencesFile, i+1, got[i], wanted[i])
		}
	}
	if len(got) != len(wanted) {
		return fmt.Errorf("%s has %d lines, and there are %d", sentencesFile, len(wanted), len(got))
	}
	return nil
}

// elsewhere are the rules that whoever reads the files finds, for there are no
// files here.
var elsewhere = []string{"file-not-found", "file-unreadable", "not-a-regular-file", "material-missing", "kubeconfig-context", "kubeconfig-user", "kubeconfig-server"}

// After a whole run every rule of the catalogue must have been found by some
// case: a row that nothing can fire is a promise that nobody keeps.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.bench").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == "" {
		for _, r := range Rules() {
			if !firedRules[r.ID] && !slices.Contains(elsewhere, r.ID) {
				fmt.Printf("no case fires the rule %s\n", r.ID)
				code = 1
			}
		}
		if err := checkSentences(); err != nil {
			fmt.Println(err)
			code = 1
		}
	}
	os.Exit(code)
}

// No command to paste may empty the file that it reads.
func TestFixNeverWritesToItsInput(t *testing.T) {
	for _, r := range Rules() {
		for _, name := range append([]string{"cert.pem", "it's mine.pem", "dir/fixed.pem"}, outputs...) {
			j := newJudge("", clock)
			j.report(r.ID, &source{name: name}, 0, detail{message: "x"})
			fix := j.findings()[0].Fix
			if _, out, ok := strings.Cut(fix, " > "); ok && strings.HasPrefix(fix, "$ ") && strings.Contains(fix[:len(fix)-len(out)], " "+out) {
				t.Errorf("%s: %s", r.ID, fix)
			}
			for _, flag := range []string{"-out ", "-destkeystore ", "cp "} {
				if _, rest, ok := strings.Cut(fix, flag); ok && strings.HasPrefix(fix, "$ ") {
					if out, _, _ := strings.Cut(rest, " "); out == name && flag != "cp " {
						t.Errorf("%s: %s", r.ID, fix)
					}
				}
			}
		}
	}
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
