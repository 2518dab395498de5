package check

import (
	"fmt"

	"certwright/certs/topology"
)

var bothUsages = []topology.Usage{topology.ServerAuth, topology.ClientAuth}

// testProfile is a profile with the slots that the rules tell apart, in the
// manner of the built-in ones.
func testProfile() *topology.Profile {
	required := func(why string, names ...string) []topology.NameSpec {
		var out []topology.NameSpec
		for _, n := range names {
			out = append(out, topology.NameSpec{Host: n, Required: why})
		}
		return out
	}
	serverOnly, clientOnly := []topology.Usage{topology.ServerAuth}, []topology.Usage{topology.ClientAuth}
	leaf := func(id topology.SlotID, usages []topology.Usage, req topology.Requirement, names ...topology.NameSpec) topology.SlotSpec {
		who := topology.Subject{CN: req.CN}
		if who.CN == "" {
			who.CN = string(id.Component()) + "-" + id.Name()
		}
		if len(req.Groups) > 0 {
			who.O = req.Groups[0]
		}
		return topology.SlotSpec{
			ID: id, Kind: topology.Leaf, Title: string(id), Subject: who,
			Usages: usages, Requires: req, Names: names,
			Files: topology.Files{Cert: string(id) + ".crt", Key: string(id) + ".key"},
		}
	}
	caSlot := func(id topology.SlotID) topology.SlotSpec {
		return topology.SlotSpec{ID: id, Kind: topology.CA, Title: string(id), Subject: topology.Subject{CN: string(id.Component()) + "-ca"}, Files: topology.Files{Cert: string(id) + ".crt"}}
	}
	etcdHosts := required("the API server dials etcd", "etcd-0.example.com", "etcd-1.example.com")
	apiNames := required("pods dial the API server", "api.example.com", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "10.3.0.1")
	p := &topology.Profile{
		APIVersion: "certwright/v1", Kind: "Profile", Name: "test", Title: "test", Hierarchy: topology.Intermediates,
		Root: topology.Subject{CN: "root CA", O: []string{"test"}}, Algorithms: []string{"ecdsa-p256", "ecdsa-p384", "rsa-2048"},
		Slots: []topology.SlotSpec{
			caSlot("etcd/ca"),
			leaf("etcd/server", bothUsages, topology.Requirement{Usages: serverOnly, Why: "the API server refuses it", Advised: clientOnly, Advice: "etcd's own gateway fails"},
				append(etcdHosts, topology.NameSpec{DNS: "localhost", Advised: "etcdctl on the member dials localhost"}, topology.NameSpec{IP: "127.0.0.1"})...),
			leaf("etcd/peer", bothUsages, topology.Requirement{Usages: bothUsages}, append(etcdHosts, topology.NameSpec{IP: "10.3.0.15"})...),
			leaf("etcd/client", clientOnly, topology.Requirement{Usages: clientOnly}),
			caSlot("kube/ca"),
			leaf("kube/apiserver", bothUsages, topology.Requirement{Usages: bothUsages}, apiNames...),
			leaf("kube/kubelet", bothUsages, topology.Requirement{Usages: clientOnly, Groups: [][]string{{"system:masters"}}, Reader: "kube-apiserver"}),
			leaf("kube/admin", clientOnly, topology.Requirement{Usages: clientOnly, Groups: [][]string{{"system:masters"}, {"kubeadm:cluster-admins"}}, Reader: "kube-apiserver"}),
			leaf("kube/scheduler", clientOnly, topology.Requirement{Usages: clientOnly, CN: "system:kube-scheduler", Reader: "kube-apiserver"}),
			leaf("kube/apiserver-kubelet-client", clientOnly, topology.Requirement{Usages: clientOnly, Groups: [][]string{{"system:masters"}}, Reader: "the kubelet's authorizer", Advisory: true}),
			{ID: "kube/service-account", Kind: topology.KeyPair, Files: topology.Files{Key: "sa.key", Public: "sa.pub"}},
			caSlot("front-proxy/ca"),
			leaf("front-proxy/client", clientOnly, topology.Requirement{Usages: clientOnly, CN: "front-proxy-client", Reader: "extension API servers, by --requestheader-allowed-names", Advisory: true}),
			caSlot("typha/ca"),
			leaf("typha/server", serverOnly, topology.Requirement{Usages: serverOnly, CN: "typha-server", Reader: "Felix"}),
			leaf("typha/client", clientOnly, topology.Requirement{Usages: clientOnly, CN: "typha-client", URI: "spiffe://example.com/felix", Reader: "Typha, byte for byte"},
				topology.NameSpec{URI: "spiffe://example.com/felix"}),
			leaf("typha/spiffe", clientOnly, topology.Requirement{Usages: clientOnly, Reader: "Typha"},
				topology.NameSpec{URI: "spiffe://example.com/felix", Required: "Typha reads it"}),
			caSlot("ingress/ca"),
			leaf("ingress/server", bothUsages, topology.Requirement{Usages: serverOnly}, required("browsers dial it", "demo.example.com")...),
		},
		Edges: []topology.EdgeSpec{
			{ID: "peers", Client: topology.End{Name: "etcd", Slot: "etcd/peer"}, Server: topology.End{Name: "etcd", Slot: "etcd/peer"}, ServerCA: "etcd", ClientCA: "etcd", Identity: topology.IdentityPeer},
			{ID: "kubelet", Client: topology.End{Name: "kubelet", Slot: "kube/kubelet"}, Server: topology.End{Name: "API server", Slot: "kube/apiserver"}, ServerCA: "kube", ClientCA: "kube", Identity: topology.IdentityKubernetes},
		},
	}
	for _, id := range []string{"etcd", "kube", "front-proxy", "typha", "ingress"} {
		p.Authorities = append(p.Authorities, topology.AuthoritySpec{ID: topology.AuthorityID(id), Slot: topology.SlotID(id + "/ca")})
		p.Components = append(p.Components, topology.ComponentSpec{ID: topology.ComponentID(id), Authority: topology.AuthorityID(id)})
	}
	return p
}

func testTopology() *topology.Topology {
	t, problems := topology.Resolve(testProfile(), nil)
	if len(problems) > 0 {
		panic(fmt.Sprint(problems))
	}
	return t
}
