package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/untrusted"
)

// inspectJSON is what inspect -o json prints for each file.
type inspectJSON struct {
	File     string            `json:"file"`
	Findings []check.Finding   `json:"findings"` // of reading the file
	Content  *material.Summary `json:"content,omitempty"`
	// KeyOf and CertificateOf name the other files whose certificate or key
	// has the same public key.
	KeyOf         []string `json:"keyOf,omitempty"`
	CertificateOf []string `json:"certificateOf,omitempty"`
}

func (a *app) inspectCommand() *cobra.Command {
	var output, passphrase string
	c := &cobra.Command{
		Use:   "inspect FILE...",
		Short: "Say what is in these files: certificates, keys, and which belong together",
		Long: `inspect says what each file holds, in whatever form it came, and which key belongs to
which certificate. It exits 1 when a file cannot be read or holds nothing that is known.`,
		Example: `  certwright inspect server.crt server.key
  certwright inspect bundle.p12 --passphrase-file pass.txt -o json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if len(args) == 0 {
				return usage("inspect needs a file; see certwright inspect --help")
			}
			return a.inspect(args, output, passphrase)
		},
	}
	c.Flags().StringVar(&passphrase, "passphrase-file", "", "read the passphrase of encrypted keys from `FILE`")
	outputFlag(c, &output)
	return c
}

func (a *app) inspect(files []string, output, passphrase string) error {
	out := make([]inspectJSON, len(files))
	ok := true
	for i, file := range files {
		out[i] = inspectJSON{File: shown(file), Findings: []check.Finding{}}
		doc, err := a.document(file, passphrase, &out[i].Findings)
		if err != nil {
			return err
		}
		if doc == nil {
			ok = false
			continue
		}
		s := material.Describe(doc)
		out[i].Content = &s
		out[i].Findings = append(out[i].Findings, postQuantum(doc)...)
		ok = ok && len(s.Certificates)+len(s.Keys)+len(s.PublicKeys)+s.Requests+s.CRLs > 0
	}
	belong(out)
	if output == "json" {
		if err := a.printJSON(out); err != nil {
			return err
		}
	} else {
		for i, o := range out {
			if i > 0 {
				a.printf("\n")
			}
			a.printInspected(o)
		}
	}
	if !ok {
		return &exitError{exitUnacceptable}
	}
	return nil
}

// postQuantum explains certificates with ML-DSA, whose keys and signatures have
// names that say nothing of who takes them.
func postQuantum(doc *material.Document) []check.Finding {
	var out []check.Finding
	rule, _ := check.RuleByID("post-quantum-key")
	for i, c := range doc.Certificates {
		if c.X509 == nil {
			continue
		}
		key, signature := material.PostQuantum(c.X509.RawSubjectPublicKeyInfo), material.PostQuantumSignature(c.X509)
		if key == "" && signature == "" {
			continue
		}
		what := fmt.Sprintf("certificate %d is signed with %s", i+1, signature)
		if key != "" {
			what = fmt.Sprintf("the key of certificate %d is %s", i+1, key)
		}
		out = append(out, check.Finding{Rule: rule.ID, Severity: check.Warning, File: untrusted.Text(doc.Name).String(), Message: what + "; it needs " + material.PostQuantumNeeds, Why: rule.Why, Fix: rule.Fix})
	}
	return out
}

// belong finds keys and certificates of one public key across the files.
func belong(files []inspectJSON) {
	certs := map[string][]int{}
	for i, f := range files {
		if f.Content == nil {
			continue
		}
		for _, c := range f.Content.Certificates {
			if c.PublicKeySHA256 != "" {
				certs[c.PublicKeySHA256] = append(certs[c.PublicKeySHA256], i)
			}
		}
	}
	for i := range files {
		if files[i].Content == nil {
			continue
		}
		for _, k := range files[i].Content.Keys {
			for _, j := range certs[k.PublicKeySHA256] {
				if i != j && k.PublicKeySHA256 != "" {
					files[i].KeyOf = append(files[i].KeyOf, files[j].File)
					files[j].CertificateOf = append(files[j].CertificateOf, files[i].File)
				}
			}
		}
	}
}

func (a *app) printInspected(o inspectJSON) {
	a.printf("%s\n", o.File)
	a.printFindings(o.Findings)
	s := o.Content
	if s == nil {
		return
	}
	a.printf("  %s, %d bytes\n", s.Format, s.Size)
	for _, p := range s.Problems {
		line := p.Rule
		if p.Line > 0 {
			line += fmt.Sprintf(" (line %d)", p.Line)
		}
		a.printf("  ! %s: %s\n", line, untrusted.Text(p.Detail).Max(maxRow))
	}
	for _, c := range s.Certificates {
		a.printf("  certificate %d\n", c.Position)
		if !c.Parsed {
			a.printf("    not readable\n")
			continue
		}
		for _, row := range certificateRows(c, a.Now()) {
			a.printf("    %-12s %s\n", row[0], row[1])
		}
	}
	for _, k := range s.Keys {
		a.printf("  private key %d: %s\n", k.Position, keyWords(k))
	}
	for _, k := range s.PublicKeys {
		a.printf("  public key %d: %s\n", k.Position, keyWords(k))
	}
	if s.Requests > 0 {
		a.printf("  %s\n", count(s.Requests, "certificate signing request"))
	}
	if s.CRLs > 0 {
		a.printf("  %s\n", count(s.CRLs, "revocation list"))
	}
	if len(o.KeyOf) > 0 {
		a.printf("  its key belongs to the certificate in %s\n", strings.Join(o.KeyOf, ", "))
	}
	if len(o.CertificateOf) > 0 {
		a.printf("  its certificate belongs to the key in %s\n", strings.Join(o.CertificateOf, ", "))
	}
}

func keyWords(k material.KeySummary) string {
	switch {
	case !k.Parsed && k.Encrypted:
		return "encrypted; give --passphrase-file to see which"
	case !k.Parsed:
		return "not readable"
	}
	words := k.Key + ", public key SHA-256 " + k.PublicKeySHA256
	if k.Encrypted {
		words = "encrypted " + words
	}
	for _, c := range k.Certificates {
		words += fmt.Sprintf(", of certificate %d", c)
	}
	return words
}

func certificateRows(c material.CertificateSummary, now time.Time) [][2]string {
	ends := fmt.Sprintf("%s to %s", c.NotBefore.UTC().Format(time.DateTime), c.NotAfter.UTC().Format(time.DateTime))
	switch days := int(c.NotAfter.Sub(now).Hours() / 24); {
	case now.After(c.NotAfter):
		ends += " UTC, ended"
	case now.Before(c.NotBefore):
		ends += " UTC, not begun"
	default:
		ends += " UTC, " + count(days, "day") + " left"
	}
	ca := "no"
	if c.CA {
		ca = "yes"
		if c.PathLen != nil {
			ca = fmt.Sprintf("yes, at most %d CAs below it", *c.PathLen)
		}
	}
	rows := [][2]string{
		{"subject", c.Subject},
		{"issuer", c.Issuer},
		{"serial", c.Serial},
		{"validity", ends},
		{"key", c.Key},
		{"signature", c.SignatureAlgorithm},
		{"CA", ca},
		{"key usage", strings.Join(c.KeyUsage, ", ")},
		{"ext usage", strings.Join(c.ExtKeyUsage, ", ")},
		{"names", strings.Join(c.SANs, ", ")},
		{"SHA-256", c.SHA256},
	}
	var out [][2]string
	for _, r := range rows {
		if r[1] != "" {
			out = append(out, r)
		}
	}
	return out
}
