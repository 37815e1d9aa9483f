package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// Measures of the plot, in pixels.
const (
	plotWidth  = 900
	plotLeft   = 20
	barsLeft   = 20
	barsWidth  = 560
	valuesLeft = barsLeft + barsWidth + 14
	barHeight  = 12
	headHeight = 74
	rowHeight  = 66
	plotMost   = 2.5 // times their figure; more is cut off
)

const plotHead = `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" role="img" font-family="system-ui, sans-serif" font-size="12">
<title>xtokend beside what it is measured against</title>
<style>
text { fill: #1f2328; } .small { fill: #59636e; font-size: 11px; } .title { font-size: 15px; font-weight: 600; }
.theirs { fill: #b4bcc6; } .ours { fill: #2f7de1; } .missed { fill: #d9463d; }
.whisker, .axis { stroke: #1f2328; stroke-width: 1; } .axis { stroke-opacity: .25; }
.bound { stroke: #1a7f37; stroke-width: 2; stroke-dasharray: 3 2; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .small { fill: #9198a1; } .theirs { fill: #59636e; } .ours { fill: #4c97f0; } .missed { fill: #f2665c; }
.whisker, .axis { stroke: #e6edf3; } .axis { stroke-opacity: .25; } .bound { stroke: #3fb950; }
}
</style>
`

// plot draws rows that have a figure of theirs, each scaled to it, so that bars of one
// length are equal. It is SVG, by hand, and needs no font or script of its own.
func (r *report) plot() string {
	var shown []verdict
	for _, v := range r.verdicts {
		if plottable(v) {
			shown = append(shown, v)
		}
	}
	var b strings.Builder
	height := headHeight + rowHeight*len(shown) + 10
	fmt.Fprintf(&b, plotHead, plotWidth, height)
	fmt.Fprintf(&b, "<text class=\"title\" x=\"%d\" y=\"22\">xtokend beside what it is measured against</text>\n", plotLeft)
	fmt.Fprintf(&b, "<text class=\"small\" x=\"%d\" y=\"40\">%s</text>\n", plotLeft,
		escape("Grey: theirs, as 1. Colour: ours, red where the bound is not met. Whiskers: least and most of the rounds. Dashes: the bound."))
	for tick := 0.0; tick <= plotMost; tick += 0.5 {
		x := barX(tick)
		fmt.Fprintf(&b, "<line class=\"axis\" x1=\"%.1f\" y1=\"62\" x2=\"%.1f\" y2=\"%d\"/>\n", x, x, height-10)
		fmt.Fprintf(&b, "<text class=\"small\" x=\"%.1f\" y=\"57\" text-anchor=\"middle\">%.1f ×</text>\n", x, tick)
	}
	for i, v := range shown {
		v.draw(&b, headHeight+i*rowHeight)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func plottable(v verdict) bool {
	return v.Outcome != notMeasured && v.Theirs.Rounds > 0 && v.Theirs.Median > 0
}

// draw puts a row at y: its name, two bars and their values.
func (v verdict) draw(b *strings.Builder, y int) {
	fmt.Fprintf(b, "<g><text x=\"%d\" y=\"%d\">%s <tspan class=\"small\">%s</tspan></text>\n", plotLeft, y+14,
		escape(v.row.work), escape("against "+v.row.against))
	class := "ours"
	if v.Outcome == notMet {
		class = "missed"
	}
	v.bar(b, "theirs", v.Theirs, "", y+22)
	v.bar(b, class, v.Ours, fmt.Sprintf(", %.2f ×", v.Ratio.Median), y+22+barHeight+4)
	if at, ok := v.boundAt(); ok {
		fmt.Fprintf(b, "<line class=\"bound\" x1=\"%[1]g\" y1=\"%[2]d\" x2=\"%[1]g\" y2=\"%[3]d\"/>\n", barX(at), y+20, y+24+2*barHeight+4)
	}
	b.WriteString("</g>\n")
}

// bar has its value behind it, and a word on that: a bar may be cut off.
func (v verdict) bar(b *strings.Builder, class string, s stat, more string, y int) {
	left, middle := barX(0), y+barHeight/2
	fmt.Fprintf(b, "<rect class=\"%s\" x=\"%g\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>\n", class, left, y,
		barX(s.Median/v.Theirs.Median)-left, barHeight)
	if s.Rounds > 1 {
		fmt.Fprintf(b, "<line class=\"whisker\" x1=\"%g\" y1=\"%d\" x2=\"%g\" y2=\"%d\"/>\n",
			barX(s.Min/v.Theirs.Median), middle, barX(s.Max/v.Theirs.Median), middle)
	}
	fmt.Fprintf(b, "<text class=\"small\" x=\"%d\" y=\"%d\">%s</text>\n", valuesLeft, y+barHeight-2, escape(s.spread(v.row.unit.text)+more))
}

// boundAt is where the bound is, in times their figure.
func (v verdict) boundAt() (float64, bool) {
	switch v.row.bound.kind {
	case mostRatio, leastRatio:
		return v.row.bound.limit, true
	case mostValue:
		return v.row.bound.limit / v.Theirs.Median, true
	}
	return 0, false
}

// barX is the place of a number of times their figure.
func barX(times float64) float64 {
	return barsLeft + math.Round(10*barsWidth*min(max(times, 0), plotMost)/plotMost)/10
}

func escape(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
