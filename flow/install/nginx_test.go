package install_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nginx serves the ingress's files, and OpenSSL and Go believe it.
func TestNginxServesTheIngress(t *testing.T) {
	nginx := need(t, "nginx")
	w := world(t)
	w.Now = time.Now
	dir, _ := write(t, w, defaults(t), false)
	at := func(f string) string { return filepath.Join(dir, "tls", "ingress", f) }
	port := freePorts(t, 1)[0]
	home := t.TempDir()
	conf := fmt.Sprintf(`daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  server {
    listen 127.0.0.1:%[2]d ssl;
    ssl_certificate %[3]s;
    ssl_certificate_key %[4]s;
    location / { return 200 "ok"; }
  }
}
`, home, port, at("ingress.crt"), at("ingress.key"))
	file := filepath.Join(home, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nginx, "-p", home, "-c", file)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	address := fmt.Sprintf("127.0.0.1:%d", port)
	listening(t, address, &log)

	for _, ca := range []string{"ca.crt", "ca-bundle.crt"} {
		data, err := os.ReadFile(at(ca))
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(data)
		c, err := tls.Dial("tcp", address, &tls.Config{RootCAs: pool, ServerName: "demo.example.com"})
		if err != nil {
			t.Errorf("Go with %s: %v", ca, err)
			continue
		}
		c.Close()
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "demo.example.com"}); err == nil {
		t.Error("Go believes it without any CA")
	}
	client := exec.Command("openssl", "s_client", "-connect", address, "-CAfile", at("ca-bundle.crt"), "-verify_return_error", "-verify_hostname", "demo.example.com", "-x509_strict")
	client.Stdin = strings.NewReader("")
	if out, err := client.CombinedOutput(); err != nil || !strings.Contains(string(out), "Verify return code: 0 (ok)") {
		t.Errorf("openssl s_client: %v\n%s", err, out)
	}
}

// listening polls until somebody answers on the address.
func listening(t *testing.T, address string, log *bytes.Buffer) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
	}
	t.Fatalf("nobody listens on %s\n%s", address, log.String())
}
