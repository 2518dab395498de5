package install

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"

	"certwright/assets/layout"
	"certwright/assets/store"
	"certwright/certs"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// The root's files; no slot is its own.
const (
	rootCert = "ca/root.crt"
	rootKey  = "ca/root.key"
)

// slotFiles are the entries of the manifest that hold a slot's pair; nil for none.
type slotFiles struct{ cert, key, config *store.Entry }

// files are those of a slot, "" being the root. There are none in a set that did
// not have the slot at all.
func (e *Earlier) files(id topology.SlotID) (s slotFiles, has bool) {
	for _, f := range e.Manifest.Files.OfSlot(string(id)) {
		if id == "" && f.Path != rootCert && f.Path != rootKey {
			continue
		}
		has = true
		switch layout.Kind(f.Kind) {
		case layout.KindCertificate, layout.KindCA:
			better(&s.cert, &f)
		case layout.KindKey, layout.KindCAKey:
			better(&s.key, &f)
		case layout.KindKubeconfig:
			better(&s.config, &f)
		}
	}
	return s, has
}

// better prefers a file that is in plain, and of several the first by path,
// which for a CA is the one in ca/.
func better(at **store.Entry, f *store.Entry) {
	sealed := func(f *store.Entry) bool { return strings.HasSuffix(f.Path, sealedEnding) }
	if *at == nil || sealed(*at) && !sealed(f) {
		*at = f
	}
}

// has says whether the set had the slot at all.
func (e *Earlier) has(id topology.SlotID) bool { _, has := e.files(id); return has }

// Pair reads a slot's pair out of the set, "" being the root. why says what is
// wrong with it when the pair is nil; a CA may come without its key. Of a CA
// only its own certificate is returned, of a leaf what its server sends.
func (e *Earlier) Pair(id topology.SlotID) (p *certs.Pair, why string) {
	s, has := e.files(id)
	if !has {
		return nil, "the set has none"
	}
	return e.pair(s)
}

func (e *Earlier) pair(s slotFiles) (p *certs.Pair, why string) {
	p = &certs.Pair{Made: true}
	switch {
	case s.cert != nil:
		data, why := e.read(s.cert)
		if why != "" {
			return nil, why
		}
		if p.Certificates, why = parseCertificates(data); why != "" {
			return nil, why
		}
	case s.config != nil:
		return e.fromConfig(s.config)
	}
	if s.key == nil {
		return p, ""
	}
	data, why := e.read(s.key)
	defer func() { clear(data) }()
	if strings.HasSuffix(s.key.Path, sealedEnding) && why == "" {
		if data = e.open(data); data == nil {
			return p, "" // sealed, and not opened: as if it were elsewhere
		}
	}
	if why != "" {
		if layout.Kind(s.key.Kind) == layout.KindCAKey {
			return p, "" // taken away from here, as NEXT-STEPS.md says
		}
		return nil, why
	}
	if p.Key = parseKey(data); p.Key == nil {
		return nil, unreadableKey
	}
	return p, ""
}

const unreadableKey = "its key cannot be read"

// parseKey reads a key as we write it: PKCS#8 in PEM. It is nil for another.
func parseKey(data []byte) crypto.Signer {
	b, _ := pem.Decode(data)
	if b == nil {
		return nil
	}
	defer clear(b.Bytes)
	key, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		return nil
	}
	signer, _ := key.(crypto.Signer)
	return signer
}

func (e *Earlier) open(sealed []byte) []byte {
	if len(e.w.CAKeys.Passphrase) == 0 {
		return nil
	}
	key, err := OpenSealed(sealed, e.w.CAKeys.Passphrase)
	if err != nil {
		clear(key)
		return nil
	}
	return key
}

// read is a file as the manifest has it: one that was changed is not ours. Where
// it is not there another copy of the set's does; NEXT-STEPS.md has people take ca/ away.
func (e *Earlier) read(f *store.Entry) (data []byte, why string) {
	if data, why = e.readOne(f); why == "" {
		return data, ""
	}
	for _, o := range e.Manifest.Files.OfSlot(f.Slot) {
		if o.Kind == f.Kind && o.SHA256 == f.SHA256 && o.Path != f.Path {
			if data, bad := e.readOne(&o); bad == "" {
				return data, ""
			}
		}
	}
	return nil, why
}

func (e *Earlier) readOne(f *store.Entry) (data []byte, why string) {
	shown := untrusted.Text(f.Path)
	in, err := ReadInput(e.w.Read, filepath.Join(e.Dir, filepath.FromSlash(f.Path)))
	if err != nil {
		return nil, fmt.Sprintf("%s is not there or cannot be read", shown)
	}
	sum := sha256.Sum256(in.Data)
	if hex.EncodeToString(sum[:]) != f.SHA256 {
		clear(in.Data)
		return nil, fmt.Sprintf("%s was changed since it was written", shown)
	}
	return in.Data, ""
}

func parseCertificates(data []byte) (out []*x509.Certificate, why string) {
	for b, rest := pem.Decode(data); b != nil; b, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, "its certificate cannot be read"
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, "its certificate cannot be read"
	}
	return out, ""
}

// fromConfig is the pair that a kubeconfig of ours embeds. Its bytes are those
// that were written, so that its lines need no parser.
func (e *Earlier) fromConfig(f *store.Entry) (*certs.Pair, string) {
	data, why := e.read(f)
	if why != "" {
		return nil, why
	}
	defer clear(data)
	field := func(name string) []byte {
		_, rest, ok := bytes.Cut(data, []byte(name+": "))
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		out, err := base64.StdEncoding.DecodeString(string(line))
		if !ok || err != nil {
			return nil
		}
		return out
	}
	p := &certs.Pair{Made: true}
	if p.Certificates, why = parseCertificates(field("client-certificate-data")); why != "" {
		return nil, why
	}
	key := field("client-key-data")
	defer clear(key)
	if p.Key = parseKey(key); p.Key == nil {
		return nil, unreadableKey
	}
	return p, ""
}
