package layout_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"certwright/assets/layout"
	"certwright/certs"
	"certwright/certs/topology"
)

var (
	inBase64 = regexp.MustCompile(`[A-Za-z0-9+/=]{40,}`)
	indented = regexp.MustCompile(`(?m)^ +`)
)

// blocks are the PEM blocks of a file, also those within base64 and within
// YAML's indented text.
func blocks(data []byte) []string {
	text := indented.ReplaceAllString(string(data), "")
	for _, part := range inBase64.FindAllString(text, -1) {
		if plain, err := base64.StdEncoding.DecodeString(part); err == nil && strings.Contains(string(plain), "-----BEGIN") {
			text += "\n" + string(plain)
		}
	}
	var out []string
	for rest := []byte(text); ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return out
		}
		out = append(out, string(pem.EncodeToMemory(b)))
	}
}

// Every certificate and every key of any layout is one of the tree's, to the
// byte; or of ca/, which keeps what is not deployed.
func TestLayoutsAgreeToTheByte(t *testing.T) {
	all := clusters(t)
	for name, set := range sets(t) {
		all["tectonic "+name] = set
	}
	for _, install := range []string{"operator", "manifest", "enterprise-2.3"} {
		all["calico "+install] = calico(t, map[string]string{"calico.install": install})
	}
	for name, set := range all {
		var layouts []string
		for _, l := range set.Topology.Profile.AllLayouts() {
			if name != "tectonic bring-certs" || l != "cert-manager" { // no CA's key is there
				layouts = append(layouts, l)
			}
		}
		files := render(t, set, layouts...)
		known, others := map[string]bool{}, 0
		for _, a := range set.Topology.Authorities {
			if key := set.Pairs[a.Slot].Key; key != nil && !set.Pairs[a.Slot].Made {
				// A CA that was brought has its key copied to no place of ours but
				// the layouts that are there to sign with it.
				der, err := x509.MarshalPKCS8PrivateKey(key)
				if err != nil {
					t.Fatal(err)
				}
				known[string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))] = true
			}
		}
		for p, f := range files {
			for _, b := range blocks(f.Data) {
				if top, _, _ := strings.Cut(p, "/"); top == "tls" || top == "ca" || top == "nodes" {
					known[b] = true
				}
			}
		}
		for p, f := range files {
			for _, b := range blocks(f.Data) {
				if others++; !known[b] {
					t.Errorf("%s: a %s of %s is not in the tree", name, strings.SplitN(b, "-----", 3)[1], p)
				}
			}
		}
		if others < 2*len(set.Topology.Slots) {
			t.Errorf("%s: %d blocks in all", name, others)
		}
	}
}

func TestPrivateKeysStandInPrivateFilesInEveryProfile(t *testing.T) {
	all := clusters(t)
	all["calico"] = calico(t, map[string]string{"calico.install": "manifest", "etcd.clients": "each"})
	for name, set := range all {
		for p, f := range render(t, set, set.Topology.Profile.AllLayouts()...) {
			has := false
			for _, b := range blocks(f.Data) {
				has = has || strings.Contains(b, "PRIVATE KEY")
			}
			if has != f.Private() || f.Private() != (f.Mode == 0o600) {
				t.Errorf("%s: %s (%s, %v): holds a key: %v", name, p, f.Kind, f.Mode, has)
			}
		}
	}
}

// fleet is a cluster of many nodes, whose certificates are copies of one
// node's: what they say is not looked at here.
func fleet(t testing.TB, n int) *certs.Set {
	t.Helper()
	small := kubernetes(t, threeNodes, nil)
	nodes := make([]topology.Node, n)
	for i := range nodes {
		role := topology.Worker
		if i < 3 {
			role = topology.ControlPlane
		}
		a := 10<<24 + i + 1
		nodes[i] = topology.Node{Name: "node-" + itoa(i), Role: role, Addresses: []string{itoa(a>>24) + "." + itoa(a>>16&255) + "." + itoa(a>>8&255) + "." + itoa(a&255)}}
	}
	top, problems := topology.ResolveNodes(small.Topology.Profile, nil, nodes)
	for _, problem := range problems {
		t.Fatal(problem)
	}
	set := &certs.Set{Topology: top, Modes: small.Modes, Root: small.Root, Pairs: map[topology.SlotID]*certs.Pair{}}
	for i := range top.Slots {
		id := top.Slots[i].ID
		if id.Node() == "" {
			set.Pairs[id] = small.Pairs[id]
		} else {
			set.Pairs[id] = small.Pairs[id.Base().At("cp-0")]
		}
	}
	return set
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// A large set streams: what was made of one node is free again at the next.
func TestFilesOfManyNodesAreNotHeld(t *testing.T) {
	const n = 2000
	set := fleet(t, n)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, count, size, most := heap(), 0, 0, uint64(0)
	for f, err := range layout.Files(request(set, set.Topology.Profile.AllLayouts()...)) {
		if err != nil {
			t.Fatal(err)
		}
		size += len(f.Data)
		if count++; count%2500 == 0 {
			most = max(most, heap())
		}
	}
	if count < 6*n {
		t.Errorf("%d files for %d nodes", count, n)
	}
	// An index of names is held, files are not: 30 MB of them pass here.
	if grown := int(most) - int(before); grown > size/5 {
		t.Errorf("%d files of %d kB: %d kB held", count, size>>10, grown>>10)
	}
}

func TestDocumentOfManyNodesStaysShort(t *testing.T) {
	set := fleet(t, 2000)
	for f, err := range layout.Files(request(set, "tree")) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Path == layout.NextStepsFile {
			if lines := strings.Count(string(f.Data), "\n"); lines > 300 || !strings.Contains(string(f.Data), "And 1950 more") {
				t.Errorf("%d lines\n%.3000s", lines, f.Data)
			}
			return
		}
	}
}

func BenchmarkFilesOf10000Nodes(b *testing.B) {
	set := fleet(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range layout.Files(request(set, "tree", "flags")) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
