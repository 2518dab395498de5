package place

import (
	"cmp"
	"slices"
	"sort"
)

// edge is one certificate that may take one slot.
type edge struct {
	row, col int // slot and certificate
	score    int // over 0
}

// maxExact bounds the parts that are assigned exactly, in steps: rows² × columns.
const maxExact = 20_000_000

// assign gives each row at most one column and each column at most one row so
// that the sum of the scores is largest. Rows and columns that no edge leads to
// from one another are independent, so each such part is solved by itself; a
// part that is too large takes its best edges first. Of equal sums the one with
// earlier rows and columns wins.
func assign(rows, cols int, edges []edge) map[int]int {
	out := map[int]int{}
	for _, part := range parts(rows, cols, edges) {
		r, c := positions(part, func(e edge) int { return e.row }), positions(part, func(e edge) int { return e.col })
		if n, m := min(len(r), len(c)), max(len(r), len(c)); n*n*m <= maxExact {
			for _, e := range exact(part, r, c) {
				out[e.row] = e.col
			}
			continue
		}
		greedy(part, out)
	}
	return out
}

// parts cuts the edges into those that have to do with one another.
func parts(rows, cols int, edges []edge) [][]edge {
	parent := make([]int, rows+cols)
	for i := range parent {
		parent[i] = i
	}
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for _, e := range edges {
		parent[find(e.row)] = find(rows + e.col)
	}
	index := map[int]int{}
	var out [][]edge
	for _, e := range edges {
		root := find(e.row)
		i, ok := index[root]
		if !ok {
			i = len(out)
			index[root] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], e)
	}
	return out
}

// positions lists the different rows or columns of some edges, sorted.
func positions(edges []edge, of func(edge) int) []int {
	var out []int
	for _, e := range edges {
		out = append(out, of(e))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func greedy(part []edge, out map[int]int) {
	sort.Slice(part, func(i, j int) bool {
		return cmp.Or(part[j].score-part[i].score, part[i].row-part[j].row, part[i].col-part[j].col) < 0
	})
	used := map[int]bool{}
	for _, e := range part {
		if !has(out, e.row) && !used[e.col] {
			out[e.row], used[e.col] = e.col, true
		}
	}
}

// exact solves one part by the Hungarian method: the shorter side's nodes enter
// one by one, each along the cheapest way of exchanging what was assigned so far
// (E. Lawler, Combinatorial Optimization, 1976, chapter 5). A pair without an
// edge scores nothing and is left out of the result.
func exact(part []edge, rows, cols []int) []edge {
	flip := len(rows) > len(cols)
	if flip {
		rows, cols = cols, rows
	}
	n, m := len(rows), len(cols)
	score := make([][]int, n)
	for i := range score {
		score[i] = make([]int, m)
	}
	for _, e := range part {
		if flip {
			e.row, e.col = e.col, e.row
		}
		i, _ := slices.BinarySearch(rows, e.row)
		j, _ := slices.BinarySearch(cols, e.col)
		score[i][j] = max(score[i][j], e.score)
	}
	const far = 1 << 60
	// Potentials and assignments count from 1; column 0 is where a row enters.
	u, v, owner := make([]int, n+1), make([]int, m+1), make([]int, m+1)
	for i := 1; i <= n; i++ {
		owner[0] = i
		least, from, done := make([]int, m+1), make([]int, m+1), make([]bool, m+1)
		for j := range least {
			least[j] = far
		}
		at := 0
		for owner[at] != 0 {
			done[at] = true
			row, delta, next := owner[at], far, 0
			for j := 1; j <= m; j++ {
				if done[j] {
					continue
				}
				if c := -score[row-1][j-1] - u[row] - v[j]; c < least[j] {
					least[j], from[j] = c, at
				}
				if least[j] < delta {
					delta, next = least[j], j
				}
			}
			for j := range done {
				if done[j] {
					u[owner[j]] += delta
					v[j] -= delta
				} else {
					least[j] -= delta
				}
			}
			at = next
		}
		for at != 0 {
			owner[at], at = owner[from[at]], from[at]
		}
	}
	var out []edge
	for j := 1; j <= m; j++ {
		if i := owner[j]; i > 0 && score[i-1][j-1] > 0 {
			e := edge{rows[i-1], cols[j-1], score[i-1][j-1]}
			if flip {
				e.row, e.col = e.col, e.row
			}
			out = append(out, e)
		}
	}
	return out
}
