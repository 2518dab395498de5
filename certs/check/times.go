package check

import (
	"fmt"
	"time"

	"certwright/certs/topology"
)

const (
	soon    = 30 * 24 * time.Hour
	maxLeaf = 825 * 24 * time.Hour // Apple, since 2019, private CAs included
)

// leafTime judges the validity of a slot's own certificate. Both ends count as
// valid, and nobody allows for skewed clocks.
func (j *judge) leafTime(n *node, server bool) {
	x := n.x
	switch {
	case x.NotAfter.Before(x.NotBefore):
		j.at("validity-inverted", n, invertedDetail(n))
	case j.now.After(x.NotAfter):
		j.at("expired", n, detail{message: fmt.Sprintf("%s expired on %s", n, day(x.NotAfter)), has: "notAfter " + day(x.NotAfter), needs: "valid on " + day(j.now)})
	case j.now.Before(x.NotBefore):
		j.at("not-yet-valid", n, detail{message: fmt.Sprintf("%s is valid only from %s", n, day(x.NotBefore)), has: "notBefore " + day(x.NotBefore), needs: "valid on " + day(j.now), fix: "wait, or set the clocks right (timedatectl), this machine's or the CA's"})
	default:
		j.expiresSoon(n)
	}
	if server && x.NotAfter.Sub(x.NotBefore) > maxLeaf && !j.quiet {
		j.at("validity-too-long", n, detail{message: fmt.Sprintf("%s is valid for %s", n, span(x.NotAfter.Sub(x.NotBefore))), has: span(x.NotAfter.Sub(x.NotBefore)), needs: "at most 825 days"})
	}
}

func (j *judge) expiresSoon(n *node) {
	left, life := n.x.NotAfter.Sub(j.now), n.x.NotAfter.Sub(n.x.NotBefore)
	if !j.quiet && (left < soon || left < life/10) {
		j.at("expires-soon", n, detail{message: fmt.Sprintf("%s expires in %s, on %s", n, span(left), day(n.x.NotAfter)), has: "notAfter " + day(n.x.NotAfter)})
	}
}

func invertedDetail(n *node) detail {
	return detail{message: fmt.Sprintf("%s ends before it begins, so it never is valid", n), has: fmt.Sprintf("notBefore %s, notAfter %s", day(n.x.NotBefore), day(n.x.NotAfter))}
}

// caTime judges the validity of a CA in its own slot.
func (j *judge) caTime(n *node) {
	switch {
	case n.x.NotAfter.Before(n.x.NotBefore):
		j.at("validity-inverted", n, invertedDetail(n))
	case j.now.After(n.x.NotAfter):
		j.at("ca-expired", n, detail{message: fmt.Sprintf("%s expired on %s", n, day(n.x.NotAfter)), has: "notAfter " + day(n.x.NotAfter), needs: "valid on " + day(j.now)})
	case j.now.Before(n.x.NotBefore):
		j.at("ca-not-yet-valid", n, detail{message: fmt.Sprintf("%s is valid only from %s", n, day(n.x.NotBefore)), has: "notBefore " + day(n.x.NotBefore), needs: "valid on " + day(j.now)})
	default:
		j.expiresSoon(n)
	}
}

// serverSlot says whether the certificate is presented to clients that dial a name.
func serverSlot(s *topology.Slot) bool { return s != nil && s.Server() }
