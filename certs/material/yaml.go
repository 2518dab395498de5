package material

func (p *parser) yaml(data []byte) (Format, bool) { return "", false }
