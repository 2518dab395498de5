//go:build unix

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"certwright/ui/e2e/internal/scenario"
)

// A CA's key is in a safe. They write requests out of the wizard and leave; what
// was signed comes back later, and --resume goes on from there.
func TestStoryAKeyThatIsElsewhere(t *testing.T) {
	t.Parallel()
	dir, scene := place(t, "corporate-ca")
	s := open(t, 80, 24, dir, scene.Args...)
	s.see("[Profile]")
	s.through("Facts", "Components")
	s.press("c")
	s.seeRow("etcd", "○", "●")
	s.press("Enter")
	s.see("[CA]")
	s.press("t", "C-u")
	s.write("corp/ca.crt")
	s.see("O=Corp, CN=Corp Issuing CA")
	s.press("Enter")
	s.see("press s if it")
	s.press("s")
	s.seeRow("key", "elsewhere")
	s.see("1 of 1 ready", "signing requests are written")
	s.press("Enter")
	s.see("[Topology]", "the key of the CA of etcd is elsewhere", "w write requests")
	s.press("w")
	s.see("Directory for the signing requests", "generated-requests")
	s.press("Enter")
	passphrase := ""
	s.until("a passphrase", func(f string) bool {
		passphrase = regexp.MustCompile(`[0-9a-z]{4}(-[0-9a-z]{4}){5}`).FindString(f)
		return passphrase != "" && strings.Contains(f, "Type it back:")
	})
	s.write(passphrase)
	s.press("Enter")
	s.ends(0)
	s.printed("3 signing requests", "certwright --resume")
	s.never(passphrase)
	hasNot(t, dir, "generated")
	holds(t, filepath.Join(s.home, ".local/state/certwright/answers.yaml"), "awaiting:")

	// Nothing has come yet.
	s.again("--resume")
	s.see("0 of 3 certificates are here", "File or folder that came back")
	s.write("q")
	s.press("Enter")
	s.ends(0)
	s.printed("Nothing is lost.")

	sign(t, dir)
	s.again("--resume")
	s.see("File or folder that came back")
	s.write("no-such-folder")
	s.press("Enter")
	s.told("no-such-folder does not exist; check the path")
	s.write("stick")
	s.press("Enter")
	s.see("3 of 3 certificates are here: 3 taken now", "Passphrase of the sealed keys:")
	s.write(passphrase)
	s.press("Enter")
	s.ends(0)
	s.printed("files written to", "handshakes over 8 connections proved it")
	verifies(t, dir, "sslserver", "corp/ca.crt", "generated/tls/etcd/server.crt")
	sound(t, dir, "generated")
	s.again("--resume")
	s.ends(2)
}

// sign is what happens where the key is: the commands of SIGN.md, on a copy.
func sign(t *testing.T, dir string) {
	t.Helper()
	page := read(t, dir, "generated-requests/SIGN.md")
	_, script, _ := strings.Cut(page, "```sh\n")
	script, _, _ = strings.Cut(script, "```")
	script = strings.ReplaceAll(script, "/path/to/its.key", filepath.Join(dir, "plain.key"))
	script = strings.ReplaceAll(script, "to-sign/etcd", "stick/etcd")
	cmd := exec.Command("sh", "-e", "-c", `cp -r generated-requests/to-sign stick
openssl pkey -in corp/ca.key -passin env:OPENED -out plain.key
`+script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "OPENED="+scenario.Passphrase)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
