package layout

import (
	"encoding/base64"
	"fmt"
	"iter"

	"certwright/certs/topology"
)

// exports yields what a layout of another system consists of.
func (j *job) exports(layout string) iter.Seq[topology.Export] {
	return func(yield func(topology.Export) bool) {
		for _, e := range j.t.Exports {
			if e.Layout == layout && !yield(e) {
				return
			}
		}
	}
}

// exported is one part of another system's layout: certificate and key of a
// CA, or both halves of a key pair. Both systems sign with the CAs themselves,
// so a CA without its key is of no use to them.
func (j *job) exported(e topology.Export) (cert, key File, err error) {
	s := j.t.Slot(e.Slot)
	field := topology.FieldCert // one certificate: it becomes a node's ca.crt, and the controller manager's signer takes no more
	switch {
	case e.KeyRole():
		field = topology.FieldPublic
	case e.Layout == topology.ExportK3s:
		field = topology.FieldBundle // k3s cuts the chain off for its signers itself
	}
	if cert, _, err = j.content(s, field); err != nil {
		return cert, key, err
	}
	key, ok, err := j.content(s, topology.FieldKey)
	if err == nil && !ok {
		err = fmt.Errorf("render the layout %s: it needs the key of %s, which was not handed over; hand it over, or leave the layout out", e.Layout, e.Slot)
	}
	return cert, key, err
}

const clusterAPIDir = "cluster-api/"

// clusterAPI writes the Secrets in which the Cluster API looks for the CAs of a
// cluster before it makes its own. They name no namespace: it is the one of the
// Cluster object.
func clusterAPI(j *job) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		f := File{Path: clusterAPIDir + j.clusterName() + ".yaml"}
		for e := range j.exports(topology.ExportClusterAPI) {
			cert, key, err := j.exported(e)
			if err == nil {
				f.holds(cert)
				f.holds(key)
				out := object{APIVersion: "v1", Kind: topology.KindSecret, Type: "cluster.x-k8s.io/secret"}
				out.Metadata = metadata{Name: j.clusterName() + "-" + e.As, Labels: labels()}
				out.Metadata.Labels["cluster.x-k8s.io/cluster-name"] = j.clusterName()
				out.Data = map[string]string{
					"tls.crt": base64.StdEncoding.EncodeToString(cert.Data),
					"tls.key": base64.StdEncoding.EncodeToString(key.Data),
				}
				err = f.add(out)
			}
			if err != nil {
				yield(f, err)
				return
			}
		}
		if len(f.Data) == 0 {
			yield(f, j.foreign(topology.ExportClusterAPI))
			return
		}
		yield(f, nil)
	}
}

const k3sDir = "k3s/server/tls/"

// k3s writes the CAs under the names of k3s's own script for custom CAs
// (contrib/util/generate-custom-ca-certs.sh): each with all that stands above
// it, and the key that signs the tokens of service accounts.
func k3s(j *job) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		some := false
		for e := range j.exports(topology.ExportK3s) {
			some = true
			cert, key, err := j.exported(e)
			if err != nil {
				yield(cert, err)
				return
			}
			cert.Path, key.Path = k3sDir+e.As+".crt", k3sDir+e.As+".key"
			if !e.KeyRole() && !yield(cert, nil) || !yield(key, nil) {
				return
			}
		}
		if !some {
			yield(File{Path: k3sDir}, j.foreign(topology.ExportK3s))
		}
	}
}

// foreign is the error of a layout that the profile has nothing for.
func (j *job) foreign(layout string) error {
	return fmt.Errorf("render: profile %s does not say what the layout %s is made of; leave it out", j.t.Profile.Name, layout)
}

// clusterName names objects after the cluster, or after the profile when that
// knows no cluster's name.
func (j *job) clusterName() string {
	if name := j.t.Facts.Get("cluster.name"); topology.CheckLabel(name) == nil {
		return name
	}
	return fileName(j.t.Profile.Name)
}
