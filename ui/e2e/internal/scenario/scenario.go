// Package scenario sets up the files that a story begins with. The tests of
// ui/e2e drive certwright through them; the program beside it hands the keyboard
// to a person instead. The certificates are openssl's, as a company's are.
package scenario

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Passphrase opens the key of the corporate CA.
const Passphrase = "correct horse"

// Scenario is where a story begins.
type Scenario struct {
	Name string
	// About says what there is, Try what a person may do with it.
	About, Try string
	// Args are certwright's, Env what is added to the environment.
	Args, Env []string
	// files makes what lies in dir at the start. certwright is the program's path.
	files func(dir, certwright string) error
}

// Set makes the files of the scenario in dir, which exists and is empty.
func (s Scenario) Set(dir, certwright string) error {
	if s.files == nil {
		return nil
	}
	if err := s.files(dir, certwright); err != nil {
		return fmt.Errorf("set up scenario %s: %w", s.Name, err)
	}
	return nil
}

// All lists the scenarios in the order of a first acquaintance.
func All() []Scenario {
	return []Scenario{
		{
			Name: "first-install", About: "an empty directory",
			Try: "press Enter to the end; the set is in generated/",
		},
		{
			Name: "corporate-ca", About: "corp/ca.crt and corp/ca.key, a company's CA with an encrypted key",
			Try:   "press c on etcd and name the two files; the passphrase is: " + Passphrase,
			files: corporateCA,
		},
		{
			Name: "bad-certificate", About: "pki/, the certificates of etcd; server.crt has the wrong name",
			Try:   "press b on etcd, then d and Enter; then, in another window, cp reissued.crt pki/server.crt",
			files: badCertificate,
		},
		{
			Name: "half-a-set", About: "pki/, the certificates of etcd without the client's, which is in late/",
			Try:   "press b on etcd, then d and Enter; n goes to what is missing",
			files: halfASet,
		},
		{
			Name: "leave-and-resume", About: "an empty directory",
			Try: "change an answer, press ctrl+c and s; certwright --resume goes on (HOME is in the directory, too)",
		},
		{
			Name: "existing-set", About: "generated/ holds a set already", Args: []string{"--set", "cluster.name=prod"},
			Try: "press Enter to the end; the cluster's name is asked for before anything is replaced", files: existingSet,
		},
		{
			Name: "kubernetes", About: "an empty directory, and kubeadm's profile", Args: []string{"--profile", "kubernetes"},
			Try: "give the node an address",
		},
		{
			Name: "calico-spiffe", About: "an empty directory, and Calico's profile", Args: []string{"--profile", "calico"},
			Try: "give Felix a SPIFFE URI",
		},
		{
			Name: "nats", About: "an empty directory, and the profile of NATS", Args: []string{"--profile", "nats"},
			Try: "choose gateways, then press Enter to the end",
		},
		{Name: "no-color", About: "an empty directory, and NO_COLOR", Env: []string{"NO_COLOR=1"}, Try: "press Enter to the end"},
	}
}

// Named is the scenario of a name.
func Named(name string) (Scenario, bool) {
	for _, s := range All() {
		if s.Name == name {
			return s, true
		}
	}
	return Scenario{}, false
}

func corporateCA(dir, _ string) error {
	o := openssl{dir: filepath.Join(dir, "corp")}
	o.root("ca", "/O=Corp/CN=Corp Issuing CA")
	o.encrypt("ca.key", Passphrase)
	return o.err
}

// The names of the profile's default facts: what etcd's server must answer to.
const etcdNames = "DNS:demo-etcd-0.example.com,DNS:demo-etcd-1.example.com,DNS:demo-etcd-2.example.com,DNS:localhost,IP:127.0.0.1"

// etcdSet makes what etcd needs in dir, all of it good.
func etcdSet(dir string) *openssl {
	o := &openssl{dir: dir}
	o.root("ca", "/O=Corp/CN=Corp etcd CA")
	o.leaf("server", "ca", "/O=Corp/CN=etcd server", "serverAuth,clientAuth", etcdNames)
	o.leaf("peer", "ca", "/O=Corp/CN=etcd peer", "serverAuth,clientAuth", etcdNames)
	o.leaf("client", "ca", "/O=Corp/CN=etcd client", "clientAuth", "")
	return o
}

// badCertificate leaves the repaired certificate, for the same key, in
// reissued.crt.
func badCertificate(dir, _ string) error {
	o := etcdSet(filepath.Join(dir, "pki"))
	o.move("server.crt", "../reissued.crt")
	o.sign("server", "ca", "/O=Corp/CN=etcd server", "serverAuth,clientAuth", "DNS:old-etcd.example.com")
	return o.err
}

func halfASet(dir, _ string) error {
	o := etcdSet(filepath.Join(dir, "pki"))
	o.move("client.crt", "../late/client.crt")
	o.move("client.key", "../late/client.key")
	return o.err
}

func existingSet(dir, certwright string) error {
	plan := filepath.Join(dir, "plan.yaml")
	if err := os.WriteFile(plan, []byte("apiVersion: certwright/v1\nprofile: tectonic\nfacts: {cluster.name: prod}\n"), 0o644); err != nil {
		return err
	}
	cmd := exec.Command(certwright, "apply", "-f", plan, "--out", filepath.Join(dir, "generated"))
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("certwright apply: %w: %s", err, out)
	}
	return nil
}
