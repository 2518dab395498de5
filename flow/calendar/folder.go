package calendar

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"certwright/certs/issue"
	"certwright/certs/untrusted"
	"certwright/flow/install"
)

// folder is a source that is a directory without a manifest.
func (r *reader) folder() error {
	names, skipped, err := install.ListFolder(r.ctx, r.w, r.at("."))
	if err != nil {
		return err
	}
	for _, s := range skipped {
		r.note(s.File, s.Why)
	}
	tree := treeOf(names)
	r.source.Kind = tree.kind
	if err := r.files(names); err != nil {
		return err
	}
	for i := range r.entries {
		e := &r.entries[i]
		rel := e.Path
		if r.prefix {
			rel, _ = filepath.Rel(r.source.Path, e.Path)
		}
		tree.tell(e, filepath.ToSlash(rel))
	}
	r.pointedTo()
	r.settle()
	if len(r.entries) == 0 {
		if len(r.notes) > 0 {
			return fmt.Errorf("%s holds no certificate that could be read: %s: %s", untrusted.Text(r.source.Path), untrusted.Text(r.notes[0].Path), r.notes[0].Text)
		}
		return fmt.Errorf("%s holds no certificate; name a directory that certwright has written, or one with certificates or kubeconfigs in it", untrusted.Text(r.source.Path))
	}
	return nil
}

// pointedTo takes back that the file is superseded to which the link points.
func (r *reader) pointedTo() {
	current := map[string]bool{}
	for _, e := range r.entries {
		if e.Superseded == "" {
			current[e.SHA256] = true
		}
	}
	for i := range r.entries {
		if current[r.entries[i].SHA256] {
			r.entries[i].Superseded = ""
		}
	}
}

// files reads files of the source, several at once, in their order.
func (r *reader) files(names []string) error {
	held := make([]found, len(names))
	why := make([]string, len(names))
	err := each(r.ctx, len(names), func(i int) {
		in, err := install.ReadInput(r.w.Read, r.at(names[i]))
		if err == nil {
			held[i] = contents(r.w, filepath.Dir(r.at(names[i])), in)
			return
		}
		var re *install.ReadError
		if telling(names[i]) && errors.As(err, &re) {
			why[i] = strings.ReplaceAll(re.Message, untrusted.Text(re.Path).String()+" ", "")
		}
	})
	if err != nil {
		return err
	}
	for i, name := range names {
		if why[i] != "" {
			r.note(name, why[i])
		}
		if !telling(name) {
			held[i].problems = nil // a picture is no damaged certificate
		}
		r.take(r.name(name), held[i])
	}
	return nil
}

// telling says whether a file that cannot be read is worth a word: its name is
// that of certificates. Keys are none of the calendar's business.
func telling(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".crt", ".pem", ".cer", ".cert", ".der", ".conf", ".kubeconfig", ".p12", ".pfx", ".p7b", ".jks":
		return !strings.Contains(filepath.Base(name), "key")
	}
	return false
}

// each runs f for 0 … n-1, on a goroutine for each core, until ctx ends.
func each(ctx context.Context, n int, f func(int)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(issue.Cores(), n) {
		wg.Go(func() {
			for context.Cause(ctx) == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// tree knows whose directory a folder is, by the names that only kubeadm, the
// kubelet and k3s give.
type tree struct {
	kind    Kind
	pki     string // of kubeadm: where ca.crt lies, "pki/" or ""
	has     map[string]bool
	current map[string]bool // directories with a kubelet-client-current.pem, and the like
}

func treeOf(names []string) *tree {
	t := &tree{kind: Folder, has: map[string]bool{}, current: map[string]bool{}}
	for _, n := range names {
		n = filepath.ToSlash(n)
		t.has[n] = true
		if m := currentPattern.FindStringSubmatch(path.Base(n)); m != nil {
			t.current[path.Join(path.Dir(n), m[1])] = true
		}
	}
	for _, pki := range []string{"pki/", ""} {
		if t.has[pki+"ca.crt"] && (t.has[pki+"apiserver.crt"] || t.has[pki+"front-proxy-ca.crt"]) {
			t.kind, t.pki = Kubeadm, pki
			return t
		}
	}
	if t.has["server-ca.crt"] && t.has["client-ca.crt"] && t.has["request-header-ca.crt"] {
		t.kind = K3s
	}
	return t
}

// The kubelet's certificate manager writes each certificate under its time and
// has the link kubelet-client-current.pem point to it (certificate_store.go).
var (
	currentPattern = regexp.MustCompile(`^(kubelet-(?:client|server))-current\.pem$`)
	datedPattern   = regexp.MustCompile(`^(kubelet-(?:client|server))-\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d\.pem$`)
)

const byKubelet = "renewed by the kubelet"

// renewable are the certificates that kubeadm renews, by file below
// /etc/kubernetes, and the CA each needs (kubeadm, app/phases/certs/renewal).
var renewable = map[string]struct{ name, ca string }{
	"pki/apiserver.crt":                {"apiserver", "ca"},
	"pki/apiserver-kubelet-client.crt": {"apiserver-kubelet-client", "ca"},
	"pki/apiserver-etcd-client.crt":    {"apiserver-etcd-client", "etcd/ca"},
	"pki/front-proxy-client.crt":       {"front-proxy-client", "front-proxy-ca"},
	"pki/etcd/server.crt":              {"etcd-server", "etcd/ca"},
	"pki/etcd/peer.crt":                {"etcd-peer", "etcd/ca"},
	"pki/etcd/healthcheck-client.crt":  {"etcd-healthcheck-client", "etcd/ca"},
	"admin.conf":                       {"admin.conf", "ca"},
	"super-admin.conf":                 {"super-admin.conf", "ca"},
	"controller-manager.conf":          {"controller-manager.conf", "ca"},
	"scheduler.conf":                   {"scheduler.conf", "ca"},
}

// tell says of an entry who renews it, and whether it is superseded.
func (t *tree) tell(e *Entry, rel string) {
	base := path.Base(rel)
	if m := datedPattern.FindStringSubmatch(base); m != nil && t.current[path.Join(path.Dir(rel), m[1])] {
		e.Superseded = m[1] + "-current.pem"
	}
	if currentPattern.MatchString(base) && !e.CA {
		e.Renewal, e.rank = byKubelet, -1 // of its two names, people know this one
	}
	switch t.kind {
	case Kubeadm:
		place := rel
		if t.pki == "" {
			place = "pki/" + rel
		}
		switch r, ok := renewable[place]; {
		case ok && !e.CA && t.has[t.pki+r.ca+".key"]:
			e.Renewal = "renewed by kubeadm upgrade, and by: kubeadm certs renew " + r.name
		case ok && !e.CA:
			e.Renewal = "not renewed by kubeadm: " + t.pki + r.ca + ".key is not here"
		case e.CA && slices.Contains([]string{"pki/ca.crt", "pki/etcd/ca.crt", "pki/front-proxy-ca.crt"}, place):
			e.Renewal = "not renewed: kubeadm renews no CA"
		}
	case K3s:
		// k3s makes leaves anew at its start when they are near their end
		// (docs.k3s.io, "certificate"), and keeps its CAs.
		switch {
		case e.CA && e.SelfSigned:
			e.Renewal = "not renewed; replaced by: k3s certificate rotate-ca"
		case !e.CA && strings.HasSuffix(base, ".crt"):
			e.Renewal = "renewed by k3s, when it starts near the end"
		}
	}
}
