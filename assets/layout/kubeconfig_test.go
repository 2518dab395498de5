package layout

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What is written without the encoder is what the encoder writes.
func TestKubeconfigIsWhatTheEncoderWrites(t *testing.T) {
	config := func(name, server, user string, data []byte) kubeconfig {
		c, u, x := namedCluster{Name: name}, namedUser{Name: user}, namedContext{Name: user + "@" + name}
		c.Cluster.Server, c.Cluster.CA = server, base64.StdEncoding.EncodeToString(data)
		u.User.Certificate, u.User.Key = base64.StdEncoding.EncodeToString(data), c.Cluster.CA
		x.Context.Cluster, x.Context.User = name, user
		return kubeconfig{"v1", "Config", []namedCluster{c}, []namedUser{u}, []namedContext{x}, x.Name}
	}
	same := func(t interface {
		Helper()
		Errorf(string, ...any)
	}, k kubeconfig,
	) {
		t.Helper()
		want, err := toYAML(k)
		got, gotErr := k.yaml()
		if err != nil || gotErr != nil || !bytes.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s\n%v %v", got, want, gotErr, err)
		}
	}
	pem := []byte("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n")
	long := bytes.Repeat([]byte("a certificate of more than eighty columns, "), 40)
	for _, name := range []string{"production", "demo", "true", "null", "off", "0x1234", "a: b", "a #b", "2026-11-21", "system:node:n1", "trailing:", "-dash", "&anchor", "*alias", "ünïcode", "", "1e1000", "infinity", ".inf"} {
		same(t, config(name, "https://demo-api.example.com:6443", "system:node:node-00001", long))
		same(t, config("cluster", "https://[fd00::1]:6443", name, long))
		same(t, config("cluster", name, "system:node:node-00001", long))
		same(t, config("cluster", "https://demo:6443", name, pem))
	}
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9:./@+=_-]{0,12}`))
	rapid.Check(t, func(t *rapid.T) {
		same(t, config(text.Draw(t, "cluster"), text.Draw(t, "server"), text.Draw(t, "user"), rapid.SliceOf(rapid.Byte()).Draw(t, "data")))
	})
	if !strings.HasPrefix(base64.StdEncoding.EncodeToString(pem), pemInBase64) {
		t.Error("PEM begins otherwise")
	}
	if !plainYAML("https://demo:6443") || !plainYAML("system:node:node-00001") {
		t.Error("what every kubeconfig has takes the slow way")
	}
}
