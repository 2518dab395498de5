package wizard

import (
	"bytes"
	"slices"
	"strings"

	"certwright/certs/material"
	"certwright/flow"
)

// pemSpan is one PEM block of a pasted text, found by its armour alone: a block
// need not be well formed to be shown, hidden or filed rightly.
type pemSpan struct {
	label    string // one of pemLabels, or "" for any other: what stands there may be key bytes
	from, to int    // of the whole block, its END line included
	closed   bool
	lines    int // between the armour lines
}

// pemLabels are the labels that are shown. What is called otherwise is shown
// without its label, because a broken paste may have anything between the dashes.
var pemLabels = []string{
	"CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE", "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST",
	"X509 CRL", "PUBLIC KEY", "RSA PUBLIC KEY", "EC PARAMETERS", "DH PARAMETERS", "PKCS7", "CMS",
	"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY",
}

var (
	armourBegin = []byte("-----BEGIN ")
	armourEnd   = []byte("-----END ")
	armourDash  = []byte("-----")
)

func (s pemSpan) private() bool { return strings.Contains(s.label, "PRIVATE KEY") }

// pemSpans finds the blocks of a text. The last one may be open: its END has
// not come yet.
func pemSpans(data []byte) []pemSpan {
	var out []pemSpan
	for at := 0; ; {
		i := bytes.Index(data[at:], armourBegin)
		if i < 0 {
			return out
		}
		s := pemSpan{from: at + i, to: len(data)}
		rest := data[s.from+len(armourBegin):]
		dash := bytes.Index(rest, armourDash)
		if dash < 0 {
			return append(out, s)
		}
		if name := string(rest[:min(dash, 40)]); slices.Contains(pemLabels, name) {
			s.label = name
		}
		body := s.from + len(armourBegin) + dash + len(armourDash)
		next := bytes.Index(data[body:], armourBegin)
		block := data[body:] // up to the next one: no text is searched twice
		if next >= 0 {
			block = block[:next]
		}
		end := bytes.Index(block, armourEnd)
		if end < 0 { // the next block begins before this one ends
			if next < 0 {
				s.lines = bytes.Count(bytes.Trim(data[body:], "\n"), []byte("\n")) + 1
				return append(out, s)
			}
			s.to, at = body+next, body+next
			out = append(out, s)
			continue
		}
		tail := data[body+end+len(armourEnd):]
		if dash = bytes.Index(tail, armourDash); dash < 0 {
			return append(out, s)
		}
		s.to, s.closed = body+end+len(armourEnd)+dash+len(armourDash), true
		if text := bytes.TrimSpace(data[body : body+end]); len(text) > 0 {
			s.lines = bytes.Count(text, []byte("\n")) + 1
		}
		out = append(out, s)
		at = s.to
	}
}

// filed is a pasted text taken apart into what belongs to a certificate's field
// and what belongs to its key's.
type filed struct{ cert, key []byte }

// clear forgets the bytes.
func (f filed) clear() {
	clear(f.cert)
	clear(f.key)
}

// splitPaste takes a pasted text apart. The parts are copies. Text before a block
// stays with it; EC PARAMETERS stay with the key behind them. A text that is
// not PEM as such (a Secret, a kubeconfig, base64 of PEM) is not cut: whatever
// it holds is found again where it is filed.
func splitPaste(data []byte) filed {
	spans := pemSpans(data)
	if len(spans) == 0 {
		return splitContainer(data)
	}
	var f filed
	at := 0
	for i, s := range spans {
		key := s.private() || s.label == "EC PARAMETERS" && i+1 < len(spans) && spans[i+1].private()
		part := data[at:s.to]
		at = s.to
		if key {
			f.key = append(f.key, part...)
			f.key = append(f.key, '\n')
		} else {
			f.cert = append(f.cert, part...)
			f.cert = append(f.cert, '\n')
		}
	}
	if rest := bytes.TrimSpace(data[at:]); len(rest) > 0 {
		// Text behind the last block may be the rest of a broken key: it goes
		// where the last block went.
		if last := spans[len(spans)-1]; last.private() {
			f.key = append(f.key, rest...)
		} else {
			f.cert = append(f.cert, rest...)
		}
	}
	return f
}

func splitContainer(data []byte) filed {
	d := material.Parse(material.Input{Name: "pasted text", Data: data})
	var f filed
	if len(d.Keys) > 0 {
		f.key = bytes.Clone(data)
	}
	if len(d.Certificates) > 0 || len(d.Keys) == 0 {
		f.cert = bytes.Clone(data)
	}
	return f
}

// place says which field each part goes to, when it was pasted for a field. A
// part alone goes to its own field if that is free, so that a key pasted for
// the certificate lands where it belongs; it replaces nothing but what it was
// pasted over.
func (f filed) place(at flow.Field, taken func(flow.Field) bool) map[flow.Field][]byte {
	cert, key := flow.Field{Slot: at.Slot, Part: flow.PartCert}, flow.Field{Slot: at.Slot, Part: flow.PartKey}
	out := map[flow.Field][]byte{}
	switch {
	case len(f.cert) > 0 && len(f.key) > 0:
		out[cert], out[key] = f.cert, f.key
	case len(f.key) > 0:
		if at == key || !taken(key) {
			out[key] = f.key
		} else {
			out[at] = f.key
		}
	case len(f.cert) > 0:
		if at == cert || !taken(cert) {
			out[cert] = f.cert
		} else {
			out[at] = f.cert
		}
	}
	return out
}

// pastedWords says what was pasted, without a byte of it: "2 certificates",
// "1 private key", "1.2 KB of text".
func pastedWords(data []byte) string {
	certs, keys, others := 0, 0, 0
	for _, s := range pemSpans(data) {
		switch {
		case s.private():
			keys++
		case strings.HasSuffix(s.label, "CERTIFICATE"):
			certs++
		case s.label != "EC PARAMETERS":
			others++
		}
	}
	var parts []string
	if certs > 0 {
		parts = append(parts, count(certs, "certificate"))
	}
	if keys > 0 {
		parts = append(parts, count(keys, "private key"))
	}
	if others > 0 {
		parts = append(parts, count(others, "other block"))
	}
	if len(parts) == 0 {
		return shortSize(int64(len(data))) + " of text"
	}
	return strings.Join(parts, ", ")
}
