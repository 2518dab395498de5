package cli

import (
	"bytes"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"certwright/ui/theme"
)

// style says what the terminal can show, by the environment; only for the theme
// "auto" is the terminal asked, once and for a short time.
func (f *wizardFlags) style(a *app) (theme.Options, error) {
	name := theme.Name(f.theme)
	if !slices.Contains(theme.Names(), name) {
		return theme.Options{}, usage("--theme %q: use auto, dark, light or ansi", f.theme)
	}
	env := a.Getenv
	o := theme.Options{Name: name, Profile: colours(env), NoColor: env("NO_COLOR") != "", ASCII: f.ascii || plainSigns(env), Dark: true}
	if name == theme.Auto && !o.NoColor {
		if dark, known := darkByEnv(env("COLORFGBG")); known {
			o.Dark = dark
		} else if out, ok := a.World.Out.(*os.File); ok && answersQueries(env) {
			o.Dark = darkByQuery(a.In, out)
		}
	}
	return o, nil
}

// colours is how many colours the environment promises.
func colours(env func(string) string) theme.Profile {
	name := env("TERM")
	switch {
	case strings.Contains(env("COLORTERM"), "truecolor"), strings.Contains(env("COLORTERM"), "24bit"):
		return theme.TrueColor
	case strings.Contains(name, "256color"):
		return theme.ANSI256
	}
	return theme.ANSI
}

// plainSigns says that the locale or the terminal has no signs beyond ASCII:
// the Linux console, and a locale that is set and not UTF-8.
func plainSigns(env func(string) string) bool {
	if env("TERM") == "linux" {
		return true
	}
	for _, v := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if l := env(v); l != "" { // the first that is set decides
			l = strings.ToLower(l)
			return !strings.Contains(l, "utf-8") && !strings.Contains(l, "utf8")
		}
	}
	return false
}

// darkByEnv reads COLORFGBG ("15;0"), which several terminals set.
func darkByEnv(v string) (dark, known bool) {
	fields := strings.Split(v, ";")
	if len(fields) < 2 {
		return false, false
	}
	n, err := strconv.Atoi(fields[len(fields)-1])
	if err != nil {
		return false, false
	}
	return n < 7 || n == 8, true
}

// answersQueries leaves out the multiplexers, whose answer is their own and
// may come late.
func answersQueries(env func(string) string) bool {
	t := env("TERM")
	return runtime.GOOS != "windows" && !strings.HasPrefix(t, "screen") && !strings.HasPrefix(t, "tmux") && t != "linux" && t != ""
}

// far says that the terminal is at the other end of an ssh connection.
func (a *app) far() bool { return a.Getenv("SSH_CONNECTION") != "" || a.Getenv("SSH_TTY") != "" }

// queryWait is how long the terminal may take to name its background. Those
// that answer do it in a few milliseconds; a late answer would be taken for
// typing, so a mark that every terminal answers follows the question, and the
// answer to it ends the wait early.
const queryWait = 150 * time.Millisecond

// darkByQuery asks the terminal for its background (OSC 11), and for its
// attributes (DA1) to know when no answer will come.
func darkByQuery(in, out *os.File) bool {
	state, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return true
	}
	defer term.Restore(int(in.Fd()), state)
	if _, err := out.WriteString("\x1b]11;?\x1b\\\x1b[c"); err != nil {
		return true
	}
	answer := readFor(in, queryWait, func(got []byte) bool {
		i := bytes.LastIndex(got, []byte("\x1b[?"))
		return i >= 0 && bytes.IndexByte(got[i:], 'c') > 0
	})
	return darkAnswer(answer)
}

// darkAnswer reads "ESC ] 11 ; rgb:RRRR/GGGG/BBBB". Without one the background
// is taken for dark.
func darkAnswer(answer []byte) bool {
	_, rest, found := bytes.Cut(answer, []byte("]11;rgb:"))
	if !found {
		return true
	}
	end := bytes.IndexAny(rest, "\x1b\a")
	if end < 0 {
		end = len(rest)
	}
	parts := strings.Split(string(rest[:end]), "/")
	if len(parts) != 3 {
		return true
	}
	var light float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} { // ITU-R BT.709
		n, err := strconv.ParseUint(parts[i], 16, 32)
		if err != nil || len(parts[i]) == 0 || len(parts[i]) > 4 {
			return true
		}
		light += weight * float64(n) / float64(uint64(1)<<(4*len(parts[i]))-1)
	}
	return light < 0.5
}
