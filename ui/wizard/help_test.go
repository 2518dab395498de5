package wizard

import (
	"strings"
	"testing"

	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/flow"
)

// helpText is all of the help overlay, however far it scrolls, in one line.
func (d *driver) helpText() string {
	d.t.Helper()
	d.size(200, 60).press("f1")
	var all strings.Builder
	for range 10 {
		all.WriteString(d.frame())
		d.press("pgdown")
	}
	d.press("esc")
	return strings.Join(strings.Fields(all.String()), " ")
}

func TestHelpSaysWhatEachModeMeansHere(t *testing.T) {
	d := drive(t, setup{}).press("enter", "enter", "down").at(flow.StepModes)
	text := d.helpText()
	for _, want := range []string{
		"Generate: certwright makes a kube CA, and signs API server",
		"Bring CA: You give a CA certificate and its key",
		"Bring certs: You give the CA's certificate",
		"Who holds the key of kube CA could open ",
		"kube-apiserver reads the certificate by --tls-cert-file",
		"the key by --tls-private-key-file",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("help does not say %q:\n%s", want, text)
		}
	}
}

// The profile and the catalogue of rules are where the words come from.
func TestHelpSpeaksWithTheProfileAndTheRules(t *testing.T) {
	d := drive(t, setup{})
	if text := d.helpText(); !strings.Contains(text, d.root.env.Flow.Profile().Summary) {
		t.Errorf("help of Profile does not say what it is:\n%s", text)
	}
	d.press("enter", "enter", "down", "c", "enter").at(flow.StepCA)
	rule := check.Rules()[0]
	d.runner.verdicts["kube/ca"] = flow.Verdict{Findings: []check.Finding{{Rule: rule.ID, Severity: check.Error, Slot: "kube/ca", Message: "x"}, {Rule: rule.ID, Severity: check.Error, Message: "y"}}}
	d.run(d.root.do(flow.SetSource{Field: flow.Field{Slot: "kube/ca", Part: flow.PartCert}, Source: flow.Source{Path: "ca.crt"}}))
	text, why := d.helpText(), strings.Join(strings.Fields(rule.Why), " ")
	if !strings.Contains(text, rule.ID+" (error)") || !strings.Contains(text, why) {
		t.Errorf("help does not say rule %s and why:\n%s", rule.ID, text)
	}
}

func TestHelpOnReviewAndTopologyIsAboutTheCursor(t *testing.T) {
	d := drive(t, setup{}).press("enter", "enter", "enter").at(flow.StepTopology)
	d.root.screen().(*topologyScreen).JumpTo(flow.Blocker{Slot: "kube/apiserver"})
	if text := d.helpText(); !strings.Contains(text, "kube-apiserver reads the certificate by --tls-cert-file") {
		t.Errorf("Topology: %s", text)
	}
	d.press("enter").at(flow.StepReview)
	s := d.root.screen().(*reviewScreen)
	s.show("tls/apiserver.crt")
	if text := d.helpText(); !strings.Contains(text, "kube-apiserver reads the certificate by --tls-cert-file") {
		t.Errorf("Review: %s", text)
	}
}

// Ten thousand nodes have ten thousand kubelets, and one text.
func TestHelpNamesASlotOfEveryNodeOnce(t *testing.T) {
	d := driveNodes(t, setup{}).toNodes().press("enter").paste(manyNodes(300)).press("esc", "up", "enter").at(flow.StepModes)
	kube := d.root.screen().(*modesScreen)
	if kube.current().ID != topology.ComponentID("kube") {
		t.Fatalf("the cursor is on %s", kube.current().ID)
	}
	if n := len(kube.Help()); n > 40 {
		t.Errorf("the help has %d paragraphs", n)
	}
}
