package offline

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"certwright/assets/layout"
	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/plan"
)

// signFiles writes what whoever has the keys of the CAs needs: for each request
// what OpenSSL, step, cfssl and Vault are to put into its certificate, and
// SIGN.md with the commands.
func (o *Asked) signFiles(a *flow.Answers, list []asked, cas map[topology.AuthorityID]*x509.Certificate) {
	p := &page{lives: map[topology.AuthorityID]time.Duration{}, cas: cas, list: list}
	config := map[topology.AuthorityID]map[string]any{}
	for _, r := range list {
		life := a.Plan.Validity.Leaf.Or(plan.DefaultLeafLife)
		if r.slot.Kind == topology.CA {
			life = a.Plan.Validity.CA.Or(plan.DefaultCALife)
		}
		if config[r.Authority] == nil {
			p.order = append(p.order, r.Authority)
			config[r.Authority] = map[string]any{}
			o.add(home(r.Authority)+caFile, issue.PEM(cas[r.Authority]), layout.KindConfig, "")
			o.add(home(r.Authority)+"openssl-ca.cnf", []byte(opensslCA), layout.KindConfig, "")
		}
		p.lives[r.Authority] = life
		dir, n := home(r.Authority), base(r.File)
		o.add(dir+"openssl/"+n+".ext", opensslExtensions(r), layout.KindConfig, r.Slot)
		o.add(dir+"step/"+n+".json", stepTemplate(r), layout.KindConfig, r.Slot)
		o.add(dir+"vault/"+n+".json", vaultParameters(r, life), layout.KindConfig, r.Slot)
		config[r.Authority][n] = cfsslProfile(r, life)
	}
	for _, id := range p.order {
		o.add(home(id)+"cfssl.json", pretty(map[string]any{"signing": map[string]any{"default": map[string]any{"expiry": p.lives[id].String()}, "profiles": config[id]}}), layout.KindConfig, "")
	}
	o.add(SignFile, p.write(o.Dir), layout.KindDocument, "")
}

// caFile is the certificate of the CA that is to sign, beside the requests.
const caFile = "issuing-ca.pem"

// opensslCA lets "openssl ca" sign exactly what is asked for: subjects keep
// their parts and their order, and the extensions come from the file beside
// each request.
const opensslCA = `# For: openssl ca -config openssl-ca.cnf …
# A CA that keeps its own index names it here.
[ca]
default_ca = certwright
[certwright]
database = index.txt
new_certs_dir = .
default_md = default
policy = anything
preserve = yes
unique_subject = no
rand_serial = yes
[anything]
commonName = optional
organizationName = optional
serialNumber = optional
`

// opensslExtensions is an -extfile. Its values are host names, addresses and
// URIs; what OpenSSL would read in them as its own is escaped.
func opensslExtensions(r asked) []byte {
	t, _ := issue.Template(r.slot, r.csr.PublicKey, nil) // it made the request
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n", r.Slot)
	if t.IsCA {
		fmt.Fprintf(&b, "basicConstraints = critical, CA:TRUE, pathlen:%d\n", t.MaxPathLen)
	} else {
		b.WriteString("basicConstraints = critical, CA:FALSE\n")
	}
	fmt.Fprintf(&b, "keyUsage = critical, %s\n", strings.Join(material.KeyUsages(t), ", "))
	if u := material.ExtKeyUsages(t); len(u) > 0 {
		fmt.Fprintf(&b, "extendedKeyUsage = %s\n", strings.Join(u, ", "))
	}
	b.WriteString("subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n")
	if len(r.slot.Names) == 0 || t.IsCA {
		return b.Bytes()
	}
	b.WriteString("subjectAltName = @names\n[names]\n")
	escape := strings.NewReplacer(`\`, `\\`, `$`, `\$`, `#`, `\#`, `"`, `\"`, `'`, `\'`)
	for i, n := range r.slot.Names {
		fmt.Fprintf(&b, "%s.%d = %s\n", n.Kind, i+1, escape.Replace(n.Value))
	}
	return b.Bytes()
}

// stepTemplate is a template of step with nothing left to fill in.
func stepTemplate(r asked) []byte {
	t, _ := issue.Template(r.slot, r.csr.PublicKey, nil)
	subject := map[string]any{"commonName": r.csr.Subject.CommonName}
	if o := r.csr.Subject.Organization; len(o) > 0 {
		subject["organization"] = o
	}
	if s := r.csr.Subject.SerialNumber; s != "" {
		subject["serialNumber"] = s
	}
	out := map[string]any{"subject": subject, "keyUsage": lowerFirst(material.KeyUsages(t))}
	if u := material.ExtKeyUsages(t); len(u) > 0 {
		out["extKeyUsage"] = u
	}
	if t.IsCA {
		out["basicConstraints"] = map[string]any{"isCA": true, "maxPathLen": t.MaxPathLen}
	} else {
		out["basicConstraints"] = map[string]any{"isCA": false}
	}
	for kind, field := range map[topology.NameKind]string{topology.DNSName: "dnsNames", topology.IPAddress: "ipAddresses", topology.URIName: "uris"} {
		if names := r.slot.IssuedNames(kind); len(names) > 0 && !t.IsCA {
			out[field] = names
		}
	}
	return escapeTemplate(pretty(out))
}

// escapeTemplate keeps what stands in a name from being a template's action.
func escapeTemplate(data []byte) []byte {
	return bytes.ReplaceAll(data, []byte("{{"), []byte(`{{"{{"}}`))
}

// lowerFirst writes cRLSign as step does: crlSign.
func lowerFirst(words []string) []string {
	out := slices.Clone(words)
	for i, w := range out {
		switch w {
		case "cRLSign":
			out[i] = "crlSign"
		case "keyCertSign":
			out[i] = "certSign"
		}
	}
	return out
}

// cfsslWords are cfssl's names of the usages.
var cfsslWords = map[string]string{
	"digitalSignature": "digital signature", "keyEncipherment": "key encipherment", "keyCertSign": "cert sign", "cRLSign": "crl sign",
	"serverAuth": "server auth", "clientAuth": "client auth",
}

func cfsslProfile(r asked, life time.Duration) map[string]any {
	t, _ := issue.Template(r.slot, r.csr.PublicKey, nil)
	var usages []string
	for _, u := range slices.Concat(material.KeyUsages(t), material.ExtKeyUsages(t)) {
		usages = append(usages, cfsslWords[u])
	}
	out := map[string]any{"expiry": life.String(), "usages": usages}
	if t.IsCA {
		out["ca_constraint"] = map[string]any{"is_ca": true, "max_path_len": 0, "max_path_len_zero": true}
	}
	return out
}

func vaultParameters(r asked, life time.Duration) []byte {
	t, _ := issue.Template(r.slot, r.csr.PublicKey, nil)
	if t.IsCA {
		return pretty(map[string]any{"use_csr_values": true, "max_path_length": t.MaxPathLen, "ttl": life.String()})
	}
	upper := func(words []string) []string {
		out := []string{}
		for _, w := range words {
			out = append(out, strings.ToUpper(w[:1])+w[1:])
		}
		return out
	}
	return pretty(map[string]any{"key_usage": upper(material.KeyUsages(t)), "ext_key_usage": upper(material.ExtKeyUsages(t)), "ttl": life.String()})
}

func pretty(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // maps of strings always can be
	return b.Bytes()
}

// page is SIGN.md.
type page struct {
	order []topology.AuthorityID
	lives map[topology.AuthorityID]time.Duration
	cas   map[topology.AuthorityID]*x509.Certificate
	list  []asked
}

const signTop = `# To be signed

%d requests wait for their certificates. %s holds all that whoever has the keys of the CAs
needs, and no secret: take it there, sign by one of the ways below, and bring the certificates back. What comes
back may be PEM, DER, PKCS#7 or PKCS#12, one file or many, in any order and under any name, and it may come
piece by piece:

    certwright import %s FILE|FOLDER…

Certificates written beside their requests are found without being named. The private keys are in %s, sealed with
[age](https://age-encryption.org) and the passphrase that was shown or read when the requests were made. Without
them the certificates are worth nothing.
`

func (p *page) write(dir string) []byte {
	var b bytes.Buffer
	shown := untrusted.Text(dir).ShellArg()
	fmt.Fprintf(&b, signTop, len(p.list), "`"+SendDir+"`", shown, "`"+KeysFile+"`")
	for _, id := range p.order {
		p.authority(&b, id)
	}
	fmt.Fprintf(&b, "\n## The way back\n\n```sh\ncertwright import %s\n```\n\nIt names what is missing, what came back for another key, and what a CA altered.\n", shown)
	return b.Bytes()
}

func code(s string) string {
	return "`" + strings.NewReplacer("`", "'", "|", `\|`).Replace(untrusted.Text(s).String()) + "`"
}

func (p *page) authority(b *bytes.Buffer, id topology.AuthorityID) {
	ca := p.cas[id]
	fmt.Fprintf(b, "\n## The CA of %s\n\nIt is %s, SHA-256 %s; its certificate is %s. Every request asks for what stands here:\n\n",
		id, code(material.Subject(ca).String()), material.Fingerprint(ca), code(home(id)+caFile))
	b.WriteString("| request | for | subject | names | usages |\n|---|---|---|---|---|\n")
	for _, r := range p.list {
		if r.Authority != id {
			continue
		}
		t, _ := issue.Template(r.slot, r.csr.PublicKey, nil)
		var names []string
		for _, n := range r.slot.Names {
			names = append(names, n.String())
		}
		if len(names) == 0 {
			names = []string{"none"}
		}
		uses := strings.Join(slices.Concat(material.KeyUsages(t), material.ExtKeyUsages(t)), ", ")
		if t.IsCA {
			names, uses = []string{"none"}, fmt.Sprintf("CA, path length %d: %s", t.MaxPathLen, uses)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", code(base(r.File)), r.Slot, code(r.csr.Subject.String()), code(strings.Join(names, ", ")), uses)
	}
	life := p.lives[id]
	days := int(math.Ceil(life.Hours() / 24))
	fmt.Fprintf(b, tools, id, home(id), days, life, p.vaultPath(id))
}

// vaultPath signs leaves as they ask to be signed; an intermediate has a path of its own.
func (p *page) vaultPath(id topology.AuthorityID) string {
	for _, r := range p.list {
		if r.Authority == id && r.slot.Kind == topology.CA {
			return "pki/root/sign-intermediate"
		}
	}
	return "pki/sign-verbatim"
}

// tools are the commands. Each is complete: KEY is all that is to be filled in.
const tools = `
%[1]s, with openssl x509:

` + "```sh" + `
(cd %[2]s; CA=issuing-ca.pem KEY=/path/to/its.key
for r in *.csr; do n="${r%%.csr}"
  openssl x509 -req -in "$r" -CA "$CA" -CAkey "$KEY" -set_serial "0x00$(openssl rand -hex 16)" \
    -days %[3]d -extfile "openssl/$n.ext" -out "$n.crt"
done)
` + "```" + `

%[1]s, with openssl ca, which keeps an index:

` + "```sh" + `
(cd %[2]s; CA=issuing-ca.pem KEY=/path/to/its.key; touch index.txt
for r in *.csr; do n="${r%%.csr}"
  openssl ca -batch -notext -config openssl-ca.cnf -cert "$CA" -keyfile "$KEY" \
    -days %[3]d -extfile "openssl/$n.ext" -in "$r" -out "$n.crt"
done)
` + "```" + `

%[1]s, with step:

` + "```sh" + `
(cd %[2]s; CA=issuing-ca.pem KEY=/path/to/its.key
for r in *.csr; do n="${r%%.csr}"
  step certificate sign "$r" "$CA" "$KEY" --template "step/$n.json" --not-after %[4]s > "$n.crt"
done)
` + "```" + `

%[1]s, with cfssl:

` + "```sh" + `
(cd %[2]s; CA=issuing-ca.pem KEY=/path/to/its.key
for r in *.csr; do n="${r%%.csr}"
  cfssl sign -ca "$CA" -ca-key "$KEY" -config cfssl.json -profile "$n" "$r" | cfssljson -bare "$n"
done)
` + "```" + `

%[1]s, with Vault (or OpenBao, as bao), the CA mounted at pki/:

` + "```sh" + `
(cd %[2]s
for r in *.csr; do n="${r%%.csr}"
  vault write -field=certificate %[5]s "@vault/$n.json" "csr=@$r" > "$n.crt"
done)
` + "```" + `
`
