package prove

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/x509"
	"maps"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"certwright/certs"
	"certwright/certs/topology"
)

func TestOfManyNodesOneOfAKindIsMade(t *testing.T) {
	set := issued(t, worldOf(t, "kubernetes", nil, fleet(3, 40)...))
	hs := edges(t, set)
	if failed := Failed(hs); len(failed) > 0 {
		t.Fatal(failed[0].Problem)
	}
	made := map[string]int{}
	ways, madeWays := map[string]bool{}, map[string]bool{} // name or address, and TLS version, of an edge
	for _, h := range hs {
		base, _, _ := strings.Cut(h.Edge, "@")
		named := base + " by name"
		if net.ParseIP(h.Name) != nil {
			named = base + " by address"
		}
		ways[named], ways[base+h.Version] = true, true
		if h.Alike == "" {
			made[base]++
			madeWays[named], madeWays[base+h.Version] = true, true
		} else if !strings.HasPrefix(h.Alike, base) {
			t.Errorf("%s is said to be like %s", h.Edge, h.Alike)
		}
	}
	for _, e := range set.Topology.Edges {
		base, _, _ := strings.Cut(e.ID, "@")
		if made[base] < len(versions) {
			t.Errorf("no handshake was made for %s", base)
		}
	}
	for way := range ways {
		if !madeWays[way] {
			t.Errorf("no handshake is made of %s", way)
		}
	}
	if n := Made(hs); n > len(hs)/8 {
		t.Errorf("%d of %d connections have a handshake", n, len(hs))
	}
	small := edges(t, issued(t, worldOf(t, "kubernetes", nil, fleet(3, 5)...)))
	if Made(small) != len(small) {
		t.Errorf("of 8 nodes %d handshakes of %d are made", Made(small), len(small))
	}
}

// damages are ways in which the files of a slot are other than those of its like.
var damages = map[string]func(t testing.TB, set *certs.Set, id, other topology.SlotID){
	"another node's files": func(_ testing.TB, set *certs.Set, id, other topology.SlotID) { set.Pairs[id] = set.Pairs[other] },
	"another node's key": func(_ testing.TB, set *certs.Set, id, other topology.SlotID) {
		set.Pairs[id] = &certs.Pair{Certificates: set.Pairs[id].Certificates, Key: set.Pairs[other].Key}
	},
	"nothing": func(_ testing.TB, set *certs.Set, id, _ topology.SlotID) { delete(set.Pairs, id) },
	"no key": func(_ testing.TB, set *certs.Set, id, _ topology.SlotID) {
		set.Pairs[id] = &certs.Pair{Certificates: set.Pairs[id].Certificates}
	},
	"no intermediate": func(_ testing.TB, set *certs.Set, id, _ topology.SlotID) {
		set.Pairs[id] = &certs.Pair{Certificates: set.Pairs[id].Certificates[:1], Key: set.Pairs[id].Key}
	},
	"an end":        template(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }),
	"a late start":  template(func(c *x509.Certificate) { c.NotBefore = now.Add(time.Second) }),
	"no names":      template(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses, c.URIs = nil, nil, nil }),
	"no addresses":  template(func(c *x509.Certificate) { c.IPAddresses = nil }),
	"other names":   template(func(c *x509.Certificate) { c.DNSNames = []string{"*.example.net"} }),
	"no user":       template(func(c *x509.Certificate) { c.Subject.CommonName = "" }),
	"another user":  template(func(c *x509.Certificate) { c.Subject.CommonName, c.Subject.Organization = "eve", []string{"guests"} }),
	"for clients":   template(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }),
	"for servers":   template(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }),
	"for any use":   template(func(c *x509.Certificate) { c.ExtKeyUsage = nil }),
	"of its own CA": func(t testing.TB, set *certs.Set, id, _ topology.SlotID) { set.Pairs[id] = ca(t, "kubernetes", nil) },
	"P-384": func(t testing.TB, set *certs.Set, id, _ topology.SlotID) {
		key, err := ecdsa.GenerateKey(elliptic.P384(), crand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		set.Pairs[id] = &certs.Pair{Certificates: set.Pairs[id].Certificates, Key: key}
		again(t, set, id, func(*x509.Certificate) {})
	},
	"P-224, which TLS does not take": func(t testing.TB, set *certs.Set, id, _ topology.SlotID) {
		set.Pairs[id] = &certs.Pair{Certificates: set.Pairs[id].Certificates, Key: p224(t)}
		again(t, set, id, func(*x509.Certificate) {})
	},
}

func template(change func(*x509.Certificate)) func(testing.TB, *certs.Set, topology.SlotID, topology.SlotID) {
	return func(t testing.TB, set *certs.Set, id, _ topology.SlotID) { again(t, set, id, change) }
}

// Whatever is wrong, and with how many: that a connection is judged by its like
// changes no word of what is said about it.
func TestAlikeSaysWhatAHandshakeSays(t *testing.T) {
	sound := issued(t, worldOf(t, "kubernetes", nil, fleet(1, 8)...))
	same := map[topology.SlotID][]topology.SlotID{}
	for _, s := range sound.Topology.Slots {
		same[s.ID.Base()] = append(same[s.ID.Base()], s.ID)
	}
	alike := 0
	for name, damage := range damages {
		for _, base := range []topology.SlotID{"kube/kubelet-client", "kube/kubelet-server"} {
			t.Run(name+" of "+string(base), func(t *testing.T) {
				set := *sound
				set.Pairs = maps.Clone(sound.Pairs)
				of := same[base]
				hurt := []topology.SlotID{base.At("w-1")} // it never speaks for others
				if rand.IntN(4) == 0 {
					hurt = append(hurt, of[rand.IntN(len(of))])
				}
				t.Logf("of %v", hurt)
				for _, id := range hurt {
					damage(t, &set, id, of[rand.IntN(len(of))])
				}
				alike += sameWithoutMemory(t, &set)
			})
		}
	}
	if alike == 0 {
		t.Error("every connection had a handshake of its own")
	}
}

func TestAlikeIsOfTheSameShape(t *testing.T) {
	set := issued(t, worldOf(t, "kubernetes", nil, fleet(1, 20)...))
	// The key of one kubelet is of another kind: nobody speaks for it.
	damages["P-384"](t, set, "kube/kubelet-server@w-7", "")
	for _, h := range edges(t, set) {
		if h.Server == "kube/kubelet-server@w-7" && h.Alike != "" && h.Alike != h.Edge {
			t.Errorf("%s over %s: P-384 is taken for P-256 of %s", h.Name, h.Version, h.Alike)
		}
		if !h.OK {
			t.Error(h.Problem)
		}
	}
}

func TestAlikeEndsWithItsContext(t *testing.T) {
	set := issued(t, worldOf(t, "kubernetes", nil, fleet(1, 20)...))
	ctx, cancel := contextWithCause(t)
	defer cancel()
	done := 0
	_, err := Edges(ctx, Input{Set: set, Now: now, Workers: 1, Progress: func(n, total int) {
		if done = n; n == total/2 {
			cancel()
		}
	}})
	if err != context.Canceled {
		t.Errorf("after %d: %v", done, err)
	}
	full := 0
	hs, err := Edges(t.Context(), Input{Set: set, Now: now, Progress: func(n, total int) { full = total - n }})
	if err != nil || full != 0 || len(hs) == 0 {
		t.Errorf("%d are left, %v", full, err)
	}
}
