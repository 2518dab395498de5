package wizard

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"certwright/certs/check"
	"certwright/flow"
	"certwright/ui/theme"
)

// themesOf are the ways in which a person can ask for colours.
var themesOf = []struct {
	name string
	o    theme.Options
}{
	{"dark", theme.Options{Profile: theme.ANSI256, Dark: true, Name: theme.Dark}},
	{"light", theme.Options{Profile: theme.ANSI256, Name: theme.Light}},
	{"ansi", theme.Options{Profile: theme.ANSI256, Name: theme.Sixteen}},
	{"nocolor", theme.Options{Profile: theme.ANSI256, NoColor: true}},
	{"ascii", theme.Options{Profile: theme.ANSI256, Dark: true, ASCII: true}},
}

// styledGolden compares a window with its styles; the escape character is
// written as ␛, so that a difference can be read.
func (d *driver) styledGolden(file string) {
	d.t.Helper()
	got := strings.ReplaceAll(d.root.View(), "\x1b", "␛") + "\n"
	path := filepath.Join("testdata", "themes", file)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			d.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			d.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		d.t.Errorf("%v (run with -update, then look at it)", err)
		return
	}
	if got != string(want) {
		d.t.Errorf("%s differs.\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

func TestFramesInEveryTheme(t *testing.T) {
	for _, th := range themesOf {
		d := drive(t, setup{theme: th.o})
		d.runner.verdicts["kube/ca"] = flow.Verdict{
			Facts: [][2]string{{"Subject", "CN=Corp Issuing CA 3"}, {"Until", "2027-03-01 (466 days)"}},
			Findings: []check.Finding{
				{Rule: "ca-path-length", Severity: check.Error, Slot: "kube/ca", Message: "pathLenConstraint 0 allows no CA below it", Fix: "ask for a CA with pathlen 1"},
				{Rule: "ends-soon", Severity: check.Warning, Slot: "kube/ca", Message: "ends in 41 days", Fix: "renew it"},
			},
		}
		for _, step := range []flow.Step{flow.StepProfile, flow.StepFacts, flow.StepModes} {
			d.at(step).styledGolden(string(step) + "." + th.name + ".txt")
			if step == flow.StepFacts {
				d.press("tab", "tab").write("!").styledGolden("facts-wrong." + th.name + ".txt")
				d.press("backspace")
			}
			if step == flow.StepModes {
				d.press("down", "c")
			}
			d.press("enter")
		}
		d.at(flow.StepCA)
		d.run(d.root.do(flow.SetSource{Field: flow.Field{Slot: "kube/ca", Part: flow.PartCert}, Source: flow.Source{Path: "corp/ca.crt"}}))
		d.styledGolden("ca." + th.name + ".txt")
		d.press("esc", "g", "enter").at(flow.StepTopology).styledGolden("topology." + th.name + ".txt")
		d.press("enter").at(flow.StepReview).styledGolden("review." + th.name + ".txt")
		d.press("?").styledGolden("help." + th.name + ".txt")
		d.press("esc", "ctrl+c").styledGolden("leave." + th.name + ".txt")
		d.press("esc", "enter").at(flow.StepDone).styledGolden("done." + th.name + ".txt")
	}
}
