package wizard

import (
	"slices"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/flow"
	"certwright/ui/theme"
)

// formsList is the pane in which the forms of the output are chosen.
type formsList struct {
	open   bool
	cursor int
}

var (
	keyForms     = bind("f", "forms", "f")
	keyTick      = bind("space", "take or leave", " ", "x")
	keyFormsDone = bind("enter", "done", "enter", "f")
)

// formWords is what a form of the output is for.
func formWords(layout string) string {
	switch layout {
	case "tree":
		return "files under the names that components look for"
	case "secrets":
		return "Kubernetes Secrets"
	case "kubeconfig":
		return "kubeconfigs"
	case "terraform":
		return "Terraform modules"
	case "flags":
		return "the parameters of each program"
	case "cert-manager":
		return "issuers and certificates for cert-manager"
	case "cluster-api":
		return "Secrets for Cluster API"
	case "k3s":
		return "the files where a k3s server looks for them"
	case "kubelet-csr":
		return "kubelets that ask the cluster for theirs"
	}
	return ""
}

// formKey takes a key while the pane is open.
func (s *reviewScreen) formKey(k tea.KeyMsg) tea.Cmd {
	offered := s.Flow.Profile().Layouts
	switch {
	case key.Matches(k, keyFormsDone):
		s.forms.open = false
	case key.Matches(k, keyMove):
		s.forms.cursor = moved(k, s.forms.cursor, len(offered), 5)
	case key.Matches(k, keyTick):
		return s.tick(offered[s.forms.cursor])
	}
	return nil
}

// tick takes a form or leaves it out; one stays.
func (s *reviewScreen) tick(layout string) tea.Cmd {
	var taken []string
	had := s.takenForms()
	for _, l := range s.Flow.Profile().Layouts {
		if slices.Contains(had, l) != (l == layout) {
			taken = append(taken, l)
		}
	}
	if len(taken) == 0 {
		s.Say(Status{theme.WarnSign, "one form has to stay, or nothing would be written"})
		return nil
	}
	return s.Do(flow.SetLayouts{Layouts: taken})
}

// takenForms are the forms that will be written.
func (s *reviewScreen) takenForms() []string {
	if l := s.Flow.ReadPlan().Output.Layouts; len(l) > 0 {
		return l
	}
	return s.Flow.Profile().Layouts
}

// formRows are the forms that the profile offers.
func (s *reviewScreen) formRows(w int) []string {
	th := s.Theme
	taken := s.takenForms()
	var out []string
	for i, l := range s.Flow.Profile().Layouts {
		row, here := th.Line(), i == s.forms.cursor
		s.start(row, here)
		sign := theme.OffSign
		if slices.Contains(taken, l) {
			sign = theme.OnSign
		}
		out = append(out, row.Sign(sign).Plain(" ").Col(theme.Named(here, theme.Bold), l, 14).Fit(w))
		if words := formWords(l); words != "" {
			for _, t := range wrap(words, w-4) {
				out = append(out, th.Line().Plain("    ").Add(theme.Faint, t).String())
			}
		}
	}
	return out
}
