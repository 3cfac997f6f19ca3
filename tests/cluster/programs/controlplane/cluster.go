package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Cluster is a running API server.
type Cluster struct {
	address    string
	token      string
	roots      *x509.CertPool
	kubeconfig string
}

// startCluster runs etcd and the API server in folder. There is no controller manager and no kubelet: objects are
// records only.
func startCluster(folder string, programs Programs, children *Children) (*Cluster, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	etcdURL := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	peerURL := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	etcd, err := children.start("etcd", programs.Etcd, nil,
		"--data-dir="+folder+"/etcd", "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls="+etcdURL, "--advertise-client-urls="+etcdURL,
		"--listen-peer-urls="+peerURL, "--initial-advertise-peer-urls="+peerURL, "--initial-cluster=default="+peerURL)
	if err != nil {
		return nil, err
	}
	if err := etcd.untilReady(http.DefaultClient, etcdURL+"/health", time.Minute); err != nil {
		return nil, err
	}

	token := secret()
	tokens := folder + "/tokens.csv"
	if err := os.WriteFile(tokens, []byte(token+`,administrator,administrator,"system:masters"`+"\n"), 0o600); err != nil {
		return nil, err
	}
	if err := writeServiceAccountKeys(folder); err != nil {
		return nil, err
	}
	apiserver, err := children.start("kube-apiserver", programs.APIServer, nil,
		"--etcd-servers="+etcdURL, "--cert-dir="+folder+"/certs",
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[2]),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+folder+"/service-accounts.pub",
		"--service-account-signing-key-file="+folder+"/service-accounts.key",
		"--service-cluster-ip-range=10.0.0.0/24", "--authorization-mode=RBAC", "--token-auth-file="+tokens,
		"--disable-admission-plugins=ServiceAccount",
		"--max-requests-inflight=4000", "--max-mutating-requests-inflight=2000")
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("https://127.0.0.1:%d", ports[2])
	authority := folder + "/certs/apiserver.crt"
	roots, err := untilWritten(apiserver, authority)
	if err != nil {
		return nil, err
	}
	cluster := &Cluster{address: address, token: token, roots: roots, kubeconfig: folder + "/kubeconfig"}
	client := &http.Client{Transport: cluster.transport()}
	if err := apiserver.untilReady(client, address+"/readyz", 3*time.Minute); err != nil {
		return nil, err
	}
	return cluster, cluster.writeKubeconfig(authority)
}

// untilWritten waits for the certificate that the API server makes for itself.
func untilWritten(apiserver *Child, path string) (*x509.CertPool, error) {
	for range 1200 {
		if text, err := os.ReadFile(path); err == nil {
			roots := x509.NewCertPool()
			if roots.AppendCertsFromPEM(text) {
				return roots, nil
			}
		}
		select {
		case <-apiserver.exited:
			return nil, errors.New("kube-apiserver ended before it was ready:\n" + apiserver.tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil, errors.New("kube-apiserver wrote no certificate")
}

func writeServiceAccountKeys(folder string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(folder, "service-accounts.key"),
			pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), 0o600),
		os.WriteFile(filepath.Join(folder, "service-accounts.pub"),
			pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600),
	)
}

func (c *Cluster) writeKubeconfig(authority string) error {
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster: {server: %q, certificate-authority: %q}
users:
- name: administrator
  user: {token: %q}
contexts:
- name: test
  context: {cluster: test, user: administrator, namespace: flux-system}
`, c.address, authority, c.token)
	return os.WriteFile(c.kubeconfig, []byte(text), 0o600)
}

func (c *Cluster) transport() *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.roots}, ForceAttemptHTTP2: true}
}

// serveProxy gives the address of a plain http server that passes everything on as the administrator.
func (c *Cluster) serveProxy() (string, error) {
	target, err := url.Parse(c.address)
	if err != nil {
		return "", err
	}
	return serve(&httputil.ReverseProxy{
		Transport:     c.transport(),
		FlushInterval: -1,
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(target)
			request.Out.Header.Set("Authorization", "Bearer "+c.token)
		},
	})
}

// secret gives a random token or password.
func secret() string {
	bytes := make([]byte, 18)
	_, _ = rand.Read(bytes)
	return base64.RawURLEncoding.EncodeToString(bytes)
}
