package wizard

import (
	"os"
	"testing"

	"certwright/ui/quiet"
)

// child says that this binary is to run the wizard on its terminal.
const child = "CERTWRIGHT_WIZARD_CHILD"

func TestMain(m *testing.M) {
	quiet.Restore()
	if mode := os.Getenv(child); mode != "" {
		os.Exit(runChild(mode))
	}
	os.Exit(m.Run())
}
