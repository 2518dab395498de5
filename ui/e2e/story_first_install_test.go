//go:build unix

package e2e

import "testing"

// Somebody who has never seen certwright presses Enter until it is done.
func TestStoryFirstInstall(t *testing.T) {
	t.Parallel()
	dir, scene := place(t, "first-install")
	s := open(t, 80, 24, dir, scene.Args...)

	s.see("[Profile]", "Nothing is written before the last step", "▸ Tectonic", "enter next")
	s.press("Enter")
	s.see("[Facts]", "Cluster name", "demo", "demo-api.example.com")
	s.press("Enter")
	s.see("[Components]", "Everything is made here: nothing more is asked for.")
	s.press("Enter")
	s.see("[Topology]", "demo root CA", "etcd server", "All 8 calls proved by real handshakes. Nothing has been written yet.")
	hasNot(t, dir, "generated")

	s.press("Enter")
	s.see("[Review]", "every connection proved. enter writes")
	hasNot(t, dir, "generated")
	s.press("Enter")
	s.see("[Done]", "files written to generated", "certwright apply -f generated/certwright.yaml")

	// The list is still there when the screen is not.
	s.press("Enter")
	s.ends(0)
	s.printed("files written to generated", "certwright status generated")

	has(t, dir, "generated/certwright.yaml", "generated/manifest.json", "generated/NEXT-STEPS.md", "generated/tls/apiserver.key", "generated/ca/root.crt")
	verifies(t, dir, "sslserver", "generated/ca/root.crt", "generated/tls/apiserver.crt")
	verifies(t, dir, "sslserver", "generated/ca/root.crt", "generated/tls/etcd/server.crt")
	sound(t, dir, "generated")
	hasNot(t, s.home, ".local/state/certwright/answers.yaml") // nothing is left to resume
}
