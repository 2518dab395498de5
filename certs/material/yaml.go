package material

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"certwright/certs/untrusted"
)

// The caps on YAML. A Secret ends at 1 MiB in the API server, so nothing
// larger is one. The parser takes 45 times the size in memory at worst, and
// what it makes of one document grows with the number of its tokens.
const (
	maxYAML          = 1 << 20
	maxYAMLTokens    = 100_000
	maxYAMLDocuments = 100
)

// yaml reads a Secret, a ConfigMap, a kubeconfig, or a list of them; ok is
// false for everything else.
func (p *parser) yaml(data []byte) (format Format, ok bool) {
	if !bytes.Contains(data, []byte("apiVersion")) || !bytes.Contains(data, []byte("kind")) {
		return "", false
	}
	if len(data) > maxYAML {
		p.problem(Problem{Rule: ruleTooLarge, Detail: fmt.Sprintf("%s of YAML, of which at most %s are read",
			untrusted.Size(len(data)), untrusted.Size(maxYAML))})
		return FormatUnknown, true
	}
	var values []yamlValue
	for _, doc := range yamlDocuments(data) {
		if found, form := objects(doc, 0); form != "" {
			values, format = append(values, found...), form
		}
	}
	if format == "" {
		return "", false
	}
	what := "a " + string(format)
	if len(values) == 0 {
		p.problem(Problem{Rule: ruleKubeconfig, Detail: what + " in which no certificate and no key is embedded"})
		return format, true
	}
	// What is served comes first and what is trusted last, as Document says.
	sort.SliceStable(values, func(i, j int) bool { return values[i].rank < values[j].rank })
	p.contained(Problem{Rule: ruleKubeconfig, Line: values[0].line, Detail: what}, func() {
		for _, v := range values {
			p.embedded(v)
		}
	})
	return format, true
}

// embedded reads one value of a Secret or a kubeconfig.
func (p *parser) embedded(v yamlValue) {
	p.within(v.source, v.line, func() {
		if v.fault != "" {
			p.problem(Problem{Rule: ruleBase64, Detail: fmt.Sprintf("%s: %s", quote(v.source), v.fault)})
			return
		}
		p.document(v.data)
	})
}

// yamlDocuments parses all documents of data, up to the first that is not
// YAML. Nodes are not decoded, so that aliases expand to nothing.
func yamlDocuments(data []byte) (docs []*yaml.Node) {
	// The parser turns its own panics into errors; should one get through, the
	// text is just not YAML.
	defer func() { _ = recover() }()
	tokens := 0
	for _, b := range data {
		switch b {
		case ':', ',', '[', ']', '{', '}', '-', '?', '\n':
			tokens++
		}
	}
	if tokens > maxYAMLTokens {
		return nil
	}
	in := yaml.NewDecoder(bytes.NewReader(data))
	for range maxYAMLDocuments {
		var n yaml.Node
		if in.Decode(&n) != nil {
			return docs
		}
		if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
			docs = append(docs, n.Content[0])
		}
	}
	return docs
}

// yamlValue is one value that may hold a certificate or a key.
type yamlValue struct {
	source string
	line   int
	rank   int // 0 the holder's own, 1 others, 2 authorities
	data   []byte
	fault  string // why data is nil
}

// objects takes the values out of one Kubernetes object. form is "" when it
// is of a kind that holds none.
func objects(n *yaml.Node, depth int) (values []yamlValue, form Format) {
	kind := scalar(get(n, "kind"))
	switch {
	case kind == "Secret" || kind == "ConfigMap":
		encoded := kind == "Secret"
		values = append(values, entries(n, "data", encoded)...)
		values = append(values, entries(n, "stringData", false)...)
		values = append(values, entries(n, "binaryData", true)...)
		return values, FormatSecret
	case kind == "Config":
		return kubeconfig(n), FormatKubeconfig
	case strings.HasSuffix(kind, "List") && depth == 0:
		for _, item := range items(get(n, "items")) {
			found, inner := objects(item, depth+1)
			values, form = append(values, found...), Format(cmp.Or(string(form), string(inner)))
		}
	}
	return values, form
}

// entries lists the values of one map of a Secret that look like certificates
// or keys. Others, passwords say, are none of our business.
func entries(n *yaml.Node, field string, encoded bool) []yamlValue {
	var out []yamlValue
	for key, value := range pairs(get(n, field)) {
		v := yamlValue{source: field + "/" + key, line: value.Line, rank: rank(key)}
		v.data = []byte(scalar(value))
		if encoded {
			if v.data, v.fault = decodeValue(scalar(value)); v.fault != "" && !pemName(key) {
				continue
			}
		}
		if v.fault != "" || mayHold(v.data) {
			out = append(out, v)
		}
	}
	return out
}

// kubeconfig takes out the identity of the current context, and the authority
// of its cluster. Where the current context leads nowhere, all are taken.
func kubeconfig(n *yaml.Node) []yamlValue {
	context := named(get(n, "contexts"), scalar(get(n, "current-context")))
	context = get(context, "context")
	user, cluster := scalar(get(context, "user")), scalar(get(context, "cluster"))
	collect := func(user, cluster string) (out []yamlValue) {
		take := func(list, holder, only string, fields ...string) {
			for _, item := range items(get(n, list)) {
				name := scalar(get(item, "name"))
				if only != "" && name != only {
					continue
				}
				for _, field := range fields {
					value := get(get(item, holder), field)
					if value == nil || scalar(value) == "" {
						continue
					}
					v := yamlValue{source: list + "/" + name + "/" + field, line: value.Line}
					if holder == "cluster" {
						v.rank = 2
					}
					v.data, v.fault = decodeValue(scalar(value))
					out = append(out, v)
				}
			}
		}
		take("users", "user", user, "client-certificate-data", "client-key-data")
		take("clusters", "cluster", cluster, "certificate-authority-data")
		return out
	}
	if out := collect(user, cluster); len(out) > 0 {
		return out
	}
	return collect("", "")
}

// decodeValue decodes the base64 of a Secret's value.
func decodeValue(s string) (data []byte, fault string) {
	s = strings.Join(strings.Fields(s), "")
	data, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, "its value is not base64"
	}
	return data, ""
}

// mayHold says whether bytes look like a certificate, a key or a container.
func mayHold(data []byte) bool {
	return bytes.Contains(data, []byte("BEGIN ")) || len(data) > 32 && data[0] == 0x30 && !isText(data) ||
		bytes.HasPrefix(data, []byte("\xfe\xed\xfe\xed")) || bytes.HasPrefix(bytes.TrimSpace(data), []byte("LS0tLS1CRUdJTi"))
}

// pemName says whether a key of a Secret is one that holds PEM by custom.
func pemName(name string) bool {
	return slices.ContainsFunc([]string{".crt", ".key", ".pem", ".cer", ".cert"}, func(s string) bool {
		return strings.HasSuffix(name, s)
	}) || name == "cert" || name == "key"
}

// rank orders the keys of a Secret: tls.crt, others, and those of authorities.
func rank(name string) int {
	if name == "tls.crt" || name == "tls.key" {
		return 0
	}
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return strings.ContainsRune("-._", r) })
	for _, w := range words {
		switch w {
		case "ca", "cabundle", "root", "trust", "trusted", "issuer", "authority":
			return 2
		}
	}
	return 1
}

// get is the value of a key of a mapping; nil when there is none, which get
// takes as well.
func get(n *yaml.Node, key string) *yaml.Node {
	for k, v := range pairs(n) {
		if k == key {
			return v
		}
	}
	return nil
}

// pairs goes through a mapping.
func pairs(n *yaml.Node) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, n.Content[i+1]) {
				return
			}
		}
	}
}

// items are the elements of a sequence.
func items(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// named is the element of a sequence that has the name.
func named(n *yaml.Node, name string) *yaml.Node {
	for _, item := range items(n) {
		if scalar(get(item, "name")) == name {
			return item
		}
	}
	return nil
}

// scalar is the text of a scalar, "" for anything else.
func scalar(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}
