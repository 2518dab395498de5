package topology

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A condition says for which facts a part of a profile is there:
//
//	calico.install == operator
//	kubernetes.version < 1.29
//	typha.client-uri is set
//	authorities != one and kubernetes.version >= 1.36.1
//
// Versions compare number by number, other values as text, without order.
type condition []clause

type clause struct {
	fact, op, value string
}

var operators = []string{"==", "!=", "<=", ">=", "<", ">"}

func parseCondition(s string) (condition, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var c condition
	for text := range strings.SplitSeq(s, " and ") {
		words := strings.Fields(text)
		switch {
		case len(words) == 3 && words[1] == "is" && words[2] == "set":
			c = append(c, clause{words[0], "set", ""})
		case len(words) == 4 && words[1] == "is" && words[2] == "not" && words[3] == "set":
			c = append(c, clause{words[0], "unset", ""})
		case len(words) == 3 && slices.Contains(operators, words[1]):
			if strings.ContainsAny(words[1], "<>") && !isVersion(words[2]) {
				return nil, fmt.Errorf("%q: %s compares versions, and %q is none", strings.TrimSpace(text), words[1], words[2])
			}
			c = append(c, clause{words[0], words[1], words[2]})
		default:
			return nil, fmt.Errorf("%q: write FACT == VALUE, FACT != VALUE, FACT < VERSION (<=, >, >=), FACT is set or FACT is not set, joined by and", strings.TrimSpace(text))
		}
	}
	return c, nil
}

// holds says whether the condition is met; a fact that is wrong meets none.
func (c condition) holds(values func(string) ([]string, bool)) bool {
	for _, cl := range c {
		vs, ok := values(cl.fact)
		if !ok || !cl.holds(strings.Join(vs, ",")) {
			return false
		}
	}
	return true
}

func (c clause) holds(v string) bool {
	switch c.op {
	case "set":
		return v != ""
	case "unset":
		return v == ""
	case "==":
		return v == c.value
	case "!=":
		return v != c.value
	}
	order := compareVersions(v, c.value)
	switch c.op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

func isVersion(s string) bool {
	parts := strings.Split(strings.TrimPrefix(s, "v"), ".")
	if len(parts) < 2 || len(parts) > 3 {
		return false
	}
	return !slices.ContainsFunc(parts, func(p string) bool {
		n, err := strconv.Atoi(p)
		return err != nil || n < 0 || n > 9999 || strconv.Itoa(n) != p
	})
}

// compareVersions compares 1.36 and 1.36.1: a part that is not given is 0.
func compareVersions(a, b string) int {
	as, bs := strings.Split(strings.TrimPrefix(a, "v"), "."), strings.Split(strings.TrimPrefix(b, "v"), ".")
	for i := range max(len(as), len(bs)) {
		var x, y int
		if i < len(as) {
			x, _ = strconv.Atoi(as[i])
		}
		if i < len(bs) {
			y, _ = strconv.Atoi(bs[i])
		}
		if x != y {
			return x - y
		}
	}
	return 0
}
