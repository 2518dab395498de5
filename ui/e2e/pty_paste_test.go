//go:build unix

package e2e

import (
	"strings"
	"testing"
	"time"
)

const (
	pasteBegin = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
)

// pastePane has gone to where a certificate is pasted.
func pastePane(t *testing.T) *terminal {
	t.Helper()
	p := attach(t, t.TempDir())
	p.see("[Profile]")
	p.through("Facts", "Components")
	p.send("b")
	p.see("bring certs")
	p.through("Certs")
	p.send("p")
	p.see("from a file")
	return p
}

// One MiB is what may be pasted. The library alone reads it in a second, and
// what it does with it takes longer.
func TestPtyALargePasteSettles(t *testing.T) {
	t.Parallel()
	p := pastePane(t)
	line := strings.Repeat("A", 63) + "\r"
	body := "-----BEGIN CERTIFICATE-----\r" + strings.Repeat(line, (1<<20-100)/len(line)) + "-----END CERTIFICATE-----\r"
	limit := within(5 * time.Second)
	began := time.Now()
	p.send(pasteBegin + body + pasteEnd)
	p.see("1 block")
	if took := time.Since(began); took > limit {
		t.Errorf("the paste took %v, want less than %v", took, limit)
	}
	p.send("\x1b")
	p.see("0 of 4 ready")
	p.send("\x03\x03")
	if got := p.ended(); got != 130 {
		t.Errorf("status %d", got)
	}
	p.restored()
}

// Ten MiB are refused and the screen lives: the library alone is busy with them
// for a minute.
func TestPtyAHugePasteIsRefused(t *testing.T) {
	t.Parallel()
	p := attach(t, t.TempDir())
	p.see("[Profile]")
	p.through("Facts")
	limit := within(10 * time.Second)
	began := time.Now()
	p.send(pasteBegin + strings.Repeat("0123456789abcde\r", 10<<20/16) + pasteEnd)
	p.see("larger than 1 MiB")
	if took := time.Since(began); took > limit {
		t.Errorf("the refusal took %v, want less than %v", took, limit)
	}
	p.send("x")
	p.see("demox-api.example.com")
	p.send("\x03\x03")
	if got := p.ended(); got != 130 {
		t.Errorf("status %d", got)
	}
	p.restored()
	if strings.Contains(p.text(), "0123456789abcde") {
		t.Error("something of the paste stands on the screen")
	}
}
