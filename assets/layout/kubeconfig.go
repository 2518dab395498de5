package layout

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"iter"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"certwright/certs/topology"
)

const kubeconfigDir = "kubeconfig/"

// kubeconfigs writes each kubeconfig by itself, for those who want nothing
// else of the tree.
func kubeconfigs(j *job) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		for _, k := range j.t.Kubeconfigs {
			if k.Node == "" && j.t.Partial {
				continue
			}
			f, err := j.kubeconfig(k)
			f.Path = kubeconfigFile(k)
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// kubeconfigFile is a file by itself: admin.conf, auth-kubeconfig.conf.
func kubeconfigFile(k topology.Kubeconfig) string {
	name := strings.ReplaceAll(strings.TrimSuffix(k.File, ".conf"), "/", "-") + ".conf"
	if k.Node != "" {
		return kubeconfigDir + nodesDir + k.Node + "/" + name
	}
	return kubeconfigDir + name
}

// userOf is the user's name in a kubeconfig.
func userOf(k topology.Kubeconfig, s *topology.Slot) string {
	return cmp.Or(k.User, s.Subject.CN, s.ID.Name())
}

// kubeconfig is client-go's Config, as far as we write it.
type kubeconfig struct {
	APIVersion     string         `yaml:"apiVersion"`
	Kind           string         `yaml:"kind"`
	Clusters       []namedCluster `yaml:"clusters"`
	Users          []namedUser    `yaml:"users"`
	Contexts       []namedContext `yaml:"contexts"`
	CurrentContext string         `yaml:"current-context"`
}

type namedCluster struct {
	Name    string `yaml:"name"`
	Cluster struct {
		Server string `yaml:"server"`
		CA     string `yaml:"certificate-authority-data"`
	} `yaml:"cluster"`
}

type namedUser struct {
	Name string `yaml:"name"`
	User struct {
		Certificate string `yaml:"client-certificate-data"`
		Key         string `yaml:"client-key-data"`
	} `yaml:"user"`
}

type namedContext struct {
	Name    string `yaml:"name"`
	Context struct {
		Cluster string `yaml:"cluster"`
		User    string `yaml:"user"`
	} `yaml:"context"`
}

// kubeconfig embeds its files, so that it can be moved, and names its context:
// kubeadm and kubectl config view --minify want a current-context. Its path is
// the caller's to set. One that is the same on every node is made once.
func (j *job) kubeconfig(k topology.Kubeconfig) (File, error) {
	key := madeConfig{k.File, k.Cluster, k.Server, k.User, k.Slot, k.CA}
	if f, known := j.configs[key]; known {
		return f, nil
	}
	f, err := j.newKubeconfig(k)
	if s := j.t.Slot(k.Slot); err == nil && s.Node == "" {
		j.configs[key] = f
	}
	return f, err
}

// madeConfig is all that a kubeconfig of the cluster depends on.
type madeConfig struct {
	file, cluster, server, user string
	slot                        topology.SlotID
	ca                          topology.AuthorityID
}

// anchors are the certificates of a CA as a kubeconfig embeds them.
func (j *job) anchors(id topology.AuthorityID) string {
	text, known := j.embedded[id]
	if !known {
		text = base64.StdEncoding.EncodeToString(certificates(j.set.Anchors(id)...))
		j.embedded[id] = text
	}
	return text
}

func (j *job) newKubeconfig(k topology.Kubeconfig) (File, error) {
	slot, anchor := j.t.Slot(k.Slot), j.set.Anchor(k.CA)
	if slot == nil || anchor == nil {
		return File{}, fmt.Errorf("render %s: the set has no %s or no CA of %s", k.File, k.Slot, k.CA)
	}
	cert, _, err := j.content(slot, topology.FieldCert)
	if err != nil {
		return File{}, err
	}
	key, _, err := j.content(slot, topology.FieldKey)
	if err != nil {
		return File{}, err
	}
	cluster := namedCluster{Name: k.Cluster}
	cluster.Cluster.Server = k.Server
	cluster.Cluster.CA = j.anchors(k.CA)
	user := namedUser{Name: userOf(k, slot)}
	user.User.Certificate = base64.StdEncoding.EncodeToString(cert.Data)
	user.User.Key = base64.StdEncoding.EncodeToString(key.Data)
	context := namedContext{Name: user.Name + "@" + k.Cluster}
	context.Context.Cluster, context.Context.User = k.Cluster, user.Name
	data, err := kubeconfig{
		APIVersion: "v1", Kind: "Config",
		Clusters: []namedCluster{cluster}, Users: []namedUser{user}, Contexts: []namedContext{context},
		CurrentContext: context.Name,
	}.yaml()
	if err != nil {
		err = fmt.Errorf("render %s: %w", k.File, err)
	}
	return File{
		Data: data, Mode: modePrivate, Kind: KindKubeconfig,
		Slot: k.Slot, Serial: cert.Serial, NotAfter: cert.NotAfter,
	}, err
}

// yaml is what toYAML makes of it. A fleet has tens of thousands, and the encoder
// takes as long for one as its two certificates take to be signed: where no text
// needs quotes the lines are written as they are.
func (k kubeconfig) yaml() ([]byte, error) {
	cluster, user, context := k.Clusters[0], k.Users[0], k.Contexts[0]
	for _, s := range []string{
		cluster.Name, cluster.Cluster.Server, user.Name, context.Name, context.Context.Cluster, context.Context.User, k.CurrentContext,
	} {
		if !plainYAML(s) {
			return toYAML(k)
		}
	}
	for _, s := range []string{cluster.Cluster.CA, user.User.Certificate, user.User.Key} {
		if !strings.HasPrefix(s, pemInBase64) && !plainYAML(s) {
			return toYAML(k)
		}
	}
	b := make([]byte, 0, 512+len(cluster.Cluster.CA)+len(user.User.Certificate)+len(user.User.Key))
	for _, part := range []string{
		"apiVersion: v1\nkind: Config\nclusters:\n  - name: ", cluster.Name,
		"\n    cluster:\n      server: ", cluster.Cluster.Server,
		"\n      certificate-authority-data: ", cluster.Cluster.CA,
		"\nusers:\n  - name: ", user.Name,
		"\n    user:\n      client-certificate-data: ", user.User.Certificate,
		"\n      client-key-data: ", user.User.Key,
		"\ncontexts:\n  - name: ", context.Name,
		"\n    context:\n      cluster: ", context.Context.Cluster,
		"\n      user: ", context.Context.User,
		"\ncurrent-context: ", k.CurrentContext, "\n",
	} {
		b = append(b, part...)
	}
	return b, nil
}

// pemInBase64 begins the data of every PEM. With this at its front base64 is
// plain, however long it is.
const pemInBase64 = "LS0tLS1CRUdJTi" // -----BEGIN

// wordsOfYAML are read as something else than a text, in YAML 1.1 or 1.2.
var wordsOfYAML = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

// plainYAML says whether a text can stand in YAML without quotes for certain: it
// begins with a letter, is no word that YAML knows, and holds nothing that has a
// meaning.
func plainYAML(s string) bool {
	if s == "" || !(s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z') || s[len(s)-1] == ':' {
		return false
	}
	if len(s) <= len("false") && slices.Contains(wordsOfYAML, strings.ToLower(s)) {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9':
		case c == '.' || c == '-' || c == '_' || c == '/' || c == '+' || c == '=' || c == ':' || c == '@':
		default:
			return false
		}
	}
	return true
}

func toYAML(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	err := enc.Close()
	return b.Bytes(), err
}
