package calendar

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"certwright/certs/material"
	"certwright/certs/untrusted"
	"certwright/flow/install"
)

// found is what a file holds.
type found struct {
	certificates []holding
	problems     []string // escaped
}

// holding is one certificate of a file.
type holding struct {
	cert    *x509.Certificate
	at      string // inside the file, escaped
	renewal string
	rank    int // a file of its own 0, in a kubeconfig 1, in a manifest 2, another file's 3
}

// contents are the certificates that a file holds. Relative paths in a
// kubeconfig start from dir.
func contents(w *install.World, dir string, in material.Input) found {
	in.Passphrase = w.Passphrase
	doc := material.Parse(in)
	var f found
	switch doc.Format {
	case material.FormatKubeconfig:
		f.kubeconfig(w, dir, in.Data)
	case material.FormatSecret:
		f.secrets(in.Data)
	}
	if len(f.certificates) == 0 { // also a kubeconfig in a form that only Parse can read
		f.add(doc, "", "", 0)
	}
	if len(f.certificates)+len(f.problems) == 0 && (doc.Format == material.FormatPKCS12 || doc.Format == material.FormatJKS) {
		f.problems = append(f.problems, "is a "+string(doc.Format)+" container that stayed shut; its certificates are not in the calendar")
	}
	return f
}

// add takes the certificates of a document.
func (f *found) add(doc *material.Document, at, renewal string, rank int) {
	for i, c := range doc.Certificates {
		where := at
		if where == "" {
			where = untrusted.Text(c.Source).String()
		}
		if c.X509 != nil {
			f.certificates = append(f.certificates, holding{c.X509, where, renewal, rank})
			continue
		}
		text := "holds a certificate that cannot be read"
		for _, p := range doc.Problems {
			if p.Certificate == i+1 {
				text += ": " + p.Detail
				break
			}
		}
		f.problems = append(f.problems, strings.TrimSpace(where+" "+text))
	}
}

// kubeconfig takes the certificates of all users and clusters, not of the
// current context alone, also those that stand in files of their own.
func (f *found) kubeconfig(w *install.World, dir string, data []byte) {
	var k struct {
		Clusters []struct {
			Name    string
			Cluster struct {
				Data string `yaml:"certificate-authority-data"`
				File string `yaml:"certificate-authority"`
			}
		}
		Users []struct {
			Name string
			User struct {
				Data string `yaml:"client-certificate-data"`
				File string `yaml:"client-certificate"`
			}
		}
	}
	if !decode(yaml.NewDecoder(bytes.NewReader(data)), &k) {
		return
	}
	for _, u := range k.Users {
		f.embedded("users/"+u.Name+"/client-certificate-data", u.User.Data)
		f.named(w, dir, "users/"+u.Name+"/client-certificate", u.User.File)
	}
	for _, c := range k.Clusters {
		f.embedded("clusters/"+c.Name+"/certificate-authority-data", c.Cluster.Data)
		f.named(w, dir, "clusters/"+c.Name+"/certificate-authority", c.Cluster.File)
	}
}

// decode reads one document; what the parser cannot do is no document.
func decode(d *yaml.Decoder, into any) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return d.Decode(into) == nil
}

func (f *found) embedded(at, text string) {
	if text == "" {
		return
	}
	at = untrusted.Text(at).String()
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		f.problems = append(f.problems, at+" is not base64")
		return
	}
	f.add(material.Parse(material.Input{Name: at, Data: data}), at, "", 1)
}

// named takes a file that a kubeconfig names: the kubelet's own names the link
// to the certificate that it renews.
func (f *found) named(w *install.World, dir, at, file string) {
	if file == "" {
		return
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	at = untrusted.Text(at).String() + " " + untrusted.Text(file).String()
	in, err := install.ReadInput(w.Read, file)
	if err != nil {
		f.problems = append(f.problems, at+" could not be read")
		return
	}
	renewal := ""
	if currentPattern.MatchString(filepath.Base(file)) {
		renewal = byKubelet
	}
	f.add(material.Parse(in), at, renewal, 3)
}

// object is what counts of a Secret, a ConfigMap or a list of them.
type object struct {
	Kind     string
	Metadata struct {
		Name, Namespace string
		Annotations     map[string]string
	}
	Data       map[string]any
	StringData map[string]any `yaml:"stringData"`
	Items      []object
}

// maxDocuments bounds the documents of one file, as package material does.
const maxDocuments = 100

// secrets takes the certificates of Secrets and ConfigMaps. package material
// has bounded the text already.
func (f *found) secrets(data []byte) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	for range maxDocuments {
		var o object
		if !decode(d, &o) {
			return
		}
		for _, one := range append([]object{o}, o.Items...) {
			f.object(one)
		}
	}
}

func (f *found) object(o object) {
	if o.Kind != "Secret" && o.Kind != "ConfigMap" {
		return
	}
	where := strings.TrimPrefix(o.Metadata.Namespace+"/"+o.Metadata.Name, "/")
	renewal := ""
	// cert-manager itself writes this annotation to the Secrets that it keeps.
	if name := o.Metadata.Annotations["cert-manager.io/certificate-name"]; o.Kind == "Secret" && name != "" {
		renewal = "renewed by cert-manager, of the Certificate " + untrusted.Text(name).Max(100)
	}
	take := func(values map[string]any, encoded bool) {
		keys := make([]string, 0, len(values))
		for k := range values {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, key := range keys {
			text, _ := values[key].(string)
			data := []byte(text)
			if encoded {
				var err error
				if data, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err != nil {
					continue
				}
			}
			if !bytes.Contains(data, []byte("CERTIFICATE")) {
				continue
			}
			at := untrusted.Text(where + ": " + key).String()
			f.add(material.Parse(material.Input{Name: at, Data: data}), at, renewal, 2)
		}
	}
	take(o.Data, o.Kind == "Secret")
	take(o.StringData, false)
}
