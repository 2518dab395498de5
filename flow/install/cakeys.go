package install

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"

	"certwright/assets/layout"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/plan"
)

// CAKeys is the fate of the keys in ca/, with what it takes.
type CAKeys struct {
	// Fate, when it is not empty, goes before that of the plan.
	Fate plan.CAKeyFate
	// Passphrase seals the keys. It is the caller's, who clears it.
	Passphrase []byte
	// Work is the base-2 logarithm of scrypt's rounds, 0 for age's own (18, about
	// a second on a core). Tests take less.
	Work int
}

// sealedEnding is what a sealed key's name has behind that of the key.
const sealedEnding = ".age"

// MakesCAs says whether the answers have CAs made here, so that there are keys
// to seal or to discard.
func MakesCAs(a *flow.Answers) bool {
	return flow.MakesCAs(a.Topology, a.Plan)
}

// NewPassphrase is six groups of four characters, 120 random bits: too many to
// be guessed, few enough to be typed. No two of its characters look alike.
func NewPassphrase() []byte {
	const groups, each, alphabet = 6, 4, "0123456789abcdefghjkmnpqrstvwxyz"
	random := make([]byte, groups*each)
	_, _ = rand.Read(random) // it never fails: the program dies instead
	out := make([]byte, 0, len(random)+groups)
	for i, b := range random {
		if i > 0 && i%each == 0 {
			out = append(out, '-')
		}
		out = append(out, alphabet[int(b)%len(alphabet)]) // 32 of them: no bias
	}
	clear(random)
	return out
}

// with is the same with the passphrase that a person gave in the wizard.
func (k CAKeys) with(passphrase []byte) CAKeys {
	if len(passphrase) > 0 {
		k.Passphrase = passphrase
	}
	return k
}

// Protect gives the keys in ca/ the fate that was chosen, in p.Files. What a
// program must read elsewhere stays as it is, and a note says where and why.
func (k CAKeys) Protect(ctx context.Context, chosen *plan.Plan, p *flow.Prepared, dir string, progress func(flow.Progress)) error {
	k = k.or(chosen)
	if k.Fate == "" || k.Fate == plan.CAKeysPlain {
		return nil
	}
	var at []int
	for i, f := range p.Files {
		if f.Kind == layout.KindCAKey && strings.HasPrefix(f.Path, "ca/") {
			at = append(at, i)
		}
	}
	if len(at)+len(p.Carried) == 0 {
		return nil
	}
	if k.Fate == plan.CAKeysEncrypted && len(k.Passphrase) == 0 && len(at) > 0 {
		return errors.New("the keys of CAs are to be encrypted, and no passphrase was given; name a file that holds one: --ca-passphrase-file FILE")
	}
	for _, note := range staysPlain(p, at) {
		if !slices.Contains(p.Notes, note) { // a set that is rendered again has them
			p.Notes = append(slices.Clip(p.Notes), note)
		}
	}
	for n, i := range at {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		f := &p.Files[i]
		if k.Fate == plan.CAKeysEncrypted {
			progress(flow.Progress{Stage: "seal", Item: f.Path, Done: n, Total: len(at)})
			sealed, err := k.seal(f.Data)
			if err != nil {
				return fmt.Errorf("seal %s: %w", f.Path, err)
			}
			clear(f.Data)
			f.Data, f.Path = sealed, f.Path+sealedEnding
			continue
		}
		clear(f.Data)
		f.Data = nil
	}
	if k.Fate == plan.CAKeysDiscard {
		p.Files = slices.DeleteFunc(p.Files, func(f layout.File) bool {
			return f.Kind == layout.KindCAKey && strings.HasPrefix(f.Path, "ca/")
		})
	}
	for i := range p.Files {
		if p.Files[i].Path == layout.NextStepsFile {
			p.Files[i].Data = k.rewrite(p.Files[i].Data, dir)
		}
	}
	return nil
}

// or takes the plan's fate where none was chosen for the run.
func (k CAKeys) or(chosen *plan.Plan) CAKeys {
	if k.Fate == "" {
		k.Fate = chosen.Keys.CAKeys
	}
	return k
}

// seal encrypts a key, and opens it again to be sure that it can be.
func (k CAKeys) seal(key []byte) ([]byte, error) {
	to, err := age.NewScryptRecipient(string(k.Passphrase))
	if err != nil {
		return nil, err
	}
	if k.Work > 0 {
		to.SetWorkFactor(k.Work)
	}
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(key); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	opened, err := OpenSealed(b.Bytes(), k.Passphrase)
	defer clear(opened)
	if err != nil {
		return nil, fmt.Errorf("it does not open again: %w", err)
	}
	if !bytes.Equal(opened, key) {
		return nil, errors.New("it opens to something else; nothing was written")
	}
	return b.Bytes(), nil
}

// OpenSealed opens what Protect sealed.
func OpenSealed(data, passphrase []byte) ([]byte, error) {
	with, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(bytes.NewReader(data), with)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// maxPlaces is how many files a note names before it counts.
const maxPlaces = 3

// staysPlain tells of each CA's key where else in the set it lies in plain. It
// is looked for by its bytes, so that no layout need be asked.
func staysPlain(p *flow.Prepared, keys []int) []string {
	var notes []string
	bare := map[int][]byte{}
	for i, f := range p.Files {
		if f.Private() || f.Kind == layout.KindConfig {
			bare[i] = withoutSpace(f.Data)
		}
	}
	for _, key := range keys {
		needles := spellings(p.Files[key].Data)
		var places []string
		for i, f := range p.Files {
			if i != key && !slices.Contains(keys, i) && slices.ContainsFunc(needles, func(n []byte) bool { return bytes.Contains(bare[i], n) }) {
				places = append(places, f.Path)
			}
		}
		if len(places) > 0 {
			notes = append(notes, plainNote(p, p.Files[key], places))
		}
	}
	for _, b := range bare {
		clear(b)
	}
	return notes
}

const staysWords = " stays plain in "

func isPlainNote(note string) bool { return strings.Contains(note, staysWords) }

func plainNote(p *flow.Prepared, key layout.File, places []string) string {
	more := ""
	if n := len(places) - maxPlaces; n > 0 {
		places, more = places[:maxPlaces], fmt.Sprintf(" and %d more", n)
	}
	var readers []string
	if s := p.Topology.Slot(key.Slot); s != nil {
		for _, c := range s.Consumers {
			if c.Field == topology.FieldKey && !slices.Contains(readers, c.Component) {
				readers = append(readers, c.Component)
			}
		}
	}
	who := "what it is written for"
	if len(readers) > 0 {
		who = strings.Join(readers, " and ")
	}
	return fmt.Sprintf("the key of %s"+staysWords+"%s%s, because %s must read it there", key.Slot, strings.Join(places, ", "), more, who)
}

// spellings are the forms in which a key in PEM stands within other files:
// itself, and in the base64 of a Secret, there without the ends that depend on
// what stands around it. All are without white space.
func spellings(pemKey []byte) [][]byte {
	body := withoutSpace(pemKey)
	out := [][]byte{body}
	for offset := range 3 {
		out = append(out, base64At(pemKey, offset))
	}
	return out
}

// rewrite puts into NEXT-STEPS.md what holds of the keys now, in place of how to
// take them away in plain. It keeps what is said of keys that programs read.
func (k CAKeys) rewrite(page []byte, dir string) []byte {
	const title = "What must leave this machine\n"
	start := bytes.Index(page, []byte(title))
	if start < 0 {
		return page
	}
	start += len(title)
	end := len(page)
	if n := bytes.Index(page[start:], []byte("\n## ")); n >= 0 {
		end = start + n
	}
	var table string
	var kept []string
	for _, block := range strings.Split(strings.Trim(string(page[start:end]), "\n"), "\n\n") {
		switch {
		case strings.HasPrefix(block, "| key | opens |"):
			table = strings.ReplaceAll(block, ".key`", ".key"+sealedEnding+"`")
		case strings.Contains(block, "is a CA's key too"):
			kept = append(kept, block)
		}
	}
	blocks := []string{"The keys of the CAs that were made here were not kept, as it was asked for. Nothing can be issued from these CAs again, and none of their " +
		"certificates renewed: before the first of them ends, a new set with new CAs must take the place of this one, everywhere."}
	if k.Fate == plan.CAKeysEncrypted {
		ca := untrusted.Text(dir + "/ca")
		blocks = []string{
			"`ca/` holds the keys of the CAs that were made here, sealed with [age](https://age-encryption.org) and the passphrase of this run. " +
				"The passphrase is kept nowhere: without it they cannot be opened. Nothing that runs reads them; they are needed to issue more later. Whoever opens one has:",
			table,
			"To open one, where no disk keeps it:",
			"```sh\nage -d -o /dev/shm/root.key " + untrusted.Text(dir+"/ca/root.key"+sealedEnding).ShellArg() + "\n```",
			"Store a copy away from here, and the passphrase elsewhere; then the directory may go:",
			"```sh\ntar -C " + untrusted.Text(dir).ShellArg() + " -cf ca.tar ca\nrm -r " + ca.ShellArg() + "\n```",
		}
		if !strings.Contains(table, "ca/root.key") { // separate roots: the first of them is the example
			if _, name, ok := strings.Cut(table, "`ca/"); ok {
				name, _, _ = strings.Cut(name, "`")
				blocks[3] = "```sh\nage -d -o /dev/shm/" + strings.TrimSuffix(name, sealedEnding) + " " + untrusted.Text(dir+"/ca/"+name).ShellArg() + "\n```"
			}
		}
	}
	text := "\n" + strings.Join(append(blocks, kept...), "\n\n") + "\n"
	return slices.Concat(page[:start], []byte(text), page[end:])
}
