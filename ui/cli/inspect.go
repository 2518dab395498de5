package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"certwright/certs/check"
	"certwright/certs/material"
)

// inspectJSON is what inspect -o json prints for each file.
type inspectJSON struct {
	OK       bool              `json:"ok"`
	Findings []check.Finding   `json:"findings"` // of reading the file, not of its role
	Content  *material.Summary `json:"content,omitempty"`
	File     string            `json:"file"`
}

func (a *app) inspectCommand() *cobra.Command {
	var output, passphrase string
	c := &cobra.Command{
		Use:   "inspect FILE...",
		Short: "Say what is in these files: certificates, keys, and which belong together",
		Example: `  certwright inspect server.crt server.key
  certwright inspect bundle.p12 --passphrase-file pass.txt -o json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if len(args) == 0 {
				return usage("inspect needs a file; see certwright inspect --help")
			}
			return a.inspect(args, output, passphrase)
		},
	}
	c.Flags().StringVar(&passphrase, "passphrase-file", "", "read the passphrase of encrypted keys from `FILE`")
	outputFlag(c, &output)
	return c
}

func (a *app) inspect(files []string, output, passphrase string) error {
	var docs []*material.Document
	out := make([]inspectJSON, len(files))
	ok := true
	for i, file := range files {
		out[i] = inspectJSON{File: shown(file), Findings: []check.Finding{}}
		doc, err := a.document(file, passphrase, &out[i].Findings)
		if err != nil {
			return err
		}
		if doc != nil {
			docs = append(docs, doc)
			out[i].Findings = append(out[i].Findings, check.Form(doc)...)
		}
		out[i].OK = check.OK(out[i].Findings)
		ok = ok && out[i].OK
	}
	summaries := material.Summarize(docs...)
	n := 0
	for i := range out {
		if n < len(docs) && docs[n].Name == files[i] {
			out[i].Content = &summaries[n]
			n++
		}
	}
	if output == "json" {
		if err := a.printJSON(out); err != nil {
			return err
		}
	} else {
		for i, o := range out {
			if i > 0 {
				a.printf("\n")
			}
			a.printInspected(o)
		}
	}
	if !ok {
		return &exitError{exitUnacceptable}
	}
	return nil
}

func (a *app) printInspected(o inspectJSON) {
	a.printf("%s\n", o.File)
	if o.Content != nil {
		for line := range strings.Lines(o.Content.Text()) {
			a.printf("  %s", line)
		}
	}
	for line := range strings.Lines(findingsText(o.Findings)) {
		a.printf("  %s", line)
	}
}
