package cli

import "testing"

func TestAnSSHConnectionIsFar(t *testing.T) {
	for name, far := range map[string]bool{"SSH_CONNECTION": true, "SSH_TTY": true, "SSH_AUTH_SOCK": false} {
		a := &app{World: World{Getenv: func(v string) string {
			if v == name {
				return "x"
			}
			return ""
		}}}
		if a.far() != far {
			t.Errorf("with %s far is %v", name, a.far())
		}
	}
}
