package layout

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sort"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

const (
	manifestsDir = "manifests/"
	patchesDir   = manifestsDir + "patches/"
)

// object is a Secret or a ConfigMap, as far as we write it.
type object struct {
	APIVersion string            `yaml:"apiVersion"`
	Kind       string            `yaml:"kind"`
	Metadata   metadata          `yaml:"metadata"`
	Type       string            `yaml:"type,omitempty"`
	Data       map[string]string `yaml:"data"` // of a Secret in base64
}

type metadata struct {
	Name        string            `yaml:"name"`
	Namespace   string            `yaml:"namespace,omitempty"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

// labels mark what was written here, so that it can be found and removed again.
func labels() map[string]string {
	return map[string]string{"app.kubernetes.io/managed-by": "certwright"}
}

// secrets writes the profile's Secrets and ConfigMaps, one file for each
// namespace, so that each can be given to whoever may write there, and a
// kustomization over them; and the patches of APIServices, each by itself.
func secrets(j *job) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		namespaces := map[string][]topology.Secret{}
		for _, s := range j.t.Secrets {
			namespaces[s.Namespace] = append(namespaces[s.Namespace], s)
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
		for _, a := range j.t.APIServices {
			f, err := j.patch(a)
			if !yield(f, err) || err != nil {
				return
			}
		}
		if len(files) == 0 {
			return
		}
		data, err := toYAML(struct {
			APIVersion string   `yaml:"apiVersion"`
			Kind       string   `yaml:"kind"`
			Resources  []string `yaml:"resources"`
		}{"kustomize.config.k8s.io/v1beta1", "Kustomization", files})
		yield(File{Path: manifestsDir + "kustomization.yaml", Data: data, Mode: modePublic, Kind: KindConfig}, err)
	}
}

// manifest is the objects of one namespace, sorted by kind and name. It is a
// private file as soon as a private key is in it.
func (j *job) manifest(list []topology.Secret) (File, error) {
	f := File{Mode: modePublic, Kind: KindConfig}
	sort.Slice(list, func(i, j int) bool {
		return cmp.Or(cmp.Compare(list[i].Kind, list[j].Kind), cmp.Compare(list[i].Name, list[j].Name)) < 0
	})
	for i, s := range list {
		if i > 0 && list[i-1].Kind == s.Kind && list[i-1].Name == s.Name {
			return f, fmt.Errorf("render %s %s/%s: the profile has two under these facts", s.Kind, s.Namespace, s.Name)
		}
		// A name made of a fact may be anything, and a namespace becomes a file's name.
		if err := errors.Join(topology.CheckLabel(s.Namespace), topology.CheckDNSName(s.Name)); err != nil {
			return f, fmt.Errorf("render %s %s/%s: %w", s.Kind, untrusted.Text(s.Namespace), untrusted.Text(s.Name), err)
		}
		out := object{APIVersion: "v1", Kind: s.Kind, Type: s.Type, Data: map[string]string{}}
		out.Metadata = metadata{Name: s.Name, Namespace: s.Namespace, Labels: labels()}
		if s.Purpose != "" {
			out.Metadata.Annotations = map[string]string{"certwright/purpose": s.Purpose}
		}
		for _, d := range s.Data {
			content, err := j.item(s, d)
			if err != nil {
				return f, err
			}
			f.holds(content)
			if out.Data[d.Key] = string(content.Data); s.Kind == topology.KindSecret {
				out.Data[d.Key] = base64.StdEncoding.EncodeToString(content.Data)
			}
		}
		if err := f.add(out); err != nil {
			return f, fmt.Errorf("render %s %s/%s: %w", s.Kind, s.Namespace, s.Name, err)
		}
	}
	return f, nil
}

// item is one key of a Secret: a file of a slot, or a value without a newline
// at its end, since Typha compares it byte for byte.
func (j *job) item(s topology.Secret, d topology.SecretItem) (File, error) {
	if d.Slot == "" {
		return File{Data: []byte(d.Value)}, nil
	}
	content, ok, err := j.content(j.t.Slot(d.Slot), d.Field)
	if err == nil && !ok {
		err = fmt.Errorf("render %s %s/%s: the set has no %s of %s", s.Kind, s.Namespace, s.Name, d.Field, d.Slot)
	}
	return content, err
}

// add appends a document of YAML.
func (f *File) add(v any) error {
	doc, err := toYAML(v)
	if err != nil {
		return err
	}
	if len(f.Data) > 0 {
		f.Data = append(f.Data, "---\n"...)
	}
	f.Data = append(f.Data, doc...)
	return nil
}

// holds notes what a file made of others takes over from one of them: it is as
// short-lived as the first of its certificates, and as private as its keys.
func (f *File) holds(content File) {
	if !content.NotAfter.IsZero() && (f.NotAfter.IsZero() || content.NotAfter.Before(f.NotAfter)) {
		f.NotAfter, f.Serial = content.NotAfter, content.Serial
	}
	if content.Private() {
		f.Kind, f.Mode = KindSecret, modePrivate
	}
}

// patch sets the caBundle of an APIService and takes insecureSkipTLSVerify away
// in the same write: the API server refuses both together. A merge patch takes
// away with null, and does not mind when there is nothing (RFC 7386).
func (j *job) patch(a topology.APIService) (File, error) {
	f, _, err := j.content(j.t.Slot(a.Slot), topology.FieldCert)
	if err != nil {
		return f, err
	}
	bundle := base64.StdEncoding.EncodeToString(f.Data)
	f.Path, f.Kind = patchFile(a), KindConfig
	f.Data, err = toJSON(map[string]any{"spec": map[string]any{"caBundle": bundle, "insecureSkipTLSVerify": nil}})
	return f, err
}

func patchFile(a topology.APIService) string { return patchesDir + "apiservice-" + a.Name + ".json" }
