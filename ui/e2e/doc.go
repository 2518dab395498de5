// Package e2e drives the built program as a person does: in a terminal, with
// keys, looking at what is on the screen and at what lies on the disk. It holds
// tests only.
//
// The stories (story_*_test.go) run in tmux and read as prose. The others run on
// a bare pseudo terminal, for what only the bytes show: what is asked of the
// terminal, and how it is left. Both poll, and give a loaded machine time.
//
// Without tmux or openssl they are skipped, unless CERTWRIGHT_E2E is "must".
// CERTWRIGHT_E2E_BINARY names a program to drive instead of building one.
package e2e
