package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPaths(t *testing.T) {
	for _, test := range []struct {
		path string
		ok   bool
	}{
		{"tls/ca.crt", true},
		{"NEXT-STEPS.md", true},
		{".gitignore", true},
		{"nodes/worker-0.example.com/kubelet.conf", true},
		{"_wildcard.example.com.crt", true},
		{strings.Repeat("n", 253) + "/x", true},
		{"", false},
		{".", false},
		{"..", false},
		{"../x", false},
		{"a/../../x", false},
		{"a/../b", false},
		{"a//b", false},
		{"a/", false},
		{"./a", false},
		{"/etc/passwd", false},
		{`C:\x`, false},
		{`a\b`, false},
		{"a:b", false},
		{"CON", false},
		{"nul.crt", false},
		{"tls/Com1.key", false},
		{"lpt9", false},
		{"comx", true},
		{"trailing.", false},
		{"trailing ", false},
		{"-rf", false},
		{"a\x00b", false},
		{"a\nb", false},
		{"schlüssel", false},
		{"\u202ekey", false},
		{strings.Repeat("n", 256), false},
		{strings.Repeat("n/", 600) + "x", false},
		{"manifest.json", false},
		{"Manifest.JSON", false},
		{"tls/manifest.json", true},
		{".certwright-journal", false},
		{"tls/.certwright-tx-1/x", false},
	} {
		if err := CheckPath(test.path); (err == nil) != test.ok {
			t.Errorf("%q: %v, want ok %t", test.path, err, test.ok)
		} else if err != nil {
			status(t, err, Invalid)
		}
	}
}

func TestPathsThatFallTogether(t *testing.T) {
	for _, test := range []struct {
		name  string
		paths []string
		ok    bool
	}{
		{"the same twice", []string{"a/b", "a/b"}, false},
		{"the same where case is ignored", []string{"a/b", "a/B"}, false},
		{"directories that differ in case", []string{"a/b", "A/c"}, false},
		{"a file below a file", []string{"a", "a/b"}, false},
		{"a file where a directory is", []string{"a/b/c", "a/B"}, false},
		{"neighbours", []string{"a/b", "a/c", "b/b"}, true},
	} {
		n := newNames(0)
		var err error
		for _, p := range test.paths {
			if err == nil {
				err = n.add(p)
			}
		}
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestManifestIsStrict(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	entry := func(path, mode, sum string) string {
		return `{"version":"1","profile":"p","created":"2026-11-21T12:00:00Z","files":[{"path":"` + path + `","mode":"` + mode + `","sha256":"` + sum + `","size":1,"kind":"key"}]}`
	}
	for _, test := range []struct{ name, text, want string }{
		{"sound", entry("a/b", "0600", sum), ""},
		{"empty", "", "EOF"},
		{"cut off", entry("a/b", "0600", sum)[:80], "unexpected EOF"},
		{"unknown field", `{"version":"1","extra":1}`, `unknown field "extra"`},
		{"nothing but a version", `{"version":"1"}`, "names no profile"},
		{"no date", `{"version":"1","profile":"p","files":[]}`, "no date"},
		{"no files", `{"version":"1","profile":"p","created":"2026-11-21T12:00:00Z"}`, "lists no files"},
		{"something follows", entry("a", "0600", sum) + "{}", "something follows"},
		{"a path that leads out", entry("../b", "0600", sum), "files[0]: not a path below"},
		{"an absolute path", entry("/etc/shadow", "0600", sum), "files[0]"},
		{"the store's own name", entry(".certwright-journal", "0600", sum), "files[0]"},
		{"no mode", entry("a", "", sum), "not a file mode"},
		{"setuid", entry("a", "4755", sum), "not a file mode"},
		{"mode in words", entry("a", "rw", sum), "not a file mode"},
		{"short digest", entry("a", "0600", sum[:10]), "64 hexadecimal digits"},
		{"no digest", entry("a", "0600", strings.Repeat("z", 64)), "64 hexadecimal digits"},
		{"wrong type", `{"files":{}}`, "there is no ["},
		{"wrong type of a field", `{"profile":1}`, "cannot unmarshal"},
		{"no object", `[]`, "there is no {"},
		{"twice", `{"version":"1","version":"2"}`, "twice"},
		{"unknown field of a file", `{"files":[{"extra":1}]}`, `unknown field "extra"`},
	} {
		_, err := parseManifest(strings.NewReader(test.text), nil, 0)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// A line is written as json.Marshal writes it, whatever stands in it.
func TestLinesOfTheManifestAreJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[ -~]{0,9}`), rapid.StringMatching(`[a-z0-9/.@-]{0,9}`), rapid.String())
		e := Entry{
			Path: text.Draw(t, "path"), Mode: 0o600, ModeText: text.Draw(t, "mode"), SHA256: text.Draw(t, "sum"), Size: rapid.Int64().Draw(t, "size"),
			Slot: text.Draw(t, "slot"), Kind: text.Draw(t, "kind"), Serial: text.Draw(t, "serial"),
		}
		if rapid.Bool().Draw(t, "ends") {
			end := time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "seconds"), rapid.SampledFrom([]int64{0, 1, 5e8, 999_999_999}).Draw(t, "nanoseconds"))
			end = end.In(rapid.SampledFrom([]*time.Location{time.UTC, time.FixedZone("east", 3600), time.FixedZone("odd", 61)}).Draw(t, "zone"))
			e.NotAfter = &end
		}
		want, wantErr := json.Marshal(e)
		got, err := appendEntry([]byte("\n"), &e)
		if (err != nil) != (wantErr != nil) || err == nil && string(got) != "\n"+string(want) {
			t.Fatalf("got %s, %v\nwant %s, %v", got, err, want, wantErr)
		}
	})
}

func TestManifestRoundTrip(t *testing.T) {
	end := now.Add(time.Hour)
	files := []Entry{
		{Path: "a", Mode: 0o600, ModeText: "0600", SHA256: digest(nil), Kind: "key", Slot: "etcd/server"},
		{Path: "b/c", Mode: 0o644, ModeText: "0644", SHA256: digest([]byte("x")), Size: 1, Kind: "certificate", Serial: "0a", NotAfter: &end},
	}
	m := &Manifest{Version: "1.2", Profile: "tectonic", Created: now}
	var b bytes.Buffer
	if err := m.write(&b, slices.Values(files)); err != nil {
		t.Fatal(err)
	}
	back, err := parseManifest(&b, nil, 0)
	if err != nil {
		t.Fatalf("%v in %s", err, b.Bytes())
	}
	if got := slices.Collect(entriesOf(back)); !back.sameFiles(m, slices.Values(files)) || !slices.EqualFunc(got, files, sameEntry) || !back.Created.Equal(now) {
		t.Errorf("got %+v of %+v, want %+v", got, back, files)
	}
	if back.sameFiles(m, slices.Values(files[:1])) {
		t.Error("a file less is the same")
	}
	files[1].Serial = "0b"
	if back.sameFiles(m, slices.Values(files)) {
		t.Error("another serial is the same")
	}
}

// Review shows what a write then does.
func TestChanges(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	mustWrite(t, OS(), dir, options(false), set("1"))
	os.WriteFile(filepath.Join(dir, "tls/server.crt"), []byte("edited"), 0o644)
	os.Remove(filepath.Join(dir, "flags/etcd.txt"))
	os.Chmod(filepath.Join(dir, "tls/server.key"), 0o644)
	os.WriteFile(filepath.Join(dir, "tls/mine.pem"), []byte("mine"), 0o644)
	os.WriteFile(filepath.Join(dir, "same.txt"), []byte("same"), 0o644)
	os.Mkdir(filepath.Join(dir, "blocked"), 0o755)
	os.Symlink("tls", filepath.Join(dir, "link"))
	e, err := Inspect(OS(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if !e.Half() || e.State != Ours {
		t.Errorf("state %s, half %t", e.State, e.Half())
	}
	var planned []Planned
	for _, f := range []File{
		file("tls/ca.crt", "ca 1", 0o644, "ca"),
		file("tls/server.crt", "crt 1", 0o644, "certificate"),
		file("tls/server.key", "key 1", 0o600, "key"),
		file("flags/etcd.txt", "flags 1", 0o644, "config"),
		file("NEXT-STEPS.md", "other", 0o644, "document"),
		file("tls/mine.pem", "theirs", 0o644, "certificate"),
		file("same.txt", "same", 0o644, "document"),
		file("added", "x", 0o644, "document"),
		file("blocked", "x", 0o644, "document"),
		file("link/x", "x", 0o644, "document"),
	} {
		planned = append(planned, f.Planned())
	}
	want := map[string]What{
		"tls/ca.crt": Same, "tls/server.crt": Overwrite, "tls/server.key": Overwrite, "flags/etcd.txt": New,
		"NEXT-STEPS.md": Overwrite, "tls/mine.pem": Takeover, "same.txt": Same, "added": New,
		"blocked": Blocked, "link/x": Blocked, "tls/etcd/peer.key": Remove,
	}
	changes := slices.Collect(e.Changes(planned))
	for _, c := range changes {
		if c.What != want[c.Path] {
			t.Errorf("%s: %s, want %s", c.Path, c.What, want[c.Path])
		}
		if c.Modified != (c.Path == "tls/server.crt") {
			t.Errorf("%s: modified %t", c.Path, c.Modified)
		}
	}
	if len(changes) != len(want) {
		t.Errorf("%d changes, want %d", len(changes), len(want))
	}
	d, err := Check(OS(), dir)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join([]string{strings.Join(d.Changed, " "), strings.Join(d.Missing, " "), strings.Join(d.Loosened, " "), strings.Join(d.Extra, " ")}, ";")
	if want := "tls/server.crt;flags/etcd.txt;tls/server.key;link same.txt tls/mine.pem"; got != want || d.Clean() {
		t.Errorf("drift %s, want %s", got, want)
	}
}

func TestForeignDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	os.MkdirAll(dir, 0o755)
	os.WriteFile(filepath.Join(dir, "ca.key"), []byte("kubeadm's"), 0o600)
	_, err := write(t, OS(), dir, options(false), set("1"))
	e := status(t, err, Refused)
	if !strings.Contains(e.Error(), "ca.key") || !strings.Contains(e.Error(), "--force") {
		t.Error(e)
	}
	o := options(false)
	o.Ignore = []string{"ca.key"}
	mustWrite(t, OS(), dir, o, set("1"))
	if data, err := os.ReadFile(filepath.Join(dir, "ca.key")); err != nil || string(data) != "kubeadm's" {
		t.Errorf("%q %v", data, err)
	}
}

// A file that appears between the review and the commit is not replaced.
func TestFileAppearsMeanwhile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	os.MkdirAll(filepath.Join(dir, "tls"), 0o755)
	tx, err := Begin(t.Context(), OS(), dir, options(true))
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	for _, f := range set("1") {
		if err := tx.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	if w := strings.Join(tx.Warnings(), "\n"); !strings.Contains(w, "chmod 700") || strings.Count(w, "\n") != 0 {
		t.Errorf("warnings %q", w)
	}
	p := filepath.Join(dir, "tls/server.key")
	os.WriteFile(p, []byte("somebody's"), 0o600)
	_, err = tx.Commit(t.Context())
	status(t, err, Refused)
	if got, _ := os.ReadFile(p); string(got) != "somebody's" {
		t.Errorf("it holds %q", got)
	}
}

// A fleet grows: what is there stays, and only documents may be replaced.
func TestUpdate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	mustWrite(t, OS(), dir, options(false), set("1"))
	o := options(false)
	o.Update = true
	tx, err := Begin(t.Context(), OS(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	for _, p := range tx.Existing().With(Unchanged) {
		if p == "NEXT-STEPS.md" {
			continue
		}
		if err := tx.Keep(p); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []File{file("nodes/7/kubelet.key", "key 7", 0o600, "key"), file("NEXT-STEPS.md", "more", 0o644, "document")} {
		if err := tx.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	r, err := tx.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Same != 5 || r.New != 1 || r.Overwritten != 1 || r.Removed != 0 || r.Files != 7 {
		t.Errorf("%+v", r)
	}
	_, err = write(t, OS(), dir, o, []File{file("tls/server.key", "another", 0o600, "key")})
	status(t, err, Refused)
	_, err = write(t, OS(), dir, o, []File{file("NEXT-STEPS.md", "more", 0o644, "document")})
	if e := status(t, err, Refused); !strings.Contains(e.Error(), "the new set has no such file") {
		t.Error(e)
	}
}

// Keep a file that somebody changed: it stays, and is no longer ours.
func TestKeepModified(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	mustWrite(t, OS(), dir, options(false), set("1"))
	os.WriteFile(filepath.Join(dir, "tls/ca.crt"), []byte("edited"), 0o644)
	tx, err := Begin(t.Context(), OS(), dir, options(true))
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	if err := tx.Keep("tls/ca.crt"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Keep("nowhere"); err == nil {
		t.Error("kept what is not there")
	}
	if err := tx.Add(file("tls/ca.crt", "x", 0o644, "ca")); err == nil {
		t.Error("added what is kept")
	}
	for _, f := range set("1")[1:] {
		if err := tx.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	e, err := Inspect(OS(), dir)
	if err != nil || strings.Join(e.With(Extra), " ") != "tls/ca.crt" {
		t.Errorf("extra %v %v", e.With(Extra), err)
	}
}

func TestBadFiles(t *testing.T) {
	tx, err := Begin(t.Context(), OS(), filepath.Join(t.TempDir(), "out"), options(false))
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	for name, f := range map[string]File{
		"no mode":             file("a", "", 0, "key"),
		"writable by others":  file("b", "", 0o666, "key"),
		"writable by a group": file("c", "", 0o664, "key"),
		"setuid":              file("d", "", 0o600|fs.ModeSetuid, "key"),
		"a directory":         file("e", "", 0o700|fs.ModeDir, "key"),
		"leads out":           file("../f", "", 0o600, "key"),
		"the manifest":        file("manifest.json", "", 0o644, "key"),
	} {
		if err := tx.Add(f); err == nil {
			t.Errorf("%s: added", name)
		} else {
			status(t, err, Invalid)
		}
	}
}

// interrupt leaves a journal behind, as a power failure between its writing and
// the first rename does.
func interrupt(t *testing.T, dir string) *journal {
	t.Helper()
	mustWrite(t, OS(), dir, options(false), set("1"))
	tx, err := Begin(t.Context(), OS(), dir, options(true))
	if err != nil {
		t.Fatal(err)
	}
	defer tx.close()
	for _, f := range set("2") {
		if err := tx.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.writeManifest(tx.newManifest()); err != nil {
		t.Fatal(err)
	}
	j, err := tx.plan()
	if err == nil {
		err = tx.undoCopies(j)
	}
	if err == nil {
		_, err = j.install(tx.root)
	}
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestRecoveryIsToldAndDryRunChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	interrupt(t, dir)
	if e, err := Inspect(OS(), dir); err != nil || e.State != Interrupted {
		t.Fatalf("%+v %v", e, err)
	}
	r, err := Recover(t.Context(), OS(), dir, true)
	if err != nil || r.Outcome != KeptNew || !strings.Contains(r.String(), "would complete") {
		t.Fatalf("%v %v", r, err)
	}
	tx, err := Begin(t.Context(), OS(), dir, options(true))
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	if r := tx.Recovered(); r == nil || r.Outcome != KeptNew || r.Backup == "" {
		t.Errorf("%v", r)
	} else {
		t.Log(r)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "tls/server.key")); string(got) != "key 2" {
		t.Errorf("the key holds %q", got)
	}
	tx.Abort()
	if r, err := Recover(t.Context(), OS(), dir, false); err != nil || r.Outcome != NothingToDo {
		t.Errorf("%v %v", r, err)
	}
}

// What somebody edited between a crash and the recovery is never overwritten.
func TestRecoveryLeavesEditedFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	interrupt(t, dir)
	p := filepath.Join(dir, "tls/server.key")
	os.WriteFile(p, []byte("edited meanwhile"), 0o600)
	_, err := Recover(t.Context(), OS(), dir, false)
	e := status(t, err, NeedsPerson)
	t.Log(e)
	if got, _ := os.ReadFile(p); string(got) != "edited meanwhile" || ExitStatus(err) != 7 {
		t.Errorf("%q, exit %d", got, ExitStatus(err))
	}
	_, err = write(t, OS(), dir, options(true), set("3"))
	status(t, err, NeedsPerson)
	os.WriteFile(p, []byte("key 1"), 0o600) // the old one put back
	if r, err := Recover(t.Context(), OS(), dir, false); err != nil || r.Outcome != KeptNew {
		t.Errorf("%v %v", r, err)
	}
}

// A journal with a flipped byte is never acted upon.
func TestTornJournal(t *testing.T) {
	for _, renamed := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "out")
		j := interrupt(t, dir)
		name := filepath.Join(dir, journalName)
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		os.WriteFile(name, data, 0o600)
		if renamed {
			os.Rename(filepath.Join(dir, j.Tx, stagedName, "tls/ca.crt"), filepath.Join(dir, "tls/ca.crt"))
		}
		r, err := Recover(t.Context(), OS(), dir, false)
		if renamed {
			t.Log(status(t, err, NeedsPerson))
			continue
		}
		if err != nil || r.Outcome != KeptOld {
			t.Fatalf("%v %v", r, err)
		}
		if got, _ := os.ReadFile(filepath.Join(dir, "tls/ca.crt")); string(got) != "ca 1" {
			t.Errorf("ca.crt holds %q", got)
		}
		if found, _ := filepath.Glob(filepath.Join(dir, evidencePrefix+"*")); len(found) != 1 {
			t.Error("the journal was not kept as evidence")
		}
	}
}

func TestExitStatus(t *testing.T) {
	if got := ExitStatus(nil); got != 0 {
		t.Error(got)
	}
	if got := ExitStatus(errors.New("x")); got != 5 {
		t.Error(got)
	}
	for kind, want := range map[Kind]int{Invalid: 1, Refused: 3, Locked: 4, Failed: 5, Pending: 6, NeedsPerson: 7, Cancelled: 130} {
		if got := ExitStatus(&Error{Kind: kind}); got != want {
			t.Errorf("kind %d: %d, want %d", kind, got, want)
		}
	}
}
