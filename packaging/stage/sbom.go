package main

import (
	"encoding/json"
	"runtime/debug"
	"strings"
	"time"
)

// A bill of materials in the form of CycloneDX 1.6 (ECMA-424), with package URLs
// (purl). Its bytes depend on the program alone: it has no serial number.
type bill struct {
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	Hashes     []hash     `json:"hashes,omitempty"`
	PURL       string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

// sbom lists what is in the program: its modules, and Go's standard library.
func sbom(p *program) ([]byte, error) {
	self := component{Type: "application", Name: "xtokend", Version: p.Main.Version, Hashes: []hash{{"SHA-256", p.sha256}}}
	self.PURL = purl(p.Main.Path, p.Main.Version)
	self.Ref = self.PURL
	for _, s := range p.Settings {
		self.Properties = append(self.Properties, property{"go:build:" + s.Key, s.Value})
	}
	b := bill{Format: "CycloneDX", SpecVersion: "1.6", Version: 1}
	b.Metadata = metadata{Timestamp: p.built.UTC().Format(time.RFC3339), Component: self}
	direct := dependency{Ref: self.Ref}
	for _, m := range append([]*debug.Module{{Path: "std", Version: strings.TrimPrefix(p.GoVersion, "go")}}, p.Deps...) {
		c := component{Type: "library", Name: m.Path, Version: m.Version, PURL: purl(m.Path, m.Version)}
		c.Ref = c.PURL
		if m.Sum != "" {
			c.Properties = []property{{"go:sum", m.Sum}}
		}
		b.Components = append(b.Components, c)
		direct.DependsOn = append(direct.DependsOn, c.Ref)
	}
	b.Dependencies = []dependency{direct}
	text, err := json.MarshalIndent(b, "", "  ")
	return append(text, '\n'), err
}

// purl is the package URL of a Go module; the + of a version is written in percents.
func purl(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}
