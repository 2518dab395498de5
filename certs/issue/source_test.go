package issue_test

import (
	"context"
	"crypto"
	"errors"
	"strings"
	"testing"
	"time"

	"certwright/certs/issue"
	"certwright/certs/topology"
)

// counting is a source elsewhere that has a CA's key, and counts.
type counting struct {
	*issue.CA
	asked chan topology.SlotID
	err   error
}

func (c *counting) Leaf(ctx context.Context, slot *topology.Slot, key crypto.Signer, terms issue.Terms) (*issue.Issued, error) {
	c.asked <- slot.ID
	if c.err != nil {
		return nil, c.err
	}
	out, err := c.CA.Leaf(ctx, slot, key, terms)
	if err != nil {
		return nil, err
	}
	return issue.Accept(slot, key.Public(), out.Certificates, c.Chain(), terms)
}

// source is an etcd CA that is asked, in a request of the tectonic profile.
func source(t *testing.T) (issue.Request, *counting) {
	t.Helper()
	r := issue.Request{Topology: tectonic(t, nil), Now: now, Modes: map[topology.ComponentID]topology.Mode{"etcd": topology.BringCA}}
	made, err := issue.All(t.Context(), issue.Request{Topology: r.Topology, Now: now}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := issue.NewCA("etcd/ca", made.Pairs["etcd/ca"], now)
	if err != nil {
		t.Fatal(err)
	}
	s := &counting{CA: ca, asked: make(chan topology.SlotID, 100)}
	r.Sources = map[topology.AuthorityID]issue.Source{"etcd": s}
	return r, s
}

func TestASourceElsewhereSignsItsAuthorityAlone(t *testing.T) {
	r, s := source(t)
	if err := issue.Ready(r); err != nil {
		t.Fatal(err)
	}
	set, err := issue.All(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	close(s.asked)
	for id := range s.asked {
		if id.Component() != "etcd" {
			t.Errorf("%s was asked of etcd's CA", id)
		}
	}
	if pair := set.Pairs["etcd/ca"]; !pair.Leaf().Equal(s.Chain()[0]) || pair.Key != nil {
		t.Errorf("etcd's CA is %v", pair)
	}
	for i := range set.Topology.Slots {
		slot := &set.Topology.Slots[i]
		if slot.Kind == topology.Leaf && slot.Authority == "etcd" {
			if err := set.Pairs[slot.ID].Leaf().CheckSignatureFrom(s.Chain()[0]); err != nil {
				t.Errorf("%s: %v", slot.ID, err)
			}
		}
	}
}

func TestASourceThatFailsStopsAll(t *testing.T) {
	r, s := source(t)
	s.err = errors.New("the CA is on holiday")
	if set, err := issue.All(t.Context(), r, nil); err == nil || set != nil || !strings.Contains(err.Error(), "on holiday") {
		t.Errorf("%v, %v", set, err)
	}
}

func TestASourceThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(*issue.Request)
		want   string
	}{
		{"in mode generate", func(r *issue.Request) { r.Modes["etcd"] = topology.Generate }, "asked over the network"},
		{"with an intermediate of ours", func(r *issue.Request) { r.Subordinate = map[topology.AuthorityID]bool{"etcd": true} }, "asked over the network"},
		{"expired", func(r *issue.Request) { r.Now = now.AddDate(20, 0, 0) }, "expired"},
		{"without a certificate", func(r *issue.Request) { r.Sources["etcd"] = &counting{CA: &issue.CA{}} }, "no certificate of its own"},
	} {
		r, _ := source(t)
		c.change(&r)
		if err := issue.Ready(r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", c.why, err)
		}
	}
}

func TestAcceptTakesNothingForNothing(t *testing.T) {
	r, s := source(t)
	slot := r.Topology.Slot("etcd/server")
	if _, err := issue.Accept(slot, nil, nil, s.Chain(), issue.Terms{Now: now, Life: time.Hour}); err == nil {
		t.Error("nothing was taken for a certificate")
	}
	other, err := issue.All(t.Context(), issue.Request{Topology: r.Topology, Now: now}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pair := other.Pairs["etcd/server"]
	var altered *issue.Altered
	if _, err := issue.Accept(slot, pair.Key.Public(), pair.Certificates, s.Chain(), issue.Terms{Now: now}); !errors.As(err, &altered) || !strings.Contains(err.Error(), "and the CA that is trusted is") {
		t.Errorf("another CA's signature: %v", err)
	}
}
