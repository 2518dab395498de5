package scenario

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// openssl makes files in dir with the openssl command line. The first error
// stays; what follows it does nothing.
type openssl struct {
	dir string
	err error
}

func (o *openssl) run(args ...string) {
	if o.err != nil {
		return
	}
	if o.err = os.MkdirAll(o.dir, 0o755); o.err != nil {
		return
	}
	cmd := exec.Command("openssl", args...)
	cmd.Dir = o.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		o.err = fmt.Errorf("openssl %s: %w: %s", args[0], err, out)
	}
}

func (o *openssl) key(name string) {
	o.run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", name)
	if o.err == nil {
		o.err = os.Chmod(filepath.Join(o.dir, name), 0o600)
	}
}

// root makes name.crt and name.key, a CA that signs itself.
func (o *openssl) root(name, subject string) {
	o.key(name + ".key")
	o.run("req", "-x509", "-new", "-key", name+".key", "-subj", subject, "-days", "3650", "-out", name+".crt",
		"-addext", "keyUsage=critical,keyCertSign,cRLSign")
}

// encrypt puts a key under a passphrase (PKCS#8, PBES2).
func (o *openssl) encrypt(name, passphrase string) {
	o.run("pkcs8", "-topk8", "-v2", "aes256", "-passout", "pass:"+passphrase, "-in", name, "-out", name+".new")
	o.move(name+".new", name)
	if o.err == nil {
		o.err = os.Chmod(filepath.Join(o.dir, name), 0o600)
	}
}

// leaf makes name.crt and name.key, signed by a CA that lies beside them.
func (o *openssl) leaf(name, ca, subject, usages, names string) {
	o.key(name + ".key")
	o.sign(name, ca, subject, usages, names)
}

// sign makes name.crt for name.key.
func (o *openssl) sign(name, ca, subject, usages, names string) {
	extensions := "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=" + usages + "\n"
	if names != "" {
		extensions += "subjectAltName=" + names + "\n"
	}
	request, config := name+".csr", name+".cnf"
	o.run("req", "-new", "-key", name+".key", "-subj", subject, "-out", request)
	if o.err == nil {
		o.err = os.WriteFile(filepath.Join(o.dir, config), []byte(extensions), 0o644)
	}
	o.run("x509", "-req", "-in", request, "-CA", ca+".crt", "-CAkey", ca+".key", "-CAcreateserial", "-days", "365",
		"-extfile", config, "-out", name+".crt")
	for _, leftover := range []string{request, config, ca + ".srl"} {
		if o.err == nil {
			o.err = os.Remove(filepath.Join(o.dir, leftover))
		}
	}
}

// move renames a file of dir; to is relative to dir.
func (o *openssl) move(from, to string) {
	if o.err != nil {
		return
	}
	to = filepath.Join(o.dir, to)
	if o.err = os.MkdirAll(filepath.Dir(to), 0o755); o.err == nil {
		o.err = os.Rename(filepath.Join(o.dir, from), to)
	}
}
