//go:build unix

package cli_test

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/afero"

	"certwright/assets/store"
	"certwright/ui/cli"
	"certwright/ui/quiet"
)

// The test binary is certwright itself for the scripts, in a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"certwright": func() {
			cli.Harden()
			quiet.Restore()
			dir, _ := os.Getwd()
			os.Exit(cli.Main(cli.World{
				Args: os.Args[1:], In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv,
				Disk: afero.NewOsFs(), Store: store.OS(), Dir: dir, Now: time.Now, Rand: rand.Reader,
				SealWork: 12,
			}))
		},
	})
}

// Each script reads as what somebody does at a shell.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"mkfifo": mkfifo,
			"mode":   mode,
			"lines":  lines,
			"swap":   swap,
			"mend":   mend,
		},
		Condition:           func(cond string) (bool, error) { return cond == "root" && os.Geteuid() == 0, nil },
		RequireExplicitExec: true,
	})
}

// mkfifo FILE
func mkfifo(ts *testscript.TestScript, _ bool, args []string) {
	if err := syscall.Mkfifo(ts.MkAbs(args[0]), 0o600); err != nil {
		ts.Fatalf("mkfifo: %v", err)
	}
}

// mode WANT FILE... compares permission bits, written in octal.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	for _, f := range args[1:] {
		info, err := os.Stat(ts.MkAbs(f))
		ts.Check(err)
		if got := info.Mode().Perm().String(); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", f, got, args[0])
		}
	}
}

// lines N compares the number of lines of the last standard error.
func lines(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile("stderr")
	n := 0
	for i := range len(text) {
		if text[i] == '\n' {
			n++
		}
	}
	if want := args[0]; want != itoa(n) {
		ts.Fatalf("standard error has %d lines, want %s:\n%s", n, want, text)
	}
}

func itoa(n int) string { return string(rune('0' + n%10)) }

// mend DIR runs each command that status prints for what differs in a set, in
// its order, each once. There must be one for every file.
func mend(ts *testscript.TestScript, _ bool, args []string) {
	_ = ts.Exec("certwright", "status", args[0], "-o", "json") // it exits 1
	var status struct {
		Drift []struct{ Path, Fix string }
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &status))
	if len(status.Drift) == 0 {
		ts.Fatalf("%s has nothing to mend", args[0])
	}
	done := map[string]bool{}
	for _, d := range status.Drift {
		command, ok := strings.CutPrefix(d.Fix, "$ ")
		if !ok {
			ts.Fatalf("%s: %q is no command", d.Path, d.Fix)
		}
		if !done[command] {
			ts.Logf("%s", command)
			ts.Check(ts.Exec("sh", "-c", command))
		}
		done[command] = true
	}
}

// swap A B exchanges two files.
func swap(ts *testscript.TestScript, _ bool, args []string) {
	a, b := ts.MkAbs(args[0]), ts.MkAbs(args[1])
	ts.Check(os.Rename(a, a+".tmp"))
	ts.Check(os.Rename(b, a))
	ts.Check(os.Rename(a+".tmp", b))
}
