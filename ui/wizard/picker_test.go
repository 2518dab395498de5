package wizard

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/afero"

	"certwright/flow"
)

// memFolder is a folder in memory with empty files; a name with a slash at its
// end is a folder.
func memFolder(t testing.TB, names ...string) afero.Fs {
	t.Helper()
	fsys := afero.NewMemMapFs()
	for _, n := range names {
		p := filepath.Join("/d", n)
		if strings.HasSuffix(n, "/") {
			if err := fsys.MkdirAll(p, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := afero.WriteFile(fsys, p, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return fsys
}

func names(l *folder, rows []int) []string {
	var out []string
	for _, i := range rows {
		out = append(out, l.entries[i].name)
	}
	return out
}

func TestRowsOfAFolder(t *testing.T) {
	fsys := memFolder(t, "b.pem", "A.pem", "z/", "archive/", ".hidden.key", ".git/", "ca-key.pem", "README")
	l := readFolder(context.Background(), fsys, "/d")
	if l.err != nil {
		t.Fatal(l.err)
	}
	for _, c := range []struct {
		name, filter string
		hidden       bool
		want         []string
	}{
		{"folders first, hidden left out", "", false, []string{"archive", "z", "A.pem", "b.pem", "ca-key.pem", "README"}},
		{"hidden shown", "", true, []string{".git", "archive", "z", ".hidden.key", "A.pem", "b.pem", "ca-key.pem", "README"}},
		{"filter ignores case", "read", false, []string{"README"}},
		{"every word must be in the name", "key ca", false, []string{"ca-key.pem"}},
		{"a dot first means the hidden ones", ".h", false, []string{".hidden.key"}},
		{"a dot within a name does not", "a.p", false, []string{"A.pem"}},
		{"no match", "xyz", false, nil},
	} {
		if got := names(l, l.rows(c.hidden, c.filter)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if got, want := l.total(l.rows(false, "")), "4 files, 2 folders"; got != want {
		t.Errorf("foot: got %q, want %q", got, want)
	}
}

func TestReadFolderNamesTheReason(t *testing.T) {
	fsys := memFolder(t, "file")
	for _, c := range []struct{ name, dir, want string }{
		{"gone", "/nowhere", "does not exist"},
		{"a file", "/d/file", "is not a folder"},
	} {
		l := readFolder(context.Background(), fsys, c.dir)
		if got := reason(l.err); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := filepath.Join(t.TempDir(), "shut")
	if err := os.Mkdir(dir, 0); err != nil {
		t.Fatal(err)
	}
	if got := reason(readFolder(context.Background(), afero.NewOsFs(), dir).err); got != "may not be read: permission denied" {
		t.Errorf("shut folder: got %q", got)
	}
}

func TestReadFolderEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if l := readFolder(ctx, memFolder(t, "a", "b"), "/d"); len(l.entries) != 0 {
		t.Errorf("read %d entries for nobody", len(l.entries))
	}
}

func TestComplete(t *testing.T) {
	fsys := memFolder(t, "corp-ca.pem", "corp-ca.key", "archive/", "archive/old.pem", "Upper.PEM", ".hidden", "größe-1", "größe-2")
	at := places{dir: "/d", home: "/d/archive"}
	for _, c := range []struct {
		name, typed, want string
		candidates        []string
	}{
		{"as far as all agree", "co", "corp-ca.", []string{"corp-ca.key", "corp-ca.pem"}},
		{"the only one", "corp-ca.p", "corp-ca.pem", nil},
		{"a folder gets its slash", "ar", "archive/", nil},
		{"in a folder below", "archive/o", "archive/old.pem", nil},
		{"absolute", "/d/arch", "/d/archive/", nil},
		{"home", "~", "~/", nil},
		{"in the home", "~/o", "~/old.pem", nil},
		{"case that was not typed", "upp", "Upper.PEM", nil},
		{"hidden only when asked for", ".h", ".hidden", nil},
		{"nothing", "xyz", "xyz", nil},
		{"cut at a whole letter", "gr", "größe-", []string{"größe-1", "größe-2"}},
	} {
		got := complete(context.Background(), fsys, at, c.typed)
		if got.text != c.want || !slices.Equal(got.candidates, c.candidates) {
			t.Errorf("%s: got %q %q, want %q %q", c.name, got.text, got.candidates, c.want, c.candidates)
		}
	}
	if got := complete(context.Background(), fsys, at, "nowhere/x"); got.err == nil || got.text != "nowhere/x" {
		t.Errorf("a folder that is not there: got %+v", got)
	}
	if got := complete(context.Background(), fsys, at, ""); slices.Contains(got.candidates, ".hidden") {
		t.Errorf("hidden names are offered unasked: %q", got.candidates)
	}
}

func TestPaths(t *testing.T) {
	at := places{dir: "/home/ann/cluster", home: "/home/ann"}
	for _, c := range []struct{ name, typed, given, short string }{
		{"below the working directory", "corp/ca.pem", "corp/ca.pem", "corp/ca.pem"},
		{"home", "~/pki/ca.pem", "/home/ann/pki/ca.pem", "~/pki/ca.pem"},
		{"home, but below the working directory", "~/cluster/ca.pem", "ca.pem", "ca.pem"},
		{"beside the working directory", "../ca.pem", "/home/ann/ca.pem", "~/ca.pem"},
		{"elsewhere", "/etc/ssl/ca.pem", "/etc/ssl/ca.pem", "/etc/ssl/ca.pem"},
		{"another person's home is not expanded", "~bob/ca.pem", "~bob/ca.pem", "~bob/ca.pem"},
		{"a name like the home", "/home/annika/x", "/home/annika/x", "/home/annika/x"},
		{"a dollar is a letter", "$HOME/x", "$HOME/x", "$HOME/x"},
		{"two dots that are a name", "..data/tls.crt", "..data/tls.crt", "..data/tls.crt"},
	} {
		given := at.given(c.typed)
		if given != c.given || at.short(given) != c.short {
			t.Errorf("%s: got %q %q, want %q %q", c.name, given, at.short(given), c.given, c.short)
		}
	}
}

func TestPastedPath(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		ok               bool
	}{
		{"plain", "/a/b.pem\n", "/a/b.pem", true},
		{"in quotes, as terminals drop files", "'/a/my ca.pem' ", "/a/my ca.pem", true},
		{"a quote within", `'/a/it'\''s.pem'`, "/a/it's.pem", true},
		{"escaped spaces", `/a/my\ ca.pem`, "/a/my ca.pem", true},
		{"a file URL", "file:///a/my%20ca.pem", "/a/my ca.pem", true},
		{"PEM", "-----BEGIN CERTIFICATE-----", "", false},
		{"two lines", "a\nb", "", false},
		{"base64 without its armour", strings.Repeat("MIIB", 30), "", false},
	} {
		got, ok := pastedPath([]rune(c.text))
		if got != c.want || ok != c.ok {
			t.Errorf("%s: got %q %v, want %q %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestKeyForACertificate(t *testing.T) {
	for _, c := range []struct {
		name, cert, want string
		files            []string
	}{
		{"the same name", "ca.pem", "ca.key", []string{"ca.pem", "ca.key", "other.key"}},
		{"with -key", "server.pem", "server-key.pem", []string{"server.pem", "server-key.pem", "x.key"}},
		{"cert and key", "cert.pem", "key.pem", []string{"cert.pem", "key.pem"}},
		{"as certbot names them", "fullchain.pem", "privkey.pem", []string{"fullchain.pem", "cert.pem", "privkey.pem"}},
		{"as Secrets are mounted", "tls.crt", "tls.key", []string{"tls.crt", "tls.key"}},
		{"the only key there", "a.pem", "b.key", []string{"a.pem", "b.key"}},
		{"two others: no guess", "a.pem", "", []string{"a.pem", "b.key", "c.key"}},
		{"none", "a.pem", "", []string{"a.pem"}},
		{"upper case", "CA.PEM", "CA.KEY", []string{"CA.PEM", "CA.KEY", "b.key"}},
	} {
		l := readFolder(context.Background(), memFolder(t, c.files...), "/d")
		if got := l.keyFor(c.cert); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestShortSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 227: "227", 999: "999", 1000: "1.0K", 2148: "2.1K", 9949: "9.9K", 9951: "10K", 999_499: "999K", 999_501: "1.0M", 14_200_000: "14M"} {
		if got := shortSize(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

// bigFolder has ten thousand files in memory.
func bigFolder(t testing.TB) afero.Fs {
	t.Helper()
	fsys := afero.NewMemMapFs()
	for i := range 10_000 {
		if err := afero.WriteFile(fsys, fmt.Sprintf("/home/ann/cluster/file-%05d.pem", i), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return fsys
}

func TestAFolderOfTenThousandFiles(t *testing.T) {
	d := driveSlots(t, flow.StepModes, "etcd=bring-ca", setup{}, nil)
	d.root.env.FS = bigFolder(t)
	d.press("enter").at(flow.StepCA)
	d.shows("10,000 files", "file-00000.pem")
	d.press("end").shows("file-09999.pem").hides("file-00000.pem")
	d.press("/").write("777").shows("file-00777.pem", "file-06777.pem", "19 files").hides("file-00778.pem")
	d.press("esc").shows("10,000 files")
	if e := d.slots().picker.current(); e == nil || !strings.Contains(e.name, "777") {
		t.Errorf("the end of the filter moved the cursor to %v", e)
	}
}

func BenchmarkPickerKey(b *testing.B) {
	d := driveSlots(b, flow.StepModes, "etcd=bring-ca", setup{}, nil)
	d.root.env.FS = bigFolder(b)
	d.press("enter")
	down := keyOf(b, "down")
	for b.Loop() {
		d.root.Update(down)
		_ = d.root.View()
	}
}

func BenchmarkPickerFilter(b *testing.B) {
	l := readFolder(context.Background(), bigFolder(b), "/home/ann/cluster")
	for b.Loop() {
		l.rows(false, "77 pem")
	}
}

func TestPickerKeepsUpWithTheDisk(t *testing.T) {
	d := driveSlots(t, flow.StepCA, "etcd=bring-ca", setup{}, map[string][]byte{"a.pem": []byte("x"), "b.pem": []byte("x")})
	d.press("down").shows("▸ b.pem")
	if err := d.fs.Remove("/home/ann/cluster/b.pem"); err != nil {
		t.Fatal(err)
	}
	d.rest().shows("b.pem does not exist")
	d.press("ctrl+r").hides("b.pem").shows("▸ a.pem")
	d.put("c.pem", []byte("x"))
	d.press("ctrl+r").shows("c.pem", "▸ a.pem")
	if err := d.fs.RemoveAll("/home/ann/cluster"); err != nil {
		t.Fatal(err)
	}
	d.press("ctrl+r").shows("this folder does not exist")
	d.press("left").shows("─ ~ ─")
}

func TestPickerInAnEmptyFolder(t *testing.T) {
	d := driveSlots(t, flow.StepModes, "etcd=bring-ca", setup{}, nil)
	if err := d.fs.MkdirAll("/home/ann/cluster", 0o755); err != nil {
		t.Fatal(err)
	}
	d.press("enter").shows("empty", "0 files")
	d.press("down", "down", "end", "up", "pgdown").shows("empty").press("/").write("x").shows("no name has x").press("enter", "esc")
	d.put(".only-hidden", nil)
	d.press("ctrl+r").shows("only hidden files").press(".").shows(".only-hidden")
}

func TestPickerShowsNamesEscaped(t *testing.T) {
	name := "evil\x1b[2J\u202e.pem"
	d := driveSlots(t, flow.StepCA, "etcd=bring-ca", setup{}, map[string][]byte{name: []byte("x")})
	d.rest()
	if raw := d.root.View(); strings.Contains(raw, "\x1b[2J") || strings.Contains(raw, "\u202e") {
		t.Errorf("the name reached the terminal: %q", raw)
	}
	d.shows(`evil\u{1b}`)
}

func TestPickerDropsAnAnswerOfAnotherFolder(t *testing.T) {
	d := driveSlots(t, flow.StepCA, "etcd=bring-ca", setup{}, map[string][]byte{"a.pem": nil, "sub/b.pem": nil})
	p := d.slots().picker
	old := p.enter("/home/ann/cluster", "")
	d.run(p.enter("/home/ann/cluster/sub", ""))
	d.run(old)
	d.shows("b.pem").hides("a.pem")
}
