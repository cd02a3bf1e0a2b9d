package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
)

// credentials are the files by which the components and the tests know each other. Plain users are
// not among them: a test makes service accounts and asks the API server for their tokens.
type credentials struct {
	server      string
	token       string
	directory   string
	certificate string
	tokenFile   string
	accountKey  string
	kubeconfig  string
}

func makeCredentials(directory string, port int) (credentials, error) {
	certificates := filepath.Join(directory, "certificates")
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return credentials{}, err
	}
	made := credentials{
		server:    fmt.Sprintf("https://127.0.0.1:%d", port),
		token:     hex.EncodeToString(secret),
		directory: certificates,
		// The API server signs it itself and finds it again at its next start.
		certificate: filepath.Join(certificates, "apiserver.crt"),
		tokenFile:   filepath.Join(directory, "tokens.csv"),
		accountKey:  filepath.Join(certificates, "service-accounts.key"),
		kubeconfig:  filepath.Join(directory, "kubeconfig"),
	}
	if err := os.MkdirAll(certificates, 0o700); err != nil {
		return credentials{}, err
	}
	tokens := fmt.Sprintf("%s,admin,admin,system:masters\n", made.token)
	if err := os.WriteFile(made.tokenFile, []byte(tokens), 0o600); err != nil {
		return credentials{}, err
	}
	if err := writeKey(made.accountKey); err != nil {
		return credentials{}, err
	}
	return made, writeKubeconfig(made)
}

func writeKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	encoded, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded})
	return os.WriteFile(path, block, 0o600)
}

// writeKubeconfig writes an administrator's kubeconfig, as JSON, which is YAML.
func writeKubeconfig(made credentials) error {
	type object = map[string]any
	const name = "controlplane"
	content, err := json.MarshalIndent(object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": name,
		"clusters":        []object{{"name": name, "cluster": object{"server": made.server, "certificate-authority": made.certificate}}},
		"users":           []object{{"name": name, "user": object{"token": made.token}}},
		"contexts":        []object{{"name": name, "context": object{"cluster": name, "user": name}}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(made.kubeconfig, content, 0o600)
}
