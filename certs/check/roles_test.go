package check

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"certwright/certs/topology"
)

func permitIP(cidr string) edit {
	return func(t *x509.Certificate) { t.PermittedIPRanges = append(t.PermittedIPRanges, network(cidr)) }
}

func TestNames(t *testing.T) {
	web := func(edits ...edit) func(*pki) files {
		return func(p *pki) files {
			return p.with(p.ingress, p.web(p.ingress, slices.Concat([]edit{subject("web")}, edits)...))
		}
	}
	api := func(edits ...edit) func(*pki) files {
		return func(p *pki) files { return p.with(p.kube, p.apiserver(edits...)) }
	}
	typha := func(edits ...edit) func(*pki) files {
		return func(p *pki) files { return p.with(p.otherRoot, p.typha(edits...)) }
	}
	runSlotCases(t, []slotCase{
		{"one name missing", "kube/apiserver", api(func(t *x509.Certificate) { t.DNSNames = t.DNSNames[:4] }), "san-missing"},
		{"address missing", "kube/apiserver", api(func(t *x509.Certificate) { t.IPAddresses = nil }), "san-missing-ip"},
		{"names and address missing", "kube/apiserver", api(onlyNames("x.example.com")), "san-missing san-missing-ip"},
		{"no names at all", "kube/apiserver", api(noNames), "san-missing san-missing-ip"},
		{"the name in the CN alone", "ingress/server", web(subject("demo.example.com"), noNames), "cn-only"},
		{"one of the names in the CN alone", "kube/apiserver", api(subject("api.example.com"), noNames), "cn-only"},
		{"the address as a DNS name", "kube/apiserver", api(func(t *x509.Certificate) {
			t.IPAddresses = nil
			t.DNSNames = append(slices.Clone(t.DNSNames), "10.3.0.1")
		}), "ip-in-dns-san"},
		{"wildcard for the apex", "ingress/server", web(onlyNames("*.demo.example.com")), "wildcard-misuse"},
		{"wildcard for two labels", "ingress/server", web(onlyNames("*.com")), "wildcard-misuse"},
		{"wildcard in part of a label", "ingress/server", web(onlyNames("de*.example.com")), "wildcard-misuse"},
		{"wildcard in the middle", "ingress/server", web(onlyNames("demo.*.com")), "wildcard-misuse"},
		{"bare wildcard", "ingress/server", web(onlyNames("*")), "wildcard-misuse"},
		{"a URL", "ingress/server", web(onlyNames("https://demo.example.com/")), "malformed-san"},
		{"a port", "ingress/server", web(onlyNames("demo.example.com:443")), "malformed-san"},
		{"a trailing dot", "ingress/server", web(onlyNames("demo.example.com.")), "malformed-san"},
		{"a list in one name", "ingress/server", web(onlyNames("other.example.com, demo.example.com")), "malformed-san"},
		{"an empty label", "ingress/server", web(onlyNames("demo..example.com")), "malformed-san"},
		{"a URL in the URI names", "ingress/server", web(noNames, uri("https://demo.example.com")), "malformed-san"},
		{"another host", "ingress/server", web(onlyNames("demo.example.org")), "san-missing"},
		{"Typha: neither CN nor URI", "typha/client", typha(subject("other")), "uri-san-mismatch"},
		{"Typha: CN in other case", "typha/server", func(p *pki) files {
			return p.with(p.otherRoot, sign(p.otherRoot, "typha", subject("Typha-Server"), eku(server), ku(sigKU)))
		}, "subject-cn"},
		{"Typha: URI in other case", "typha/spiffe", typha(uri("spiffe://example.com/Felix")), "uri-san-mismatch"},
		{"Typha: no URI", "typha/spiffe", typha(), "uri-san-mismatch"},
		{"Typha: one slash", "typha/spiffe", typha(uri("spiffe:/example.com/felix")), "uri-san-mismatch spiffe-malformed"},
	})
}

func TestUsagesAndSubjects(t *testing.T) {
	kube := func(edits ...edit) func(*pki) files {
		return func(p *pki) files { return p.with(p.kube, p.kubelet(edits...)) }
	}
	web := func(edits ...edit) func(*pki) files {
		return func(p *pki) files { return p.with(p.ingress, p.web(p.ingress, edits...)) }
	}
	runSlotCases(t, []slotCase{
		{"a client's certificate on a server", "ingress/server", web(eku(client)), "eku-missing-server-auth"},
		{"a server's certificate on a client", "etcd/client", func(p *pki) files { return p.with(p.etcd, p.etcdClient(eku(server))) }, "eku-missing-client-auth"},
		{"the API server without client auth", "kube/apiserver", func(p *pki) files { return p.with(p.kube, p.apiserver(eku(server))) }, "eku-missing-client-auth"},
		{"code signing alone", "etcd/peer", func(p *pki) files {
			return p.with(p.etcd, p.etcdServer(eku(x509.ExtKeyUsageCodeSigning), ips("10.0.0.1")))
		}, "eku-missing-client-auth eku-missing-server-auth"},
		{"an empty list of usages", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, remade(p.web(p.ingress), replaceExtension(oidExtKeyUsage, []byte{0x30, 0})))
		}, "w:eku-empty"},
		{"EC without digitalSignature", "ingress/server", web(ku(x509.KeyUsageKeyAgreement)), "key-usage-digital-signature"},
		{"keyCertSign alone", "ingress/server", web(ku(x509.KeyUsageCertSign)), "key-usage-unsuitable"},
		{"keyCertSign beside digitalSignature", "ingress/server", web(ku(x509.KeyUsageCertSign | sigKU)), "w:key-usage-unsuitable"},
		{"no bit at all", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, remade(p.web(p.ingress), replaceExtension(oidKeyUsage, []byte{3, 1, 0})))
		}, "key-usage-unsuitable"},
		{"scheduler of another name", "kube/scheduler", kube(subject("kube-scheduler")), "subject-cn"},
		{"scheduler without a name", "kube/scheduler", kube(subject("", "x")), "empty-subject"},
		{"kubelet without a name", "kube/kubelet", kube(subject("", "system:masters")), "empty-subject"},
		{"kubelet without group", "kube/kubelet", kube(subject("kubelet")), "subject-org"},
		{"group in OU", "kube/kubelet", kube(subject("kubelet"), func(t *x509.Certificate) { t.Subject.OrganizationalUnit = []string{"system:masters"} }), "subject-org"},
		{"groups in one O", "kube/kubelet", kube(subject("kubelet", "system:nodes,system:masters")), "subject-org"},
		{"group as CN", "kube/kubelet", kube(subject("system:masters")), "subject-org"},
		{"group in other case", "kube/kubelet", kube(subject("kubelet", "System:Masters")), "subject-org"},
	})
}

// One CA for two authorities is told in the CA's own slot too, while a person
// still looks at it.
func TestCASlotKnowsTheOthers(t *testing.T) {
	p := newPKI(t)
	low := sign(p.etcd, "low", subject("low"), ca)
	for _, c := range []struct {
		name        string
		mine, other *entity
		want        string
	}{
		{"apart", p.etcd, p.kube, ""},
		{"under one root", sign(p.root, "a", subject("a"), ca), p.inter, ""},
		{"the same", p.etcd, p.etcd, "w:ca-shared-between-roles"},
		{"below the other", low, p.etcd, "w:ca-shared-between-roles"},
		{"above the other", p.etcd, low, "w:ca-shared-between-roles"},
	} {
		t.Run(c.name, func(t *testing.T) {
			others := map[topology.AuthorityID]*x509.Certificate{"kube": c.other.cert}
			compare(t, Slot(SlotInput{Slot: p.t.Slot("etcd/ca"), Topology: p.t, Cert: doc("ca.pem", c.mine), Now: clock, Others: others}), c.want)
		})
	}
}

// kubeadm reads RSA and ECDSA keys only.
func TestKubeadmCA(t *testing.T) {
	profile := testProfile()
	profile.Name = "kubernetes"
	topo, _ := topology.Resolve(profile, nil)
	c := sign(nil, "ed25519:ca", subject("ed"), ca)
	compare(t, Slot(SlotInput{Slot: topo.Slot("kube/ca"), Topology: topo, Cert: doc("ca.crt", c), Key: doc("ca.key", c.key), Now: clock}), "unsupported-key-algorithm")
}

// What was wrong with the CA's file is said once, in the CA's own slot, where
// the material is written anew.
func TestCAFormIsToldOnce(t *testing.T) {
	p := newPKI(t)
	f := p.with(p.ingress, p.web(p.ingress))
	bom := doc("ca.pem", "\xef\xbb\xbf", p.ingress, p.ingress.key)
	compare(t, Slot(SlotInput{Slot: p.t.Slot("ingress/server"), Topology: p.t, Cert: f.cert, Key: f.key, CA: bom, Now: clock, Rewritten: true}), "")
	compare(t, Slot(SlotInput{Slot: p.t.Slot("ingress/ca"), Topology: p.t, Cert: bom, Key: bom, Now: clock, Rewritten: true}), "i:key-in-ca-file i:utf8-bom")
	compare(t, Slot(SlotInput{Slot: p.t.Slot("ingress/server"), Topology: p.t, Cert: f.cert, Key: f.key, CA: bom, Now: clock}), "key-in-ca-file utf8-bom")
}

func TestCASlots(t *testing.T) {
	of := func(edits ...edit) func(*pki) files {
		return func(*pki) files {
			c := sign(nil, "slot-ca", slices.Concat([]edit{subject("slot CA"), ca}, edits)...)
			return files{cert: doc("ca.pem", c), key: doc("ca.key", c.key)}
		}
	}
	runSlotCases(t, []slotCase{
		{"a leaf", "etcd/ca", func(p *pki) files { return files{cert: doc("ca.pem", p.etcdServer())} }, "not-a-ca"},
		{"CA:FALSE", "etcd/ca", of(notCA), "not-a-ca"},
		{"no basic constraints", "etcd/ca", of(noBasic), "not-a-ca"},
		{"version 1", "etcd/ca", func(*pki) files {
			c := remade(sign(nil, "slot-ca", subject("slot CA")), v1)
			return files{cert: doc("ca.pem", c), key: doc("ca.key", c.key)}
		}, "x509-v1"},
		{"no keyCertSign", "etcd/ca", of(ku(x509.KeyUsageCRLSign)), "ca-missing-key-cert-sign"},
		{"key usage without any bit: Go takes it", "etcd/ca", func(*pki) files {
			c := remade(sign(nil, "slot-ca", subject("slot CA"), ca), replaceExtension(oidKeyUsage, []byte{3, 1, 0}))
			return files{cert: doc("ca.pem", c), key: doc("ca.key", c.key)}
		}, "w:ca-missing-key-cert-sign"},
		{"expired", "etcd/ca", of(dates(-2*year, -time.Hour)), "ca-expired"},
		{"not yet valid", "etcd/ca", of(dates(time.Hour, year)), "ca-not-yet-valid"},
		{"ends before it begins", "etcd/ca", of(dates(year, -year)), "validity-inverted"},
		{"another's key", "etcd/ca", func(p *pki) files { return files{cert: doc("ca.pem", p.etcd), key: doc("k", p.kube.key)} }, "key-mismatch"},
		{"the root first, the intermediate's key", "etcd/ca", func(p *pki) files { return files{cert: doc("ca.pem", p.root, p.inter), key: doc("k", p.inter.key)} }, "wrong-order"},
		{"its key beside it", "etcd/ca", func(p *pki) files { return files{cert: doc("ca.pem", p.etcd, p.etcd.key)} }, "key-in-ca-file"},
		{"its key in its place", "etcd/ca", func(p *pki) files { return files{cert: doc("ca.pem", p.etcd.key)} }, "key-in-cert-slot"},
		{"exchanged with its key", "etcd/ca", func(p *pki) files { return files{cert: doc("ca.key", p.etcd.key), key: doc("ca.pem", p.etcd)} }, "swapped-cert-and-key"},
		{"weak key", "etcd/ca", func(*pki) files {
			c := sign(nil, "rsa1024:ca", subject("weak"), ca)
			return files{cert: doc("ca.pem", c), key: doc("k", c.key)}
		}, "weak-key"},
		{"Ed25519", "etcd/ca", func(*pki) files {
			c := sign(nil, "ed25519:ca", subject("ed"), ca)
			return files{cert: doc("ca.pem", c), key: doc("k", c.key)}
		}, "w:unsupported-key-algorithm"},
		{"SHA-1 on itself", "etcd/ca", func(*pki) files {
			c := remade(sign(nil, "rsa:ca", subject("old"), ca), sha1Signed)
			return files{cert: doc("ca.pem", c), key: doc("k", c.key)}
		}, "w:weak-signature"},
		{"constraints against its own slots", "etcd/ca", of(func(t *x509.Certificate) { t.PermittedDNSDomains = []string{"corp.example"} }), "name-constraint"},
		{"EKU against its own slots", "etcd/ca", of(eku(server)), "issuer-eku"},
		{"no subject", "etcd/ca", of(subject("")), "empty-subject"},
		{"the operator's own name", "etcd/ca", of(subject("tigera-operator-signer@123")), "subject-cn"},
		{"critical extension", "etcd/ca", of(extraExtension([]int{1, 2, 3, 4}, true, []byte{5, 0})), "unknown-critical-extension"},
		{"path length of the root above exhausted", "etcd/ca", func(*pki) files {
			root := sign(nil, "len0", subject("len0"), ca, pathLen(0))
			c := sign(root, "below", subject("below"), ca)
			return files{cert: doc("ca.pem", c, root), key: doc("k", c.key)}
		}, "w:pathlen-exceeded"},
		{"service accounts: another public key", "kube/service-account", func(*pki) files {
			return files{cert: doc("sa.pub", publicBlock(key("rsa:other"))), key: doc("sa.key", key("rsa:sa"))}
		}, "key-mismatch"},
		{"service accounts: Ed25519", "kube/service-account", func(*pki) files { return files{key: doc("sa.key", key("ed25519:sa"))} }, "unsupported-key-algorithm"},
		{"service accounts: RSA 1024", "kube/service-account", func(*pki) files { return files{key: doc("sa.key", key("rsa1024:sa"))} }, "weak-key"},
		{"service accounts: the private key twice", "kube/service-account", func(*pki) files {
			return files{cert: doc("sa.pub", key("rsa:sa")), key: doc("sa.key", key("rsa:sa"))}
		}, "key-in-cert-slot"},
		{"service accounts: the public key twice", "kube/service-account", func(*pki) files {
			return files{cert: doc("sa.pub", publicBlock(key("rsa:sa"))), key: doc("sa.key", publicBlock(key("rsa:sa")))}
		}, "public-key"},
	})
}
