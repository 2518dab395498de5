//go:build !linux

package store_test

import (
	"errors"
	"testing"
)

func mountMemory(string, string) error { return errors.ErrUnsupported }

func tryMount(t *testing.T) { t.Skip("mounts are tried on Linux") }

func unmount(string) {}
