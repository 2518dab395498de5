package plan

import (
	"strings"
	"testing"

	"certwright/certs/issue"
	"certwright/certs/topology"
)

// A profile says what its components take; what this build cannot make is no choice.
func TestChoicesOfAlgorithms(t *testing.T) {
	can := issue.MLDSA65.CanMake() == nil
	for _, c := range []struct {
		takes     []string
		want      int // without ML-DSA
		postQuant int // with it
	}{
		{nil, 6, 6},
		{[]string{"rsa-2048"}, 1, 1},
		{[]string{"ml-dsa-65", "ecdsa-p256"}, 1, 2},
		{[]string{"ml-dsa-65"}, 1, 1}, // nothing that could be made: Check says so
	} {
		want := c.want
		if can {
			want = c.postQuant
		}
		if got := Algorithms(&topology.Profile{Algorithms: c.takes}); len(got) != want {
			t.Errorf("%v: got %v", c.takes, got)
		}
	}
	if can {
		return
	}
	p := &Plan{APIVersion: APIVersion, Profile: "pq", Keys: Keys{Algorithm: issue.MLDSA65}}
	err := p.Check(&topology.Profile{Name: "pq", Algorithms: []string{"ml-dsa-65"}})
	if err == nil || !strings.Contains(err.Error(), "this certwright cannot make ML-DSA-65 keys: it takes one built with Go 1.27 or newer and -tags mldsa") {
		t.Errorf("got %v", err)
	}
}
