package wizard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/afero"

	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
)

// preview is what is known of something that was not handed over yet: a file
// under the cursor, or a paste.
type preview struct {
	rows    [][2]string // what it is: a label and its text, escaped
	more    [][2]string // and what matters less
	form    [][2]string // defects of form, for what is not judged
	verdict flow.Verdict
	judged  bool // verdict is the slot's, as if this were handed over
	hasKey  bool // a private key is in it, so that none has to be chosen beside it
	hasCert bool
	shut    bool // something in it waits for a passphrase
	bad     bool // it could not be read; rows say why
}

// judge describes and judges material before it is handed over, with the same
// rules and in the same words as the flow does afterwards. It changes no answer.
type judge struct{ *Env }

// file is the work of looking at an entry of a folder, for a field when it is
// not nil. It is made on the update loop and run by a command.
func (j *judge) file(path string, e entry, field *flow.Field) func() *preview {
	fsys, now := j.FS, j.Now
	switch e.kind {
	case dirEntry:
		return safely(func() *preview { return lookAtFolder(context.Background(), fsys, path) })
	case fileEntry:
	default:
		what := e.what
		if e.kind == lostEntry {
			what = "a symbolic link, and " + what
		}
		return func() *preview { return &preview{rows: [][2]string{{"What", what}}, bad: true} }
	}
	var verdict func(parseFunc) (flow.Verdict, bool)
	name := j.places().given(path)
	if field != nil {
		verdict = j.verdict(map[flow.Field]flow.Source{*field: {Path: name}}, field.Slot)
	}
	return safely(func() *preview {
		in, err := install.ReadInput(fsys, path)
		if err != nil {
			return &preview{rows: unreadRows(err), bad: true}
		}
		in.Name = name
		doc := material.Parse(in)
		v := describe(doc, now())
		if verdict != nil {
			v.verdict, v.judged = verdict(parsedAs(doc))
		}
		return v
	})
}

// safely is a look whose panic, a bug of ours, becomes its outcome: the terminal
// stays whole. The panic's value is dropped, it may quote what was read.
func safely(look func() *preview) func() *preview {
	return func() (out *preview) {
		defer func() {
			if recover() != nil {
				out = &preview{rows: [][2]string{{"Problem", errBug.Error()}}, bad: true}
			}
		}()
		return look()
	}
}

// pasted is the work of looking at a paste that would be filed as sources. The
// bytes are a copy that this clears.
func (j *judge) pasted(data []byte, sources map[flow.Field]flow.Source, slot topology.SlotID) func() *preview {
	now := j.Now
	verdict := j.verdict(sources, slot)
	return safely(func() *preview {
		doc := material.Parse(material.Input{Name: install.PastedName, Data: data})
		v := describe(doc, now())
		clear(data)
		v.verdict, v.judged = verdict(parsedAs(doc))
		return v
	})
}

// parseFunc is material.Parse, or as good.
type parseFunc func(material.Input) *material.Document

// parsedAs knows one document already: what is looked at is parsed once, and
// then described and judged.
func parsedAs(doc *material.Document) parseFunc {
	return func(in material.Input) *material.Document {
		if in.Name == doc.Name && in.Mode == doc.Mode && in.Passphrase == nil && sha256.Sum256(in.Data) == doc.SHA256 {
			return doc
		}
		return material.Parse(in)
	}
}

// verdict is the work of judging a slot as if sources were handed over. Pasted
// bytes are copied: the flow clears its own when they are replaced, and that may
// happen while the work runs.
func (j *judge) verdict(sources map[flow.Field]flow.Source, slot topology.SlotID) func(parseFunc) (flow.Verdict, bool) {
	a := j.Flow.AnswersFor(slot)
	maps.Copy(a.Sources, sources)
	for f, s := range a.Sources {
		s.Pasted = bytes.Clone(s.Pasted)
		a.Sources[f] = s
	}
	// A runner of its own: looks do not cancel each other, the newest is taken.
	runner := &install.Runner{World: &install.World{Read: j.FS, Dir: j.Dir, Now: j.Now}}
	return func(parse parseFunc) (flow.Verdict, bool) {
		runner.World.Parse = parse
		out := runner.Run(context.Background(), flow.CheckSlot{Slot: slot, Answers: a}, nil)
		for _, p := range a.Passphrases {
			clear(p)
		}
		for _, s := range a.Sources {
			clear(s.Pasted)
		}
		c, ok := out.(flow.Checked)
		return c.Verdict, ok
	}
}

func unreadRows(err error) [][2]string {
	var re *install.ReadError
	if errors.As(err, &re) {
		return [][2]string{{"Problem", re.Message}, {"Fix", re.Fix}}
	}
	return [][2]string{{"Problem", untrusted.Text(err.Error()).String()}}
}

// lookAtFolder says how much a folder holds, or why it cannot be read, before
// it is entered.
func lookAtFolder(ctx context.Context, fsys afero.Fs, path string) *preview {
	l := readFolder(ctx, fsys, path)
	if l.err != nil {
		return &preview{rows: [][2]string{{"Problem", "this folder " + reason(l.err)}}, bad: true}
	}
	rows := l.rows(false, "")
	out := [][2]string{{"What", "a folder"}, {"Holds", l.total(rows)}}
	if n := len(l.entries) - len(rows); n > 0 {
		out = append(out, [2]string{"Hidden", number(n)})
	}
	return &preview{rows: out}
}

// describe says what a document is, without judging it against a slot.
func describe(d *material.Document, now time.Time) *preview {
	v := &preview{rows: [][2]string{{"What", contents(d)}}}
	certs := d.X509()
	v.hasCert, v.hasKey, v.shut = len(certs) > 0, len(d.Keys) > 0, d.NeedsPassphrase()
	if len(certs) > 0 {
		c := certs[0]
		kind := "leaf"
		if c.IsCA {
			kind = "CA"
		}
		v.rows = append(v.rows,
			[2]string{"Subject", material.Subject(c).String()},
			[2]string{"Issuer", material.Issuer(c).String()},
			[2]string{"Until", untilWords(c.NotAfter, now)})
		v.more = append(v.more, [2]string{"Kind", kind}, [2]string{"Key", material.KeyWords(c.PublicKey)})
		if names := material.SANs(c); len(names) > 0 {
			v.more = append(v.more, [2]string{"SAN", sanWords(names)})
		}
	} else if s := d.Signer(); s != nil {
		v.rows = append(v.rows, [2]string{"Key", material.KeyWords(s.Public())})
	}
	for _, p := range d.Problems[:min(len(d.Problems), 5)] {
		text := p.Detail
		if r, ok := check.RuleByID(p.Rule); ok {
			text = r.Title + ": " + p.Detail
		}
		v.form = append(v.form, [2]string{"Form", text})
	}
	return v
}

func sanWords(names []untrusted.Text) string {
	var out []string
	for _, n := range names[:min(len(names), 20)] {
		out = append(out, n.String())
	}
	if more := len(names) - len(out); more > 0 {
		out = append(out, "and "+number(more)+" more")
	}
	return strings.Join(out, ", ")
}

// contents names what a document holds: 2 certificates, 1 private key (PEM).
func contents(d *material.Document) string {
	var parts []string
	if n := len(d.Certificates); n > 0 {
		parts = append(parts, count(n, "certificate"))
	}
	keys, shut := 0, 0
	for _, k := range d.Keys {
		if k.Encrypted && k.Signer == nil {
			shut++
		} else {
			keys++
		}
	}
	if keys > 0 {
		parts = append(parts, count(keys, "private key"))
	}
	if shut > 0 {
		parts = append(parts, count(shut, "encrypted private key"))
	}
	if d.Requests > 0 {
		parts = append(parts, count(d.Requests, "signing request"))
	}
	if d.CRLs > 0 {
		parts = append(parts, count(d.CRLs, "revocation list"))
	}
	if n := len(d.PublicKeys); n > 0 {
		parts = append(parts, count(n, "public key"))
	}
	if len(parts) == 0 {
		return fmt.Sprintf("nothing of a certificate (%s)", d.Format)
	}
	return fmt.Sprintf("%s (%s)", strings.Join(parts, ", "), d.Format)
}

func untilWords(end, now time.Time) string {
	date := end.UTC().Format(time.DateOnly)
	if now.After(end) {
		return date + " (ended)"
	}
	if days := int(end.Sub(now).Hours() / 24); days != 1 {
		return fmt.Sprintf("%s (%d days)", date, days)
	}
	return date + " (1 day)"
}

// keyFor is the name of the file that looks like the key of a certificate's
// file: the same name with another ending, or key where the other says cert.
// It is "" when none does.
func (l *folder) keyFor(cert string) string {
	lower := strings.ToLower(cert)
	stem := strings.TrimSuffix(lower, filepath.Ext(lower))
	wanted := []string{stem + ".key", stem + "-key.pem", stem + ".key.pem", stem + "_key.pem", stem + ".pem.key", lower + ".key"}
	for _, swap := range [][2]string{{"cert", "key"}, {"crt", "key"}, {"fullchain", "privkey"}, {"cert", "privkey"}, {"chain", "key"}} {
		if strings.Contains(lower, swap[0]) {
			wanted = append(wanted, strings.Replace(lower, swap[0], swap[1], 1))
		}
	}
	for _, w := range wanted {
		for i := range l.entries {
			if e := &l.entries[i]; e.kind == fileEntry && e.lower == w && e.lower != lower {
				return e.name
			}
		}
	}
	only := ""
	for i := range l.entries {
		if e := &l.entries[i]; e.kind == fileEntry && (strings.HasSuffix(e.lower, ".key") || strings.HasSuffix(e.lower, "key.pem")) {
			if only != "" {
				return ""
			}
			only = e.name
		}
	}
	return only
}
