package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
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
	address string
	roots   *x509.CertPool
}

// Clusters starts API servers by name. They share one etcd, where each has a prefix of its own, and their users.
type Clusters struct {
	folder   string
	program  string
	etcdURL  string
	users    Users
	children *Children
}

// newClusters runs etcd in folder.
func newClusters(folder string, programs Programs, users Users, children *Children) (*Clusters, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
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
	return &Clusters{
		folder: folder, program: programs.APIServer, etcdURL: etcdURL, users: users, children: children,
	}, users.write(folder + "/tokens.csv")
}

// start runs an API server and tells its addresses once it is ready. There is no controller manager and no kubelet:
// objects are records only.
func (c *Clusters) start(name string) (ClusterAddresses, error) {
	folder := filepath.Join(c.folder, name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return ClusterAddresses{}, err
	}
	ports, err := freePorts(1)
	if err != nil {
		return ClusterAddresses{}, err
	}
	if err := writeServiceAccountKeys(folder); err != nil {
		return ClusterAddresses{}, err
	}
	apiserver, err := c.children.start("kube-apiserver-"+name, c.program, nil,
		"--etcd-servers="+c.etcdURL, "--etcd-prefix=/"+name, "--cert-dir="+folder+"/certs",
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[0]),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+folder+"/service-accounts.pub",
		"--service-account-signing-key-file="+folder+"/service-accounts.key",
		"--service-cluster-ip-range=10.0.0.0/24", "--authorization-mode=RBAC", "--token-auth-file="+c.folder+"/tokens.csv",
		"--disable-admission-plugins=ServiceAccount",
		"--max-requests-inflight=4000", "--max-mutating-requests-inflight=2000")
	if err != nil {
		return ClusterAddresses{}, err
	}
	cluster := &Cluster{address: fmt.Sprintf("https://127.0.0.1:%d", ports[0])}
	addresses := ClusterAddresses{
		Server: cluster.address, Authority: folder + "/certs/apiserver.crt",
		Kubeconfigs: folder + "/kubeconfigs", Tokens: c.users,
	}
	if cluster.roots, err = untilWritten(apiserver, addresses.Authority); err != nil {
		return ClusterAddresses{}, err
	}
	client := &http.Client{Transport: cluster.transport()}
	if err := apiserver.untilReady(client, cluster.address+"/readyz", 3*time.Minute); err != nil {
		return ClusterAddresses{}, err
	}
	if addresses.API, err = cluster.serveProxy(c.users[administrator]); err != nil {
		return ClusterAddresses{}, err
	}
	return addresses, addresses.writeKubeconfigs()
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

func (a ClusterAddresses) writeKubeconfigs() error {
	if err := os.MkdirAll(a.Kubeconfigs, 0o700); err != nil {
		return err
	}
	for user, token := range a.Tokens {
		text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: %[1]s
clusters:
- name: test
  cluster: {server: %[2]q, certificate-authority: %[3]q}
users:
- name: %[1]s
  user: {token: %[4]q}
contexts:
- name: %[1]s
  context: {cluster: test, user: %[1]s, namespace: flux-system}
`, user, a.Server, a.Authority, token)
		if err := os.WriteFile(filepath.Join(a.Kubeconfigs, user), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) transport() *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.roots}, ForceAttemptHTTP2: true}
}

// serveProxy gives the address of a plain http server that passes everything on: as the user whose token a request
// carries, or with the token given here.
func (c *Cluster) serveProxy(token string) (string, error) {
	target, err := url.Parse(c.address)
	if err != nil {
		return "", err
	}
	return serve(&httputil.ReverseProxy{
		Transport:     c.transport(),
		FlushInterval: -1,
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(target)
			if request.In.Header.Get("Authorization") == "" {
				request.Out.Header.Set("Authorization", "Bearer "+token)
			}
		},
	})
}
