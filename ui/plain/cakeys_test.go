package plain_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/afero"

	"certwright/ui/plain"
)

const passphrase = "0abc-1def-2ghj-3kmn-4pqr-5stv" // what is made in tests

// upToKeys answers everything before the question about the keys of CAs.
func upToKeys() []string { return enter(15) }

func TestKeysOfCAsAreEncryptedWhenThePassphraseIsTypedBack(t *testing.T) {
	disk := afero.NewMemMapFs()
	text, err := session(t, disk, passphrase, append(upToKeys(), "2", "")...)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	speakable(t, strings.NewReplacer("«", "", "»", "").Replace(text))
	if !strings.Contains(text, "Good: the keys of the CAs are encrypted.") || strings.Count(text, passphrase) != 1 {
		t.Errorf("the passphrase is shown %d times:\n%s", strings.Count(text, passphrase), text)
	}
	sealed, err := afero.ReadFile(disk, "/work/generated/ca/root.key.age")
	if err != nil || !strings.HasPrefix(string(sealed), "age-encryption.org/") {
		t.Errorf("ca/root.key.age: %v", err)
	}
	if ok, _ := afero.Exists(disk, "/work/generated/ca/root.key"); ok {
		t.Error("the plain key is there as well")
	}
}

func TestAPassphraseThatIsNotTypedBackChangesNothing(t *testing.T) {
	disk := afero.NewMemMapFs()
	text, err := session(t, disk, "something else", append(upToKeys(), "2", "quit")...)
	if !errors.Is(err, plain.ErrLeft) || strings.Count(text, "Error: that is not it.") != 3 || !strings.Contains(text, "Nothing was changed.") {
		t.Errorf("%v\n%s", err, text)
	}
	text, err = session(t, disk, "something else", append(upToKeys(), "2", "", "3", "")...)
	if ok, _ := afero.Exists(disk, "/work/generated/ca/root.key"); err != nil || ok {
		t.Errorf("discarded: %v, %v\n%s", err, ok, text)
	}
}
