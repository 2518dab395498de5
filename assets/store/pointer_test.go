package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A pointer is followed only where the destination that it names has this very
// directory in that place; one that is torn, or whose run came to nothing, goes.
func TestPointers(t *testing.T) {
	for _, c := range []struct {
		why  string
		text func(root string) string
		want string // of the error; "" when the pointer goes
	}{
		{"torn", func(root string) string {
			return string(pointer{Format: pointerFormat, Tx: txPrefix + "01", Dir: root, Mount: "out"}.text()[:50])
		}, ""},
		{"of a run that had not come to its journal", func(root string) string {
			return string(pointer{Format: pointerFormat, Tx: txPrefix + "01", Dir: root, Mount: "out"}.text())
		}, ""},
		{"to another directory", func(root string) string {
			return string(pointer{Format: pointerFormat, Tx: txPrefix + "01", Dir: root, Mount: "victim"}.text())
		}, "is mounted otherwise now"},
		{"to a directory that is not there", func(root string) string {
			return string(pointer{Format: pointerFormat, Tx: txPrefix + "01", Dir: root + "/gone", Mount: "out"}.text())
		}, "cannot be read"},
	} {
		t.Run(c.why, func(t *testing.T) {
			root := t.TempDir()
			dir, victim := filepath.Join(root, "out"), filepath.Join(root, "victim")
			j := interrupt(t, victim)
			if err := os.MkdirAll(filepath.Join(dir, txPrefix+"01"), 0o700); err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(dir, pointerName)
			if err := os.WriteFile(name, []byte(c.text(root)), 0o600); err != nil {
				t.Fatal(err)
			}
			if e, err := Inspect(OS(), dir); err != nil || e.State != Interrupted {
				t.Fatalf("%+v %v", e, err)
			}
			if _, err := Recover(t.Context(), OS(), dir, true); (err == nil) != (c.want == "") {
				t.Errorf("dry run: %v", err)
			}
			_, err := write(t, OS(), dir, options(false), set("1"))
			_, there := os.Lstat(name)
			if c.want == "" {
				if err != nil || there == nil {
					t.Errorf("%v, and the pointer is there: %t", err, there == nil)
				}
			} else if e := status(t, err, NeedsPerson); !strings.Contains(e.Error(), c.want) || !strings.Contains(e.Error(), "nothing was changed") || there != nil {
				t.Errorf("%v, and the pointer: %v", e, there)
			}
			if _, err := os.Stat(filepath.Join(victim, j.Tx, stagedName, "tls/ca.crt")); err != nil {
				t.Errorf("the other directory was touched: %v", err)
			}
		})
	}
}
