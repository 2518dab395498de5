package diagram

// What tests and fuzz targets look at from outside.
var (
	XMLText     = xmlText
	MermaidText = mermaidText
	DOTText     = dotText
	Wrap        = wrap
	CutMiddle   = cutMiddle
)

// Crossings is how many bars the arrows of the picture cross.
func Crossings(m *Model) int { return arrangeCalls(m).crossings() }
