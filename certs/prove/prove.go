// Package prove connects: for each edge of a topology a real TLS handshake in
// memory, with the certificates that will be written and each side configured
// as the component configures itself. Start with Edges for what must work and
// with Reach for what a stolen key would open.
//
// It opens no socket and writes no file.
package prove

import (
	"time"

	"certwright/certs"
	"certwright/certs/topology"
)

// Input is a set to be proved.
type Input struct {
	Set     *certs.Set
	Now     time.Time
	Workers int // default GOMAXPROCS
}

// Handshake is one connection that was tried.
type Handshake struct {
	Edge    string          `json:"edge"`
	Client  topology.SlotID `json:"client,omitempty"` // "" for a client without a certificate
	Server  topology.SlotID `json:"server"`
	Name    string          `json:"name,omitempty"` // the host name or address that was dialled
	Version string          `json:"version"`        // "TLS 1.2" or "TLS 1.3"
	OK      bool            `json:"ok"`
	Advised string          `json:"advised,omitempty"` // set when the name is only advised: why it is dialled
	Problem string          `json:"problem,omitempty"` // our words: what, both sides, the fix
	Error   string          `json:"error,omitempty"`   // the component's own message
	User    string          `json:"user,omitempty"`    // who the API server takes the client for
	Groups  []string        `json:"groups,omitempty"`
}

// Opening is one server that the holder of a key can open.
type Opening struct {
	Client  topology.SlotID `json:"client"`
	Server  topology.SlotID `json:"server"`
	Allowed bool            `json:"allowed"` // an edge asks for it
	Open    bool            `json:"open"`    // the server accepts the certificate
	As      string          `json:"as,omitempty"`
	Error   string          `json:"error,omitempty"` // why it was refused
}
