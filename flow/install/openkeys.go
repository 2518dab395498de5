package install

import (
	"github.com/spf13/afero"

	"certwright/certs/check"
	"certwright/certs/topology"
)

// openKeys makes of the warning about a key that others may read a refusal when
// it is the key of a CA: whoever has read it can be every server and every
// client of the component, and a new set made with it would only look sound.
// Only the real disk is judged: a file system in memory has no modes of its own.
func (g *gatherer) openKeys(slot *topology.Slot, findings []check.Finding) []check.Finding {
	if _, disk := g.w.Read.(*afero.OsFs); !disk || g.w.OpenKeys || slot.Kind != topology.CA {
		return findings
	}
	for i := range findings {
		if f := &findings[i]; f.Rule == "key-permissions" {
			f.Severity = check.Error
			f.Message = "the key of this CA can be read by others than its owner, and whoever did can issue certificates with it"
			f.Why = "what is issued by a CA is worth no more than the secrecy of its key"
		}
	}
	return findings
}
