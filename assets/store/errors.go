package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"certwright/certs/untrusted"
)

// Kind says which promise an Error leaves standing.
type Kind int

// The kinds of Error, each with its exit status (ExitStatus).
const (
	Invalid     Kind = iota + 1 // the file, its path or the manifest is not acceptable (1)
	Refused                     // the destination: an existing set, a link, an unsafe directory (3)
	Locked                      // another run holds the lock (4)
	Failed                      // a read or write failed; the old state is intact (5)
	Pending                     // the new set is written; cleaning up is left to the next run (6)
	NeedsPerson                 // recovery cannot tell what is right (7)
	Cancelled                   // the context ended before the commit; the old state is intact (130)
)

// Error is what the package's functions return: one line that names the file,
// the operation, the reason, the state of the destination and what to do next.
type Error struct {
	Kind  Kind
	Op    string // "rename"
	Path  string // the file, as the user would name it; shown through untrusted.Text
	Err   error  // the reason
	State string // "nothing was changed"
	Next  string // a sentence or a command
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op + " ")
	}
	if e.Path != "" {
		b.WriteString(untrusted.Text(e.Path).String() + ": ")
	}
	if e.Err != nil {
		b.WriteString(reason(e.Err))
	}
	for _, s := range []string{e.State, e.Next} {
		if s != "" {
			b.WriteString("; " + untrusted.Text(s).Max(2048)) // names of files are in it
		}
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// reason is the text of an error without the paths that the os package put
// around it: those may be staging names, and Error has the user's name.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		err = link.Err
	}
	return untrusted.Text(err.Error()).Max(1024)
}

// ExitStatus is the exit status of design: 0 for nil, 130 when a context ended,
// 5 for an error that is not of this package.
func ExitStatus(err error) int {
	if err == nil {
		return 0
	}
	var e *Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return 130
		}
		return 5
	}
	switch e.Kind {
	case Invalid:
		return 1
	case Refused:
		return 3
	case Locked:
		return 4
	case Pending:
		return 6
	case NeedsPerson:
		return 7
	case Cancelled:
		return 130
	}
	return 5
}

// Words that several errors share.
const (
	unchanged  = "nothing was changed"
	newIsWhole = "the new set is complete"
)

//go:noinline // many callers, none of them hot
func failed(op, path string, err error) *Error {
	return &Error{Kind: Failed, Op: op, Path: path, Err: err, State: unchanged, Next: nextAfter(err)}
}

// nextAfter is what helps against an error of the system.
func nextAfter(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return "free some space and run again"
	case errors.Is(err, fs.ErrPermission):
		return "choose a directory that you may write, with --out"
	}
	return "run again when the cause is gone"
}

func invalid(path, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Path: path, Err: fmt.Errorf(format, args...), State: unchanged}
}

func refused(path, next, format string, args ...any) *Error {
	return &Error{Kind: Refused, Path: path, Err: fmt.Errorf(format, args...), State: unchanged, Next: next}
}

func cancelled(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return &Error{Kind: Cancelled, Err: context.Cause(ctx), State: unchanged}
}

func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
