package issue_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// TestEveryAlgorithmAndHierarchyVerifies judges each certificate of each set
// with crypto/x509 and with OpenSSL: the two disagree in places, and both are
// in a cluster.
func TestEveryAlgorithmAndHierarchyVerifies(t *testing.T) {
	topo := tectonic(t, nil)
	for _, h := range []topology.Hierarchy{topology.Intermediates, topology.Roots} {
		for _, a := range issue.Algorithms() {
			if testing.Short() && a.RSA() && a != issue.RSA2048 || a.PostQuantum() {
				continue // no component of this profile takes ML-DSA, nor does every OpenSSL
			}
			t.Run(fmt.Sprintf("%s/%s", h, a), func(t *testing.T) {
				r := request(topo)
				r.Hierarchy, r.Algorithm = h, a
				set := all(t, r)
				if (set.Root != nil) != (h == topology.Intermediates) {
					t.Errorf("root made: %v", set.Root != nil)
				}
				judge(t, set)
				opensslVerify(t, set)
			})
		}
	}
}

// TestOneWorkerIsDeterministic: with the same randomness and clock the whole
// set comes out byte for byte.
func TestOneWorkerIsDeterministic(t *testing.T) {
	topo := tectonic(t, nil)
	for _, a := range []issue.Algorithm{issue.ECDSAP256, issue.Ed25519, issue.RSA2048} {
		t.Run(string(a), func(t *testing.T) {
			var before []byte
			for range 2 {
				cryptotest.SetGlobalRandom(t, 7)
				r := request(topo)
				r.Workers, r.Algorithm = 1, a
				set := all(t, r)
				got := dump(t, set)
				if before != nil && !bytes.Equal(before, got) {
					t.Fatal("two runs with the same randomness differ")
				}
				before = got
			}
		})
	}
}

func dump(t testing.TB, set *certs.Set) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, id := range slices.Sorted(maps.Keys(set.Pairs)) {
		pair := set.Pairs[id]
		fmt.Fprintln(&b, id)
		b.Write(issue.PEM(pair.Certificates...))
		key, err := x509.MarshalPKCS8PrivateKey(pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(key)
	}
	if set.Root != nil {
		b.Write(issue.PEM(set.Root.Certificates...))
	}
	return b.Bytes()
}

func TestProgressCountsEveryKeyAndCertificate(t *testing.T) {
	r := request(tectonic(t, nil))
	r.LeafLife = 20 * 365 * 24 * time.Hour // longer than the CAs: one note for each leaf
	keys, certificates, notes, last := 0, 0, 0, 0
	_, err := issue.All(t.Context(), r, func(e issue.Event) {
		switch e.What {
		case issue.WhatKey:
			keys++
		case issue.WhatCertificate:
			certificates++
		case issue.WhatNote:
			notes++
			if !strings.Contains(e.Note, string(e.Slot)) || !strings.Contains(e.Note, "ends on 2036-11-18") {
				t.Errorf("note %q", e.Note)
			}
			return
		}
		if e.Done != last+1 || e.Total != 25 {
			t.Errorf("event %+v after %d", e, last)
		}
		last = e.Done
	})
	if err != nil {
		t.Fatal(err)
	}
	// Root, 3 CAs, 8 leaves and the service account key.
	if keys != 13 || certificates != 12 || notes != 8 {
		t.Errorf("%d keys, %d certificates, %d notes", keys, certificates, notes)
	}
}

// slowKeys waits for the context to end, as RSA does for longer than anybody likes.
type slowKeys struct{ asked chan struct{} }

func (s slowKeys) Key(ctx context.Context, _ issue.Algorithm) (crypto.Signer, error) {
	select {
	case s.asked <- struct{}{}:
	default:
	}
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func TestCancelEndsAllWithTheCause(t *testing.T) {
	cause := errors.New("left by the user")
	ctx, cancel := context.WithCancelCause(t.Context())
	r := request(tectonic(t, nil))
	keys := slowKeys{make(chan struct{}, 1)}
	r.Keys = keys
	go func() {
		<-keys.asked
		cancel(cause)
	}()
	set, err := issue.All(ctx, r, nil)
	if set != nil || !errors.Is(err, cause) {
		t.Errorf("got set %v, error %v", set != nil, err)
	}
}

func TestCancelDoesNotWaitForAnRSAKey(t *testing.T) {
	keys := issue.NewKeys(1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := keys.Key(ctx, issue.RSA4096); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	go cancel()
	if _, err := keys.Key(ctx, issue.RSA4096); !errors.Is(err, context.Canceled) {
		t.Errorf("while it was made: got %v", err)
	}
	// The place of a dropped key is free again: this would hang otherwise.
	if _, err := keys.Key(t.Context(), issue.RSA2048); err != nil {
		t.Error(err)
	}
}

func TestAFailingKeyMakerEndsAll(t *testing.T) {
	r := request(tectonic(t, nil))
	r.Keys = failingKeys{}
	_, err := issue.All(t.Context(), r, nil)
	// Keys are made side by side: whichever failed first is named.
	if err == nil || !regexp.MustCompile(`make the key of (the root|[a-z-]+/[a-z-]+): no entropy`).MatchString(err.Error()) {
		t.Errorf("got %v", err)
	}
}

type failingKeys struct{}

func (failingKeys) Key(context.Context, issue.Algorithm) (crypto.Signer, error) {
	return nil, errors.New("no entropy")
}

func TestBrokenRandomnessIsNoticed(t *testing.T) {
	r := request(tectonic(t, nil))
	r.Rand = zeros{}
	if _, err := issue.All(t.Context(), r, nil); err == nil || !strings.Contains(err.Error(), "randomness") {
		t.Errorf("got %v", err)
	}
}

// zeros always gives the same bytes.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 1
	}
	return len(b), nil
}
