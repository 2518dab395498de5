package material

// The rules that this package can find broken: defects of form that hold for
// every slot. What depends on the role of the slot (a key where a certificate
// is due, a request in place of a certificate) is package check's to say, from
// the lists of the Document.
const (
	ruleTooLarge        = "file-too-large"
	ruleEmpty           = "empty-file"
	ruleNoBlock         = "no-pem-block"
	ruleHTML            = "html-not-pem"
	ruleKubeconfig      = "kubeconfig-not-pem"
	ruleMalformedPEM    = "malformed-pem"
	ruleTruncated       = "truncated-pem"
	ruleBase64          = "bad-base64"
	ruleRunTogether     = "blocks-run-together"
	ruleHeaders         = "pem-headers"
	ruleIndented        = "indented-pem"
	ruleOneLine         = "one-line-pem"
	ruleEscaped         = "escaped-newlines"
	ruleDashes          = "unicode-dashes"
	ruleBOM             = "utf8-bom"
	ruleUTF16           = "utf16"
	ruleBase64PEM       = "base64-of-pem"
	ruleDER             = "der-not-pem"
	rulePKCS12          = "pkcs12-not-pem"
	rulePKCS7           = "pkcs7-not-pem"
	ruleJKS             = "jks-not-pem"
	ruleOpenSSH         = "openssh-key"
	ruleTrusted         = "trusted-certificate"
	ruleX509Label       = "x509-label"
	ruleKeyLabel        = "key-label-mismatch"
	ruleEncrypted       = "encrypted-key"
	ruleMalformedKey    = "malformed-key"
	ruleMalformedDER    = "malformed-der"
	ruleTrailing        = "trailing-data"
	ruleOversize        = "oversize-key"
	ruleExponent        = "rsa-exponent"
	ruleKeyAlgorithm    = "unsupported-key-algorithm"
	rulePostQuantum     = "post-quantum-key"
	ruleCurve           = "unsupported-curve"
	ruleExplicitEC      = "explicit-ec-params"
	ruleSignatureDiffer = "signature-algorithm-mismatch"
	ruleNegativeSerial  = "negative-serial"
	ruleDuplicateExt    = "duplicate-extension"
	ruleExtCriticality  = "extension-criticality"
	ruleMalformedSAN    = "malformed-san"
)

// ProblemRules lists the id of every rule that Parse can report, in the order
// of the catalogue.
func ProblemRules() []string {
	return []string{
		ruleTooLarge, ruleEmpty, ruleNoBlock, ruleHTML, ruleKubeconfig, ruleMalformedPEM,
		ruleTruncated, ruleBase64, ruleRunTogether, ruleHeaders, ruleIndented, ruleOneLine,
		ruleEscaped, ruleDashes, ruleBOM, ruleUTF16, ruleBase64PEM, ruleDER, rulePKCS12,
		rulePKCS7, ruleJKS, ruleOpenSSH, ruleTrusted, ruleX509Label, ruleKeyLabel,
		ruleEncrypted, ruleMalformedKey, ruleMalformedDER, ruleTrailing, ruleOversize,
		ruleExponent, ruleKeyAlgorithm, rulePostQuantum, ruleCurve, ruleExplicitEC, ruleSignatureDiffer,
		ruleNegativeSerial, ruleDuplicateExt, ruleExtCriticality, ruleMalformedSAN,
	}
}

// onceOnly are the defects that one slip gives to every block of a file: the
// first is reported, with the number of blocks it befell.
var onceOnly = map[string]bool{
	ruleHeaders: true, ruleIndented: true, ruleOneLine: true, ruleEscaped: true, ruleDashes: true,
	ruleBOM: true, ruleRunTogether: true, ruleTrusted: true, ruleX509Label: true, rulePKCS7: true,
	ruleOpenSSH: true, ruleTooLarge: true,
}

// maxAlike is how many problems of one rule are listed one by one.
const maxAlike = 20
