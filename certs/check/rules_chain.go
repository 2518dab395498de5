package check

// The sections of the catalogue that speak of keys, time and chains.

const incompatibleUsage = "x509: certificate specifies an incompatible key usage"

var keyRules = []Rule{
	{"key-mismatch", Error, "the private key is not the certificate's", "tls: private key does not match public key: the component does not start", "give the key that the request for this certificate was made with"},
	{"key-reused", Warning, "several certificates share one key (an error when one of them is the CA)", "whoever runs one can act as the other; with the CA's key, sign as the CA", "make a key of its own for each certificate"},
	{"weak-key", Error, "an RSA key under 2048 bits", "OpenSSL at its usual security level 2 does not start: SSL_CTX_use_certificate: ee key too small (of a CA: CA certificate key too weak); under 1024 bits Go refuses it too: tls: client didn't provide a certificate", "$ openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out new.key"},
	{"oversize-key", Error, "an RSA key over 8192 bits", "tls: server sent certificate containing RSA key larger than 8192 bits", "$ openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out new.key"},
	{"broken-key", Error, "an RSA key that anybody can factor: ROCA, close primes, a small factor", "every component takes it, and whoever works its private key out is this server, this client or this CA", "$ openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out new.key"},
	{"rsa-exponent", Error, "an unusual RSA exponent (a warning when odd and from 3 up)", "exponent 1 makes a signature no signature; even: crypto/rsa: public exponent is even; under 65537: refused by FIPS 186-5", "$ openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out new.key"},
	{"unsupported-key-algorithm", Error, "a key of a kind that components do not take (a warning for Ed25519 on a leaf)", "tls: failed to parse private key; kubeadm of Ed25519: the private key file is neither in RSA nor ECDSA format; browsers refuse Ed25519 at an ingress", "$ openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out new.key"},
	{"post-quantum-key", Error, "an ML-DSA key or signature, which no component of the profile takes yet", "it needs programs built with Go 1.27 or newer, or on OpenSSL 3.5 or newer; others say tls: failed to parse private key, or x509: cannot verify signature: algorithm unimplemented", "$ openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out new.key"},
	{"unsupported-curve", Error, "an elliptic curve that components do not take", "x509: unsupported elliptic curve; of P-224: tls: unsupported certificate curve (P-224)", "$ openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out new.key"},
	{"explicit-ec-params", Error, "the curve is spelled out in place of being named", "x509: invalid ECDSA parameters", "$ openssl ec -in {file} -param_enc named_curve -out fixed.key"},
	{"weak-signature", Error, "signed with SHA-1 or MD5 (a warning where nobody verifies it: on a trust anchor)", `x509: certificate signed by unknown authority (possibly because of "x509: cannot verify signature: insecure algorithm SHA1-RSA" ...)`, "have it signed again with SHA-256: openssl x509 -sha256"},
}

var timeRules = []Rule{
	{"expired", Error, "the certificate is past its notAfter", "x509: certificate has expired or is not yet valid: current time ... is after ...", "renew it"},
	{"not-yet-valid", Error, "the certificate's notBefore is ahead", "x509: certificate has expired or is not yet valid: current time ... is before ...", "$ timedatectl"},
	{"expires-soon", Warning, "less than 30 days, or a tenth of its life, are left", "connections fail from one second to the next when it expires", "renew it now"},
	{"validity-inverted", Error, "notAfter lies before notBefore", "x509: certificate has expired or is not yet valid: it never is valid", "have it issued again, with -days"},
	{"validity-too-long", Warning, "a server certificate over 825 days", "Apple's systems refuse a server certificate over 825 days, under a private CA too; browsers allow public ones far less", "have it issued again with -days 365"},
	{"ca-expired", Error, "the CA is past its notAfter", "x509: certificate has expired or is not yet valid, naming the CA's date and not which certificate", "renew the CA with the same key and name: its leaves stay valid"},
	{"ca-not-yet-valid", Error, "the CA's notBefore is ahead", "x509: certificate has expired or is not yet valid: current time ... is before ...", "$ timedatectl"},
	{"intermediate-expired", Error, "an intermediate of the chain is past its notAfter", "x509: certificate has expired or is not yet valid", "replace the intermediate in the file"},
	{"ca-expires-before-leaf", Warning, "the leaf outlives its issuer", "the chain dies on the CA's date, while the leaf still shows a later one", "renew the CA first, or issue the leaf for a shorter time"},
}

var chainRules = []Rule{
	{"unknown-authority", Error, "no CA that was given is named as the issuer", `x509: certificate signed by unknown authority; etcd: rejected connection ... "error":"tls: failed to verify certificate: x509: certificate signed by unknown authority"`, "give the CA that signed it, or have it signed by the CA given"},
	{"wrong-authority", Error, "signed by another CA of the same name, or by another component's CA", `x509: certificate signed by unknown authority (possibly because of "x509: ECDSA verification failure" while trying to verify candidate authority certificate ...)`, "give the CA that signed it, or have it signed again by the CA given"},
	{"missing-intermediate", Error, "an intermediate is neither in the file nor in the CA file", "x509: certificate signed by unknown authority", "$ cat {file} intermediate.pem > fullchain.pem"},
	{"self-signed-leaf", Error, "the leaf signed itself and is not the CA given", "x509: certificate signed by unknown authority", "have it signed by the CA, or give it as the CA file too"},
	{"leaf-missing", Error, "only CA certificates in the file, without the leaf", "tls: private key does not match public key", "give the file that starts with the leaf (fullchain.pem in place of chain.pem)"},
	{"wrong-order", Error, "the leaf is not the first certificate of its file (a warning among intermediates)", "tls: private key does not match public key: the first certificate counts as the leaf", "put the leaf first, then each certificate's issuer: cat leaf.pem intermediate.pem > cert.pem"},
	{"root-included", Warning, "the root is sent along with the leaf", "bytes wasted in every handshake: the other side has the root or does not trust it", "drop the last certificate of the file"},
	{"duplicate-in-bundle", Warning, "the same certificate twice in one file", "bytes wasted in every handshake", "drop one of the two"},
	{"extraneous-certificate", Warning, "a certificate that has no part in the chain", "Go ignores it; strict TLS 1.2 peers refuse the chain", "drop it from the file"},
	{"not-a-ca", Error, "a CA without CA:TRUE", "x509: invalid signature: parent certificate cannot sign this kind of certificate; kubeadm: ca certificate is not a certificate authority", "make the CA again: openssl req -x509 -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign"},
	{"issuer-not-a-ca", Error, "signed by a leaf certificate", "x509: certificate signed by unknown authority (possibly because of \"x509: invalid signature: parent certificate cannot sign this kind of certificate\" ...)", "have it signed by the CA"},
	{"ca-missing-key-cert-sign", Error, "a CA whose key usage lacks keyCertSign", "x509: invalid signature: parent certificate cannot sign this kind of certificate", "make the CA again with keyUsage=critical,keyCertSign,cRLSign"},
	{"pathlen-exceeded", Error, "more CAs below than the path length allows", "x509: too many intermediates for path length constraint", "sign with the constrained CA itself, or make that CA again with a larger pathlen"},
	{"issuer-eku", Error, "an issuer's extended key usage lacks the use", incompatibleUsage + ", while the leaf itself is healthy: Go and OpenSSL nest usages over the whole chain", "take a CA without extended key usage, or one that has this use"},
	{"name-constraint", Error, "a name outside what an issuer may sign for", `x509: a root or intermediate certificate is not authorized to sign for this name: DNS name "kubernetes" is not permitted by any constraint`, "take a CA whose constraints permit every name of the certificate, kubernetes and the service range included"},
	{"issuer-name-encoding", Error, "the issuer's name is the CA's in another encoding", "OpenSSL accepts it; Go compares bytes: x509: certificate signed by unknown authority", "issue the leaf from the CA's file itself (-CA ca.crt), not from a name in a config file"},
	{"aki-mismatch", Warning, "the authority key identifier is not the CA's key identifier", "Go accepts it; OpenSSL: unable to get local issuer certificate", "issue it again, and keep subjectKeyIdentifier when renewing a CA"},
	{"same-subject-as-ca", Warning, "the leaf has its CA's subject", "Go accepts it; OpenSSL takes it for self-signed: error 18 at 0 depth lookup: self-signed certificate", "issue it again with another CN"},
	{"unknown-critical-extension", Error, "a critical extension that components do not know", "x509: unhandled critical extension", "issue it without that extension; of a precertificate, download the certificate itself"},
	{"bad-signature", Error, "the CA's name and key fit, the signature does not: the certificate was edited or damaged", `x509: certificate signed by unknown authority (possibly because of "crypto/rsa: verification error" while trying to verify candidate authority certificate ...)`, "take the original file"},
	{"policy-constraint", Error, "an issuer requires a certificate policy that the chain lacks", "x509: no valid chains built: 1 candidate chains with invalid policies", "have it issued again with the policy that the issuer requires"},
	{"chain-too-long", Error, "the chain is longer, or the choice of issuers wider, than verifiers follow", "x509: signature check attempts limit reached while verifying certificate chain", "keep only the certificates that lead from the leaf to the CA"},
	{"ca-shared-between-roles", Warning, "one CA in two roles that must be apart", "whatever one of them signs is believed in the other's place: any client certificate of kube's CA opens an etcd that trusts it, or passes as the aggregator", "make a CA of its own for each role"},
	{"chain-across-slots", Error, "the certificate belongs under another component's CA", "x509: certificate signed by unknown authority", "have it signed by its own component's CA, or give the certificate made for this slot"},
}
