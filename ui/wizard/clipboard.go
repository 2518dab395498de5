package wizard

import "encoding/base64"

// osc52 is the sequence that sets the clipboard of the terminal.
func osc52(text string) string {
	return "\x1b]52;c;" + base64.StdEncoding.EncodeToString([]byte(text)) + "\x07"
}
