package issue

import (
	"context"
	"fmt"
	"sync"

	"certwright/certs"
)

// All makes what the request asks for and returns it together with what was
// brought: a pair for every slot of the topology. It makes keys on all cores
// and signs each certificate as soon as its key and its CA are there. progress,
// which may be nil, is called from one goroutine at a time.
//
// It begins nothing that it cannot finish: the errors of Ready come first. When
// ctx ends it returns the cause at once and no set.
func All(ctx context.Context, r Request, progress func(Event)) (*certs.Set, error) {
	p, err := newPlan(r)
	if err != nil {
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	rep := &reporter{progress: progress}
	tasks := p.tasks(rep)
	rep.total = len(tasks)
	if err := work(ctx, p.Workers, tasks); err != nil {
		return nil, err
	}
	for _, it := range p.items {
		if it.slot == nil {
			p.set.Root = it.pair
		} else {
			p.set.Pairs[it.id] = it.pair
		}
	}
	return p.set, nil
}

// tasks are two for each item: its key, then its certificate, which also
// waits for its CA's.
func (p *plan) tasks(rep *reporter) []*task {
	var keys, signs []*task
	signed := map[*item]*task{}
	for _, it := range p.items {
		it.pair = &certs.Pair{Made: true}
		key := &task{run: func(ctx context.Context) error {
			k, err := p.Keys.Key(ctx, p.Algorithm)
			if err != nil {
				return fmt.Errorf("make the key of %s: %w", it.label(), err)
			}
			it.pair.Key = k
			rep.done(it, WhatKey)
			return nil
		}}
		keys = append(keys, key)
		if it.keyOnly() {
			continue
		}
		sign := &task{urgent: true, run: func(ctx context.Context) error { return p.sign(ctx, it, rep) }}
		sign.after(key)
		if it.by != nil {
			sign.after(signed[it.by])
		}
		signed[it] = sign
		signs = append(signs, sign)
	}
	return append(keys, signs...)
}

func (p *plan) sign(ctx context.Context, it *item, rep *reporter) error {
	terms := Terms{Now: p.Now, Life: p.LeafLife, Serial: it.serial}
	if it.isCA() {
		terms.Life = p.CALife
	}
	by := it.under
	if it.by != nil {
		by = it.by.ca
	}
	var out *Issued
	var err error
	switch {
	case it.from != nil:
		out, err = it.from.Leaf(ctx, it.slot, it.pair.Key, terms)
	case !it.isCA():
		out, err = SignLeaf(ctx, it.slot, it.pair.Key.Public(), by, terms)
	case by == nil:
		out, err = SelfSign(ctx, it.id, it.name, it.pair.Key, terms)
	default:
		out, err = SignCA(ctx, it.id, it.name, it.pair.Key.Public(), by, terms)
	}
	if err != nil {
		return err
	}
	it.pair.Certificates = out.Certificates
	if p.Verified != nil && by != nil {
		p.Verified(out.Certificates[0], by.raw) // create has
	}
	if it.isCA() {
		// Parsed from what was signed, and its chain is known: nothing to verify again.
		it.ca = &CA{chain: out.Certificates, raw: out.Certificates[0], key: it.pair.Key}
		if by != nil {
			it.ca.sent = append(out.Certificates[:1:1], by.sent...)
		}
	}
	rep.done(it, WhatCertificate)
	for _, n := range out.Notes {
		rep.note(it, n)
	}
	return nil
}

// reporter numbers the events.
type reporter struct {
	mu       sync.Mutex
	progress func(Event)
	n, total int
}

func (r *reporter) done(it *item, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	r.send(Event{Slot: it.id, What: what, Done: r.n, Total: r.total})
}

func (r *reporter) note(it *item, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.send(Event{Slot: it.id, What: WhatNote, Done: r.n, Total: r.total, Note: fmt.Sprintf("%s %s", it.label(), text)})
}

func (r *reporter) send(e Event) {
	if r.progress != nil {
		r.progress(e)
	}
}

// task is a piece of work that waits for others.
type task struct {
	run    func(context.Context) error
	urgent bool // before those that are not: what it makes is waited for
	waits  int
	next   []*task
}

// after makes t wait for another.
func (t *task) after(other *task) {
	t.waits++
	other.next = append(other.next, t)
}

// work runs the tasks on that many goroutines, in the order given where the
// waiting leaves a choice, and ends at the first error. All its goroutines have
// ended when it returns.
func work(ctx context.Context, workers int, tasks []*task) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	q := &queue{left: len(tasks)}
	q.cond.L = &q.mu
	for _, t := range tasks {
		if t.waits == 0 {
			q.push(t)
		}
	}
	stop := context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.left = 0
		q.cond.Broadcast()
	})
	defer stop()
	loop := func() {
		for t := q.take(); t != nil; t = q.take() {
			if err := t.run(ctx); err != nil {
				cancel(err)
				return
			}
			q.finish(t)
		}
	}
	var wg sync.WaitGroup
	for range min(workers, len(tasks)) - 1 {
		wg.Go(loop)
	}
	loop()
	wg.Wait()
	return context.Cause(ctx)
}

// queue holds the tasks that wait for nothing any more.
type queue struct {
	mu           sync.Mutex
	cond         sync.Cond
	urgent, rest []*task
	left         int // not finished
}

func (q *queue) push(t *task) {
	if t.urgent {
		q.urgent = append(q.urgent, t)
	} else {
		q.rest = append(q.rest, t)
	}
}

// take waits for a task; nil when there is no more to come.
func (q *queue) take() *task {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.left > 0 {
		for _, list := range []*[]*task{&q.urgent, &q.rest} {
			if len(*list) > 0 {
				t := (*list)[0]
				*list = (*list)[1:]
				return t
			}
		}
		q.cond.Wait()
	}
	return nil
}

func (q *queue) finish(t *task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.left > 0 {
		q.left--
	}
	for _, n := range t.next {
		if n.waits--; n.waits == 0 {
			q.push(n)
		}
	}
	q.cond.Broadcast()
}
