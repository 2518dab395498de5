package yamlfile

import (
	"reflect"
	"strings"
	"sync"
)

// fieldSet is the fields that a struct takes, by their names in YAML.
type fieldSet struct {
	index map[string]int
	names []string // in the order of the struct
}

func fieldsOf(t reflect.Type) fieldSet {
	if fs, known := fieldSets.Load(t); known {
		return fs.(fieldSet)
	}
	fs := fieldSetOf(t)
	fieldSets.Store(t, fs)
	return fs
}

// fieldSets has those of every type that was met: a profile has hundreds of
// structs of a dozen types.
var fieldSets sync.Map

func fieldSetOf(t reflect.Type) fieldSet {
	fs := fieldSet{index: map[string]int{}}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		fs.index[name] = i
		fs.names = append(fs.names, name)
	}
	return fs
}

func (fs fieldSet) suggest(word string) string {
	if near := Nearest(word, fs.names); near != "" {
		return "did you mean " + near + "?"
	}
	return "the fields here are " + strings.Join(fs.names, ", ")
}

// Nearest is the name that was probably meant: the one with the fewest changed
// letters, at most a third of them. It is "" when none is near.
func Nearest(word string, names []string) string {
	if len(word) > 64 {
		return ""
	}
	best, fewest := "", max(1, len(word)/3)+1
	for _, name := range names {
		if changes := distance(strings.ToLower(word), strings.ToLower(name)); changes < fewest {
			best, fewest = name, changes
		}
	}
	return best
}

// distance counts the letters to insert, remove, replace or swap with a
// neighbour (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
