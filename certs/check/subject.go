package check

import (
	"fmt"
	"slices"
	"strings"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// subject judges what components read from the subject: the user in the CN, a
// group in each O.
func (j *judge) subject(n *node, slot *topology.Slot, t *topology.Topology) {
	req := &slot.Requires
	cn := n.x.Subject.CommonName
	cnOK := req.CN == "" || cn == req.CN
	uriAlso := len(requiredURIs(slot)) > 0 // then the URI judges both: either one is enough
	switch {
	case cn == "" && (apiClient(slot, t) || req.CN != "" && !uriAlso):
		d := readBy(slot, "empty-subject", detail{message: fmt.Sprintf("%s has no common name, which is read by %s", n, readerText(slot)), has: subjectText(n.x), needs: "CN"})
		if req.CN != "" {
			d.needs = "CN=" + req.CN
		}
		j.at("empty-subject", n, d)
	case !cnOK && !uriAlso:
		j.at("subject-cn", n, readBy(slot, "subject-cn", detail{
			message: fmt.Sprintf("%s has the common name %s, not %s, which is read by %s", n, untrusted.Text(cn), req.CN, readerText(slot)),
			has:     "CN=" + untrusted.Text(cn).String(), needs: "CN=" + req.CN,
		}))
	}
	j.uris(n, slot, req.CN != "" && cnOK)
	j.groups(n, slot)
}

// readBy completes a finding about what a component reads: who it is, and that
// another subject is only a warning where rights may be bound to it just as well.
func readBy(slot *topology.Slot, rule string, d detail) detail {
	if slot.Requires.Reader != "" {
		row, _ := RuleByID(rule)
		d.why = "it is read by " + slot.Requires.Reader + ". " + row.Why
	}
	if slot.Requires.Advisory {
		d.severity = Warning
	}
	return d
}

// apiClient says whether the API server reads the slot's identity.
func apiClient(slot *topology.Slot, t *topology.Topology) bool {
	if strings.Contains(slot.Requires.Reader, "kube-apiserver") {
		return true
	}
	return t != nil && slices.ContainsFunc(t.Edges, func(e topology.Edge) bool {
		return e.Identity == topology.IdentityKubernetes && (e.Client.Slot == slot.ID || e.Client.Slot == slot.ID.Base())
	})
}

// groups judges the organisations: any one of the sets required is enough.
func (j *judge) groups(n *node, slot *topology.Slot) {
	sets := slot.Requires.Groups
	have := n.x.Subject.Organization
	if len(sets) == 0 || slices.ContainsFunc(sets, func(set []string) bool {
		return !slices.ContainsFunc(set, func(g string) bool { return !slices.Contains(have, g) })
	}) {
		return
	}
	var needs []string
	for _, set := range sets {
		needs = append(needs, "O="+strings.Join(set, " and O="))
	}
	d := detail{
		message: fmt.Sprintf("%s is in none of the groups that are read from O by %s", n, readerText(slot)),
		has:     "O=" + list(have), needs: strings.Join(needs, ", or "),
	}
	for _, group := range slices.Concat(sets...) {
		switch {
		case slices.Contains(n.x.Subject.OrganizationalUnit, group):
			d.message = fmt.Sprintf("%s has %s as OU, and groups are read from O", n, group)
		case n.x.Subject.CommonName == group:
			d.message = fmt.Sprintf("%s has %s as CN, and groups are read from O", n, group)
		case slices.ContainsFunc(have, func(o string) bool { return len(o) > len(group) && strings.Contains(o, group) }):
			d.message = fmt.Sprintf("%s has several groups in one O, and each O is one group", n)
		case slices.ContainsFunc(have, func(o string) bool { return strings.EqualFold(o, group) }):
			d.message = fmt.Sprintf("%s has the group in other case, and case counts", n)
		}
	}
	j.at("subject-org", n, readBy(slot, "subject-org", d))
}

// serial judges serial number and version.
func (j *judge) serial(n *node, ca bool) {
	switch s := n.x.SerialNumber; {
	case s == nil:
	case s.Sign() == 0:
		j.at("zero-serial", n, detail{message: fmt.Sprintf("%s has the serial number 0", n), has: "0"})
	case s.Cmp(maxSerial) >= 0:
		j.at("long-serial", n, detail{message: fmt.Sprintf("%s has a serial number of %d octets", n, (s.BitLen()+8)/8), has: fmt.Sprintf("%d octets", (s.BitLen()+8)/8), needs: "at most 20"})
	}
	if n.x.Version < 3 {
		d := detail{message: fmt.Sprintf("%s is X.509 version %d", n, n.x.Version), has: fmt.Sprintf("version %d, no extensions", n.x.Version), needs: "version 3"}
		if ca {
			d.severity = Error
		}
		j.at("x509-v1", n, d)
	}
}
