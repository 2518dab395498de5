package place_test

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"certwright/certs/material"
	"certwright/certs/place"
	"certwright/certs/topology"
)

// without are the items of a set but for some slots.
func without(items []item, slots ...topology.SlotID) []item {
	var out []item
	for _, it := range items {
		keep := true
		for _, s := range slots {
			keep = keep && it.slot != s
		}
		if keep {
			out = append(out, it)
		}
	}
	return out
}

// files turns named contents into a pile.
func files(named map[string][]byte) []place.File {
	var out []place.File
	for name, data := range named {
		out = append(out, place.File{Name: name, Doc: material.Parse(material.Input{Name: name, Data: data})})
	}
	return out
}

func secret(name string, fields map[string][]byte) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Secret\nmetadata: {name: %s}\ndata:\n", name)
	for k, v := range fields {
		fmt.Fprintf(&b, "  %s: %s\n", k, base64.StdEncoding.EncodeToString(v))
	}
	return []byte(b.String())
}

// want holds placements against a table: slot and part to file, with what the
// slot's own document holds first.
func want(t *testing.T, w *world, r place.Result, placed map[topology.SlotID][2]string) {
	t.Helper()
	for slot, fs := range placed {
		for i, part := range []place.Part{place.Cert, place.Key} {
			if got := r.Find(slot, part); got != fs[i] {
				t.Errorf("%s %s: got %q, want %q", slot, part, got, fs[i])
			}
		}
		d := r.Doc(slot, place.Cert)
		if fs[0] == "" || w.set.Pairs[slot].Leaf() == nil {
			continue
		}
		if d == nil || len(d.X509()) == 0 || !d.X509()[0].Equal(w.set.Pairs[slot].Leaf()) {
			t.Errorf("%s: its document does not begin with its certificate: %+v", slot, d)
		}
		if k := r.Doc(slot, place.Key); k != nil && (k.Signer() == nil || !material.SamePublicKey(k.Signer().Public(), w.set.Pairs[slot].Leaf().PublicKey)) {
			t.Errorf("%s: its document does not begin with its key", slot)
		}
	}
}

func TestFilesThatHoldSeveralThings(t *testing.T) {
	w := worlds(t)[0] // tectonic
	cert := func(id topology.SlotID) []byte { return material.EncodeCertificates(w.set.Pairs[id].Certificates...) }
	own := func(id topology.SlotID) []byte { return material.EncodeCertificates(w.set.Pairs[id].Leaf()) }
	key := func(id topology.SlotID) []byte { return keyPEM(t, w.set.Pairs[id].Key) }
	root := material.EncodeCertificates(w.set.Root.Leaf())
	for _, tc := range []struct {
		name  string
		files map[string][]byte
		want  map[topology.SlotID][2]string
	}{
		{"certificate and key in one file", map[string][]byte{"a": join(cert("etcd/server"), key("etcd/server")), "b": own("etcd/ca")}, map[topology.SlotID][2]string{"etcd/server": {"a", "a"}, "etcd/ca": {"b", ""}}},
		{"key before the certificate", map[string][]byte{"a": join(key("etcd/server"), cert("etcd/server")), "b": own("etcd/ca")}, map[topology.SlotID][2]string{"etcd/server": {"a", "a"}}},
		{"everything in one file", map[string][]byte{"a": join(own("etcd/server"), key("etcd/server"), own("etcd/client"), key("etcd/client"), own("etcd/ca"))}, map[topology.SlotID][2]string{"etcd/server": {"a", "a"}, "etcd/client": {"a", "a"}, "etcd/ca": {"a", ""}}},
		{"all CAs in one file", map[string][]byte{"cas": join(own("etcd/ca"), own("kube/ca"), own("ingress/ca")), "a": own("etcd/client"), "b": own("kube/apiserver"), "c": own("ingress/server")}, map[topology.SlotID][2]string{"etcd/ca": {"cas", ""}, "kube/ca": {"cas", ""}, "ingress/ca": {"cas", ""}, "kube/apiserver": {"b", ""}}},
		{"a CA with the root behind it", map[string][]byte{"ca": join(own("etcd/ca"), root), "a": own("etcd/server")}, map[topology.SlotID][2]string{"etcd/ca": {"ca", ""}, "etcd/server": {"a", ""}}},
		{"a CA beside its bundle", map[string][]byte{"a-bundle": join(own("etcd/ca"), root), "ca": own("etcd/ca"), "a": own("etcd/server")}, map[topology.SlotID][2]string{"etcd/ca": {"ca", ""}}},
		{"the leaf behind its CA", map[string][]byte{"a": join(own("etcd/ca"), own("etcd/server")), "ca": own("etcd/ca")}, map[topology.SlotID][2]string{"etcd/ca": {"ca", ""}}},
		{"no CA but behind leaves", map[string][]byte{"a": cert("etcd/server"), "b": cert("etcd/peer")}, map[topology.SlotID][2]string{"etcd/server": {"a", ""}, "etcd/peer": {"b", ""}}},
		{"a leaf alone and with its chain", map[string][]byte{"chain": cert("etcd/server"), "alone": own("etcd/server"), "ca": root, "other": cert("etcd/peer")}, map[topology.SlotID][2]string{"etcd/server": {"chain", ""}}},
		{"a Secret", map[string][]byte{"s": secret("etcd", map[string][]byte{"tls.crt": cert("etcd/server"), "tls.key": key("etcd/server"), "ca.crt": own("etcd/ca")})}, map[topology.SlotID][2]string{"etcd/server": {"s", "s"}, "etcd/ca": {"s", ""}}},
		{"a Secret of many", map[string][]byte{"s": secret("etcd", map[string][]byte{"server.crt": own("etcd/server"), "server.key": key("etcd/server"), "peer.crt": own("etcd/peer"), "peer.key": key("etcd/peer"), "ca.crt": own("etcd/ca")})}, map[topology.SlotID][2]string{"etcd/server": {"s", "s"}, "etcd/peer": {"s", "s"}, "etcd/ca": {"s", ""}}},
		{"two Secrets in one file", map[string][]byte{"s": join(secret("a", map[string][]byte{"tls.crt": cert("etcd/server"), "tls.key": key("etcd/server")}), []byte("---\n"), secret("b", map[string][]byte{"tls.crt": cert("ingress/server"), "tls.key": key("ingress/server")})), "ca": own("etcd/ca")}, map[topology.SlotID][2]string{"etcd/server": {"s", "s"}, "ingress/server": {"s", "s"}}},
		{"DER", map[string][]byte{"a": w.set.Pairs["etcd/client"].Leaf().Raw, "b": w.set.Pairs["etcd/ca"].Leaf().Raw}, map[topology.SlotID][2]string{"etcd/client": {"a", ""}, "etcd/ca": {"b", ""}}},
		{"a copy", map[string][]byte{"a": cert("etcd/client"), "b/etcd-client.crt": cert("etcd/client"), "k": key("etcd/client")}, map[topology.SlotID][2]string{"etcd/client": {"b/etcd-client.crt", "k"}}},
		{"a kubeconfig beside the files", map[string][]byte{"kubelet.crt": own("kube/kubelet"), "kubelet.key": key("kube/kubelet"), "ca": own("kube/ca"), "kubeconfig": w.kubeconfig(t, "kube/kubelet")}, map[topology.SlotID][2]string{"kube/kubelet": {"kubelet.crt", "kubelet.key"}, "kube/ca": {"ca", ""}}},
		{"a kubeconfig alone", map[string][]byte{"kubeconfig": w.kubeconfig(t, "kube/kubelet")}, map[topology.SlotID][2]string{"kube/kubelet": {"kubeconfig", "kubeconfig"}, "kube/ca": {"kubeconfig", ""}}},
		{"one key for two certificates", map[string][]byte{"a": own("etcd/client"), "b": material.EncodeCertificates(sign(t, again(w.set.Pairs["etcd/server"].Leaf()), w.set.Pairs["etcd/ca"], w.set.Pairs["etcd/client"].Key)), "k": key("etcd/client")}, map[topology.SlotID][2]string{"etcd/client": {"a", "k"}}},
		{"a request under a slot's name", map[string][]byte{"tls/ingress/ingress.crt": []byte("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n")}, map[topology.SlotID][2]string{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fs := files(tc.files)
			r := place.Sort(pointers(w.topo), fs)
			whole(t, r, fs)
			want(t, w, r, tc.want)
			if t.Failed() {
				t.Logf("%+v\n%+v", r.Placed, r.Unplaced)
			}
		})
	}
}

// What lies there twice is meant twice: one certificate in two slots.
func TestCopiesFillTheSlotsThatTheyAreMeantFor(t *testing.T) {
	w := worlds(t)[0]
	own := func(id topology.SlotID) []byte { return material.EncodeCertificates(w.set.Pairs[id].Leaf()) }
	key := func(id topology.SlotID) []byte { return keyPEM(t, w.set.Pairs[id].Key) }
	fs := files(map[string][]byte{
		"a": own("etcd/server"), "b": key("etcd/server"), "c": own("etcd/server"), "d": key("etcd/server"), "etcd-ca": own("etcd/ca"),
		"ca.crt": own("kube/ca"), "ingress/ca.crt": own("kube/ca"), "apiserver.crt": own("kube/ca"),
	})
	r := place.Sort(pointers(w.topo), fs)
	whole(t, r, fs)
	for _, p := range []struct {
		slot topology.SlotID
		part place.Part
		want []string
	}{
		{"etcd/server", place.Cert, []string{"a", "c"}},
		{"etcd/peer", place.Cert, []string{"a", "c"}},
		{"etcd/peer", place.Key, []string{"b", "d"}},
		{"kube/ca", place.Cert, []string{"ca.crt"}},
		{"ingress/ca", place.Cert, []string{"ingress/ca.crt"}},
		{"kube/apiserver", place.Cert, []string{"apiserver.crt"}},
	} {
		if got := r.Find(p.slot, p.part); !slices.Contains(p.want, got) {
			t.Errorf("%s %s: got %q, want one of %q", p.slot, p.part, got, p.want)
		}
	}
	if r.Find("etcd/server", place.Cert) == r.Find("etcd/peer", place.Cert) || r.Find("etcd/server", place.Key) == r.Find("etcd/peer", place.Key) {
		t.Errorf("one file in two slots where there are two: %+v", r.Placed)
	}
}

// What belongs to another slot is no part of a slot's document.
func TestADocumentHoldsWhatIsTheSlots(t *testing.T) {
	w := worlds(t)[0]
	p := w.set.Pairs
	fs := files(map[string][]byte{"a": join(
		material.EncodeCertificates(p["etcd/server"].Leaf(), p["etcd/ca"].Leaf(), p["etcd/client"].Leaf(), p["kube/ca"].Leaf(), p["kube/kubelet"].Leaf()),
		keyPEM(t, p["etcd/client"].Key), keyPEM(t, p["etcd/server"].Key),
	)})
	r := place.Sort(pointers(w.topo), fs)
	for slot, wanted := range map[topology.SlotID][]*x509.Certificate{
		"etcd/server": {p["etcd/server"].Leaf(), p["etcd/ca"].Leaf()}, "etcd/client": {p["etcd/ca"].Leaf(), p["etcd/client"].Leaf()},
		"etcd/ca": {p["etcd/ca"].Leaf()}, "kube/ca": {p["kube/ca"].Leaf()},
	} {
		d := r.Doc(slot, place.Cert)
		if d == nil {
			t.Errorf("%s has no document: %+v", slot, r)
			continue
		}
		got := d.X509()
		if len(got) != len(wanted) {
			t.Errorf("%s: %d certificates, want %d", slot, len(got), len(wanted))
			continue
		}
		for i := range got {
			if !got[i].Equal(wanted[i]) {
				t.Errorf("%s: certificate %d is %s, want %s", slot, i+1, got[i].Subject, wanted[i].Subject)
			}
		}
	}
	if d := r.Doc("etcd/server", place.Key); len(d.Keys) != 1 {
		t.Errorf("etcd/server has %d keys", len(d.Keys))
	}
}

func TestAPKCS12IsTakenApart(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	w := worlds(t)[0]
	dir := t.TempDir()
	p := w.set.Pairs["etcd/server"]
	in := filepath.Join(dir, "in.pem")
	if err := os.WriteFile(in, join(keyPEM(t, p.Key), material.EncodeCertificates(append(p.Certificates[:1:1], w.set.Pairs["etcd/ca"].Leaf())...)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "openssl", "pkcs12", "-export", "-in", in, "-passout", "pass:", "-out", filepath.Join(dir, "x.p12")).CombinedOutput()
	if err != nil {
		t.Skipf("%v: %s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "x.p12"))
	if err != nil {
		t.Fatal(err)
	}
	fs := []place.File{{Name: "x", Doc: material.Parse(material.Input{Name: "x", Data: data, Passphrase: []byte{}})}}
	want(t, w, place.Sort(pointers(w.topo), fs), map[topology.SlotID][2]string{"etcd/server": {"x", "x"}, "etcd/ca": {"x", ""}})
}

// One CA of a company signs all: it is every authority's CA.
func TestOneCAForSeveralAuthorities(t *testing.T) {
	w := worlds(t)[0]
	corp := w.set.Root
	var items []item
	for _, it := range without(w.items(t), "etcd/ca", "kube/ca", "ingress/ca") {
		if p := w.set.Pairs[it.slot]; it.part == place.Cert && p.Leaf() != nil {
			it.data = material.EncodeCertificates(sign(t, again(p.Leaf()), corp, p.Key))
		}
		items = append(items, it)
	}
	items = append(items, item{data: material.EncodeCertificates(corp.Leaf()), name: "corp"})
	fs, names := pile(items, 1)
	delete(names, "corp")
	r := place.Sort(pointers(w.topo), fs)
	expect(t, w, r, names)
	for _, id := range []topology.SlotID{"etcd/ca", "kube/ca", "ingress/ca"} {
		if got := r.Find(id, place.Cert); got != "corp" {
			t.Errorf("%s: got %q", id, got)
		}
	}
}

// Of two clusters in one pile, the one that the facts describe is sorted, and
// its CAs with it, even where no fact is in them.
func TestTheFactsDecideBetweenTwoClusters(t *testing.T) {
	for _, profile := range []string{"tectonic", "kubernetes", "calico", "k3s", "consul", "nats"} {
		mine := map[string]string{"cluster.name": "mine", "node.addresses": "10.0.0.10"}
		theirs := map[string]string{"cluster.name": "theirs", "node.addresses": "10.9.0.10"}
		if !slices.Contains([]string{"kubernetes", "k3s", "consul"}, profile) {
			delete(mine, "node.addresses")
			delete(theirs, "node.addresses")
		}
		later := resolve(t, profile, theirs, nil)
		w := newWorld(t, profile, resolve(t, profile, mine, nil))
		other := newWorldAt(t, profile, later, now.Add(100*24*time.Hour))
		for seed := range uint64(4) {
			items := w.items(t)
			for _, it := range other.items(t) {
				if w.topo.Slot(it.slot).Kind == topology.KeyPair {
					continue // nothing but its name says whose it is
				}
				it.slot = ""
				items = append(items, it)
			}
			fs, names := pile(items, seed)
			r := place.Sort(pointers(w.topo), fs)
			expect(t, w, r, names)
		}
	}
}

// Names decide where contents do not.
func TestNamesDecideBetweenTwins(t *testing.T) {
	for _, w := range worlds(t) {
		if w.name != "kubernetes" {
			continue
		}
		p := w.set.Pairs
		fs := files(map[string][]byte{
			"pki/etcd/peer.crt": material.EncodeCertificates(p["etcd/peer"].Leaf()), "pki/etcd/server.crt": material.EncodeCertificates(p["etcd/server"].Leaf()),
			"pki/etcd/ca.crt": material.EncodeCertificates(p["etcd/ca"].Leaf()),
		})
		want(t, w, place.Sort(pointers(w.topo), fs), map[topology.SlotID][2]string{"etcd/server": {"pki/etcd/server.crt", ""}, "etcd/peer": {"pki/etcd/peer.crt", ""}, "etcd/ca": {"pki/etcd/ca.crt", ""}})
	}
}

// A certificate and its successor: the successor counts, of a CA and of a leaf.
func TestTheRenewedOneCounts(t *testing.T) {
	w := worlds(t)[0]
	for _, id := range []topology.SlotID{"etcd/ca", "etcd/client", "kube/ca", "kube/apiserver"} {
		p := w.set.Pairs[id]
		for _, years := range []int{-3, 3} {
			template := again(p.Leaf())
			template.NotBefore, template.NotAfter = template.NotBefore.AddDate(years, 0, 0), template.NotAfter.AddDate(years, 0, 0)
			template.SubjectKeyId = p.Leaf().SubjectKeyId
			by := w.set.Root
			if w.topo.Slot(id).Kind == topology.Leaf {
				by = w.set.Pairs[w.topo.CASlot(w.topo.Slot(id).Authority).ID]
			}
			items := append(w.items(t), item{data: material.EncodeCertificates(sign(t, template, by, p.Key)), name: "other"})
			fs, _ := pile(items, 1)
			r := place.Sort(pointers(w.topo), fs)
			if got := r.Find(id, place.Cert) == "other"; got != (years > 0) {
				t.Errorf("%s, the other one %d years later: placed %v", id, years, got)
			}
		}
	}
}

func TestWhyAFileIsUnplaced(t *testing.T) {
	w := worlds(t)[0]
	p := w.set.Pairs
	stranger := newKey(t)
	good := w.items(t)
	for i := range good {
		good[i].name = fmt.Sprintf("good/%02d", i)
	}
	for _, tc := range []struct {
		name string
		data []byte
		want string
	}{
		{"the root", material.EncodeCertificates(w.set.Root.Leaf()), "a CA above etcd/ca, kube/ca and ingress/ca"},
		{"a copy", material.EncodeCertificates(p["kube/apiserver"].Certificates...), "the same certificate as good/"},
		{"a key's copy", keyPEM(t, p["kube/apiserver"].Key), "the same private key as in good/"},
		{"a public key's copy", publicPEM(t, p["kube/service-account"].Key.Public()), "the same public key as in good/"},
		{"another CA", material.EncodeCertificates(sign(t, caTemplate("Corp CA"), nil, stranger)), "a CA that issued nothing here: CN=Corp CA"},
		{"another leaf of the CA", material.EncodeCertificates(sign(t, again(p["kube/kubelet"].Leaf()), p["kube/ca"], stranger)), "the CA of kube issued it, but no slot that is still empty"},
		{"a key without a certificate", keyPEM(t, stranger), "a private key whose certificate is not here"},
		{"a text", []byte("hello\n"), "no "},
		{"an empty file", nil, "no "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fs, _ := pile(append(good[:len(good):len(good)], item{data: tc.data, name: "it"}), 1)
			r := place.Sort(pointers(w.topo), fs)
			if len(r.Unplaced) != 1 || r.Unplaced[0].File != "it" || !strings.HasPrefix(r.Unplaced[0].Why, tc.want) {
				t.Errorf("got %+v, want %q", r.Unplaced, tc.want)
			}
		})
	}
}

// Calico's documented API server certificate signed itself, says CA:TRUE, and is
// the APIService's caBundle as well: one file for both slots, or two.
func TestACertificateThatIsItsOwnCA(t *testing.T) {
	var w *world
	for _, one := range worlds(t) {
		if one.name == "calico" {
			w = one
		}
	}
	p := w.set.Pairs["apiserver/server"]
	template := again(p.Leaf())
	template.IsCA, template.KeyUsage = true, x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign
	own := material.EncodeCertificates(sign(t, template, nil, p.Key))
	for _, copies := range []int{1, 2} {
		items := without(w.items(t), "apiserver/ca", "apiserver/server")
		items = append(items, item{data: keyPEM(t, p.Key), slot: "apiserver/server", part: place.Key})
		for i := range copies {
			items = append(items, item{data: own, name: fmt.Sprintf("own-%d", i)})
		}
		fs, names := pile(items, 2)
		for i := range copies {
			delete(names, fmt.Sprintf("own-%d", i))
		}
		r := place.Sort(pointers(w.topo), fs)
		expect(t, w, r, names)
		whole(t, r, fs)
		for _, id := range []topology.SlotID{"apiserver/ca", "apiserver/server"} {
			if !strings.HasPrefix(r.Find(id, place.Cert), "own-") {
				t.Errorf("%d copies: %s got %q", copies, id, r.Find(id, place.Cert))
			}
		}
	}
}
