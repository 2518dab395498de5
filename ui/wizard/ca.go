package wizard

import (
	"certwright/certs/topology"
	"certwright/flow"
)

// The CA step asks, for each component in mode bring CA, for the certificate of
// its CA and for the key, and whether an intermediate of our own goes between.
var _ = register(flow.StepCA, func(env *Env) Screen {
	return newSlotScreen(env, flow.StepCA, topology.BringCA)
})
