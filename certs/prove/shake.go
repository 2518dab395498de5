package prove

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"certwright/certs/topology"
)

// curves are those for certificates, which must all be in it: TLS 1.2 refuses a
// certificate on a curve that is not. Keys are exchanged on the first of them.
// The other ways to do that tell nothing about certificates: the post-quantum
// one costs as much as the signatures, and X25519 a third more than P-256.
var curves = []tls.CurveID{tls.CurveP256, tls.CurveP384, tls.CurveP521}

func (b *bench) config(version uint16) *tls.Config {
	return &tls.Config{
		MinVersion: version, MaxVersion: version, CurvePreferences: curves,
		SessionTicketsDisabled: true,
		Time:                   func() time.Time { return b.now },
	}
}

// serverConfig is the server of an edge. A server that asks for certificates
// demands them here, and verifies them in the handshake: the API server and
// kubelets only request one and answer 401 later, which would hide a failure.
func (b *bench) serverConfig(e *topology.Edge, version uint16) *tls.Config {
	c := b.config(version)
	c.Certificates = []tls.Certificate{*b.slot(e.Server.Slot).cert}
	if e.ClientCA != "" {
		c.ClientAuth = tls.RequireAndVerifyClientCert
		c.ClientCAs = b.pools[e.ClientCA]
	}
	return c
}

// clientConfig is the client of an edge.
func (b *bench) clientConfig(e *topology.Edge, name string, version uint16) *tls.Config {
	c := b.config(version)
	c.ServerName = name
	switch {
	case e.ServerCA == "":
		c.InsecureSkipVerify = true // as the component does: the profile says so
	case name == "":
		// The chain is verified and the host is not, as Felix does with Typha.
		c.InsecureSkipVerify = true
		c.VerifyConnection = b.verifyChain(b.pools[e.ServerCA])
	default:
		c.RootCAs = b.pools[e.ServerCA]
	}
	if e.ClientCA != "" {
		// Not Certificates: with these Go keeps a certificate back when its
		// issuer is not among those that the server names, and the error is
		// "client didn't provide a certificate". etcd and client-go use this too.
		cert := b.slot(e.Client.Slot).cert
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	return c
}

func (b *bench) verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: b.now}
		for _, c := range s.PeerCertificates[1:] {
			opts.Intermediates.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(opts)
		if err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
		}
		return nil
	}
}

// verdict is how a handshake ended: err is nil when it worked, else the error
// of the side that judged.
type verdict struct {
	byServer bool
	err      error
}

// shake makes one connection and sends a byte each way: a TLS 1.3 client is
// done before the server has judged it. It returns what the server saw.
func (p between) shake(ctx context.Context, j job) (*tls.ConnectionState, verdict) {
	client, server := p.client.clientConfig(j.edge, j.name.Value, j.version), p.server.serverConfig(j.edge, j.version)
	p.chains.spare(j.edge, client, server)
	seen, v := shake(ctx, client, server)
	if v.err == nil {
		p.chains.connected(j.edge)
	}
	return seen, v
}

func shake(ctx context.Context, clientSide, serverSide *tls.Config) (*tls.ConnectionState, verdict) {
	left, right := pipe()
	stop := context.AfterFunc(ctx, func() { left.Close(); right.Close() })
	defer stop()
	client, server := tls.Client(left, clientSide), tls.Server(right, serverSide)
	answered := make(chan error, 1)
	go func() {
		err := server.Handshake()
		if err == nil {
			err = echo(server)
		}
		right.Close() // ends the client's wait, and after an error the alert is on its way already
		answered <- err
	}()
	err := client.Handshake()
	if err == nil {
		err = ask(client)
	}
	left.Close()
	serverErr := <-answered
	state := server.ConnectionState()
	return &state, judge(err, serverErr)
}

func ask(c *tls.Conn) error {
	b := []byte{'?'}
	if _, err := c.Write(b); err != nil {
		return err
	}
	_, err := io.ReadFull(c, b)
	return err
}

func echo(c *tls.Conn) error {
	var b [1]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return err
	}
	_, err := c.Write(b[:])
	return err
}

// judge finds the side whose error is the cause: the other's is its alert, or
// the end of the connection.
func judge(client, server error) verdict {
	switch {
	case client == nil && server == nil:
		return verdict{}
	case client == nil:
		return verdict{byServer: true, err: server}
	case server == nil:
		return verdict{err: client}
	case told(client) && !told(server):
		return verdict{byServer: true, err: server}
	}
	return verdict{err: client}
}

// told says whether an error only repeats what the other side did.
func told(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe)
}

// pipe is a connection in memory. Unlike net.Pipe it holds what was written
// until it is read, so that neither side waits for the other to read its alert.
func pipe() (*conn, *conn) {
	a, b := newStream(), newStream()
	return &conn{in: a, out: b}, &conn{in: b, out: a}
}

type conn struct{ in, out *stream }

func (c *conn) Read(b []byte) (int, error)  { return c.in.read(b) }
func (c *conn) Write(b []byte) (int, error) { return c.out.write(b) }

// Close ends both directions; what was written before can still be read.
func (c *conn) Close() error {
	c.in.close()
	c.out.close()
	return nil
}

func (c *conn) LocalAddr() net.Addr              { return address{} }
func (c *conn) RemoteAddr() net.Addr             { return address{} }
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

type address struct{}

func (address) Network() string { return "memory" }
func (address) String() string  { return "memory" }

// stream is one direction of a pipe.
type stream struct {
	mu     sync.Mutex
	more   sync.Cond
	data   []byte
	closed bool
}

func newStream() *stream {
	s := &stream{}
	s.more.L = &s.mu
	return s
}

func (s *stream) read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.data) == 0 {
		if s.closed {
			return 0, io.EOF
		}
		s.more.Wait()
	}
	n := copy(b, s.data)
	s.data = s.data[n:]
	return n, nil
}

func (s *stream) write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, io.ErrClosedPipe
	}
	s.data = append(s.data, b...)
	s.more.Signal()
	return len(b), nil
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.more.Broadcast()
}
