package flow_test

import (
	"crypto"
	"io"
)

// signer stands for a private key that is there.
type signer struct{}

func (signer) Public() crypto.PublicKey                                  { return nil }
func (signer) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, io.EOF }
