package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// facts are what is said when the API server is ready.
type facts struct {
	Server     string `json:"server"`
	CA         string `json:"ca"`
	Kubeconfig string `json:"kubeconfig"`
	Token      string `json:"token"`
	Version    string `json:"version"`
}

type plane struct {
	facts     facts
	store     *embed.Etcd
	apiServer *component
	others    []*component
	failed    chan error
}

// newPlane starts the store and prepares all else.
func newPlane(directory string) (*plane, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	made, err := makeCredentials(directory, ports[0])
	if err != nil {
		return nil, err
	}
	store, err := startStore(directory, ports[1], ports[2])
	if err != nil {
		return nil, err
	}
	failed := make(chan error, 3)
	return &plane{
		facts: facts{
			Server:     made.server,
			CA:         made.certificate,
			Kubeconfig: made.kubeconfig,
			Token:      made.token,
		},
		store:  store,
		failed: failed,
		apiServer: newComponent("kube-apiserver", directory, failed,
			apiServerFlags(made, ports[0], ports[1])...),
		others: []*component{
			newComponent("kube-scheduler", directory, failed, schedulerFlags(made)...),
			newComponent("kube-controller-manager", directory, failed, controllerFlags(made)...),
		},
	}, nil
}

func (p *plane) start() error {
	if err := p.apiServer.start(); err != nil {
		return err
	}
	if err := p.awaitReady(); err != nil {
		return err
	}
	for _, other := range p.others {
		if err := other.start(); err != nil {
			return err
		}
	}
	return nil
}

func (p *plane) stop() {
	for _, other := range p.others {
		other.kill()
	}
	p.apiServer.kill()
	p.store.Close()
}

func (p *plane) awaitReady() error {
	deadline := time.Now().Add(readyWithin)
	for {
		_, err := p.get("/readyz")
		if err == nil {
			return p.readVersion()
		}
		select {
		case failed := <-p.failed:
			return failed
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready within %s: %w; the API server's log:\n%s",
				readyWithin, err, tail(p.apiServer.logFile))
		}
	}
}

func (p *plane) readVersion() error {
	body, err := p.get("/version")
	if err != nil {
		return err
	}
	var version struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.Unmarshal(body, &version); err != nil {
		return err
	}
	p.facts.Version = version.GitVersion
	return nil
}

func (p *plane) get(path string) ([]byte, error) {
	// The API server writes it when it first starts.
	certificate, err := os.ReadFile(p.facts.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	client := http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: pool},
			DisableKeepAlives: true,
		},
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, p.facts.Server+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+p.facts.Token)
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", path, response.Status, body)
	}
	return body, nil
}

// freePorts gives ports of the loopback interface that nobody listens on.
func freePorts(count int) ([]int, error) {
	var ports []int
	var listeners []net.Listener
	defer func() {
		for _, listener := range listeners {
			_ = listener.Close()
		}
	}()
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, listener)
		address, isTCP := listener.Addr().(*net.TCPAddr)
		if !isTCP {
			return nil, errors.New("a TCP listener without a TCP address")
		}
		ports = append(ports, address.Port)
	}
	return ports, nil
}
