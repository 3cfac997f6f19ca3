package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"time"
)

// secureDoors are the https ports of the git server, whose authority nobody knows.
type secureDoors struct {
	// HTTPS and Mutual are HOST:PORT; Mutual wants a client's certificate, Wrong has one for another host.
	HTTPS, Mutual, Wrong string
	// Authority, Certificate and Key are PEM; the latter two are a client's.
	Authority, Certificate, Key string
	// AppKey and AppKeyPKCS8 are the GitHub App's key, and OtherAppKey is one that isn't, PEM.
	AppKey, AppKeyPKCS8, OtherAppKey string
	// Elsewhere is the port that /elsewhere leads to.
	Elsewhere string
}

// openSecureDoors serves what the plain port serves with certificates of an authority made for it.
func (s *gitServer) openSecureDoors() (secureDoors, error) {
	authority, err := newAuthority()
	if err != nil {
		return secureDoors{}, err
	}
	server, err := authority.issue("127.0.0.1", x509.ExtKeyUsageServerAuth)
	if err != nil {
		return secureDoors{}, err
	}
	wrong, err := authority.issue("127.0.0.9", x509.ExtKeyUsageServerAuth)
	if err != nil {
		return secureDoors{}, err
	}
	client, err := authority.issue("127.0.0.1", x509.ExtKeyUsageClientAuth)
	if err != nil {
		return secureDoors{}, err
	}
	doors := secureDoors{
		Elsewhere: s.other, Authority: authority.pem(), Certificate: string(client.certificate), Key: string(client.key),
	}
	if doors.AppKey, doors.AppKeyPKCS8, doors.OtherAppKey, err = s.app.keys(); err != nil {
		return secureDoors{}, err
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM([]byte(doors.Authority))
	var errs [3]error
	doors.HTTPS, errs[0] = s.serveTLS(server, nil)
	doors.Mutual, errs[1] = s.serveTLS(server, clients)
	doors.Wrong, errs[2] = s.serveTLS(wrong, nil)
	return doors, errors.Join(errs[:]...)
}

func (s *gitServer) serveTLS(identity identity, clients *x509.CertPool) (string, error) {
	pair, err := tls.X509KeyPair(identity.certificate, identity.key)
	if err != nil {
		return "", err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if clients != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, clients
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: s, TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return listener.Addr().String(), nil
}

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// identity is a certificate and its key, PEM.
type identity struct{ certificate, key []byte }

func newAuthority() (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of the tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	bytes, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return authority{}, err
	}
	certificate, err := x509.ParseCertificate(bytes)
	return authority{certificate: certificate, key: key}, err
}

func (a authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}))
}

func (a authority) issue(address string, usage x509.ExtKeyUsage) (identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return identity{}, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return identity{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "git"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		IPAddresses: []net.IP{net.ParseIP(address)},
	}
	bytes, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return identity{}, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return identity{}, err
	}
	return identity{
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: bytes}),
		key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}),
	}, nil
}
