package layout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"certwright/certs/topology"
)

const terraformDir = "terraform/"

// output is one output of a module, in Terraform's JSON. It has no type and no
// quotes around one: OpenTofu refuses those of Terraform 0.11.
type output struct {
	Description string `json:"description,omitempty"`
	Sensitive   bool   `json:"sensitive,omitempty"`
	Value       string `json:"value"`
}

type slotOutput struct {
	slot *topology.Slot
	topology.Output
}

// terraform writes a module for each that the profile names, to be dropped in
// where the installer's own stood. Its files lie beside it and are read by
// file(), so that state and plan hold the same bytes as the other layouts.
func terraform(j *job) iter.Seq2[File, error] {
	modules := map[string][]slotOutput{}
	for i := range j.t.Slots {
		s := &j.t.Slots[i]
		for _, o := range s.Outputs {
			modules[o.Module] = append(modules[o.Module], slotOutput{s, o})
		}
	}
	return func(yield func(File, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(modules)) {
			for f, err := range j.module(name, modules[name]) {
				if !yield(f, err) || err != nil {
					return
				}
			}
		}
	}
}

func (j *job) module(name string, list []slotOutput) iter.Seq2[File, error] {
	dir := terraformDir + name + "/"
	return func(yield func(File, error) bool) {
		outputs := map[string]output{}
		var files, ids []string
		for _, o := range list {
			if o.Field == topology.FieldID {
				ids = append(ids, o.Name)
				continue
			}
			f, ok, err := j.content(o.slot, o.Field)
			if err == nil && !ok {
				err = fmt.Errorf("render the output %s of %s: the set has no %s of %s", o.Name, name, o.Field, o.slot.ID)
			}
			file := strings.TrimSuffix(o.Name, "_pem") + ".pem"
			f.Path = dir + file
			if !yield(f, err) || err != nil {
				return
			}
			files = append(files, file)
			outputs[o.Name] = output{
				Description: fmt.Sprintf("%s: %s", o.slot.Title, fieldWords(o.slot, o.Field)),
				Sensitive:   o.Field == topology.FieldKey,
				Value:       fmt.Sprintf(`${file("${path.module}/%s")}`, file),
			}
		}
		slices.Sort(files)
		for _, id := range ids {
			outputs[id] = output{Description: "changes when a file of the module does", Value: checksum(files)}
		}
		data, err := toJSON(map[string]any{"output": outputs})
		yield(File{Path: dir + "main.tf.json", Data: data, Mode: modePublic, Kind: KindConfig}, err)
	}
}

// checksum is an expression over all files of a module.
func checksum(files []string) string {
	sums := make([]string, len(files))
	for i, f := range files {
		sums[i] = fmt.Sprintf(`filesha256("${path.module}/%s")`, f)
	}
	return fmt.Sprintf(`${sha256(join(" ", [%s]))}`, strings.Join(sums, ", "))
}

func fieldWords(s *topology.Slot, f topology.Field) string {
	switch {
	case f == topology.FieldKey:
		return "private key"
	case f == topology.FieldPublic:
		return "public key"
	case f == topology.FieldBundle:
		return "the CA's certificate and all above it"
	case s.Kind == topology.CA:
		return "the CA's certificate"
	}
	return "certificate, and the intermediates above it"
}

// toJSON is indented and does not write < and > as escapes.
func toJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}
