package wizard

import (
	"certwright/certs/topology"
	"certwright/flow"
)

// The Certs step asks, for each component in mode bring certs, for every
// certificate of it with its key.
var _ = register(flow.StepCerts, func(env *Env) Screen {
	return newSlotScreen(env, flow.StepCerts, topology.BringCerts)
})
