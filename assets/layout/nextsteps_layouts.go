package layout

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// otherLayouts says for each layout beside the tree what to do with it.
func (j *job) otherLayouts(p *page) {
	for _, l := range []struct {
		name  string
		write func(*page)
	}{
		{"flags", j.flagsSteps},
		{"kubeconfig", j.kubeconfigSteps},
		{"secrets", j.secretsSteps},
		{"terraform", j.terraformSteps},
		{"cluster-api", j.clusterAPISteps},
		{"k3s", j.k3sSteps},
		{"cert-manager", j.certManagerSteps},
		{"kubelet-csr", j.kubeletCSRSteps},
	} {
		if j.has(l.name) {
			l.write(p)
		}
	}
}

// arg is a file of the set as one word of a shell.
func (j *job) arg(name string) string {
	return untrusted.Text(j.abs(path.Clean(name))).ShellArg()
}

func (j *job) flagsSteps(p *page) {
	p.section("Parameters")
	p.text("%s holds what to tell each program, to be used as it is: %s for a start line (%s), %s for an environment file, %s and %s for a config.",
		code(flagsDir), code("*.txt"), code("xargs -a FILE PROGRAM"), code("*.env"), code("*.yaml"), code("*.json"))
}

func (j *job) kubeconfigSteps(p *page) {
	if len(j.t.Kubeconfigs) == 0 {
		return
	}
	p.section("Kubeconfigs")
	p.text("%s holds each by itself; whoever has one is its user, so give it to nobody else.", code(kubeconfigDir))
	var rows [][]string
	seen := map[string]bool{}
	for _, k := range j.t.Kubeconfigs {
		file := kubeconfigFile(k)
		if k.Node != "" {
			if seen[k.File] {
				continue
			}
			seen[k.File] = true
			file = strings.Replace(file, nodesDir+k.Node+"/", nodesDir+"*/", 1)
		}
		user := ""
		if s := j.t.Slot(k.Slot); s != nil {
			if user = userOf(k, s); s.Node != "" {
				user = strings.Replace(user, s.Node, "NAME", 1)
			}
		}
		rows = append(rows, []string{code(file), code(user), k.Purpose})
	}
	p.table([]string{"file", "user", "for"}, rows)
}

func (j *job) secretsSteps(p *page) {
	if len(j.t.Secrets) > 0 {
		p.section("Secrets")
		var rows [][]string
		title := "Secret"
		for _, s := range j.t.Secrets {
			kind := s.Type
			if s.Kind == topology.KindConfigMap {
				kind, title = s.Kind, "Secret or ConfigMap"
			}
			rows = append(rows, []string{code(s.Namespace + "/" + s.Name), code(kind), s.Purpose})
		}
		p.text("%s holds them as manifests with the keys in them, one file for each namespace. All at once; an object that is there already keeps its other keys, and where kubectl names a conflict, --force-conflicts settles it:", code(manifestsDir))
		p.commands("kubectl apply --server-side -k " + j.arg(manifestsDir))
		p.table([]string{title, "type", "for"}, rows)
	}
	if len(j.t.APIServices) > 0 {
		p.section("APIServices")
		p.text("A patch makes the API server believe an extension API server, and takes %s away in the same write: the API server refuses the one beside the other. "+
			"Apply it once the extension serves with its new certificate.", code("insecureSkipTLSVerify"))
		for _, a := range j.t.APIServices {
			p.commands(fmt.Sprintf("kubectl patch apiservice %s --type merge --patch-file %s", a.Name, j.arg(patchFile(a))))
		}
	}
}

func (j *job) terraformSteps(p *page) {
	p.section("Terraform")
	p.text("%s holds a module for each part, with the outputs that the installer's own modules have, the same in every mode. "+
		"Copy the directories into your configuration; what used the old modules needs no change. "+
		"Terraform's state is plain text and will hold the keys: keep it where you would keep them. No CA's key is an output.", code(terraformDir))
}

func (j *job) clusterAPISteps(p *page) {
	name := j.clusterName()
	p.section("Cluster API")
	p.text("%s holds the CAs and the service account keys under the names that the Cluster API looks for before it makes its own. "+
		"Apply it before the Cluster object of the name %s, into the same namespace; the controllers issue everything else from it:", code(clusterAPIDir), code(name))
	p.commands("kubectl apply --server-side --namespace NAMESPACE -f " + j.arg(clusterAPIDir+name+".yaml"))
	p.text("Whoever may read Secrets there may sign for the cluster: keep the namespace to those who run it.")
}

func (j *job) k3sSteps(p *page) {
	p.section("k3s")
	p.text("%s is laid out as k3s's own script for custom CAs does it. The files must be on the first server before k3s starts there for the first time; "+
		"k3s issues all else from them, and hands them to the servers that join:", code(k3sDir))
	p.commands(j.sendTree(j.arg(k3sDir), "", "SERVER", "/var/lib/rancher/k3s/server/tls"))
	p.text("For a cluster that runs already, copy %s to one of its servers and run there what follows; with another root than before it takes %s, new join tokens and a restart of every pod:",
		code("k3s/"), code("--force"))
	p.commands("k3s certificate rotate-ca --path=k3s/server")
	p.text("k3s can keep CAs of servers apart from those of clients. Here both are the one CA of the API server, as kubeadm has it.")
}

func (j *job) certManagerSteps(p *page) {
	p.section("cert-manager")
	p.text("%s hands the set over to cert-manager, which renews from then on: %s holds the CAs' Secrets, in the namespace where cert-manager looks for them, and a ClusterIssuer for each; "+
		"the other files a Certificate for each slot, with its usages written out. Those without a namespace go where their Secrets are read:",
		code(certManagerDir), code(certManagerDir+"issuers.yaml"))
	certificates := j.arg(certManagerDir + "certificates.yaml")
	lines := []string{"kubectl apply --server-side -f " + j.arg(certManagerDir+"issuers.yaml"), "kubectl apply --server-side --namespace NAMESPACE -f " + certificates}
	if j.several() {
		lines = append(lines, "kubectl apply --server-side --namespace NAMESPACE -f "+j.arg(certManagerDir+nodesDir))
	}
	p.commands(lines...)
	for _, a := range j.t.Authorities {
		if !j.signs(a.ID) {
			p.text("The %s is not among them: its key was not handed over.", a.Title)
		}
	}
	if i := slices.IndexFunc(j.t.Slots, func(s topology.Slot) bool { return s.Kind == topology.Leaf && j.signs(s.Authority) && tooLong(&s) }); i >= 0 {
		p.text("Left out is what has a common name of more than 64 characters, which cert-manager does not take: %s, for one. Renew it with certwright renew.", code(string(j.t.Slots[i].ID)))
	}
	p.text("Each is renewed a month before its end, or when a third of its life is left where that is shorter, with a new key each time. " +
		"What reads the Secret must notice: a pod that mounts it sees the files change, and few programs read them again.")
	p.text("What cert-manager does not do: it never renews a CA of these, issues certificates that outlive theirs, and makes none anew when its CA changes. " +
		"Programs that read files, as a control plane's do, need something that copies Secrets to their disks.")
}
