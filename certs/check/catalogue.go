package check

import (
	"slices"
	"sync"
)

// Rules is the catalogue, section by section: every id that a finding can bear.
// The caller owns what it gets.
func Rules() []Rule { return slices.Clone(catalogue().list) }

// RuleByID is one row of the catalogue.
func RuleByID(id string) (Rule, bool) {
	i, ok := catalogue().index[id]
	if !ok {
		return Rule{}, false
	}
	return catalogue().list[i], true
}

type rules struct {
	list  []Rule
	index map[string]int
}

// Each section stands beside the functions that find its rules.
var catalogue = sync.OnceValue(func() rules {
	r := rules{index: map[string]int{}}
	for _, section := range [][]Rule{
		fileRules, formRules, contentRules, keyRules, timeRules, chainRules, nameRules, usageRules, subjectRules, requestRules,
	} {
		for _, rule := range section {
			r.index[rule.ID] = len(r.list)
			r.list = append(r.list, rule)
		}
	}
	return r
})
