package rotate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"certwright/assets/layout"
	"certwright/certs"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// page is what the document of a stage says of itself.
func (m *maker) page(i int, before *certs.Set) layout.Stage {
	s := layout.Stage{Number: i + 1, Of: len(m.out.Stages), Title: stages[i].title, Holds: stages[i].holds, Before: before}
	if m.out.Pair != "" {
		m.tokenPage(i, &s)
	} else {
		m.caPage(i, &s)
	}
	s.About = append(s.About, m.proved(i+1))
	back := "the set in " + quoted(m.r.Dir)
	if i > 0 {
		back = quoted(m.out.Stages[i-1].Dir)
	}
	s.Back = "Copy the files of " + back + " again and restart in the same order. That is as safe as going on, as long as every machine has this stage or the one before it."
	if i == len(m.out.Stages)-1 {
		s.Back += " Once what belongs to the old was destroyed, there is no way back."
	}
	return s
}

// quoted shows a name as text of a document.
func quoted(s string) string {
	return "`" + strings.ReplaceAll(untrusted.Text(s).String(), "`", "'") + "`"
}

// proved says what was tried between a stage and the one before it.
func (m *maker) proved(stage int) string {
	n, tokens := 0, 0
	for _, p := range m.out.Proofs {
		if max(p.Clients, p.Servers) == stage {
			n += prove.Made(prove.Passed(p.Handshakes))
			tokens += len(p.Tokens)
		}
	}
	text := fmt.Sprintf("Proved with these files by %d handshakes: machines of this stage among themselves, their clients with the servers of %s, and the reverse. ", n, stageName(stage-1))
	if m.out.Pair != "" {
		text = fmt.Sprintf("Proved with these keys by %d signatures, and %d handshakes beside them: tokens of this stage with the verifiers of %s, and the reverse. ", tokens, n, stageName(stage-1))
	}
	return text + "So the machines may be done one by one and in any order, and nothing is refused while some have the stage and others do not." + everywhere(stage, len(m.out.Stages))
}

func everywhere(stage, last int) string {
	if stage == last {
		return ""
	}
	return " It must be on every machine before the next stage begins."
}

func (m *maker) caPage(i int, s *layout.Stage) {
	switch i {
	case 0:
		s.About = []string{fmt.Sprintf("Every program comes to trust the new CA beside the old one (%s). Nothing presents a certificate of the new CA yet, and the key of the old one is not needed.", m.out.What)}
		s.First = append([]string{m.deadline()}, m.people()...)
	case 1:
		s.About = []string{"Certificates of the new CA take the place of those of the old one. Both are trusted meanwhile, so that a program with a certificate of the one connects with a program that has one of the other."}
	case 2:
		s.About = []string{fmt.Sprintf("The old CA leaves every file. From then on its certificates are refused: all %d connections that rest on it were tried between this stage and the set that you began with, and none works any more.", m.out.Refused)}
	}
	for _, a := range m.out.Rotated {
		slot := m.out.Topology.CASlot(a)
		for _, c := range slot.Consumers {
			m.parameter(i, s, slot, c)
		}
		m.kubeconfigs(i, s, a)
	}
	m.kubelets(i, s)
	if i == 2 {
		s.Check = append(s.Check,
			"Destroy the keys and certificates of the old set, the key of the old CA first; whoever has that key opened what NEXT-STEPS.md of the old set says.",
			"This directory is your set from now on: `certwright status` and `certwright renew` work on it. Its `ca/` holds the keys of CAs that were made here: take them away as you did with the old ones.")
	}
	s.First, s.Check = once(s.First), once(s.Check)
}

// once keeps the first of each.
func once(list []string) []string {
	var out []string
	for _, s := range list {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// deadline says until when stage 2 must be reached.
func (m *maker) deadline() string {
	var first time.Time
	what := ""
	see := func(at time.Time, name string) {
		if first.IsZero() || at.Before(first) {
			first, what = at, name
		}
	}
	for i := range m.out.Topology.Slots {
		s := &m.out.Topology.Slots[i]
		if c := m.out.Old.Pairs[s.ID].Leaf(); c != nil && m.rotated(s.Authority) {
			see(c.NotAfter, string(s.ID))
		}
	}
	return fmt.Sprintf("There is time until %s for this stage and the next: then `%s` of the old set ends.", first.UTC().Format(time.DateOnly), what)
}

// people are those whose trust is in no file of the set.
func (m *maker) people() []string {
	var out []string
	third := m.out.Stages[2]
	for _, e := range m.out.Topology.Edges {
		if e.Client.Slot != "" || !m.rotated(e.ServerCA) {
			continue
		}
		chain := third.Set.Pairs[m.out.Topology.CASlot(e.ServerCA).ID].Certificates
		old := m.out.Old.Pairs[m.out.Topology.CASlot(e.ServerCA).ID].Certificates
		top := chain[len(chain)-1]
		if top.Equal(old[len(old)-1]) {
			continue // the root that they have stays
		}
		file := third.Dir + "/tls/" + m.out.Topology.CASlot(e.ServerCA).Files.Cert
		if m.root != nil {
			file = third.Dir + "/ca/root.crt"
		}
		if e.Client.Name == "browser" {
			out = append(out, fmt.Sprintf("People who dial %s with a browser import %s too, before stage 2 begins; the old one may go after stage 3.", e.Server.Name, quoted(file)))
		}
	}
	return out
}

// parameter is what is special about a program's use of the CA.
func (m *maker) parameter(i int, s *layout.Stage, slot *topology.Slot, c topology.Consumer) {
	count := []string{"2 certificates", "2 certificates", "1 certificate"}[i]
	switch {
	case c.Needs == topology.FieldKey && c.Field == topology.FieldCert && i == 0:
		s.First = append(s.First, fmt.Sprintf("%s signs with one certificate and does not start with two (\"expected 1 certificate, found 2\"), and %s holds two from now on: give %s the file that ends in `-signing.crt` in the same restart, as the list below says (with kubeadm in `/etc/kubernetes/manifests`).", c.Component, quoted(slot.Files.Cert), quoted(c.Name)))
	case c.Needs == topology.FieldKey && c.Field == topology.FieldCert && i == 2:
		s.First = append(s.First, fmt.Sprintf("%s gets %s back for %s in this restart, as the list below says; the file that ends in `-signing.crt` may be removed then.", c.Component, quoted(slot.Files.Cert), quoted(c.Name)))
	case c.Name == "--root-ca-file":
		s.Check = append(s.Check,
			fmt.Sprintf("The ConfigMap `kube-root-ca.crt` of every namespace holds %s (%s writes it): `kubectl get configmap kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}' | grep -c BEGIN`", count, c.Component))
		if i == 0 {
			s.Check = append(s.Check, "Pods that dial the API server were restarted since then (`kubectl rollout restart` of their deployments, daemon sets and stateful sets): they read that ConfigMap when they start.")
		}
		if i != 1 {
			s.Check = append(s.Check, "Where machines join with kubeadm: the kubeconfig in the ConfigMap `cluster-info` of `kube-public` holds the CA too; put what this stage's trust file holds there. The hash that `kubeadm join` takes is that of the new CA from stage 2 on.")
		}
	case c.Name == "--requestheader-client-ca-file" && c.Component == "kube-apiserver":
		s.Check = append(s.Check, fmt.Sprintf("Extension API servers read the front proxy's CA from a ConfigMap that the API server writes; it holds %s: `kubectl --namespace kube-system get configmap extension-apiserver-authentication -o jsonpath='{.data.requestheader-client-ca-file}' | grep -c BEGIN`", count))
	case c.Component == "calicoctl" && c.Field == topology.FieldCert && i < 2:
		s.First = append(s.First, "calicoctl reads one certificate alone where the CA stands in its configuration itself (`etcdCACert`): name the file (`etcdCACertFile`), or let calicoctl wait until stage 3.")
	case c.Component == "typha" && c.Field == topology.FieldCert && i == 0:
		s.Check = append(s.Check, "Typha and Felix both run with the new trust file: restarted by you, or by the operator, which copies the ConfigMap and rolls the pods.")
	}
}

// kubeconfigs are copies of the CA outside of the machines.
func (m *maker) kubeconfigs(i int, s *layout.Stage, a topology.AuthorityID) {
	if !slices.ContainsFunc(m.out.Topology.Kubeconfigs, func(k topology.Kubeconfig) bool { return k.CA == a }) {
		return
	}
	switch i {
	case 0:
		s.Check = append(s.Check, "Kubeconfigs have the CA in them. Those of the tree are new; whoever keeps a copy elsewhere (people, CI) has the new one, or stage 2 locks them out.")
	case 1:
		s.Check = append(s.Check, "Kubeconfigs have new client certificates. Whoever keeps a copy elsewhere has the new one, or stage 3 locks them out.")
	case 2:
		s.Check = append(s.Check, "Kubeconfigs that people keep may still hold the old CA. They work; take it out of them, so that nothing signed with it is believed.")
	}
}

// kubelets fetch certificates by themselves where they were told to.
func (m *maker) kubelets(i int, s *layout.Stage) {
	if i != 1 {
		return
	}
	for j := range m.out.Topology.Slots {
		slot := &m.out.Topology.Slots[j]
		if slot.Kind == topology.Leaf && m.rotated(slot.Authority) && slices.ContainsFunc(slot.Consumers, func(c topology.Consumer) bool { return c.Component == "kubelet" && c.As == topology.AsKubeconfig }) {
			s.Check = append(s.Check, "A kubelet that renews its certificate itself (`rotateCertificates`) presents `/var/lib/kubelet/pki/kubelet-client-current.pem`, which the old CA signed: remove it before the restart, and the kubelet takes that of its kubeconfig; so with `kubelet-server-current.pem`.")
			return
		}
	}
}

func (m *maker) tokenPage(i int, s *layout.Stage) {
	switch i {
	case 0:
		s.About = []string{"Every API server comes to accept tokens that the new key signed, beside those of the old one. Nothing signs with the new key yet."}
		s.Holds = "both public keys"
	case 1:
		s.About = []string{"The new key signs. Tokens of the old one stay good."}
		s.Check = []string{
			"Wait until no token of the old key is in use: tokens in pods are renewed within the hour; clients that never read their token again go on for up to a year where the API server has `--service-account-extend-token-expiration` (the metric `serviceaccount_stale_tokens_total` counts them).",
			"Tokens in Secrets never end, and the old key signed them. List them, and have each made anew (delete the Secret, or its `token`): `kubectl get secrets --all-namespaces --field-selector type=kubernetes.io/service-account-token`",
		}
	case 2:
		s.About = []string{"The old public key leaves the API servers. A token that the old key signed is answered 401 from then on."}
		s.Check = []string{"Destroy the old private key wherever a copy of it lies."}
	}
}

// overview is the document beside the stages.
func (m *maker) overview(out string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Exchanging %s\n\n", m.out.What)
	fmt.Fprintf(&b, "%s: %s, from the set in %s, written by certwright %s on %s.\n\n", m.out.Topology.Profile.Title,
		quoted(m.out.Topology.Facts.Get("cluster.name")), quoted(m.r.Dir), m.w.Version, m.now.UTC().Format(time.DateOnly))
	b.WriteString("Three stages, one after the other. Each directory holds everything that the machines need in that stage, and a NEXT-STEPS.md of its own. " +
		"A machine may have a stage while others have the one before it; no stage may be left out, and the next must not begin before the last is everywhere.\n\n")
	b.WriteString("| stage | what | files of the tree that are new |\n|---|---|---|\n")
	for i, s := range m.out.Stages {
		fmt.Fprintf(&b, "| [%s](%s/NEXT-STEPS.md) | %s | %d |\n", s.Dir, s.Dir, stages[i].title, len(s.Changed))
	}
	n := 0
	for _, p := range m.out.Proofs {
		n += prove.Made(prove.Passed(p.Handshakes))
	}
	fmt.Fprintf(&b, "\n%d handshakes proved it: each stage with itself, and with the one before it in both directions.\n", n)
	if m.out.Pair == "" {
		b.WriteString("\nNeither the key of the old CA nor access to it is needed. The key of the new CA lies in `3-drop-old/ca/`, where it was made here, and where programs sign with it in stages 2 and 3.\n")
	}
	for _, note := range m.out.Notes {
		fmt.Fprintf(&b, "\nNote: %s.\n", note)
	}
	fmt.Fprintf(&b, "\nThis directory holds private keys: keep %s as you keep the set itself, and remove it when the last stage is done and stored.\n", quoted(out))
	return []byte(b.String())
}
