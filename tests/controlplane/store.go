package main

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

const storeWithin = 30 * time.Second

// startStore runs etcd in this process, so that it outlives the API server.
func startStore(directory string, clientPort, peerPort int) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Dir = filepath.Join(directory, "etcd")
	config.LogOutputs = []string{filepath.Join(directory, "etcd.log")}
	clients, peers := loopback(clientPort), loopback(peerPort)
	config.ListenClientUrls, config.AdvertiseClientUrls = clients, clients
	config.ListenPeerUrls, config.AdvertisePeerUrls = peers, peers
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	// Nobody needs this data after a power cut, and a disk can be slow.
	config.UnsafeNoFsync = true
	store, err := embed.StartEtcd(config)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	select {
	case <-store.Server.ReadyNotify():
		return store, nil
	case <-time.After(storeWithin):
		store.Close()
		return nil, errors.New("etcd: not ready in time")
	}
}

func loopback(port int) []url.URL {
	return []url.URL{{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}}
}
