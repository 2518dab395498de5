// Certwright is an interactive terminal installer for the TLS of a Kubernetes
// cluster. See README.md.
package main

import (
	"crypto/rand"
	"os"
	"time"

	"certwright/ui/quiet" // must be initialised before any package that asks the terminal

	"certwright/assets/store"
	"certwright/ui/cli"

	"github.com/spf13/afero"
)

func main() {
	cli.Harden()
	quiet.Restore()
	dir, _ := os.Getwd() // without one, relative paths fail where they are used, each with its own error
	os.Exit(cli.Main(cli.World{
		Args: os.Args[1:], In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv,
		Disk: afero.NewOsFs(), Store: store.OS(), Dir: dir, Now: time.Now, Rand: rand.Reader,
	}))
}
