package check

// The sections of the catalogue that speak of names, usages and subjects.

var nameRules = []Rule{
	{"san-missing", Error, "a DNS name that is dialled is not covered", "x509: certificate is valid for ..., not ...", "have it issued again with every name at once"},
	{"san-missing-ip", Error, "an address that is dialled is not covered", "x509: certificate is valid for 127.0.0.1, not 10.3.0.1; without any address: cannot validate certificate for 10.3.0.1 because it doesn't contain any IP SANs", "have it issued again with every address as an IP name"},
	{"cn-only", Error, "the name stands only in the common name", "x509: certificate relies on legacy Common Name field, use SANs instead", "have it issued again with subjectAltName; openssl x509 -req drops a request's names without -copy_extensions copyall"},
	{"ip-in-dns-san", Error, "an address written as a DNS name", "x509: cannot validate certificate for 10.3.0.1 because it doesn't contain any IP SANs", "have it issued again with the address as an IP name, not a DNS name"},
	{"wildcard-misuse", Error, "a wildcard that does not match what it was meant for", "x509: certificate is valid for *.example.com, not a.b.example.com: a wildcard stands for exactly one whole label, the leftmost (RFC 9525 6.3)", "have it issued again with the host named in full"},
	{"malformed-san", Error, "a DNS name that can never match: a URL, a port, a list, a trailing dot", "x509: certificate is valid for https://demo.example.com, not demo.example.com", "have it issued again with the bare host name, and A-labels for international names"},
	{"etcd-peer-san", Warning, "an etcd peer certificate without any address", `etcd: rejected connection ... "tls: \"10.38.202.130\" does not match any of DNSNames [...]": etcd looks the remote address up against the names`, "put the members' addresses into the names too"},
	{"uri-san-mismatch", Error, "the required URI is not among the names", "Typha: peer certificate does not have required URI SAN (or: required CN or URI SAN)", "have it issued again with exactly this URI; case and slashes count"},
	{"spiffe-malformed", Error, "a SPIFFE ID that is none (a warning where none is required)", "it never equals the required URI: peer certificate does not have required URI SAN", "write it as spiffe://trust-domain/path, in lower case, without port or query"},
	{"multiple-uri-san", Warning, "several URIs in one certificate", "Typha accepts any of them; SPIFFE validators must refuse the certificate", "have it issued again with one URI"},
}

var usageRules = []Rule{
	{"eku-missing-server-auth", Error, "extended key usage without serverAuth on a server's certificate", "tls: failed to verify certificate: " + incompatibleUsage, "have it issued again with extendedKeyUsage=serverAuth,clientAuth"},
	{"eku-missing-client-auth", Error, "extended key usage without clientAuth on a client's certificate (a warning where it is only advised)", `tls: failed to verify certificate: ` + incompatibleUsage + `; kube-apiserver: "Unable to authenticate the request", HTTP 401`, "have it issued again with extendedKeyUsage=serverAuth,clientAuth"},
	{"eku-missing", Warning, "no extended key usage at all", "Go takes that for any use; kubeadm's renewal and stricter peers do not", "have it issued again with extendedKeyUsage=serverAuth, clientAuth or both"},
	{"eku-any", Warning, "anyExtendedKeyUsage in place of the use", "Go accepts it; OpenSSL: unsuitable certificate purpose", "have it issued again with the uses named"},
	{"eku-empty", Error, "an extended key usage extension without any usage", "RFC 5280 4.2.1.12 forbids it; verifiers differ: Go takes it for any use, others refuse the certificate", "have it issued again with extendedKeyUsage=serverAuth, clientAuth or both"},
	{"key-usage-digital-signature", Error, "a leaf that may not sign (a warning for RSA)", "an OpenSSL server with an EC key answers TLS 1.2 with: sslv3 alert handshake failure; Chromium says ERR_SSL_KEY_USAGE_INCOMPATIBLE; Go does not look", "have it issued again with keyUsage=critical,digitalSignature,keyEncipherment"},
	{"key-usage-key-encipherment", Info, "an RSA leaf without keyEncipherment", "nothing with ECDHE and TLS 1.3; only the RSA key exchange of TLS 1.2 would miss it", "none needed"},
	{"key-usage-unsuitable", Error, "a key usage that no TLS peer can use (a warning for keyCertSign beside the right ones)", "OpenSSL: unsuitable certificate purpose", "have it issued again with keyUsage=critical,digitalSignature,keyEncipherment"},
	{"leaf-is-ca", Warning, "CA:TRUE on a leaf (an error when it is the CA given)", "it works, and whoever holds its key signs certificates for the whole cluster", "have it issued again with basicConstraints=CA:FALSE"},
}

var subjectRules = []Rule{
	{"subject-cn", Error, "the common name is not the one that a component reads", `Forbidden: User "kube-scheduler" cannot list resource ...; kube-apiserver: x509: subject with cn=... is not in the allowed list; Typha: peer certificate does not have required CN`, "have it issued again with this CN; case counts"},
	{"subject-org", Error, "the organisations are not the groups that a component reads", `Forbidden: User "..." cannot ...: the API server takes one group from each O`, "have it issued again with one O for each group"},
	{"empty-subject", Error, "an empty subject where a name is read", "kube-apiserver takes the user from the CN, and sees none: HTTP 401", "have it issued again with a CN"},
	{"zero-serial", Warning, "the serial number is 0", "Go accepts it; RFC 5280 4.1.2.2 wants a positive one", "have it issued again: openssl x509 -req -CAcreateserial"},
	{"long-serial", Warning, "the serial number is longer than 20 octets", "Go accepts it; RFC 5280 4.1.2.2 allows 20", "have it issued again: openssl x509 -req -CAcreateserial"},
	{"duplicate-serial", Warning, "two certificates of one issuer share a serial number", "Firefox: SEC_ERROR_REUSED_ISSUER_AND_SERIAL; revoking one revokes both", "have one of them issued again with another serial"},
	{"x509-v1", Warning, "an X.509 version 1 certificate, without any extension (an error for a CA)", "a leaf has no names and no usages; of a CA, kubeadm says: ca certificate is not a certificate authority", "$ openssl x509 -req -extfile ext.cnf -in request.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out fixed.pem"},
}
