package layout

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"iter"
	"maps"
	"slices"

	"certwright/certs/topology"
)

const manifestsDir = "manifests/"

// secret is a Kubernetes Secret, as far as we write it.
type secret struct {
	APIVersion string            `yaml:"apiVersion"`
	Kind       string            `yaml:"kind"`
	Metadata   metadata          `yaml:"metadata"`
	Type       string            `yaml:"type"`
	Data       map[string]string `yaml:"data"` // base64
}

type metadata struct {
	Name        string            `yaml:"name"`
	Namespace   string            `yaml:"namespace"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

// secrets writes the profile's Secrets, one file for each namespace, so that
// each can be given to whoever may write there, and a kustomization over them.
func secrets(j *job) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		namespaces := map[string][]topology.Secret{}
		for _, s := range j.t.Secrets {
			namespaces[s.Namespace] = append(namespaces[s.Namespace], s)
		}
		if len(namespaces) == 0 {
			return
		}
		var files []string
		for _, ns := range slices.Sorted(maps.Keys(namespaces)) {
			f, err := j.manifest(namespaces[ns])
			f.Path = manifestsDir + ns + ".yaml"
			files = append(files, ns+".yaml")
			if !yield(f, err) || err != nil {
				return
			}
		}
		data, err := toYAML(struct {
			APIVersion string   `yaml:"apiVersion"`
			Kind       string   `yaml:"kind"`
			Resources  []string `yaml:"resources"`
		}{"kustomize.config.k8s.io/v1beta1", "Kustomization", files})
		yield(File{Path: manifestsDir + "kustomization.yaml", Data: data, Mode: modePublic, Kind: KindConfig}, err)
	}
}

// manifest is the Secrets of one namespace, sorted by name.
func (j *job) manifest(list []topology.Secret) (File, error) {
	f := File{Mode: modePrivate, Kind: KindSecret}
	slices.SortFunc(list, func(a, b topology.Secret) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	for i, s := range list {
		out := secret{APIVersion: "v1", Kind: "Secret", Type: s.Type, Data: map[string]string{}}
		out.Metadata = metadata{Name: s.Name, Namespace: s.Namespace, Labels: map[string]string{"app.kubernetes.io/managed-by": "certwright"}}
		if s.Purpose != "" {
			out.Metadata.Annotations = map[string]string{"certwright/purpose": s.Purpose}
		}
		for _, d := range s.Data {
			content, ok, err := j.content(j.t.Slot(d.Slot), d.Field)
			if err == nil && !ok {
				err = fmt.Errorf("render Secret %s/%s: the set has no %s of %s", s.Namespace, s.Name, d.Field, d.Slot)
			}
			if err != nil {
				return f, err
			}
			// The file is as short-lived as the first of its certificates.
			if !content.NotAfter.IsZero() && (f.NotAfter.IsZero() || content.NotAfter.Before(f.NotAfter)) {
				f.NotAfter, f.Serial = content.NotAfter, content.Serial
			}
			out.Data[d.Key] = base64.StdEncoding.EncodeToString(content.Data)
		}
		doc, err := toYAML(out)
		if err != nil {
			return f, fmt.Errorf("render Secret %s/%s: %w", s.Namespace, s.Name, err)
		}
		if i > 0 {
			f.Data = append(f.Data, "---\n"...)
		}
		f.Data = append(f.Data, doc...)
	}
	return f, nil
}
