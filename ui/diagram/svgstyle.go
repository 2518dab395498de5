package diagram

import (
	"fmt"
	"strings"
)

// shade is the colours of one lane: the CA and the lines, and the ground; on
// light pages and on dark ones.
type shade struct{ line, tint, darkLine, darkTint string }

// shades keep a contrast of 4.5:1 between the line colour and white text on
// light pages, and to the page on dark ones. Neighbours differ in lightness as
// well as in hue.
var shades = [...]shade{
	{"#2f5fb3", "#eaf0fb", "#7fa8f0", "#16223a"},
	{"#8a3a86", "#f8ebf7", "#d993d6", "#2e1a2d"},
	{"#9a4a12", "#fbefe6", "#eda571", "#33210f"},
	{"#24705a", "#e6f4ef", "#74cdb0", "#12291f"},
	{"#5a4bb0", "#efedfa", "#aba0f0", "#211d3a"},
	{"#98304a", "#fbeaee", "#f093a9", "#351620"},
}

const palette = len(shades)

// style is the colours for light pages, and for dark ones where the viewer
// asks. Custom properties would be shorter, but some renderers know none.
func style(lanes int) string {
	var b strings.Builder
	b.WriteString(`<style>
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",Arial,sans-serif;font-size:13px}
.h{font-size:19px;font-weight:700}.b{font-weight:600}.small{font-size:11px}.muted{font-size:11px}.end{text-anchor:end}.mid,.mt{text-anchor:middle}
.mt{font-size:11px;font-weight:700}.ca{font-size:15px;font-weight:700}.casub{font-size:11px}
.call{fill:none;stroke-width:2}.open{stroke-dasharray:7 4}.dots{stroke-dasharray:2 4}.dash{stroke-dasharray:5 4}
.chip{stroke-width:1.3}.label{stroke-width:1}.sign{fill:none;stroke-width:1.6}.bar{stroke-width:1.2}.badline{stroke-width:2.2}
`)
	b.WriteString(`.page{fill:#ffffff;stroke:#d5d9e0}.h,.b,.t{fill:#1d2330}.muted{fill:#5a6372}.ca,.casub,.halo{fill:#ffffff}
.bar{fill:#ffffff;stroke:#8d96a5}.chip,.label{fill:#ffffff}.root{fill:#f1f3f6;stroke:#8d96a5}.sign{stroke:#6b7482}.signtip{fill:#6b7482}.ink{stroke:#5a6372}
.mG{fill:#1f7a43}.mC{fill:#8f6400}.mB{fill:#0d7490}.mt{fill:#ffffff}.ok{fill:#1c6e3c}.badtext,.bad{fill:#b3261e}.badline{stroke:#b3261e}
`)
	for i, s := range shades[:min(max(lanes, 1), palette)] {
		fmt.Fprintf(&b, ".fill%d{fill:%s}.line%d{stroke:%s}.tint%d{fill:%s}\n", i, s.line, i, s.line, i, s.tint)
	}
	b.WriteString(`@media (prefers-color-scheme:dark){
.page{fill:#0f131a;stroke:#2b3340}.h,.b,.t{fill:#e6eaf0}.muted{fill:#a3adbb}.ca,.casub,.halo{fill:#0f131a}
.bar{fill:#1a202a;stroke:#5b6675}.chip,.label{fill:#141a22}.root{fill:#1a202a;stroke:#5b6675}.sign{stroke:#8c97a6}.signtip{fill:#8c97a6}.ink{stroke:#a3adbb}
.mG{fill:#6fd696}.mC{fill:#e6bd55}.mB{fill:#67cfe8}.mt{fill:#0f131a}.ok{fill:#7fdc9f}.badtext,.bad{fill:#ff8a80}.badline{stroke:#ff8a80}
`)
	for i, s := range shades[:min(max(lanes, 1), palette)] {
		fmt.Fprintf(&b, ".fill%d{fill:%s}.line%d{stroke:%s}.tint%d{fill:%s}\n", i, s.darkLine, i, s.darkLine, i, s.darkTint)
	}
	b.WriteString("}\n</style>\n")
	return b.String()
}
