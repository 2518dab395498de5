package layout_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"certwright/assets/layout"
	"certwright/certs"
	"certwright/certs/topology"
)

// kubectl reads every manifest as it reads what it is about to send. Validation
// against a server's schema needs a server; --local stops before that.
func TestManifestsAreReadByKubectl(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil || testing.Short() {
		t.Skip("kubectl is not here")
	}
	for name, set := range map[string]*certs.Set{
		"kubernetes": kubernetes(t, threeNodes, nil),
		"calico":     calico(t, map[string]string{"calico.install": "manifest"}),
		"tectonic":   sets(t)["generate"],
	} {
		dir := t.TempDir()
		files := render(t, set, set.Topology.Profile.AllLayouts()...)
		write(t, dir, files)
		for p := range files {
			top, _, _ := strings.Cut(p, "/")
			if !slices.Contains([]string{"manifests", "cluster-api", "cert-manager"}, top) || !strings.HasSuffix(p, ".yaml") || strings.HasSuffix(p, "kustomization.yaml") {
				continue
			}
			want := strings.Count(string(files[p].Data), "\nkind: ")
			out, err := exec.Command(kubectl, "label", "--local", "-f", filepath.Join(dir, p), "read=yes", "-o", "name").CombinedOutput()
			if got := strings.Count(string(out), "\n"); err != nil || got != want {
				t.Errorf("%s: %s: %d of %d objects, %v\n%s", name, p, got, want, err, out)
			}
		}
	}
}

// The patch must change both fields of an APIService as it is installed.
func TestAPIServicePatchIsAppliedByKubectl(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is not here")
	}
	dir := t.TempDir()
	write(t, dir, render(t, calico(t, map[string]string{"calico.install": "enterprise-2.3"}), "secrets"))
	installed := filepath.Join(dir, "apiservice.yaml")
	const text = "apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: {name: v3.projectcalico.org}\n" +
		"spec: {insecureSkipTLSVerify: true, group: projectcalico.org, version: v3}\n"
	if err := os.WriteFile(installed, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(kubectl, "patch", "--local", "-f", installed, "--type", "merge", "-o", "json",
		"--patch-file", filepath.Join(dir, "manifests/patches/apiservice-v3.projectcalico.org.json")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"caBundle"`) || strings.Contains(string(out), "insecure") || !strings.Contains(string(out), `"v3"`) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestKubeconfigsOfKubernetesAreReadByKubectl(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is not here")
	}
	dir := t.TempDir()
	files := render(t, kubernetes(t, threeNodes, nil), "tree", "kubeconfig")
	write(t, dir, files)
	for p, want := range map[string]string{
		"tls/admin.conf":                                "kubernetes-admin@demo https://demo-api.example.com:6443 kubernetes-admin",
		"nodes/cp-0/controller-manager.conf":            "system:kube-controller-manager@demo https://10.0.0.10:6443 system:kube-controller-manager",
		"nodes/cp-1/scheduler.conf":                     "system:kube-scheduler@demo https://10.0.0.11:6443 system:kube-scheduler",
		"kubeconfig/nodes/worker-0/kubelet.conf":        "system:node:worker-0@demo https://demo-api.example.com:6443 system:node:worker-0",
		"kubeconfig/super-admin.conf":                   "kubernetes-super-admin@demo https://demo-api.example.com:6443 kubernetes-super-admin",
		"kubeconfig/nodes/cp-1/controller-manager.conf": "system:kube-controller-manager@demo https://10.0.0.11:6443 system:kube-controller-manager",
	} {
		out, err := exec.Command(kubectl, "--kubeconfig", filepath.Join(dir, p), "config", "view", "--minify", "-o",
			"jsonpath={.current-context} {.clusters[0].cluster.server} {.users[0].name}").CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("%s: got %s, %v; want %s", p, out, err, want)
		}
	}
}

// The commands that copy the trees are run with an ssh that stays here: each
// machine is a directory, and must hold its own tree at the profile's places.
func TestTreesArriveAtTheirNodes(t *testing.T) {
	if _, err := exec.LookPath("tar"); err != nil || testing.Short() {
		t.Skip("tar is not here")
	}
	for _, c := range []struct {
		nodes []topology.Node
		trees map[string]string // by address
	}{
		{nil, map[string]string{"10.0.0.10": "tls/"}},
		{threeNodes, map[string]string{"10.0.0.10": "nodes/cp-0/", "10.0.0.11": "nodes/cp-1/", "10.0.0.20": "nodes/worker-0/"}},
	} {
		set := kubernetes(t, c.nodes, nil)
		r := request(set)
		r.Dir = filepath.Join(t.TempDir(), "it's a $DIR")
		list, err := layout.Render(r)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]layout.File{}
		for _, f := range list {
			files[f.Path] = f
		}
		write(t, r.Dir, files)
		machines := copied(t, string(files[layout.NextStepsFile].Data))
		for host, tree := range c.trees {
			arrived(t, set.Topology.Profile, files, tree, filepath.Join(machines, host))
		}
	}
}

// copied runs the first commands of the section on places, and returns the
// directory of the machines.
func copied(t *testing.T, steps string) string {
	t.Helper()
	machines, bin := t.TempDir(), t.TempDir()
	// The command's absolute paths begin at the machine's directory.
	const script = `#!/bin/sh
mkdir -p "$MACHINES/${1#root@}" && cd "$MACHINES/${1#root@}" && exec sh -c "$(printf %s "$2" | sed 's, /, ./,g')"
`
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	_, steps, _ = strings.Cut(steps, "Put the files in place")
	commands := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(steps)[1]
	cmd := exec.Command("sh", "-ec", "umask 022\n"+commands)
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "MACHINES="+machines)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, commands, out)
	}
	return machines
}

// arrived holds a machine against the tree that was sent to it.
func arrived(t *testing.T, p *topology.Profile, files map[string]layout.File, tree, machine string) {
	t.Helper()
	want := 0
	for path, f := range files {
		rest, ok := strings.CutPrefix(path, tree)
		if !ok {
			continue
		}
		want++
		at, _ := p.Installed(rest)
		got, err := os.ReadFile(filepath.Join(machine, at))
		if err != nil || string(got) != string(f.Data) {
			t.Errorf("%s of %s is not %s: %v", at, machine, path, err)
		}
		if info, err := os.Stat(filepath.Join(machine, at)); err == nil && info.Mode() != f.Mode {
			t.Errorf("%s of %s has mode %v", at, machine, info.Mode())
		}
	}
	n := 0
	err := filepath.WalkDir(machine, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			n++
			return nil
		}
		// A directory that was there has kept its mode.
		if info, err := d.Info(); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
		return nil
	})
	if err != nil || n != want || n < 5 {
		t.Errorf("%s has %d files, want %d: %v", machine, n, want, err)
	}
}
