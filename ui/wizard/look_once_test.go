package wizard

import (
	"testing"

	"certwright/certs/material"
)

// What was parsed for the description is what is judged, and nothing else is.
func TestALookParsesOnce(t *testing.T) {
	in := material.Input{Name: "a.pem", Data: testCA(t, "Corp CA", nil).pem, Mode: 0o644}
	doc := material.Parse(in)
	parse := parsedAs(doc)
	if parse(in) != doc {
		t.Error("the same bytes under the same name were parsed again")
	}
	for _, c := range []struct {
		what   string
		change func(*material.Input)
	}{
		{"another name", func(in *material.Input) { in.Name = "b.pem" }},
		{"other bytes", func(in *material.Input) { in.Data = append([]byte{'\n'}, in.Data...) }},
		{"another mode", func(in *material.Input) { in.Mode = 0o600 }},
		{"a passphrase", func(in *material.Input) { in.Passphrase = []byte("x") }},
	} {
		other := in
		if c.change(&other); parse(other) == doc {
			t.Errorf("%s: what was parsed before was taken", c.what)
		}
	}
}

// Blocks that never end are each looked through once, up to the next.
func TestBlocksWithoutEnd(t *testing.T) {
	text := "-----BEGIN CERTIFICATE-----\nAAAA\n"
	all := ""
	for range 1000 {
		all += text
	}
	all += "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n"
	spans := pemSpans([]byte(all))
	if len(spans) != 1001 || spans[0].closed || spans[999].closed || !spans[1000].closed || spans[1000].lines != 1 {
		t.Errorf("%d blocks, the last %+v", len(spans), spans[len(spans)-1])
	}
}
