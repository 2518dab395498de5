//go:build !unix

package wizard

func runChild(string) int { return 2 }
