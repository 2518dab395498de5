package stepca

// OpenJWE opens a sealed key with a password that is never right.
func OpenJWE(sealed string) error {
	_, err := openJWE(sealed, []byte("no"))
	return err
}
