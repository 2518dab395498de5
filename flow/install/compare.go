package install

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/afero"

	"certwright/assets/layout"
	"certwright/certs/material"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/plan"
)

// Compare holds a file of a set against the one that lies in its place. Keys are
// told by the fingerprints of their public halves, and what looks like material
// in a text by its hash: no byte of a key is in what it returns.
func Compare(w *World, p *flow.Prepared, path string) flow.Difference {
	i := slices.IndexFunc(p.Files, func(f layout.File) bool { return f.Path == path })
	if i < 0 {
		return flow.Difference{Note: "The new set has no such file."}
	}
	f := p.Files[i]
	old, err := ReadFile(afero.NewReadOnlyFs(w.Read), filepath.Join(w.path(p.Survey.Dir), filepath.FromSlash(path)), material.MaxCertificates)
	if err != nil {
		return flow.Difference{Note: "The file that is there cannot be read: " + untrusted.Text(err.Error()).Max(300)}
	}
	defer clear(old)
	switch f.Kind {
	case layout.KindCertificate, layout.KindCA, layout.KindBundle:
		return compareCertificates(old, f.Data, w.Now())
	case layout.KindKey, layout.KindCAKey, layout.KindPublicKey:
		return compareKeys(old, f.Data)
	}
	return compareText(string(old), string(f.Data))
}

func compareCertificates(old, new []byte, now time.Time) flow.Difference {
	then := readCertificates(new)
	was := readCertificates(old)
	if len(was) == 0 || len(then) == 0 {
		return flow.Difference{Note: "The file that is there holds no certificate that can be read."}
	}
	a, b := was[0], then[0]
	names := func(c *x509.Certificate) []string {
		var out []string
		for _, n := range material.SANs(c) {
			out = append(out, n.String())
		}
		return out
	}
	d := flow.Difference{Rows: []flow.DiffRow{
		{Label: "subject", Now: material.Subject(a).String(), Then: material.Subject(b).String()},
		{Label: "issuer", Now: material.Issuer(a).String(), Then: material.Issuer(b).String()},
		{Label: "serial", Now: material.Serial(a.SerialNumber), Then: material.Serial(b.SerialNumber)},
		{Label: "ends", Now: endWords(a, now), Then: endWords(b, now)},
		{Label: "key", Now: material.CertificateKeyWords(a), Then: material.CertificateKeyWords(b)},
	}}
	if !a.IsCA || !b.IsCA {
		d.Rows = append(d.Rows, flow.DiffRow{Label: "usages", Now: strings.Join(material.ExtKeyUsages(a), ", "), Then: strings.Join(material.ExtKeyUsages(b), ", ")},
			flow.DiffRow{Label: "names", Now: fmt.Sprint(len(names(a))), Then: fmt.Sprint(len(names(b)))})
	}
	if len(was) != len(then) {
		d.Rows = append(d.Rows, flow.DiffRow{Label: "in the file", Now: certificateCount(len(was)), Then: certificateCount(len(then))})
	}
	if material.SamePublicKey(a.PublicKey, b.PublicKey) {
		d.Note = "Both are of the same key."
	}
	for _, n := range names(a) {
		if !slices.Contains(names(b), n) {
			d.Lines = append(d.Lines, flow.DiffLine{Sign: '-', Text: n})
		}
	}
	for _, n := range names(b) {
		sign := byte('+')
		if slices.Contains(names(a), n) {
			sign = ' '
		}
		d.Lines = append(d.Lines, flow.DiffLine{Sign: sign, Text: n})
	}
	return d
}

func certificateCount(n int) string {
	if n == 1 {
		return "1 certificate"
	}
	return fmt.Sprint(n) + " certificates"
}

func readCertificates(data []byte) []*x509.Certificate {
	var out []*x509.Certificate
	for _, c := range material.Parse(material.Input{Data: data}).Certificates {
		if c.X509 != nil {
			out = append(out, c.X509)
		}
	}
	return out
}

// endWords is the day on which a certificate ends, and how far that is.
func endWords(c *x509.Certificate, now time.Time) string {
	left := c.NotAfter.Sub(now)
	if left < 0 {
		return c.NotAfter.UTC().Format(time.DateOnly) + ", ended"
	}
	return c.NotAfter.UTC().Format(time.DateOnly) + ", in " + plan.Duration(left.Truncate(24*time.Hour)).Words()
}

func compareKeys(old, new []byte) flow.Difference {
	a, b := publicIn(old), publicIn(new)
	if a == nil || b == nil {
		return flow.Difference{Note: "One of the two cannot be read: it is sealed, or it is no key. The new one takes its place."}
	}
	note := "These are two different keys: what trusts the old one does not trust the new one."
	if material.SamePublicKey(a, b) {
		note = "Both are the same key, written differently."
	}
	return flow.Difference{Note: note, Rows: []flow.DiffRow{
		{Label: "key", Now: material.KeyWords(a), Then: material.KeyWords(b)},
		{Label: "public half", Now: material.PublicKeyFingerprint(a), Then: material.PublicKeyFingerprint(b)},
	}}
}

// publicIn is the public half of the first key in a file, nil when there is none.
func publicIn(data []byte) crypto.PublicKey {
	d := material.Parse(material.Input{Data: data})
	for _, k := range d.Keys {
		if k.Signer != nil {
			return k.Signer.Public()
		}
	}
	if len(d.PublicKeys) > 0 {
		return d.PublicKeys[0]
	}
	return nil
}

// maxCompared bounds the lines of a text that are compared one by one.
const maxCompared = 1500

func compareText(old, new string) flow.Difference {
	a, b := textLines(old), textLines(new)
	if len(a) > maxCompared || len(b) > maxCompared {
		return flow.Difference{Note: fmt.Sprintf("Too long to be compared line by line: %d lines now, %d then.", len(a), len(b))}
	}
	d := flow.Difference{Lines: around(lineDiff(a, b), 2)}
	if len(d.Lines) == 0 {
		d.Note = "Only keys, certificates or the ends of lines differ."
	}
	return d
}

// long is what may be material: a run of base64 too long to be a word.
var long = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[A-Za-z0-9+/=_-]{41,}`) })

// textLines are the lines of a text, with every piece that may be material
// replaced by its hash: two that differ are seen to differ.
func textLines(text string) []string {
	var out []string
	inBlock := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.Contains(line, "-----BEGIN "):
			inBlock = true
		case strings.Contains(line, "-----END "):
			inBlock = false
		case inBlock:
			continue // base64 of a block, whose last line may be short
		}
		out = append(out, long().ReplaceAllStringFunc(line, func(s string) string {
			sum := sha256.Sum256([]byte(s))
			return fmt.Sprintf("(%s, sha256 %x…)", untrusted.Size(len(s)), sum[:4])
		}))
	}
	return out
}

// lineDiff is the shortest way from one text to the other, by the longest common
// subsequence of their lines.
func lineDiff(a, b []string) []flow.DiffLine {
	common := make([][]int32, len(a)+1)
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []flow.DiffLine
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, flow.DiffLine{Sign: ' ', Text: a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, flow.DiffLine{Sign: '-', Text: a[i]})
			i++
		default:
			out = append(out, flow.DiffLine{Sign: '+', Text: b[j]})
			j++
		}
	}
	return out
}

// around keeps the lines that changed and n on each side of them.
func around(lines []flow.DiffLine, n int) []flow.DiffLine {
	var out []flow.DiffLine
	last := -1
	for i, l := range lines {
		near := slices.ContainsFunc(lines[max(0, i-n):min(len(lines), i+n+1)], func(o flow.DiffLine) bool { return o.Sign != ' ' })
		if !near {
			continue
		}
		if last >= 0 && i > last+1 {
			out = append(out, flow.DiffLine{Sign: ' ', Text: "…"})
		}
		out, last = append(out, l), i
	}
	return out
}
