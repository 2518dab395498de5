package check

// The sections of the catalogue that speak of files and what stands in them.
// What a component prints is quoted as Go 1.26 (crypto/tls, crypto/x509),
// client-go's keyutil and cert packages, kubeadm and OpenSSL 3.0 print it.

const (
	noPEM = `tls: failed to find any PEM data in certificate input (of a key: "in key input"; of a CA file, kubeadm: "data does not contain any valid RSA or ECDSA certificates")`
	noCA  = `the CA is skipped without a word, and then: x509: certificate signed by unknown authority`
)

var fileRules = []Rule{
	{"file-not-found", Error, "the path does not exist, or is a dangling symlink", "open: no such file or directory: the component does not start", "$ ls -l {file}"},
	{"file-unreadable", Error, "no permission to read the file", "permission denied: a static pod restarts for ever", "$ sudo chown \"$USER\" {file}"},
	{"not-a-regular-file", Error, "a directory, device or pipe where a file is due", "read: is a directory", "give the file inside it"},
	{"file-too-large", Error, "the file is larger than any certificate file", "a Secret and a ConfigMap end at 1 MiB, a request to etcd at 1.5 MiB", "keep only the certificates of the chain"},
	{"material-missing", Error, "a file that is due was not handed over", "the component does not start: open: no such file or directory", "give it, or set the component to generate"},
	{"empty-file", Error, "the file is empty, or holds only white space", noPEM, "export it again"},
	{"no-pem-block", Error, "no PEM block in the file", noPEM, "the file must hold a line -----BEGIN CERTIFICATE----- (or PRIVATE KEY); export it as PEM"},
	{"html-not-pem", Error, "a web page was saved in place of the file", noPEM, "download it again with credentials: curl -f fails in place of saving an error page"},
	{"kubeconfig-not-pem", Error, "a kubeconfig or a Secret in place of the PEM that it holds", noPEM, `$ kubectl config view --raw --kubeconfig {file} -o jsonpath='{.users[0].user.client-certificate-data}' | base64 -d > fixed.pem`},
}

var formRules = []Rule{
	{"malformed-pem", Error, "BEGIN and END lines do not pair, or lack a dash", "the block is skipped without a word: " + noPEM, "copy it again, from the BEGIN line to the END line inclusive"},
	{"truncated-pem", Error, "the END line is missing", "the block is skipped; of a later block in a chain: x509: certificate signed by unknown authority", "export it again: the end of the file is missing"},
	{"bad-base64", Error, "an illegal character inside a block", "the block is skipped, or: x509: malformed certificate", "copy it again"},
	{"blocks-run-together", Error, "END and BEGIN stand on one line", "Go finds no block at all: " + noPEM, `$ sed -i 's/-----\(BEGIN [A-Z0-9 ]*\)-----/\n&/g' {file}`},
	{"pem-headers", Error, "header lines inside a certificate's block", noCA, "$ openssl x509 -in {file} -out fixed.pem"},
	{"indented-pem", Error, "every line is indented, or quoted as in mail", "neither Go nor OpenSSL finds a block: " + noPEM, `$ sed -i 's/^[ \t>]*//' {file}`},
	{"one-line-pem", Error, "the line ends became spaces", noPEM, `quote the variable that held it: printf '%s\n' "$CERT" > fixed.pem`},
	{"escaped-newlines", Error, `\n as two characters in place of line ends`, noPEM, `$ printf '%b' "$(cat {file})" > fixed.pem`},
	{"unicode-dashes", Error, "typographic dashes in the BEGIN and END lines", noPEM, "copy it from the original file, not from a document or a chat"},
	{"utf8-bom", Error, "a byte order mark before the first BEGIN line", "the first block is not found: " + noPEM, `$ sed -i '1s/^\xEF\xBB\xBF//' {file}`},
	{"utf16", Error, "the file is UTF-16, as Notepad and PowerShell write it", noPEM, "$ iconv -f UTF-16 -t UTF-8 {file} > fixed.pem"},
	{"base64-of-pem", Error, "base64 of a PEM file, as copied out of a Secret", noPEM, "$ base64 -d {file} > fixed.pem"},
	{"der-not-pem", Error, "binary DER in place of PEM", noPEM, "$ openssl x509 -inform DER -in {file} -out fixed.pem"},
	{"pkcs12-not-pem", Error, "a PKCS#12 container (.pfx, .p12) in place of PEM", noPEM, "$ openssl pkcs12 -in {file} -clcerts -nokeys -out fixed.pem && openssl pkcs12 -in {file} -nocerts -noenc -out fixed.key"},
	{"pkcs7-not-pem", Error, "a PKCS#7 container (.p7b) in place of PEM", `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [PKCS7]`, "$ openssl pkcs7 -print_certs -in {file} -out fixed.pem"},
	{"jks-not-pem", Error, "a Java keystore in place of PEM", noPEM, "$ keytool -importkeystore -srckeystore {file} -destkeystore fixed.p12 -deststoretype pkcs12"},
	{"openssh-key", Error, "a key in OpenSSH's own form", "tls: failed to parse private key", "$ cp {file} fixed.key && ssh-keygen -p -m PKCS8 -f fixed.key"},
	{"trusted-certificate", Error, "OpenSSL's TRUSTED CERTIFICATE in place of CERTIFICATE", "Go skips the block: " + noPEM, "$ openssl x509 -in {file} -out fixed.pem"},
	{"x509-label", Error, "the old label X509 CERTIFICATE in place of CERTIFICATE", "Go skips the block: " + noPEM, "$ openssl x509 -in {file} -out fixed.pem"},
	{"key-label-mismatch", Warning, "the key's label is not that of its encoding", `crypto/tls reads it; kubeadm says: data does not contain a valid RSA or ECDSA private key`, "$ openssl pkey -in {file} -out fixed.key"},
	{"encrypted-key", Error, "the key is encrypted", "tls: failed to parse private key: nobody types a passphrase when a component starts", "$ openssl pkey -in {file} -out fixed.key"},
	{"malformed-key", Error, "the key is cut short or inconsistent", "tls: failed to parse private key", "$ openssl pkey -in {file} -check -noout"},
	{"malformed-der", Error, "the certificate's ASN.1 does not parse", "x509: malformed certificate (or malformed tbs certificate, malformed UTCTime, cannot parse IP address)", "export the certificate again, or have it issued again"},
	{"trailing-data", Error, "bytes after the certificate inside its block", "x509: trailing data", "$ openssl x509 -in {file} -out fixed.pem"},
	{"negative-serial", Error, "the serial number is negative", "x509: negative serial number (since Go 1.23)", "have it issued again with a positive serial: openssl x509 -req -CAcreateserial"},
	{"duplicate-extension", Error, "one extension twice", "x509: certificate contains duplicate extensions", "have it issued again with the extension given in one place: the request or -extfile"},
	{"extension-criticality", Error, "a key identifier is marked critical", "x509: subject key identifier incorrectly marked critical", "have it issued again with subjectKeyIdentifier=hash, not critical"},
	{"signature-algorithm-mismatch", Error, "the certificate names two different signature algorithms", "x509: inner and outer signature algorithm identifiers don't match", "have it issued again"},
}

var contentRules = []Rule{
	{"wrong-block-type", Error, "another kind of block where a certificate or key is due", `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types`, "give the file that holds what is due"},
	{"swapped-cert-and-key", Error, "certificate and key are exchanged", `tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched`, "exchange the two paths"},
	{"key-in-cert-slot", Error, "a private key where a certificate is due", `tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched`, "give the certificate (.crt); a key that was written to a CA file counts as published"},
	{"cert-in-key-slot", Error, "a certificate where the private key is due", "tls: found a certificate rather than a key in the PEM for the private key", "give the private key (.key) of this certificate"},
	{"csr-not-certificate", Error, "a certificate signing request in place of a certificate", `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [CERTIFICATE REQUEST]`, "$ openssl x509 -req -in {file} -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -copy_extensions copyall -out fixed.pem"},
	{"public-key", Error, "a public key alone", `after skipping PEM blocks of the following types: [PUBLIC KEY]`, "give the certificate, or the private key, that it belongs to"},
	{"crl-not-certificate", Error, "a revocation list in place of a certificate", noCA, "give the CA's certificate"},
	{"key-missing", Error, "no private key in the key file", `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [EC PARAMETERS]`, "$ openssl ecparam -name prime256v1 -genkey -noout -out new.key"},
	{"multiple-keys", Warning, "several private keys in one file (an error when the first is not the certificate's)", "the first one is used; when it is not the certificate's: tls: private key does not match public key", "keep one key in the file, the certificate's"},
	{"multiple-leaves", Warning, "several leaf certificates in one file (an error when the first is not the key's)", "the first one is presented; when it is not the key's: tls: private key does not match public key", "keep the new certificate alone, followed by its intermediates"},
	{"key-in-ca-file", Error, "a private key beside the CA's certificate", "it works, and the CA's key goes to every client that gets the CA file", "$ openssl x509 -in {file} -out fixed.pem"},
	{"kubeconfig-context", Error, "a kubeconfig whose current-context is not set or leads nowhere (a warning for kubectl, which may be told a context)", "invalid configuration: no configuration has been provided; kubeadm: failed to load kubeconfig", "$ kubectl config --kubeconfig {file} get-contexts"},
	{"kubeconfig-user", Error, "a kubeconfig whose user has no client certificate, or no key to it", "Unauthorized: the API server takes it for system:anonymous; kubeadm accepts such a file", "$ kubectl config --kubeconfig {file} set-credentials NAME --client-certificate FILE --client-key FILE --embed-certs"},
	{"kubeconfig-server", Error, "a kubeconfig whose server is not an https URL (a warning when it is not verified)", "no client certificate is shown over plain http, and an API server that is not verified may be anybody", "$ kubectl config --kubeconfig {file} set-cluster NAME --server https://HOST:6443"},
	{"key-permissions", Warning, "the key is readable by others than its owner", "any user of the machine can be this server or this client", "$ chmod 600 {file}"},
}
