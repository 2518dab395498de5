package plan_test

import (
	"strings"
	"testing"

	"certwright/assets/profiles"
	"certwright/flow/plan"
)

const stepPlan = `apiVersion: certwright/v1
profile: tectonic
facts: {cluster.name: demo}
components:
  etcd: {mode: bring-ca, ca: {step-ca: {url: "https://ca.example.com:9000", fingerprint: ` +
	`0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef, provisioner: admin, password-file: pw}}}
`

func TestAStepCAIsReadAndWritten(t *testing.T) {
	p, err := plan.Parse("plan.yaml", []byte(stepPlan))
	if err != nil {
		t.Fatal(err)
	}
	profile, err := profiles.Load("tectonic")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(profile); err != nil {
		t.Error(err)
	}
	topology, _ := p.Outline(profile)
	if err := p.Complete(topology); err != nil {
		t.Error(err)
	}
	s := p.StepCA("etcd")
	if s == nil || s.URL != "https://ca.example.com:9000" || s.Provisioner != "admin" || p.StepCA("kube") != nil {
		t.Fatalf("%+v", s)
	}
	p.Resolve("/srv")
	if got := p.StepCA("etcd").PasswordFile; got != "/srv/pw" {
		t.Errorf("the password's file is %s", got)
	}
	data, err := p.Relative("/srv").Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := plan.Parse("again.yaml", data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	again.Resolve("/srv")
	if !again.Equal(p) {
		t.Errorf("written and read again it is another plan:\n%s", data)
	}
	if other := p.Clone(); other.Equal(p) {
		other.Components["etcd"].CA.StepCA.Provisioner = "x"
		if other.Equal(p) || p.StepCA("etcd").Provisioner != "admin" {
			t.Error("a clone shares the CA, or Equal does not see it")
		}
	}
}

func TestAStepCAThatCannotBe(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"https://ca.example.com:9000", "http://ca.example.com:9000", "step-ca.url: must be the address"},
		{"https://ca.example.com:9000", "https://user:x@ca.example.com", "step-ca.url: must be the address"},
		{"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "abcd", "64 hexadecimal digits"},
		{"fingerprint: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef, ", "", "pins no root"},
		{"provisioner: admin, ", "", "provisioner: is missing"},
		{"password-file: pw", "password: hunter2", "a passphrase stands in the plan"},
		{"password-file: pw", "provisoner: x", "provisoner"},
		{"ca: {step-ca", "ca: {cert: a.crt, key: a.key, step-ca", "remove the one or the other"},
		{"mode: bring-ca", "mode: generate", "is for mode bring-ca alone"},
		{"mode: bring-ca", "mode: bring-ca, intermediate: true", "signs the certificates itself"},
		{"mode: bring-ca, ca: {step-ca", "mode: bring-certs, certs: {ca: {step-ca", "is for the CA of a component in mode bring-ca"},
	} {
		text := strings.Replace(stepPlan, c.old, c.new, 1)
		if strings.Contains(c.new, "certs:") {
			text = strings.Replace(text, "pw}}}", "pw}}}}", 1)
		}
		p, err := plan.Parse("plan.yaml", []byte(text))
		if err == nil {
			profile, lerr := profiles.Load("tectonic")
			if lerr != nil {
				t.Fatal(lerr)
			}
			err = p.Check(profile)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "plan.yaml:") {
			t.Errorf("%s: got %v, want %q in it, with its place", c.new, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
}
