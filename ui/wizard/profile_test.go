package wizard

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"certwright/certs/topology"
	"certwright/flow"
)

// eight is a catalogue as long as one with profiles of one's own beside the
// built-in ones.
type eight struct{}

func (eight) Names() []string {
	return []string{"tectonic", "kubernetes", "calico", "k3s", "consul", "nats", "vault", "mine"}
}

func (eight) Load(name string) (*topology.Profile, error) {
	p, err := builtin{}.Load("tectonic")
	if err != nil || name == "tectonic" {
		return p, err
	}
	twin := *p
	twin.Name, twin.Title, twin.Summary = name, upper(name), "what "+name+" needs"
	return &twin, nil
}

func TestFramesOfManyProfiles(t *testing.T) {
	d := drive(t, setup{catalogue: eight{}, resumable: &Resumable{Path: "/home/ann/old.yaml", Saved: testNow.Add(-2 * time.Hour), Note: "nats, cluster old"}})
	d.press("down", "down", "down")
	for _, s := range [][2]int{{60, 16}, {60, 20}, {80, 24}, {120, 40}, {200, 60}} {
		d.size(s[0], s[1]).golden1("profile-many." + strconv.Itoa(s[0]) + "x" + strconv.Itoa(s[1]) + ".txt")
	}
	d.size(60, 16).press("end").shows("▸ resume").press("home").shows("▸ Tectonic")
}

func TestProfilesAreFilteredByWhatTheyAreCalledOrAreFor(t *testing.T) {
	d := drive(t, setup{catalogue: eight{}})
	d.press("/").write("ConS").shows("/ ConS", "1 found", "▸ Consul").hides("Nats").golden1("profile-filter.80x24.txt")
	d.press("esc").at(flow.StepProfile).shows("▸ Consul", "Nats")
	d.press("/").write("zzz").shows("nothing matches", "No profile has that").press("enter").at(flow.StepProfile)
	d.press("ctrl+u").write("needs").shows("7 found").press("down", "enter").at(flow.StepFacts)
	if got := d.root.env.Flow.Plan().Profile; got != "calico" {
		t.Errorf("chose %s", got)
	}
	d.press("esc").shows("▸ Calico", "Tectonic").hides("found")
	d.press("/").paste("nats\n").shows("1 found")
	drive(t, setup{}).press("/").hides("found") // two need no filter
}

// needy is a catalogue of a profile with a fact that has no default.
type needy struct{ builtin }

func (needy) Load(name string) (*topology.Profile, error) {
	p, err := builtin{}.Load(name)
	if err != nil {
		return nil, err
	}
	own := *p
	own.Facts = slices.Clone(p.Facts)
	i := slices.Index(p.FactNames(), "service.cidr")
	own.Facts[i].Default = ""
	return &own, nil
}

func TestWhatIsOnlyNeededIsNoMistakeYet(t *testing.T) {
	facts := func() *driver { return drive(t, setup{catalogue: needy{}}).press("enter").at(flow.StepFacts) }
	facts().shows("needed, like ").hides("✗", "is empty").golden1("facts-needed.80x24.txt")
	facts().press("enter").at(flow.StepFacts).shows("✗", "is empty") // the person tried to go on
	facts().press("tab", "tab", "tab", "tab", "tab").hides("✗").press("tab").shows("✗", "is empty")
	facts().press("tab", "tab", "tab", "tab", "tab").write("10.0.0.0/33").shows("✗")
}
