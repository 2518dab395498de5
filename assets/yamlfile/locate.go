package yamlfile

import (
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Locate is the position of a field, both from 1: of its value, or of the
// nearest field above it that the file has. The path is written as
// topology.FieldError writes it: slots[3].authority. A key with dots in it, as
// facts have, is found too: facts.etcd.hosts. Without a position both are 0.
func Locate(data []byte, path string) (line, col int) {
	return Locator(data)(path)
}

// Locator is Locate for many fields of one file, which it reads once, and not
// before it is asked: most files have nothing wrong in them.
func Locator(data []byte) func(path string) (line, col int) {
	read := sync.OnceValue(func() *yaml.Node {
		root, err := parse(data)
		if err != nil {
			return nil
		}
		return root
	})
	return func(path string) (int, int) {
		root := read()
		if root == nil {
			return 0, 0
		}
		return locate(root, path)
	}
}

func locate(root *yaml.Node, path string) (line, col int) {
	n, at := root, root
	for path != "" && n != nil {
		switch n.Kind {
		case yaml.MappingNode:
			var key *yaml.Node
			key, n, path = entry(n, path)
			if n != nil {
				at = n
				if isEmpty(n) {
					at = key
				}
			}
		case yaml.SequenceNode:
			if n, path = member(n, path); n != nil {
				at = n
			}
		default:
			n = nil
		}
	}
	return at.Line, at.Column
}

// entry follows the longest key of the map that the path starts with.
func entry(n *yaml.Node, path string) (key, value *yaml.Node, rest string) {
	path = strings.TrimPrefix(path, ".")
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		after, found := strings.CutPrefix(path, k.Value)
		if !found || after != "" && after[0] != '.' && after[0] != '[' || k.Value == "" {
			continue
		}
		if key == nil || len(k.Value) > len(key.Value) {
			key, value, rest = k, n.Content[i+1], after
		}
	}
	return key, value, rest
}

func member(n *yaml.Node, path string) (value *yaml.Node, rest string) {
	number, rest, found := strings.Cut(strings.TrimPrefix(path, "["), "]")
	i, err := strconv.Atoi(number)
	if !found || err != nil || i < 0 || i >= len(n.Content) {
		return nil, ""
	}
	return n.Content[i], rest
}
