// Sandbox sets up the files of a story in a temporary directory and hands the
// keyboard to a person: task sandbox SCENARIO=corporate-ca. It is no part of the
// program that is installed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"certwright/ui/e2e/internal/scenario"
)

func main() {
	name := flag.String("scenario", "", "the `NAME` of a scenario; without one they are listed")
	flag.Parse()
	if err := run(*name); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

func run(name string) error {
	if name == "" {
		for _, s := range scenario.All() {
			fmt.Printf("%-18s %s\n", s.Name, s.About)
		}
		return nil
	}
	s, known := scenario.Named(name)
	if !known {
		return fmt.Errorf("there is no scenario %q; task sandbox lists them", name)
	}
	top, err := os.MkdirTemp("", "certwright-"+s.Name+"-")
	if err != nil {
		return err
	}
	program, err := programIn(top)
	if err != nil {
		return err
	}
	work, home := filepath.Join(top, "work"), filepath.Join(top, "home")
	for _, dir := range []string{work, home} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	if err := s.Set(work, program); err != nil {
		return err
	}
	fmt.Printf("%s: %s\nTry: %s\nThe files are in %s. Enter starts certwright.", s.Name, s.About, s.Try, work)
	if _, err := fmt.Scanln(); err != nil && err.Error() != "unexpected newline" {
		return fmt.Errorf("wait for Enter: %w", err)
	}
	cmd := exec.Command(program, s.Args...)
	cmd.Dir = work
	// Answers are kept under the home directory; those of a sandbox stay in it.
	cmd.Env = append(append(os.Environ(), "HOME="+home, "XDG_STATE_HOME=", "LOCALAPPDATA="+home), s.Env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	fmt.Printf("\ncertwright ended with status %d. The program is %s; remove %s when you have seen enough.\n", cmd.ProcessState.ExitCode(), program, top)
	return nil
}

// programIn is the program to hand over: the one that the tests would drive, or
// one that is built below top.
func programIn(top string) (string, error) {
	if program := os.Getenv("CERTWRIGHT_E2E_BINARY"); program != "" {
		return filepath.Abs(program)
	}
	program := filepath.Join(top, "bin", "certwright")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	build := exec.Command("go", "build", "-o", program, "certwright")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("build certwright: %w", err)
	}
	return program, nil
}
