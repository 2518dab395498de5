package plain

import (
	"bytes"
	"crypto/subtle"
	"fmt"

	"certwright/flow"
	"certwright/flow/plan"
)

// fates are what can become of the keys of CAs, in the order of the question.
var fates = []plan.CAKeyFate{plan.CAKeysPlain, plan.CAKeysEncrypted, plan.CAKeysDiscard}

// caKeys asks what becomes of the keys of the CAs that are made here.
func (s *session) caKeys() error {
	if !s.State.MakesCAs() {
		return nil
	}
	options := []string{
		"plain: as they are, mode 0600, in ca/",
		"encrypted: sealed with age under a passphrase that is made here and shown once",
		"discarded: never written; nothing can be issued or renewed from these CAs again",
	}
	preset := 0
	for i, f := range fates {
		if f == s.State.CAKeys() {
			preset = i
		}
	}
	i, err := s.choose("What becomes of the keys of the CAs that are made here?", options, preset)
	if err != nil {
		return err
	}
	if fates[i] == plan.CAKeysEncrypted {
		if i == preset && !s.State.SealDue() {
			return nil // the passphrase is there
		}
		return s.seal()
	}
	s.do(flow.SetCAKeys{Fate: fates[i]})
	return nil
}

// tries is how often a passphrase may be typed back.
const tries = 3

// seal makes a passphrase, shows it, and has it typed back.
func (s *session) seal() error {
	if s.Secret == nil || s.NewPassphrase == nil {
		s.say("Error: here no passphrase can be typed unseen. Leave with quit, and give one: --ca-passphrase-file FILE.")
		return errStay
	}
	pass := s.NewPassphrase()
	s.say("Write this passphrase down. It is kept nowhere, and without it nothing can be issued from these CAs again.")
	s.say("  %s", pass)
	s.say("It stays on this screen: clear that, and its history, when the passphrase is written down.")
	for range tries {
		fmt.Fprint(s.Out, "Type it back (not shown): ")
		typed, err := s.Secret()
		fmt.Fprintln(s.Out)
		if err != nil {
			clear(pass)
			return ErrLeft
		}
		same := subtle.ConstantTimeCompare(bytes.TrimSpace(typed), pass) == 1
		clear(typed)
		if same {
			s.do(flow.SetCAKeys{Fate: plan.CAKeysEncrypted, Passphrase: pass})
			s.say("Good: the keys of the CAs are encrypted.")
			return nil
		}
		s.say("Error: that is not it.")
	}
	clear(pass)
	s.say("Nothing was changed.")
	return errStay
}
