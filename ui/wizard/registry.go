package wizard

import (
	"certwright/flow"
)

// makers has the screen of each step. Each screen's file registers its own, so
// that the root model knows none of them:
//
//	var _ = register(flow.StepFacts, newFacts)
var makers = map[flow.Step]func(*Env) Screen{}

// register says which screen asks a step. It returns a value only so that it
// can stand in a declaration.
func register(step flow.Step, make func(*Env) Screen) bool {
	makers[step] = make
	return true
}

// makeScreen is a new screen for a step.
func makeScreen(step flow.Step, env *Env) Screen {
	if m, ok := makers[step]; ok {
		return m(env)
	}
	return &outline{Env: env, step: step}
}
